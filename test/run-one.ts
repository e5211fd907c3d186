/**
 * Runs test files through uvu, one after another as `run.ts` names them, and says what uvu 0.5.6 lets pass: a file without `test.run()`,
 * a hook that throws, a thrown non-Error, `.only`, `.skip`.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

type Outcome = [errors: string | true, passed: number, skipped: number, total: number];
type Group = [file: string, ...suites: (() => Promise<Outcome>)[]];
/** What uvu's own runner keeps on `globalThis`; its version is pinned for this reason. */
const uvu = globalThis as unknown as { UVU_DEFER: 1; UVU_QUEUE: Group[]; UVU_INDEX: number };

/** What came of one file. */
export type Report = {
	readonly total: number;
	readonly passed: number;
	readonly seconds: number;
	readonly problems: readonly string[];
};

const [, , folder = ''] = process.argv;
uvu.UVU_DEFER = 1;
uvu.UVU_QUEUE = [];
await import('uvu');

process.on('message', (file: string) => {
	void runFile(file).then((report) => process.send?.(report));
});
process.send?.('ready');

async function runFile(file: string): Promise<Report> {
	const group: Group = [file];
	uvu.UVU_INDEX = uvu.UVU_QUEUE.push(group) - 1;
	const started = performance.now();
	await import(pathToFileURL(join(folder, file)).href);
	const report = await runSuites(group);
	return { ...report, seconds: (performance.now() - started) / 1000 };
}

async function runSuites([file, ...suites]: Group): Promise<Omit<Report, 'seconds'>> {
	const problems: string[] = [];
	let [total, ran] = [0, 0];
	if (suites.length === 0) problems.push(`${file}: test.run() is never called`);
	for (const suite of suites) {
		const [errors, passed, skipped, declared] = await suite();
		total += declared;
		ran += passed;
		if (errors !== true) problems.push(`${file}\n${errors}`);
		else if (passed < declared)
			problems.push(`${file}: ${String(declared - passed)} of ${String(declared)} tests never ran`);
		if (declared === 0) problems.push(`${file}: a suite without tests`);
		if (skipped > 0) problems.push(`${file}: ${String(skipped)} tests skipped`);
	}
	return { total, passed: ran, problems };
}
