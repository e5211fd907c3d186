/**
 * A table of models × statements: proven, refused and why, or not applicable.
 *
 *     node --import tsx bench/zoo/table.ts <folder or model>… [-- <statement>…]
 */
import { execFile } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const usual = [
	'prune heads 50%',
	'prune ffn 50%',
	'prune layers [0]',
	'prune channels 50%',
	'prune filters 50%',
	'prune hidden 25%',
	'prune units 50%',
	'factorize ffn rank 4',
];
const minutes = 3;
const divider = process.argv.indexOf('--', 2);
const paths = process.argv.slice(2, divider < 0 ? undefined : divider);
const statements = divider < 0 ? usual : process.argv.slice(divider + 1);
const one = fileURLToPath(new URL('one.ts', import.meta.url));

const models = paths.flatMap((path) =>
	statSync(path).isDirectory()
		? readdirSync(path, { recursive: true, encoding: 'utf8' })
				.filter((name) => name.endsWith('.onnx'))
				.sort()
				.map((name) => join(path, name))
		: [path],
);
for (const model of models) {
	for (const statement of statements) {
		process.stdout.write(`${basename(model)}\t${statement}\t${await verdict(model, statement)}\n`);
	}
}

type Result = {
	readonly ok?: boolean;
	readonly crash?: string;
	readonly selected?: number;
	readonly of?: number;
	readonly params?: readonly [number, number];
	readonly proven?: boolean;
	readonly weak?: boolean;
	readonly weights?: string;
	readonly error?: number;
	readonly diagnostics?: readonly string[];
	readonly seconds: number;
};

async function verdict(model: string, statement: string): Promise<string> {
	const result = await run(model, statement);
	const why = (result.diagnostics ?? []).slice(0, 3).join(' | ');
	if (result.crash !== undefined) return `CRASH\t${result.crash.split('\n').slice(0, 3).join(' / ')}`;
	if (result.ok !== true || result.selected === undefined)
		return `${why.includes('plan/nothing-found') ? 'none' : 'REFUSED'}\t${why}`;
	const [before = 0, after = 0] = result.params ?? [];
	const share = `${result.selected}/${result.of ?? 0} units, ${((100 * after) / Math.max(1, before)).toFixed(1)}% of parameters left`;
	const how = `error ${result.error?.toExponential(1) ?? '-'}${result.weights === 'seeded' ? ', seeded weights' : ''}, ${result.seconds.toFixed(1)} s`;
	const word =
		result.selected === 0 ? 'NOTHING' : result.proven !== true ? 'FAILED' : result.weak ? 'WEAK' : 'proven';
	return `${word}\t${share}; ${how}${why === '' ? '' : `\t${why}`}`;
}

function run(model: string, statement: string): Promise<Result> {
	return new Promise((resolve) => {
		execFile(
			process.execPath,
			['--import', 'tsx', one, model, statement],
			{ timeout: minutes * 60_000, maxBuffer: 1 << 26 },
			(problem, stdout, stderr) => {
				const line = stdout.trim().split('\n').at(-1) ?? '';
				try {
					resolve(JSON.parse(line) as Result);
				} catch {
					const text = problem?.killed === true ? `longer than ${minutes} minutes` : stderr.slice(0, 300);
					resolve({ crash: text || 'no answer', seconds: 0 });
				}
			},
		);
	});
}
