/**
 * What adaptive statements cost and save, as a page with its pictures: exits on the classifier of passages in the tests, and tokens on a
 * trained encoder of sentences, all-MiniLM-L6-v2 in the Hugging Face layout (`model.onnx` and `tokenizer.json`).
 *
 *     node --import tsx bench/curves.ts docs/adaptive.md <folder of the encoder> [passages] [exits]      # 1000; `exits`: tokens as they stand
 *
 * One thread, one passage at a time, models in turns on every passage.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { loadModel } from '../src/backends/onnx/load.ts';
import { labOf } from '../src/backends/ort/lab.ts';
import { openSession } from '../src/backends/ort/session.ts';
import { checkText } from '../src/recipe-text/check-text.ts';
import { readInputs } from '../src/data/calibration.ts';
import { openData } from '../src/data/inputs.ts';
import { present } from '../src/diagnostic.ts';
import { type Model } from '../src/ir/graph/graph.ts';
import { applyPatch, type Edit } from '../src/ir/graph/patch.ts';
import { floats } from '../src/ir/graph/tensor.ts';
import { upperBound } from '../src/numerics/binomial.ts';
import { runRecipe } from '../src/passes/run.ts';
import { vectorOf } from '../src/quality/outputs.ts';
import { timeOnData } from '../src/tasks/time-data.ts';
import {
	classifier,
	classifierFeeds,
	classifierRows,
	decode,
	idsOf,
	type Rows,
} from '../test/fixtures/text/text.ts';
import { curvePicture, type Curve } from './curve-picture.ts';

const [page = '', encoder = '', asked = '1000', only = ''] = process.argv.slice(2);
const passages = Number(asked);
const threads = 1;
const shapes = new Map<string, readonly number[]>();
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

async function built(model: Model, text: string, calibration?: string, path = ''): Promise<Model> {
	const recipe = present(checkText(text).recipe, text);
	if (calibration === undefined) return (await runRecipe(recipe, model, { shapes, seed: 0 })).model;
	const data = { path: calibration };
	const inputs = await readInputs(model, { shapes, seed: 0, samples: 4, modelPath: path, data });
	const lab = labOf(inputs.calibration, inputs.words, true, 2, shapes);
	return (await runRecipe(recipe, model, { shapes, seed: 0, lab })).model;
}

/** Exits with other thresholds: one for all, or one for each layer. */
function held(model: Model, threshold: number | ((layer: number) => number)): Model {
	const names = [...model.graph.initializers.keys()].filter((name) => name.endsWith('_when_confidence'));
	const edits = names.map((name): Edit => {
		const value =
			typeof threshold === 'number' ? threshold : threshold(Number(/_(\d+)_when/.exec(name)?.[1]));
		return { kind: 'constant', tensor: floats(name, [], [value]) };
	});
	return applyPatch(model, { label: 'threshold', edits });
}

type Drawn = { readonly lines: readonly string[]; readonly curves: readonly Curve[] };

/** Class scores of the first passages. */
async function scoresOn(model: Model, rows: Rows, batch = 50): Promise<number[][]> {
	const session = await openSession(model, { which: 'given', optimize: 'all', threads: 2 });
	const found: number[][] = [];
	for (let from = 0; from < passages; from += batch) {
		const outputs = await session.run(classifierFeeds(rows, from, Math.min(passages, from + batch)));
		const { data, dims } = present(outputs.get('logits'), 'logits');
		const classes = dims[1] ?? 1;
		for (let at = 0; at < data.length; at += classes)
			found.push(Array.from({ length: classes }, (_, one) => data[at + one] ?? 0));
	}
	await session.release();
	return found;
}

const best = (scores: readonly number[]): number => scores.indexOf(Math.max(...scores));
const sureness = (scores: readonly number[]): number =>
	1 / scores.reduce((sum, score) => sum + Math.exp(score - Math.max(...scores)), 0);

/**
 * The loosest threshold, tried from strict to loose, at which at most 1 % of all passages like those chosen on are named otherwise,
 * with 95 % confidence (Clopper and Pearson).
 */
async function chosen(model: Model, early: Model, layers: readonly number[], rows: Rows): Promise<number> {
	const whole = (await scoresOn(model, rows)).map(best);
	const exits: number[][][] = [];
	for (const layer of layers)
		exits.push(
			await scoresOn(
				held(early, (one) => (one === layer ? -1 : 2)),
				rows,
			),
		);
	let threshold = 1;
	for (let tried = 0.99; tried > 0.3; tried -= 0.01) {
		const wrong = whole.filter((name, row) => {
			const taken = exits.find((scores) => sureness(scores[row] ?? []) > tried);
			return taken !== undefined && best(taken[row] ?? []) !== name;
		}).length;
		if (upperBound(wrong, whole.length, 0.05) > 0.01) break;
		threshold = Math.round(100 * tried) / 100;
	}
	return threshold;
}

