/** Scores against plain computation from weights and from activations that onnxruntime puts out. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadModel } from '../../src/backends/onnx/load.ts';
import { labOf } from '../../src/backends/ort/lab.ts';
import { openSession, type Value } from '../../src/backends/ort/session.ts';
import { compile } from '../../src/compile.ts';
import { type StepReport } from '../../src/document.ts';
import { findAnatomy } from '../../src/ir/anatomy/anatomy.ts';
import { type Block } from '../../src/ir/anatomy/parts.ts';
import { buildNet } from '../../src/ir/axes/net.ts';
import { inferFacts } from '../../src/ir/graph/facts.ts';
import { numbersOf } from '../../src/ir/graph/tensor.ts';
import { metricNamed } from '../../src/passes/scores.ts';
import { holdOut } from '../../src/data/draw.ts';
import { classifier, classifierFeeds, classifierRows } from '../fixtures/text/text.ts';

const test = suite('scores');
const [layers, heads, width, dim, hidden] = [6, 4, 16, 64, 192];
const folder = mkdtempSync(join(tmpdir(), 'prunec-test-'));
const data = join(folder, 'passages.jsonl');

const { model, file } = loadModel(classifier.model);
test.after(() => {
	file.close();
	rmSync(folder, { recursive: true });
});
/** The beginnings of passages, shorter than any: no padding. */
const passages = Array.from({ length: 30 }, (_, row) => classifierFeeds(classifierRows(), row, row + 1, 70));
/** Those that statistics are made of; the others are held out for drift. */
const feeds = holdOut(passages).used;
writeFileSync(
	data,
	passages.map((feed) => `${JSON.stringify(Object.fromEntries([...feed].map(nested)))}\n`).join(''),
);

function nested([name, { dims, data: values }]: [string, Value]): [string, number[][]] {
	const [rows = 0, length = 0] = dims;
	const row = (at: number): number[] => Array.from(values).slice(at * length, (at + 1) * length);
	return [name, Array.from({ length: rows }, (_, at) => row(at))];
}
const nodeNamed = (name: string): (typeof model.graph.nodes)[number] =>
	model.graph.nodes.find((node) => node.name === name)!;
/** A matrix as in × out, by the place PyTorch gave its layer. */
const matrix = (layer: number, name: string): Float32Array | Float64Array =>
	numbersOf(model.graph.initializers.get(nodeNamed(`/layers.${layer}/${name}/MatMul`).inputs[1]!)!);
const input = (layer: number, name: string): string =>
	nodeNamed(`/layers.${layer}/${name}/MatMul`).inputs[0]!;

