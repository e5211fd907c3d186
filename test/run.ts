/**
 * Runs the test files in two processes side by side, each file in one of them, and fails on whatever `run-one.ts` finds, on a process that
 * ends early, and on a filter that matches nothing.
 *
 *     npm test [-- <part of a file name>…]
 */
import { fork, type ChildProcess } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Report } from './run-one.ts';

const folder = process.env['PRUNEC_TESTS'] ?? fileURLToPath(new URL('.', import.meta.url));
const filters = process.argv.slice(2);
const program = fileURLToPath(new URL('run-one.ts', import.meta.url));
const workers = 2;

const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
	.filter((file) => /\.test\.[jt]s$/.test(file))
	.filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
	.sort();
const problems: string[] = files.length === 0 ? [`no test matches '${filters.join(' ')}'`] : [];
const tally = { total: 0, passed: 0 };
await Promise.all(Array.from({ length: Math.min(workers, files.length) }, work));

process.stderr.write(problems.map((problem) => `\n${problem}\n`).join(''));
const failed = Math.max(tally.total - tally.passed, problems.length > 0 ? 1 : 0);
process.stdout.write(`\n${String(tally.passed)} passed, ${String(failed)} failed\n`);
process.exitCode = problems.length > 0 ? 1 : 0;

/** Takes files as long as there are any; what a file prints is shown when it is done. */
async function work(): Promise<void> {
	const child = fork(program, [folder], {
		execArgv: ['--import', 'tsx'],
		// What a test measures comes from no run before it; the tests of the cache lift this.
		env: { ...process.env, PRUNEC_NO_CACHE: '1' },
		stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
	});
	let printed = '';
	for (const stream of [child.stdout, child.stderr])
		stream?.setEncoding('utf8').on('data', (text: string) => {
			printed += text;
		});
	await answer(child);
	for (let file = files.shift(); file !== undefined; file = files.shift()) {
		child.send(file);
		const report = await answer(child);
		if (report === undefined) problems.push(`${file}: the run ended before every suite finished`);
		else note(report);
		process.stdout.write(`${printed}  ${file} ${report?.seconds.toFixed(1) ?? '-'} s\n`);
		printed = '';
		if (report === undefined) return work();
	}
	const closed = new Promise((resolve) => child.once('close', resolve));
	child.kill();
	await closed;
	process.stdout.write(printed);
}

/** What the process says next; undefined when it has ended. */
async function answer(child: ChildProcess): Promise<Report | undefined> {
	return new Promise((resolve) => {
		const ended = (): void => {
			resolve(undefined);
		};
		child.once('exit', ended);
		child.once('message', (report: Report) => {
			child.off('exit', ended);
			resolve(report);
		});
	});
}

function note({ total, passed, problems: found }: Report): void {
	tally.total += total;
	tally.passed += passed;
	problems.push(...found);
}