async function exits(folder: string): Promise<Drawn> {
	const { model, file } = loadModel(classifier.model);
	const rows = classifierRows();
	const path = join(folder, 'passages.jsonl');
	writeFileSync(path, linesOf(rows, passages, 2 * passages).join('\n'));
	const head = ['exits', 'confidence >', 'leave after each', 'named as the whole model names them'];
	const lines = [`| ${[...head, 'times as fast'].join(' | ')} |`, '|---|---|---|---|---|'];
	const curves: Curve[] = [];
	for (const { layers, text } of statements) {
		const early = await built(
			model,
			`${text} when confidence > 0.9`,
			classifier.calibration,
			classifier.model,
		);
		const own = await chosen(model, early, layers, rows);
		const thresholds = [0.5, 0.7, 0.78, 0.9];
		const options = { path, modelPath: classifier.model, threads };
		const models = [model, held(early, own), ...thresholds.map((one) => held(early, one))];
		const timed = await timeOnData(models, options);
		const points = timed.models.slice(1).map(({ agreement = 0, speedUp, exits: taken = [] }, at) => {
			const left = layers.map((layer) => percent(taken.find((one) => one.layer === layer)?.share ?? 0));
			const threshold = at === 0 ? `**${own}**, chosen` : String(thresholds[at - 1]);
			const cells = [`\`${text}\``, threshold, left.join(' · '), percent(agreement), speedUp.toFixed(2)];
			lines.push(`| ${cells.join(' | ')} |`);
			return [speedUp, 100 * agreement] as const;
		});
		curves.push({
			name: text.replace(/exit after layers? /, ''),
			points: points.toSorted(([a], [b]) => b - a),
		});
	}
	file.close();
	return { lines, curves };
}

/** Passages as rows of arrays, for `--data`. */
function linesOf(rows: Rows, from: number, to: number): string[] {
	return Array.from({ length: Math.min(to, rows.rows) - from }, (_, at) => {
		const [ids] = [Array.from(idsOf(rows, from + at, from + at + 1).data, Number)];
		return JSON.stringify({ input_ids: ids, attention_mask: ids.map(Math.sign) });
	});
}

const statements = [
	{ layers: [1], text: 'exit after layer 1 with map' },
	{ layers: [0, 1], text: 'exit after layers [0, 1] with ridge' },
	{ layers: [0, 1], text: 'exit after layers [0, 1] with distilled' },
];

const shares = [75, 50, 25];
const ways: readonly (readonly [name: string, recipe: (share: number) => string | undefined])[] = [
	...(['attention', 'value', 'cls', 'norm', 'similarity', 'random'] as const).map(
		(by) => [by, (share: number): string => `prune tokens keep ${share}% after layer 2 by ${by}`] as const,
	),
	['attention, `with fused`', (share) => `prune tokens keep ${share}% after layer 2 with fused`],
	['`merge tokens`', (share) => (share < 50 ? undefined : `merge tokens keep ${share}% after layer 2`)],
];

/** Mean cosine of the sentence's vector to the whole model's, and times as fast, of each model. */
async function driftOf(
	models: readonly Model[],
	path: string,
	modelPath: string,
): Promise<readonly (readonly [number, number])[]> {
	const { examples } = await openData(present(models[0], 'a model'), { path, modelPath });
	const sessions = [];
	for (const model of models)
		sessions.push(await openSession(model, { which: 'given', optimize: 'all', threads }));
	const sums = models.map(() => ({ cosine: 0, ms: 0 }));
	for (const [turn, { make }] of examples.entries()) {
		const { feeds, mask } = make();
		const vectors: number[][] = [];
		for (let at = 0; at < sessions.length; at++) {
			const place = (at + turn) % sessions.length;
			const start = performance.now();
			const outputs = await present(sessions[place], 'a session').run(feeds);
			present(sums[place], 'sums').ms += turn === 0 ? 0 : performance.now() - start;
			vectors[place] = present(vectorOf({ outputs, pooling: 'mean', ...(mask && { mask }) }), 'a vector');
		}
		sums.forEach((sum, at) => (sum.cosine += cosine(vectors[0] ?? [], vectors[at] ?? [])));
	}
	for (const session of sessions) await session.release();
	return sums.map(({ cosine: sum, ms }) => [sum / examples.length, (sums[0]?.ms ?? 0) / ms] as const);
}

