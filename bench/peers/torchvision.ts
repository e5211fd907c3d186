/**
 * `prune channels 50%` on exported torchvision models, beside Torch-Pruning on the same architectures, as Markdown.
 *
 *     node --import tsx bench/peers/torchvision.ts table.md [--python interpreter] model.onnx…
 *
 * Results are kept beside the table as they come in (`<table>.jsonl`), so models can come one at a time. The interpreter has torch,
 * torchvision and torch-pruning; without one the peer's columns stay empty.
 */
import { execFile } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

type Ours = {
	readonly ok?: boolean;
	readonly selected?: number;
	readonly params?: readonly [number, number];
	readonly proven?: boolean;
	readonly weak?: boolean;
	readonly error?: number;
	readonly before?: number;
	readonly after?: number;
	readonly refused?: string;
	readonly planSeconds?: number;
	readonly wholeSeconds?: number;
	readonly provenSeconds?: number;
	readonly crash?: string;
};
type Theirs = {
	readonly seconds?: number;
	readonly params?: readonly [number, number];
	readonly failed?: string;
};
type Line = { readonly model: string; readonly ours: Ours; readonly theirs?: Theirs };

const run = promisify(execFile);
const minutes = 6;
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

const [table = '', ...rest] = process.argv.slice(2);
const python = rest[0] === '--python' ? rest[1] : undefined;
const models = python === undefined ? rest : rest.slice(2);
const kept = `${table}.jsonl`;

for (const path of models) {
	const model = basename(path, '.onnx');
	const ours = await told<Ours>(process.execPath, ['--import', 'tsx', here('torchvision-one.ts'), path]);
	const theirs = python && (await told<Theirs>(python, [here('prune_torch.py'), model]));
	appendFileSync(kept, `${JSON.stringify({ model, ours, ...(theirs && { theirs }) })}\n`);
	writeFileSync(table, page(lines()));
}

/** The last line of what a command prints, as JSON, or why there is none. */
async function told<T>(command: string, args: readonly string[]): Promise<T | { readonly crash: string }> {
	try {
		const { stdout } = await run(command, args, { timeout: minutes * 60_000, maxBuffer: 1 << 26 });
		return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as T;
	} catch (problem) {
		const { killed, message } = problem as Error & { killed?: boolean };
		return { crash: killed ? `longer than ${minutes} minutes` : (message.split('\n').at(-1) ?? message) };
	}
}

function lines(): Line[] {
	if (!existsSync(kept)) return [];
	const all = readFileSync(kept, 'utf8').trim().split('\n');
	const latest = new Map(all.map((text) => JSON.parse(text) as Line).map((line) => [line.model, line]));
	return [...latest.values()].sort((a, b) => (a.model < b.model ? -1 : 1));
}

function verdict({ crash, refused, proven, weak }: Ours): string {
	if (crash !== undefined) return `failed: ${crash}`;
	if (refused !== undefined) return `refused: ${refused}`;
	return proven !== true ? 'not proven' : weak === true ? 'weak' : 'proven';
}

function left(params: readonly [number, number] | undefined): string {
	return params === undefined ? '' : `${((100 * params[1]) / params[0]).toFixed(1)} %`;
}

function ratio(over: number | undefined, under: number | undefined): string {
	return over === undefined || under === undefined ? '' : `${(over / under).toFixed(2)} x`;
}

function page(all: readonly Line[]): string {
	const rows = all.map(({ model, ours, theirs }) =>
		[
			model,
			verdict(ours),
			left(ours.params),
			ratio(ours.before, ours.after),
			ours.planSeconds?.toFixed(2) ?? '',
			ours.provenSeconds?.toFixed(1) ?? '',
			theirs?.failed === undefined ? left(theirs?.params) : theirs.failed.split(':')[0],
			ratio(ours.planSeconds, theirs?.seconds),
			ratio(ours.wholeSeconds, theirs?.seconds),
		].join(' | '),
	);
	const speed = all.flatMap(({ ours: { before, after } }) =>
		before && after ? [Math.log(before / after)] : [],
	);
	const mean = Math.exp(speed.reduce((sum, one) => sum + one, 0) / Math.max(1, speed.length));
	return `${[
		'| model | verdict | parameters left | faster by | plan, s | with proof, s | Torch-Pruning: parameters left | plan over its build + step | to the written file over it |',
		'|---|---|---|---|---|---|---|---|---|',
		...rows.map((row) => `| ${row} |`),
		'',
		`${all.length} models; geometric mean of the speed-up ${mean.toFixed(2)} x. Seconds are processor time.`,
	].join('\n')}\n`;
}
