/** The command line: arguments in, text or JSON out, an exit status. Commands load what they need when they are called. */
import { Command, CommanderError } from 'commander';
import { commands } from './cli/commands.ts';
import { commandOf } from './cli/flags.ts';
import { failed, guarded, print, Usage, type Status } from './cli/shared.ts';
import { version } from './version.ts';

function program(finish: (status: Status) => void): { root: Command; said: () => string } {
	let said = '';
	const output = {
		writeErr: (text: string): void => {
			said += text;
		},
	};
	const about = 'Compiles pruning recipes: a smaller, faster ONNX model, proven in onnxruntime.';
	const root = new Command('prunec').description(about).helpCommand(false);
	for (const declared of commands) {
		const command = commandOf(declared, (flags, run) => guarded(flags, run).then(finish));
		root.addCommand(command.exitOverride().configureOutput(output));
	}
	root
		.exitOverride()
		.configureOutput(output)
		.configureHelp({ formatHelp: () => overview(about) });
	return { root, said: () => said };
}

function overview(about: string): string {
	const width = Math.max(...commands.map(({ usage }) => usage.length));
	return [
		about,
		'Usage: prunec <command> [options]',
		'',
		...commands.map(({ usage, about: does }) => `  ${usage.padEnd(width)}  ${does}`),
		'',
		'`prunec <command> --help` says what it takes; `prunec --version` which version this is.',
		'',
	].join('\n');
}

/** Commander's complaint as one of ours: its first line, and the spelling it suggests. */
function complaint(problem: CommanderError): Usage {
	const [first = '', ...rest] = problem.message.replace(/^error: /, '').split('\n');
	const near = /\(Did you mean (?:one of )?(.*)\?\)/.exec(rest.join(' '))?.[1];
	return new Usage(first, near);
}

/** Runs the command line. @returns the exit status. */
async function main(argv: readonly string[]): Promise<Status> {
	const json = argv.includes('--json');
	if (argv[0] === '--version' || argv[0] === '-V') {
		const document = { schema: 'prunec/version@1', version: version(), node: process.versions.node };
		print(json ? JSON.stringify(document, null, '\t') : document.version);
		return 0;
	}
	let status: Status = 0;
	const { root, said } = program((result) => {
		status = result;
	});
	try {
		await root.parseAsync(argv, { from: 'user' });
		return status;
	} catch (problem) {
		if (!(problem instanceof CommanderError)) throw problem;
		if (problem.exitCode === 0) return 0;
		if (problem.code !== 'commander.help') return failed(complaint(problem), { json });
		process.stderr.write(said());
		return 2;
	}
}

// Whoever reads us may stop early (`prunec list ops | head`); that is no mistake.
process.stdout.on('error', (problem: NodeJS.ErrnoException) => {
	if (problem.code === 'EPIPE') process.exit(0);
	throw problem;
});
void main(process.argv.slice(2)).then((status) => {
	process.exitCode = status;
});
