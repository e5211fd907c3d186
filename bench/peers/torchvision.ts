/**
 * `prune channels 50%` on torchvision models with random weights, beside Torch-Pruning on the same architectures: docs/torchvision.md.
 *
 *     node --import tsx bench/peers/torchvision.ts results.jsonl page.md [--python interpreter] [--dynamo] MODEL…
 *
 * Every model is exported, built, proven and timed, one after another, and the export deleted; a line of JSON each goes to the first
 * file, and a run that was stopped goes on. The page is written of all lines. The interpreter has torch and torchvision.
 * Torch-Pruning's results are those of `torch-pruning.tsv`. With `--dynamo` the models are exported by `torch.export` and the lines
 * are a table of their own behind the other on the same page: each run leaves the other's part as it is.
 */
import { execFile } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

type Ours = {
	readonly params?: readonly [number, number];
	readonly macs?: readonly [number, number];
	readonly proven?: boolean;
	readonly weak?: boolean;
	/** Median of the pruned model's time over the original's. */
	readonly ratio?: number;
	readonly refused?: string;
	readonly crash?: string;
};
type Line = { readonly model: string; readonly ours: Ours };
type Theirs = {
	readonly model: string;
	readonly family: string;
	/** Share of parameters kept, and how much faster; absent where it failed. */
	readonly kept?: number;
	readonly speedup?: number;
	readonly failed: string;
};

const run = promisify(execFile);
const minutes = 6;
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

const [results = '', page = '', ...rest] = process.argv.slice(2);
const python = rest[0] === '--python' ? rest[1] : 'python3';
const given = rest[0] === '--python' ? rest.slice(2) : rest;
const isDynamo = given[0] === '--dynamo';
const models = isDynamo ? given.slice(1) : given;
const head = ['model', 'verdict', 'parameters left', 'multiply-adds left', 'faster by'];
const second = '## Through the current exporter';

for (const model of models) {
	if (lines().some((line) => line.model === model)) continue;
	const folder = mkdtempSync(join(tmpdir(), 'prunec-torchvision-'));
	const path = join(folder, `${model}.onnx`);
	try {
		const ours = (await exported(model, path)) ?? (await built(path));
		appendFileSync(results, `${JSON.stringify({ model, ours })}\n`);
	} finally {
		rmSync(folder, { recursive: true });
	}
	writePage();
}
writePage();

/** Both tables; the one that this run is not about stays as it stands. */
function writePage(): void {
	const [before = '', behind] = (existsSync(page) ? readFileSync(page, 'utf8') : '').split(`\n${second}\n`);
	const first = isDynamo ? before : text(lines());
	const later = isDynamo ? dynamoText(lines()) : behind;
	writeFileSync(page, later === undefined ? first : `${first}\n${second}\n${later}`);
}