/** Rows of `size` numbers of values, over all feeds, one run. */
async function rowsOf(names: readonly string[], size: number): Promise<ReadonlyMap<string, number[][]>> {
	const session = await openSession(model, { which: 'given', threads: 1, extra: names });
	const all = new Map(names.map((name): [string, number[][]] => [name, []]));
	const cut = ({ data: values }: Value): number[][] =>
		Array.from({ length: values.length / size }, (_, row) =>
			Array.from({ length: size }, (_, at) => values[row * size + at]!),
		);
	for (const feed of feeds) {
		const values = await session.run(feed, [...names]);
		for (const name of names) all.get(name)!.push(...cut(values.get(name)!));
	}
	await session.release();
	return all;
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const range = (count: number): number[] => [...Array(count).keys()];
const indices = range(layers);

/** The units of a layer: which columns of which matrices make them, and which rows of which matrix read them. */
type Kind = { makers: readonly string[]; reader: string; count: number; size: number; across: number };
const kinds: Readonly<Record<'attention' | 'ffn', Kind>> = {
	attention: {
		makers: ['attention/query', 'attention/key', 'attention/value'],
		reader: 'attention/output',
		count: heads,
		size: width,
		across: dim,
	},
	ffn: { makers: ['up'], reader: 'down', count: hidden, size: 1, across: hidden },
};

/** All weights in matrices of a unit. */
function weightsOf({ makers, reader, size, across }: Kind, layer: number, unit: number): number[] {
	const owned = range(size).map((at) => unit * size + at);
	const columns = makers.flatMap((name) => {
		const values = matrix(layer, name);
		return owned.flatMap((column) => range(dim).map((row) => values[row * across + column]!));
	});
	const read = matrix(layer, reader);
	return [...columns, ...owned.flatMap((row) => range(dim).map((column) => read[row * dim + column]!))];
}

function blockOf(kind: Block['kind'], layer: number): Block {
	const net = buildNet(model, inferFacts(model, new Map()));
	return findAnatomy(net).layers[layer]!.blocks.find((block) => block.kind === kind)!;
}

async function scored(name: string, kind: Block['kind'], layer: number, seed = 0): Promise<number[]> {
	const block = blockOf(kind, layer);
	const group = { family: block.family!, layer, key: `${kind}/${layer}`, label: `layer ${layer}`, names: [] };
	const lab = labOf(
		feeds.map((feed, at) => ({ feeds: feed, at: `feed ${at}` })),
		'test',
		true,
		1,
	);
	return Array.from(await metricNamed(name).score(group, { model, seed, lab }));
}

/** Sums of some thousand float32 numbers in double precision, in two orders. */
function close(actual: readonly number[], expected: readonly number[], what: string): void {
	assert.is(actual.length, expected.length, what);
	for (const [at, value] of expected.entries())
		assert.ok(
			Math.abs(actual[at]! - value) <= 1e-6 * Math.abs(value),
			`${what}, unit ${at}: ${actual[at]}, ${value}`,
		);
}

for (const [kind, place] of Object.entries(kinds) as ['attention' | 'ffn', Kind][]) {
	const units = range(place.count);
	test(`l1 and l2 sum all weights of a unit (${kind})`, async () => {
		for (const layer of [0, 5]) {
			const weights = units.map((unit) => weightsOf(place, layer, unit));
			close(
				await scored('l1', kind, layer),
				weights.map((own) => sum(own.map(Math.abs))),
				'l1',
			);
			close(
				await scored('l2', kind, layer),
				weights.map((own) => Math.hypot(...own)),
				'l2',
			);
		}
	});

	test(`activation is the root mean square of what a unit puts out (${kind})`, async () => {
		const read = input(1, place.reader);
		const rows = (await rowsOf([read], place.across)).get(read)!;
		const expected = units.map((unit) => {
			const own = rows.flatMap((row) => row.slice(unit * place.size, (unit + 1) * place.size));
			return Math.sqrt(sum(own.map((value) => value * value)) / own.length);
		});
		close(await scored('activation', kind, 1), expected, 'activation');
	});

	test(`wanda weighs every weight that reads a unit by the size of what it reads (${kind})`, async () => {
		const read = input(4, place.reader);
		const rows = (await rowsOf([read], place.across)).get(read)!;
		const weights = matrix(4, place.reader);
		const expected = units.map((unit) =>
			sum(
				range(place.size).map((at) => {
					const position = unit * place.size + at;
					const norm = Math.sqrt(sum(rows.map((row) => row[position]! ** 2)) / rows.length);
					return sum(range(dim).map((column) => Math.abs(weights[position * dim + column]!) * norm));
				}),
			),
		);
		close(await scored('wanda', kind, 4), expected, 'wanda');
	});
}

test('random draws depend on the seed and the place alone', async () => {
	const drawn = await scored('random', 'ffn', 2, 7);
	assert.equal(await scored('random', 'ffn', 2, 7), drawn);
	assert.not.equal(await scored('random', 'ffn', 2, 8), drawn);
	assert.not.equal(await scored('random', 'ffn', 3, 7), drawn);
	assert.is(new Set(drawn).size, hidden);
	assert.ok(drawn.every((score) => score >= 0 && score < 1));
	// 192 uniform draws have a mean of 0.5 ± 0.021: five deviations.
	assert.ok(Math.abs(sum(drawn) / hidden - 0.5) < 0.104);
});

/** What a statement removes, by layer. */
async function removed(recipe: string): Promise<StepReport['removed']> {
	const document = await compile({ recipe, model: classifier.model, data, threads: 1, verify: false });
	assert.equal(document.diagnostics, [], recipe);
	return document.steps[0]!.removed;
}

/** The `count` least important units by layer, and a threshold between them and the others. */
function least(
	count: number,
	importance: readonly (readonly number[])[],
): { expected: unknown; threshold: number } {
	const order = importance.flat().sort((a, b) => a - b);
	const threshold = (order[count - 1]! + order[count]!) / 2;
	const expected = importance.flatMap((own, layer) => {
		const units = own.flatMap((score, unit) => (score < threshold ? [unit] : []));
		return units.length > 0 ? [{ layer, units }] : [];
	});
	return { expected, threshold };
}

test('importance is the score over the largest of the layer', async () => {
	const importance = indices.map((layer) => {
		const scores = range(heads).map((head) => Math.hypot(...weightsOf(kinds.attention, layer, head)));
		return scores.map((score) => score / Math.max(...scores));
	});
	for (const count of [1, 4, 7]) {
		const { expected, threshold } = least(count, importance);
		assert.equal(await removed(`prune heads where importance < ${threshold.toFixed(9)} by l2`), expected);
	}
});

test('under globally, importance is over the largest of all layers, each in units of its mean', async () => {
	const scores = indices.map((layer) => {
		const own = range(heads).map((head) => sum(weightsOf(kinds.attention, layer, head).map(Math.abs)));
		return own.map((score) => (score * heads) / sum(own));
	});
	const largest = Math.max(...scores.flat());
	const importance = scores.map((own) => own.map((score) => score / largest));
	for (const count of [1, 4, 7]) {
		const { expected, threshold } = least(count, importance);
		assert.equal(
			await removed(`prune heads where importance < ${threshold.toFixed(9)} by l1 globally`),
			expected,
		);
	}
});

test('block influence is one minus the mean cosine between what goes into a layer and what comes out', async () => {
	const after = indices.map((layer) => nodeNamed(`/layers.${layer}/output_norm/Add_1`).outputs[0]!);
	const values = [nodeNamed('/norm/Add_1').outputs[0]!, ...after];
	const rows = await rowsOf(values, dim);
	const dot = (a: readonly number[], b: readonly number[]): number =>
		sum(a.map((value, at) => value * b[at]!));
	const influence = indices.map((layer) => {
		const [before, behind] = [rows.get(values[layer]!)!, rows.get(values[layer + 1]!)!];
		const cosines = before.map((row, at) => {
			const other = behind[at]!;
			return dot(row, other) / Math.sqrt(dot(row, row) * dot(other, other));
		});
		return 1 - sum(cosines) / cosines.length;
	});
	const order = indices.toSorted((a, b) => influence[a]! - influence[b]!);
	for (const count of [1, 2, 3, 4, 5])
		assert.equal(
			await removed(`prune layers ${count} by block_influence`),
			order
				.slice(0, count)
				.sort((a, b) => a - b)
				.map((layer) => ({ layer, units: [] })),
		);
	const threshold = (influence[order[2]!]! + influence[order[3]!]!) / 2 / Math.max(...influence);
	assert.equal(
		await removed(`prune layers where importance < ${threshold.toFixed(6)} by block_influence`),
		order
			.slice(0, 3)
			.sort((a, b) => a - b)
			.map((layer) => ({ layer, units: [] })),
	);
});

test.run();
