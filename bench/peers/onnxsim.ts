/**
 * onnxsim's structured pruning beside prunec's on the same files, as a page: docs/onnxsim.md.
 *
 *     node --import tsx bench/peers/onnxsim.ts page.md --python interpreter model.onnx…
 *
 * The interpreter has onnxsim 0.8.1, onnx and onnxruntime; `onnxsim_prune.py` is its side, and checks what it wrote. Results are kept
 * beside the page (`<page>.jsonl`), so models can come one at a time.
 */
import { execFile } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { loadModel } from '../../src/backends/onnx/load.ts';
import { timeModels } from '../../src/backends/ort/latency.ts';
import { compile } from '../../src/compile.ts';
import { Fault } from '../../src/diagnostic.ts';
import { processorSeconds } from '../harness.ts';

type Side = {
	readonly params?: readonly [number, number];
	readonly seconds?: number;
	/** Time of the pruned model over the original's. */
	readonly ratio?: number;
	/** Largest difference to the original with zeros, over its largest value; null where the check could not tell what went. */
	readonly error?: number | null;
	readonly failed?: string;
};
type Ours = Side & { readonly statement: string; readonly proven: boolean; readonly weak: boolean };
type Line = { readonly model: string; readonly ours: Ours; readonly theirs: Side };

/** What is asked of a model: the first that says something of it and is not refused. */
const statements = [
	'prune channels 50%',
	'prune ffn 50%; prune heads 50%',
	'prune ffn 50%',
	'prune heads 50%',
	'prune units 50%',
];

const run = promisify(execFile);
const [page = '', , python = '', ...models] = process.argv.slice(2);
const kept = `${page}.jsonl`;

for (const model of models) {
	const name = basename(model, '.onnx');
	if (lines().some((line) => line.model === name)) continue;
	const folder = mkdtempSync(join(tmpdir(), 'prunec-onnxsim-'));
	try {
		const ours = await timed(model, join(folder, 'ours.onnx'), pruned);
		const theirs = await timed(model, join(folder, 'theirs.onnx'), simplified);
		appendFileSync(kept, `${JSON.stringify({ model: name, ours, theirs })}\n`);
	} finally {
		rmSync(folder, { recursive: true });
	}
	writeFileSync(page, text(lines()));
}
writeFileSync(page, text(lines()));

async function pruned(model: string, out: string): Promise<Ours> {
	let last: Ours = { statement: '', proven: false, weak: false, failed: 'nothing applies' };
	for (const recipe of statements) {
		const start = processorSeconds();
		const {
			ok,
			steps,
			proof,
			model: before,
			output,
			diagnostics,
		} = await compile({
			...{ recipe, model, out, force: true, samples: 2 },
		});
		const seconds = processorSeconds() - start;
		const selected = steps.reduce((sum, step) => sum + step.selected, 0);
		const said = { statement: recipe, proven: proof?.ok === true, weak: proof?.weak === true };
		const why = diagnostics.find(({ severity }) => severity === 'error')?.code ?? 'nothing went';
		if (ok && selected > 0)
			return { ...said, seconds, params: [before?.params ?? 0, output?.params ?? 0] as const };
		last = { ...said, failed: why };
	}
	return last;
}

async function simplified(model: string, out: string): Promise<Side> {
	const script = fileURLToPath(new URL('onnxsim_prune.py', import.meta.url));
	try {
		const { stdout } = await run(python, [script, model, out], { timeout: 300_000, maxBuffer: 1 << 26 });
		return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Side;
	} catch (problem) {
		return { failed: (problem as Error).message.trim().split('\n').at(-1) ?? '' };
	}
}

/** The side's result with its time beside the original's, on one thread. */
async function timed<S extends Side>(
	model: string,
	out: string,
	side: (model: string, out: string) => Promise<S>,
): Promise<S> {
	const made = await side(model, out);
	if (!existsSync(out)) return made;
	try {
		const pair = [loadModel(model), loadModel(out)].map((loaded) => loaded.model);
		const [, after] = await timeModels(pair, new Map(), 1, 9);
		return { ...made, ...(after && { ratio: after.ratio }) };
	} catch (problem) {
		if (!(problem instanceof Fault)) throw problem;
		return { ...made, failed: problem.diagnostics[0]?.message ?? '' };
	}
}

function lines(): Line[] {
	if (!existsSync(kept)) return [];
	const all = readFileSync(kept, 'utf8').trim().split('\n').filter(Boolean);
	return all.map((line) => JSON.parse(line) as Line);
}

function left({ params }: Side): string {
	return params === undefined ? '' : `${((100 * params[1]) / params[0]).toFixed(1)} %`;
}

function faster({ ratio }: Side): string {
	return ratio === undefined ? '' : `${(1 / ratio).toFixed(2)}×`;
}

function isSmaller({ params }: Side): boolean {
	return params !== undefined && params[1] < params[0];
}

function ourVerdict(ours: Ours): string {
	if (ours.failed !== undefined) return ours.failed;
	return ours.weak ? 'weak' : ours.proven ? 'proven' : 'not proven';
}

function theirVerdict(theirs: Side): string {
	if (!isSmaller(theirs) && theirs.params !== undefined) return 'nothing went, nothing said';
	if (theirs.failed !== undefined) return theirs.failed.replace(/: .*onnxruntime::.*\] /, ': ').slice(0, 120);
	if (theirs.error === null || theirs.error === undefined) return 'could not be told';
	return theirs.error <= 1e-3 ? 'equal' : `off by ${theirs.error.toExponential(0)}`;
}

function text(all: readonly Line[]): string {
	const rows = all.map(({ model, ours, theirs }) => [
		...[
			model,
			`\`${ours.statement}\``,
			ourVerdict(ours),
			left(ours),
			faster(ours),
			ours.seconds?.toFixed(1) ?? '',
		],
		...[theirVerdict(theirs), left(theirs), faster(theirs), theirs.seconds?.toFixed(1) ?? ''],
	]);
	const head = [
		...['model', 'statement', 'prunec', 'left', 'faster by', 's'],
		...['onnxsim: equal to masked', 'left', 'faster by', 's'],
	];
	const smaller = all.filter(({ theirs }) => isSmaller(theirs) && theirs.failed === undefined).length;
	const ourSmaller = all.filter(({ ours }) => isSmaller(ours) && ours.proven).length;
	return `${[
		'# onnxsim, on the same files',
		'',
		'onnxsim 0.8.1 prunes ONNX models too: `apply_structured_pruning` and `apply_attention_head_pruning`, both at 0.5 by L2 norm, beside the first statement of prunec that applies. What onnxsim wrote is held against the',
		'original with zeros where its weights became narrower; where they differ, what was zeroed is our reading of its file, and may be at fault. Left: parameters over all parameters. Seconds are processor time: onnxsim without any check, prunec with its proof.',
		'',
		`Smaller: prunec ${ourSmaller} of ${all.length}, each proven; onnxsim ${smaller}. It says nothing of what it leaves whole: the share that is left tells.`,
		'',
		...[head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`),
		'',
		'Written by `node --import tsx bench/peers/onnxsim.ts docs/onnxsim.md --python interpreter model.onnx…`.',
	].join('\n')}\n`;
}