/** The table of what `torch.export` wrote. */
function dynamoText(all: readonly Line[]): string {
	const proven = all.filter(({ ours }) => verdict(ours) === 'proven');
	const speed = geometricMean(proven.map(({ ours }) => fasterBy(ours) ?? 1));
	const rows = all.map(({ model, ours }) => [
		model,
		verdict(ours),
		percent(leftOf(ours.params)),
		percent(leftOf(ours.macs)),
		times(fasterBy(ours)),
	]);
	return `${[
		'',
		'The same statement on files of `torch.onnx.export(…, dynamo=True)`, torch 2.15 with onnxscript 0.7.2, opset 20.',
		`Proven: **${proven.length} of ${all.length}** tried; geometric mean of the speed-up ${times(speed)}.`,
		'',
		...[head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`),
	].join('\n')}\n`;
}

/** Why there is no export. */
async function exported(model: string, path: string): Promise<Ours | undefined> {
	try {
		const argv = [here('export_torchvision.py'), model, path, ...(isDynamo ? ['dynamo'] : [])];
		await run(python ?? '', argv, { timeout: minutes * 60_000 });
		return undefined;
	} catch (problem) {
		return { crash: `does not export: ${lastLine((problem as Error).message)}` };
	}
}

/** What `torchvision-one.ts` told, up to where it came. */
async function built(path: string): Promise<Ours> {
	const argv = ['--import', 'tsx', here('torchvision-one.ts'), path];
	try {
		const { stdout } = await run(process.execPath, argv, { timeout: minutes * 60_000, maxBuffer: 1 << 26 });
		return JSON.parse(lastLine(stdout)) as Ours;
	} catch (problem) {
		const { killed, message, stdout } = problem as Error & { killed?: boolean; stdout?: string };
		const told = stdout ? (JSON.parse(lastLine(stdout)) as Ours) : {};
		return { ...told, crash: killed ? `longer than ${minutes} minutes` : lastLine(message) };
	}
}

function lastLine(of: string): string {
	return of.trim().split('\n').at(-1) ?? '';
}

/** The latest of each model. */
function lines(): Line[] {
	if (!existsSync(results)) return [];
	const all = readFileSync(results, 'utf8').trim().split('\n').filter(Boolean);
	const latest = new Map(all.map((one) => JSON.parse(one) as Line).map((line) => [line.model, line]));
	return [...latest.values()];
}

/** What Torch-Pruning made of the models, in the order of its list. */
function peers(): Theirs[] {
	const [, ...rows] = readFileSync(here('torch-pruning.tsv'), 'utf8').trim().split('\n');
	return rows.map((row) => {
		const [model = '', family = '', kept = '', speedup = '', failed = ''] = row.split('\t');
		const numbers = kept === '' ? {} : { kept: Number(kept), speedup: Number(speedup) };
		return { model, family, failed, ...numbers };
	});
}

function verdict({ crash, refused, proven, weak }: Ours): string {
	if (crash !== undefined) return `failed: ${crash}`;
	if (refused !== undefined) return `refused: ${refused}`;
	return proven !== true ? 'not proven' : weak === true ? 'weak' : 'proven';
}

function percent(share: number | undefined): string {
	return share === undefined ? '' : `${(100 * share).toFixed(1)} %`;
}

function times(faster: number | undefined): string {
	return faster === undefined || !isFinite(faster) ? '' : `${faster.toFixed(2)}×`;
}

function leftOf(pair: readonly [number, number] | undefined): number | undefined {
	return pair && pair[1] / pair[0];
}

function fasterBy({ ratio }: Ours): number | undefined {
	return ratio === undefined ? undefined : 1 / ratio;
}

function geometricMean(values: readonly number[]): number {
	return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

function text(all: readonly Line[]): string {
	const theirs = peers();
	const own = new Map(all.map((line) => [line.model, line.ours]));
	const tried = theirs.flatMap((peer) => {
		const ours = own.get(peer.model);
		return ours ? [{ ours, peer }] : [];
	});
	const rows = tried.map(({ ours, peer }) => [
		peer.model,
		verdict(ours),
		percent(leftOf(ours.params)),
		percent(leftOf(ours.macs)),
		times(fasterBy(ours)),
		peer.kept === undefined ? peer.failed : percent(peer.kept),
		times(peer.speedup),
	]);
	return `${[
		...intro(tried, theirs),
		'',
		...[
			[...head, 'Torch-Pruning: parameters left', 'faster by'],
			head.concat('', '').map(() => '---'),
			...rows,
		].map((cells) => `| ${cells.join(' | ')} |`),
	].join('\n')}\n`;
}

type Tried = { readonly ours: Ours; readonly peer: Theirs };

function intro(tried: readonly Tried[], theirs: readonly Theirs[]): string[] {
	const proven = tried.filter(({ ours }) => verdict(ours) === 'proven');
	const timed = proven.filter(({ ours, peer }) => peer.family !== 'detection' && ours.ratio !== undefined);
	const both = timed.filter(({ peer }) => peer.speedup !== undefined);
	const speed = geometricMean(timed.map(({ ours }) => fasterBy(ours) ?? 1));
	const [ourSpeed, theirSpeed] = [
		geometricMean(both.map(({ ours }) => fasterBy(ours) ?? 1)),
		geometricMean(both.map(({ peer }) => peer.speedup ?? 1)),
	];
	const slower = timed.filter(({ ours }) => (fasterBy(ours) ?? 1) < 1).map(({ peer }) => peer.model);
	const left = theirs.filter(({ model }) => !tried.some(({ peer }) => peer.model === model));
	return [
		'# Torchvision, half of the channels',
		'',
		'`unroll loops; prune channels 50%` on models of torchvision (only MViT has loops) with random weights, exported by `torch.onnx.export`: proven with a control that shows, and timed in onnxruntime beside the original, in turns, on one',
		'thread of a busy machine. Torch-Pruning 1.6.1 at ratio 0.5 (groups by L2 norm, widths rounded to 8, output layers kept) is beside it as measured once; it sees the PyTorch model, prunec the ONNX',
		'file. Last layers of detectors are made small, so that what comes behind boxes costs the same before and after.',
		'',
		`Proven: **${proven.length} of ${tried.length}** tried. Torch-Pruning: ${tried.filter(({ peer }) => peer.kept !== undefined).length} of these.`,
		`Geometric mean of the speed-up over ${timed.length} models that are no detectors: **${times(speed)}**; over the ${both.length} that both prune ${times(ourSpeed)}, Torch-Pruning ${times(theirSpeed)}.`,
		`Slower than before: ${slower.length === 0 ? 'none' : slower.join(', ')}.`,
		...(left.length === 0 ? [] : ['', `Not run yet: ${left.map(({ model }) => model).join(', ')}.`]),
		'',
		'Written by `node --import tsx bench/peers/torchvision.ts results.jsonl docs/torchvision.md --python python3 MODEL…`.',
	];
}
