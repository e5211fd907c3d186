/** Gram matrices summed inside onnxruntime, against plain sums over values that were fetched. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { labOf } from '../../../src/backends/ort/lab.ts';
import { openSession, type Feeds, type Value } from '../../../src/backends/ort/session.ts';
import { stream } from '../../../src/data/generate.ts';
import { type Example } from '../../../src/data/sample.ts';
import { FLOAT, INT64 } from '../../../src/ir/graph/dtype.ts';
import { type Model } from '../../../src/ir/graph/graph.ts';
import { type Gram, type GramRequest, type RowsOf } from '../../../src/ir/lab.ts';
import { modelBuilder } from '../../harness/model.ts';

const test = suite('grams');
const next = stream(3);
const values = (dims: readonly number[]): Value => ({
	type: FLOAT,
	dims,
	data: Float32Array.from({ length: dims.reduce((product, dim) => product * dim, 1) }, () => next() - 0.4),
});
const maskOf = (rows: readonly (readonly number[])[]): Value => ({
	type: INT64,
	dims: [rows.length, rows[0]!.length],
	data: rows.flat(),
});

const examplesOf = (feeds: readonly Feeds[]): Example[] =>
	feeds.map((feed) => {
		const mask = feed.get('attention_mask');
		return { feeds: feed, at: 'test', ...(mask && { mask }) };
	});

/** Rows of a value as plain numbers, with the features that count last. */
function plainRows({ dims, data }: Value, { axis, only }: RowsOf): number[][] {
	const [size, inner] = [dims[axis]!, dims.slice(axis + 1).reduce((product, dim) => product * dim, 1)];
	const outer = dims.slice(0, axis).reduce((product, dim) => product * dim, 1);
	return Array.from({ length: outer * inner }, (_, row) =>
		Array.from(
			only ?? Array.from({ length: size }, (_, at) => at),
			(at) => data[(Math.floor(row / inner) * size + at) * inner + (row % inner)]!,
		),
	);
}

async function plainGram(
	model: Model,
	{ against, ...own }: GramRequest,
	feeds: readonly Feeds[],
	counts: (feed: Feeds, row: number) => boolean,
): Promise<unknown> {
	const session = await openSession(model, {
		which: 'test',
		extra: [own.value, against?.value ?? own.value],
	});
	const pairs: [x: number[], y: number[]][] = [];
	for (const feed of feeds) {
		const results = await session.run(feed);
		const rows = (one: RowsOf): number[][] => plainRows(results.get(one.value)!, one);
		const others = rows(against ?? own);
		rows(own).forEach((row, at) => counts(feed, at) && pairs.push([row, others[at]!]));
	}
	await session.release();
	const total = (of: (x: number[], y: number[]) => number): number =>
		pairs.reduce((sum, [x, y]) => sum + of(x, y), 0);
	const each = (size: number, of: (at: number) => number): number[] =>
		Array.from({ length: size }, (_, at) => of(at));
	const products = (size: number, of: (x: number[], y: number[]) => number[]): number[] =>
		each(own.size * size, (at) => total((x, y) => x[Math.floor(at / size)]! * of(x, y)[at % size]!));
	return {
		count: pairs.length,
		sum: each(own.size, (at) => total((x) => x[at]!)),
		gram: products(own.size, (x) => x),
		...(against && {
			cross: products(against.size, (_, y) => y),
			otherSum: each(against.size, (at) => total((_, y) => y[at]!)),
			squares: each(against.size, (at) => total((_, y) => y[at]! ** 2)),
		}),
	};
}

const rounded = (value: unknown): unknown =>
	JSON.parse(JSON.stringify(value), (_, one: unknown) =>
		typeof one === 'number' ? Number(one.toPrecision(9)) : one,
	);
const plain = ({ count, sum, gram, against }: Gram): unknown => ({
	count,
	sum: Array.from(sum),
	gram: Array.from(gram.data),
	...(against && {
		cross: Array.from(against.cross.data),
		otherSum: Array.from(against.sum),
		squares: Array.from(against.squares),
	}),
});

