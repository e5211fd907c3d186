#!/usr/bin/env node
/** The command line: arguments in, text or JSON out, an exit status. Commands load what they need when they are called. */
import { Command, CommanderError } from 'commander';
import type * as Build from './cli/build.ts';
import type * as Measure from './cli/measure.ts';
import type * as Read from './cli/read.ts';
import { version } from './version.ts';
import { guarded, type Flags, type Status } from './cli/shared.ts';

const collect = (value: string, all: readonly string[] = []): string[] => [...all, value];

function pipelineFlags(command: Command): Command {
	return command
		.option('-e, --expression <text>', 'the recipe itself, in place of a file')
		.option('-p, --param <name=value>', 'a parameter of the recipe', collect)
		.option('--shape <input=1x128>', 'sizes for dynamic dimensions', collect)
		.option('--data <path>', 'calibration data: a file or a folder (docs/data.md)')
		.option('--seed <n>', 'seed of everything that is drawn')
		.option('--threads <n>', 'threads of onnxruntime')
		.option('--samples <n>', 'inputs that the proof runs on')
		.option('--no-verify', 'skip proof and drift')
		.option('--keep-going', 'write the result although an expectation failed')
		.option('--force', 'replace an existing file')
		.option('--json', 'one JSON document on standard output')
		.option('-q, --quiet', 'say nothing but problems');
}

type Run = (flags: Flags, command: () => Promise<Status> | Status) => Promise<void>;

function addBuilding(root: Command, run: Run): void {
	const load = async (): Promise<typeof Build> => import('./cli/build.ts');
	const recipeFlags = (name: string, about: string): Command =>
		pipelineFlags(root.command(name).description(about));
	recipeFlags('build <recipe> [model]', 'compile, write, prove')
		.option('-o, --out <file>', 'the result')
		.action((recipe: string, model: string | undefined, flags: Flags) =>
			run(flags, async () => (await load()).build(recipe, model, flags)),
		);
	recipeFlags('plan <recipe> [model]', 'what would go, and why the rest stays')
		.option('-o, --out <file>', 'write plan.json')
		.action((recipe: string, model: string | undefined, flags: Flags) =>
			run(flags, async () => (await load()).plan(recipe, model, flags)),
		);
	recipeFlags('apply <plan> <model>', 'exactly that plan, without scoring')
		.option('-o, --out <file>', 'the result')
		.action((plan: string, model: string, flags: Flags) =>
			run(flags, async () => (await load()).apply(plan, model, flags)),
		);
}

function addMeasuring(root: Command, run: Run): void {
	const load = async (): Promise<typeof Measure> => import('./cli/measure.ts');
	pipelineFlags(root.command('verify <original> <pruned>').description('prove again what a build proved'))
		.option('--plan <file>', 'the plan of the build')
		.action((original: string, pruned: string, flags: Flags) =>
			run(flags, async () => (await load()).verify(original, pruned, flags)),
		);
	pipelineFlags(root.command('bench <models...>').description('latency side by side')).action(
		(models: string[], flags: Flags) => run(flags, async () => (await load()).bench(models, flags)),
	);
}

function addReading(root: Command, run: Run): void {
	const load = async (): Promise<typeof Read> => import('./cli/read.ts');
	pipelineFlags(root.command('check [recipes...]').description('read and check recipes')).action(
		(recipes: string[], flags: Flags) =>
			run(flags, async () => (await import('./cli/check.ts')).check(recipes, flags)),
	);
	pipelineFlags(
		root.command('inspect <model>').description('layers, heads, widths, and what blocks what'),
	).action((model: string, flags: Flags) => run(flags, async () => (await load()).inspect(model, flags)));
	root
		.command('fmt <recipes...>')
		.description('canonical form')
		.option('--check', 'only say which files differ')
		.action((recipes: string[], flags: Flags) =>
			run(flags, async () => (await import('./cli/check.ts')).format(recipes, flags)),
		);
	root
		.command('explain <code>')
		.description('the page of a diagnostic')
		.action((code: string) => run({}, async () => (await load()).explain(code)));
	root
		.command('list <what>')
		.description('techniques, metrics, ops or codes')
		.option('--json', 'as JSON')
		.action((what: string, flags: Flags) => run(flags, async () => (await load()).list(what, flags)));
}

function program(finish: (status: Status) => void): Command {
	const root = new Command('prunec')
		.description('Compiles pruning recipes: a smaller, faster ONNX model, proven in onnxruntime.')
		.version(version());
	const run: Run = (flags, command) => guarded(flags, command).then(finish);
	addBuilding(root, run);
	addMeasuring(root, run);
	addReading(root, run);
	return root;
}

/** Runs the command line. @returns the exit status. */
export async function main(argv: readonly string[]): Promise<Status> {
	let status: Status = 0;
	const root = program((result) => {
		status = result;
	});
	for (const command of [root, ...root.commands]) command.exitOverride();
	try {
		await root.parseAsync(argv, { from: 'user' });
		return status;
	} catch (problem) {
		if (problem instanceof CommanderError) return problem.exitCode === 0 ? 0 : 2;
		throw problem;
	}
}

process.exitCode = await main(process.argv.slice(2));
