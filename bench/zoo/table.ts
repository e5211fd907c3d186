/**
 * A table of models × what can be pruned: proven, refused and why, or not applicable; as Markdown.
 *
 *     node --import tsx bench/zoo/table.ts docs/zoo.md <folder or model>…
 *     node --import tsx bench/zoo/table.ts docs/zoo-tokens.md --adaptive <folder or model>…
 *
 * Results are kept beside the table as they come in (`<table>.jsonl`), and a model that is there already is not built again.
 */
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { page, type Result } from './page.ts';
import { adaptive, structures, withConsent, type Target } from './targets.ts';

/** What one statement may take. */
const seconds = 150;

const [table = '', ...rest] = process.argv.slice(2);
const trial = rest[0] === adaptive.flag ? adaptive : structures;
const paths = rest.filter((word) => word !== adaptive.flag);
const one = fileURLToPath(new URL('one.ts', import.meta.url));
const kept = `${table}.jsonl`;

const results: Result[] = existsSync(kept)
	? readFileSync(kept, 'utf8')
			.trim()
			.split('\n')
			.map((line) => JSON.parse(line) as Result)
	: [];
const done = new Set(results.map(({ model, statement }) => `${model}|${statement}`));

const models = paths.flatMap((path) =>
	statSync(path).isDirectory()
		? readdirSync(path, { recursive: true, encoding: 'utf8' })
				.filter((name) => name.endsWith('.onnx'))
				.sort()
				.map((name) => join(path, name))
		: [path],
);
for (const path of models) {
	const model = basename(path, '.onnx');
	const all = trial.targets.flatMap(({ plain, aligned }) => [
		plain,
		...(aligned === undefined ? [] : [aligned]),
	]);
	await buildAll(path, model, all);
	await buildAll(path, model, trial.targets.filter((target) => isFrozen(model, target)).map(withConsent));
	writeFileSync(table, page(trial, results, seconds));
}

/** Whether an input or output is in the way of the most that a target asks for. */
function isFrozen(model: string, { plain, aligned = plain }: Target): boolean {
	const result = results.findLast((one) => one.model === model && one.statement === aligned);
	const stays = result !== undefined && (result.selected ?? 0) === 0;
	return stays && (result.diagnostics ?? []).some((text) => text.includes('is frozen without'));
}

async function buildAll(path: string, model: string, statements: readonly string[]): Promise<void> {
	let left = statements.filter((statement) => !done.has(`${model}|${statement}`));
	while (left.length > 0) left = left.slice(await buildSome(path, model, left));
}

/** Builds statements in one process until one takes too long; how many are done. */
async function buildSome(path: string, model: string, statements: readonly string[]): Promise<number> {
	const child = spawn(process.execPath, ['--import', 'tsx', one, path, ...statements], {
		stdio: ['ignore', 'pipe', 'ignore'],
	});
	let count = 0;
	let timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
	for await (const line of createInterface({ input: child.stdout })) {
		clearTimeout(timer);
		timer = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
		note({ ...(JSON.parse(line) as Result), model });
		count++;
	}
	clearTimeout(timer);
	if (count === statements.length) return count;
	const crash = child.signalCode === 'SIGKILL' ? `longer than ${seconds} s` : 'the process ended';
	note({ model, statement: statements[count] ?? '', ok: false, crash, seconds });
	return count + 1;
}

function note(result: Result): void {
	results.push(result);
	appendFileSync(kept, `${JSON.stringify(result)}\n`);
	process.stdout.write(`${result.model}\t${result.statement}\t${result.seconds.toFixed(1)} s\n`);
}