for (const ir of [3, 8] as const) {
	test(`equal plain sums over fetched values, whichever axis holds the features (IR ${ir})`, async () => {
		const b = modelBuilder({ ir, constants: ir === 3 });
		const x = b.input('x', ['batch', 'seq', 4]);
		const hidden = b.node('Relu', [b.node('MatMul', [x, b.weight([4, 6])])]);
		const turned = b.node('Transpose', [hidden], { perm: [0, 2, 1] });
		const out = b.node('MatMul', [hidden, b.weight([6, 3])]);
		b.output(out, ['batch', 'seq', 3]);
		const model = b.build();
		const feeds = [
			[2, 3],
			[1, 5],
			[3, 1],
			[1, 2],
			[2, 2],
			[1, 4],
		].map((dims) => new Map([['x', values([...dims, 4])]]));
		const requests: GramRequest[] = [
			{ value: hidden, rank: 3, axis: 2, size: 6 },
			{ value: turned, rank: 3, axis: 1, size: 6 },
			{ value: turned, rank: 3, axis: 1, size: 2, only: [1, 4] },
			{
				value: hidden,
				rank: 3,
				axis: 2,
				size: 6,
				against: { value: out, rank: 3, axis: 2, size: 3 },
			},
		];
		const lab = labOf(examplesOf(feeds), 'test', true, 1);
		const measured = await lab.grams(model, requests);
		const walk = lab.walk(model);
		for (const [at, request] of requests.entries())
			assert.equal(
				(await walk.grams(model, [request])).map(({ fit, heldOut }) => rounded([plain(fit), plain(heldOut)])),
				[rounded([plain(measured[at]!.fit), plain(measured[at]!.heldOut)])],
			);
		const everyRow = (): boolean => true;
		for (const [at, request] of requests.entries()) {
			const [fit, heldOut] = [feeds.filter((_, sample) => sample !== 4), feeds.slice(4, 5)];
			assert.equal(
				rounded(plain(measured[at]!.fit)),
				rounded(await plainGram(model, request, fit, everyRow)),
			);
			assert.equal(
				rounded(plain(measured[at]!.heldOut)),
				rounded(await plainGram(model, request, heldOut, everyRow)),
			);
		}
	});
}

test('padding does not count, not even where it holds NaN', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 'seq', 4]);
	const mask = b.input('attention_mask', ['batch', 'seq'], INT64);
	const hidden = b.node('Relu', [b.node('MatMul', [x, b.weight([4, 5])])]);
	const pooled = b.node('Gather', [hidden, b.ints([0], [])], { axis: 1 });
	b.output(b.node('MatMul', [hidden, b.weight([5, 2])]), ['batch', 'seq', 2]);
	b.output(pooled, ['batch', 5]);
	b.output(b.node('Cast', [mask], { to: FLOAT }), ['batch', 'seq']);
	const model = b.build();
	const [first, second] = [values([2, 3, 4]), values([1, 4, 4])];
	(first.data as Float32Array)[2 * 4 + 1] = NaN;
	const feeds = [
		new Map([
			['x', first],
			[
				'attention_mask',
				maskOf([
					[1, 1, 0],
					[1, 0, 0],
				]),
			],
		]),
		new Map([
			['x', second],
			['attention_mask', maskOf([[1, 1, 1, 0]])],
		]),
	];
	const requests: GramRequest[] = [
		{ value: hidden, rank: 3, axis: 2, size: 5 },
		{ value: pooled, rank: 2, axis: 1, size: 5 },
	];
	const lab = labOf(examplesOf(feeds), 'test', true, 1);
	const [masked, whole] = await lab.grams(model, requests);
	const walked = await lab.walk(model).grams(model, requests);
	assert.equal(
		walked.map(({ fit }) => rounded(plain(fit))),
		[masked!, whole!].map(({ fit }) => rounded(plain(fit))),
	);
	const real = (feed: Feeds, row: number): boolean => feed.get('attention_mask')!.data[row] === 1;
	assert.equal(
		rounded(plain(masked!.fit)),
		rounded(await plainGram(model, requests[0]!, feeds.slice(0, 1), real)),
	);
	assert.equal(
		rounded(plain(masked!.heldOut)),
		rounded(await plainGram(model, requests[0]!, feeds.slice(1), real)),
	);
	// One row a sequence: the mask says nothing about them.
	assert.equal([whole!.fit.count, whole!.heldOut.count], [2, 1]);
});

test.run();
