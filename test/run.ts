/**
 * Runs the test files through uvu and fails on what uvu 0.5.6 lets pass: a file without `test.run()`,
 * a hook that throws, a thrown non-Error, `.only`, `.skip`, a run that ends early, and a filter that matches nothing.
 *
 *     npm test [-- <part of a file name>]
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

type Outcome = [errors: string | true, passed: number, skipped: number, total: number];
type Group = [file: string, ...suites: (() => Promise<Outcome>)[]];
/** What uvu's own runner keeps on `globalThis`; its version is pinned for this reason. */
const uvu = globalThis as unknown as { UVU_DEFER: 1; UVU_QUEUE: Group[]; UVU_INDEX: number };

const folder = process.env['PRUNEC_TESTS'] ?? fileURLToPath(new URL('.', import.meta.url));
const filter = process.argv[2] ?? '';
const problems: string[] = [];
const tally = { total: 0, passed: 0 };
let finished = false;

// What a test measures comes from no run before it; the tests of the cache lift this.
process.env['PRUNEC_NO_CACHE'] = '1';
process.on('exit', () => {
	if (finished) return;
	process.stderr.write('\nthe run ended before every suite finished\n');
	process.exitCode = 1;
});

uvu.UVU_DEFER = 1;
uvu.UVU_QUEUE = [];
await import('uvu');

const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
	.filter((file) => /\.test\.[jt]s$/.test(file) && file.includes(filter))
	.sort();
for (const [index, file] of files.entries()) {
	const group: Group = [file];
	uvu.UVU_INDEX = index;
	uvu.UVU_QUEUE[index] = group;
	const started = performance.now();
	await import(pathToFileURL(join(folder, file)).href);
	await runSuites(group);
	process.stdout.write(`  ${file} ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
}

if (tally.total === 0) problems.push(`no test matches '${filter}'`);
finished = true;
process.stderr.write(problems.map((problem) => `\n${problem}\n`).join(''));
const failed = Math.max(tally.total - tally.passed, problems.length > 0 ? 1 : 0);
process.stdout.write(`\n${String(tally.passed)} passed, ${String(failed)} failed\n`);
process.exitCode = problems.length > 0 ? 1 : 0;

async function runSuites([file, ...suites]: Group): Promise<void> {
	if (suites.length === 0) problems.push(`${file}: test.run() is never called`);
	for (const suite of suites) {
		const [errors, passed, skipped, declared] = await suite();
		tally.total += declared;
		tally.passed += passed;
		if (errors !== true) problems.push(`${file}\n${errors}`);
		else if (passed < declared)
			problems.push(`${file}: ${String(declared - passed)} of ${String(declared)} tests never ran`);
		if (declared === 0) problems.push(`${file}: a suite without tests`);
		if (skipped > 0) problems.push(`${file}: ${String(skipped)} tests skipped`);
	}
}
