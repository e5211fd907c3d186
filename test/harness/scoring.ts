/** The trained classifier, and what is needed to compute scores of its units by plain means. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadModel } from '../../src/backends/onnx/load.ts';
import { labOf } from '../../src/backends/ort/lab.ts';
import { openSession, type Feeds, type Value } from '../../src/backends/ort/session.ts';
import { findAnatomy } from '../../src/ir/anatomy/anatomy.ts';
import { type Block } from '../../src/ir/anatomy/parts.ts';
import { buildNet } from '../../src/ir/axes/net.ts';
import { inferFacts } from '../../src/ir/graph/facts.ts';
import { type Lab } from '../../src/ir/lab.ts';
import { numbersOf } from '../../src/ir/graph/tensor.ts';
import { Grams } from '../../src/passes/scores/grams.ts';
import { metricNamed } from '../../src/passes/scores/scores.ts';
import { type UnitGroup } from '../../src/passes/units/units.ts';
import { holdOut } from '../../src/data/draw.ts';
import { classifier, classifierFeeds, classifierRows } from '../fixtures/text/text.ts';
import * as assert from 'uvu/assert';

export const [layers, heads, width, dim, hidden] = [6, 4, 16, 64, 192];
const folder = mkdtempSync(join(tmpdir(), 'prunec-test-'));
export const data = join(folder, 'passages.jsonl');

export const { model } = loadModel(classifier.model);
// Two suites of one process read the model: it stays open as long as the process runs.
process.once('exit', () => {
	rmSync(folder, { recursive: true });
});
/** The beginnings of passages, shorter than any: no padding. */
const passages = Array.from({ length: 30 }, (_, row) => classifierFeeds(classifierRows(), row, row + 1, 70));
/** Those that statistics are made of; the others are held out for drift. */
export const feeds = holdOut(passages).used;
writeFileSync(
	data,
	passages.map((feed) => `${JSON.stringify(Object.fromEntries([...feed].map(nested)))}\n`).join(''),
);

function nested([name, { dims, data: values }]: [string, Value]): [string, number[][]] {
	const [rows = 0, length = 0] = dims;
	const row = (at: number): number[] => Array.from(values).slice(at * length, (at + 1) * length);
	return [name, Array.from({ length: rows }, (_, at) => row(at))];
}
export const nodeNamed = (name: string): (typeof model.graph.nodes)[number] =>
	model.graph.nodes.find((node) => node.name === name)!;
/** A matrix as in × out, by the place PyTorch gave its layer. */
export const matrix = (layer: number, name: string): Float32Array | Float64Array =>
	numbersOf(model.graph.initializers.get(nodeNamed(`/layers.${layer}/${name}/MatMul`).inputs[1]!)!);
export const input = (layer: number, name: string): string =>
	nodeNamed(`/layers.${layer}/${name}/MatMul`).inputs[0]!;

/** Rows of `size` numbers of values, over all feeds, one run. */
export async function rowsOf(
	names: readonly string[],
	size: number,
): Promise<ReadonlyMap<string, number[][]>> {
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

export const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
export const range = (count: number): number[] => [...Array(count).keys()];
export const indices = range(layers);

/** The units of a layer: which columns of which matrices make them, and which rows of which matrix read them. */
export type Kind = { makers: readonly string[]; reader: string; count: number; size: number; across: number };
export const kinds: Readonly<Record<'attention' | 'ffn', Kind>> = {
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
export function weightsOf({ makers, reader, size, across }: Kind, layer: number, unit: number): number[] {
	const owned = range(size).map((at) => unit * size + at);
	const columns = makers.flatMap((name) => {
		const values = matrix(layer, name);
		return owned.flatMap((column) => range(dim).map((row) => values[row * across + column]!));
	});
	const read = matrix(layer, reader);
	return [...columns, ...owned.flatMap((row) => range(dim).map((column) => read[row * dim + column]!))];
}

export const net = buildNet(model, inferFacts(model, new Map()));
export const anatomy = findAnatomy(net);
export const labOn = (some: readonly Feeds[]): Lab =>
	labOf(
		some.map((feed, at) => ({ feeds: feed, at: `feed ${at}` })),
		'test',
		true,
		1,
	);
export const lab = labOn(feeds);
/** What is left out one by one is run on these alone. */
export const few = feeds.slice(0, 3);
export function groupOf(kind: Block['kind'], layer: number): UnitGroup {
	const { family } = anatomy.layers[layer]!.blocks.find((block) => block.kind === kind)!;
	return { family: family!, layer, key: `${kind}/${layer}`, label: `layer ${layer}`, names: [] };
}

export async function scored(
	name: string,
	kind: Block['kind'],
	layer: number,
	{ seed = 0, lab: own = lab } = {},
): Promise<number[]> {
	const group = groupOf(kind, layer);
	const grams = new Grams([group], model, lab);
	return Array.from(await metricNamed(name).score(group, { net, seed, lab: own, grams }));
}

/** Sums of some thousand float32 numbers in double precision, in two orders. */
export function isClose(actual: readonly number[], expected: readonly number[], what: string): void {
	assert.is(actual.length, expected.length, what);
	for (const [at, value] of expected.entries())
		assert.ok(
			Math.abs(actual[at]! - value) <= 1e-6 * Math.abs(value),
			`${what}, unit ${at}: ${actual[at]}, ${value}`,
		);
}
/** The rows that the reader of a kind reads, over all feeds. */
export async function readBy(place: Kind, layer: number): Promise<number[][]> {
	const read = input(layer, place.reader);
	return (await rowsOf([read], place.across)).get(read)!;
}

export const owned = (place: Kind, unit: number): number[] =>
	range(place.size).map((at) => unit * place.size + at);
export const mean = (values: readonly number[]): number => sum(values) / values.length;
