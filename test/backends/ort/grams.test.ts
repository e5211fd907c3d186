/** Gram matrices of products made in onnxruntime, against plain sums over values that were fetched. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { labOf } from '../../../src/backends/ort/lab.ts';
import { openSession, type Feeds, type Value } from '../../../src/backends/ort/session.ts';
import { stream } from '../../../src/data/generate.ts';
import { type Example } from '../../../src/data/sample.ts';
import { FLOAT, INT64 } from '../../../src/ir/graph/dtype.ts';
import { type Model } from '../../../src/ir/graph/graph.ts';
import { type Gram, type GramRequest, type RowsOf } from '../../../src/ir/lab.ts';
import { covariance } from '../../../src/numerics/statistics.ts';
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

type Plain = {
	readonly count: number;
	readonly sum: readonly number[];
	readonly gram: readonly number[];
	readonly cross?: readonly number[];
	readonly otherSum?: readonly number[];
	readonly squares?: readonly number[];
};

/** Equal to a few units in the last place of single precision, in which products of rows are made. */
function sameSums(actual: Plain, expected: Plain): void {
	assert.equal(Object.keys(actual), Object.keys(expected));
	assert.is(actual.count, expected.count);
	for (const key of ['sum', 'gram', 'cross', 'otherSum', 'squares'] as const) {
		const [found, wanted] = [actual[key] ?? [], expected[key] ?? []];
		const tolerance = 4 * 2 ** -24 * Math.max(...wanted.map(Math.abs));
		assert.is(found.length, wanted.length);
		wanted.forEach((value, at) => assert.ok(Math.abs(found[at]! - value) <= tolerance, `${key} ${at}`));
	}
}

async function plainGram(
	model: Model,
	{ against, ...own }: GramRequest,
	feeds: readonly Feeds[],
	counts: (feed: Feeds, row: number) => boolean,
): Promise<Plain> {
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

const plain = ({ count, sum, gram, against }: Gram): Plain => ({
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
				(await walk.grams(model, [request])).map(({ fit, heldOut }) => [plain(fit), plain(heldOut)]),
				[[plain(measured[at]!.fit), plain(measured[at]!.heldOut)]],
			);
		const everyRow = (): boolean => true;
		for (const [at, request] of requests.entries()) {
			const [fit, heldOut] = [feeds.filter((_, sample) => sample !== 4), feeds.slice(4, 5)];
			sameSums(plain(measured[at]!.fit), await plainGram(model, request, fit, everyRow));
			sameSums(plain(measured[at]!.heldOut), await plainGram(model, request, heldOut, everyRow));
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
		walked.map(({ fit }) => plain(fit)),
		[masked!, whole!].map(({ fit }) => plain(fit)),
	);
	const real = (feed: Feeds, row: number): boolean => feed.get('attention_mask')!.data[row] === 1;
	sameSums(plain(masked!.fit), await plainGram(model, requests[0]!, feeds.slice(0, 1), real));
	sameSums(plain(masked!.heldOut), await plainGram(model, requests[0]!, feeds.slice(1), real));
	// One row a sequence: the mask says nothing about them.
	assert.equal([whole!.fit.count, whole!.heldOut.count], [2, 1]);
});

test('what differs from a mean far away is summed as exactly as what differs from zero', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 8]);
	b.output(b.node('MatMul', [x, b.weight([8, 2])]), ['batch', 2]);
	const feeds = Array.from({ length: 10 }, () => {
		const { dims, data } = values([300, 8]);
		return new Map([['x', { type: FLOAT, dims, data: Float32Array.from(data, (value) => 1000 + value) }]]);
	});
	const lab = labOf(examplesOf(feeds), 'test', true, 1);
	const [measured] = await lab.grams(b.build(), [{ value: x, rank: 2, axis: 1, size: 8 }]);
	const rows = feeds
		.filter((_, at) => at % 5 !== 4)
		.flatMap((feed) => plainRows(feed.get('x')!, { value: x, rank: 2, axis: 1, size: 8 }));
	const means = Array.from(
		{ length: 8 },
		(_, at) => rows.reduce((sum, row) => sum + row[at]!, 0) / rows.length,
	);
	const { data } = covariance(measured!.fit);
	for (let at = 0; at < 64; at++) {
		const [i, j] = [at >> 3, at % 8];
		const sum = rows.reduce((all, row) => all + (row[i]! - means[i]!) * (row[j]! - means[j]!), 0);
		assert.ok(Math.abs(data[at]! - sum / rows.length) < 1e-7, `${data[at]} is not ${sum / rows.length}`);
	}
});

test.run();