/** Of vectors of length 1. */
const cosine = (a: readonly number[], b: readonly number[]): number =>
	a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);

async function tokens(texts: string): Promise<Drawn> {
	const path = join(encoder, 'model.onnx');
	const { model, file } = loadModel(path);
	const asked = ways.flatMap(([name, recipe]) =>
		shares.flatMap((share) => {
			const text = recipe(share);
			return text === undefined ? [] : [{ name, share, text }];
		}),
	);
	const models = [model];
	for (const { text } of asked) models.push(await built(model, text));
	const found = await driftOf(models, texts, path);
	file.close();
	const cell = (name: string, share: number): string => {
		const at = asked.findIndex((one) => one.name === name && one.share === share);
		const [like, speed] = (at < 0 ? undefined : found[at + 1]) ?? [];
		return like === undefined || speed === undefined ? '–' : `${like.toFixed(4)} · ${speed.toFixed(2)} ×`;
	};
	const lines = [
		`| chosen by | ${shares.map((share) => `${share} % kept`).join(' | ')} |`,
		'|---|---|---|---|',
	];
	const curves = ways.map(([name]) => {
		lines.push(`| ${name} | ${shares.map((share) => cell(name, share)).join(' | ')} |`);
		const points = asked.flatMap((one, at) => {
			const like = found[at + 1]?.[0];
			return one.name === name && like !== undefined ? [[one.share, like] as const] : [];
		});
		return { name: name.replaceAll('`', ''), points: [[100, 1] as const, ...points] };
	});
	return { lines, curves };
}

const folder = mkdtempSync(join(tmpdir(), 'prunec-curves-'));
try {
	const rows = classifierRows();
	const texts = Array.from({ length: 60 }, (_, row) => decode(Array.from(idsOf(rows, row, row + 1).data)));
	const path = join(folder, 'texts.jsonl');
	writeFileSync(path, texts.map((text) => JSON.stringify({ text })).join('\n'));
	const left = await exits(folder);
	const pictures = {
		'exits.svg': curvePicture({ x: 'times as fast', y: 'named as the whole model, %' }, left.curves),
	};
	let below = '';
	if (only === 'exits') below = sectionIn(page, '## Tokens');
	else {
		const short = await tokens(path);
		const axes = { x: 'tokens kept behind layer 2, %', y: 'cosine to the whole model' };
		Object.assign(pictures, { 'tokens.svg': curvePicture(axes, short.curves) });
		below = tokensSection(short.lines);
	}
	for (const [name, picture] of Object.entries(pictures)) writeFileSync(join(dirname(page), name), picture);
	writeFileSync(page, pageOf(left.lines, below));
} finally {
	rmSync(folder, { recursive: true });
}

/** From a heading to the end of a page that stands. */
function sectionIn(path: string, heading: string): string {
	const text = readFileSync(path, 'utf8');
	return text.slice(text.indexOf(heading));
}

function pageOf(left: readonly string[], below: string): string {
	return `# Work that depends on the input, measured

Written by \`node --import tsx bench/curves.ts docs/adaptive.md <folder of all-MiniLM-L6-v2> ${passages}\`: one thread, one passage at a time, models in turns on every passage; times are ratios of means.
On the shared machine of this page they moved by up to 15 % from run to run; shares, agreement and cosines did not move.

## Exits

The classifier of passages in the tests (\`test/fixtures/text/classifier.onnx\`: six layers, eight authors), with exits that are fitted on its 384 calibration passages, on test passages ${passages} to ${2 * passages}, one at a time.
Nothing was trained. **Chosen** is the loosest threshold at which, on test passages 0 to ${passages}, a Clopper–Pearson bound says with 95 % confidence that at most 1 % of all passages are named otherwise than the whole model names them; it was fixed before the passages of this table were looked at.

![agreement with the whole model over speed](exits.svg)

${left.join('\n')}

${below}`;
}

function tokensSection(short: readonly string[]): string {
	return `## Tokens

all-MiniLM-L6-v2, a trained encoder of sentences (six layers, width 384), tokens chosen behind layer 2, on 60 passages of the tests' authors: mean cosine of the sentence's vector (mean over tokens) to the whole model's · times as fast.
Nothing was trained again. \`random\` is the same fixed order of positions for every passage.
The model has an output with a row for each token, and the mean is taken over all of them: those that left come back as they were behind layer 2, which adds to the distance; those that merged have the row of the token that they are in.

![cosine over tokens kept](tokens.svg)

${short.join('\n')}
`;
}
