/** Refits of a reader whose inputs were removed, on activations whose true statistics are known. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { productsOf } from '../../src/backends/ort/products.ts';
import { Fault } from '../../src/diagnostic.ts';
import { stream } from '../../src/data/generate.ts';
import { type Gram, type SplitGram } from '../../src/ir/lab.ts';
import { matrix, rowsOf, type Matrix } from '../../src/ir/matrix.ts';
import { surgeonScores } from '../../src/numerics/brain-surgeon.ts';
import { refit, type Refit } from '../../src/numerics/refit.ts';
import { pick, pickRows } from '../../src/numerics/statistics.ts';

const test = suite('refit');
const products = productsOf(1);
const normal = (rows: number, cols: number, seed: number, scale = 1): Matrix => {
	const next = stream(seed);
	const draw = (): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
	return matrix(
		rows,
		cols,
		Float64Array.from({ length: rows * cols }, () => draw() * scale),
	);
};

/** Sums over the rows of a matrix, as the lab gives them. */
async function gramOf(x: Matrix, y?: Matrix): Promise<Gram> {
	const sums = ({ rows, cols, data }: Matrix, of: (value: number) => number): Float64Array => {
		const sum = new Float64Array(cols);
		for (let at = 0; at < rows * cols; at++) sum[at % cols]! += of(data[at]!);
		return sum;
	};
	const gram = { count: x.rows, sum: sums(x, (value) => value), gram: await products.multiply(x, x, 'tn') };
	if (y === undefined) return gram;
	const cross = await products.multiply(x, y, 'tn');
	return {
		...gram,
		against: { cross, sum: sums(y, (value) => value), squares: sums(y, (value) => value ** 2) },
	};
}

const split = async (x: Matrix, y?: Matrix): Promise<SplitGram> => {
	const cut = Math.floor(x.rows * 0.8);
	const part = (from: Matrix | undefined, first: number, end: number): Matrix | undefined =>
		from && rowsOf(from, first, end);
	return {
		fit: await gramOf(rowsOf(x, 0, cut), part(y, 0, cut)),
		heldOut: await gramOf(rowsOf(x, cut, x.rows), part(y, cut, x.rows)),
	};
};

/** E‖x·W − x_P·W' − shift‖² over the variance of x·W, from the rows themselves. */
async function trueError(
	x: Matrix,
	weight: Matrix,
	kept: readonly number[],
	made: Pick<Refit, 'weight' | 'shift'>,
): Promise<number> {
	const y = await products.multiply(x, weight);
	const all = Array.from({ length: x.rows }, (_, at) => at);
	const rest = matrix(y.rows, y.cols, y.data.slice());
	await products.subtract(rest, pick(x, all, kept), made.weight);
	const mean = new Float64Array(y.cols);
	for (let at = 0; at < y.data.length; at++) mean[at % y.cols]! += y.data[at]! / y.rows;
	let [error, variance] = [0, 0];
	for (let at = 0; at < y.data.length; at++) {
		error += (rest.data[at]! - made.shift[at % y.cols]!) ** 2;
		variance += (y.data[at]! - mean[at % y.cols]!) ** 2;
	}
	return error / variance;
}

/**
 * A feed-forward block as networks have them: `hidden` neurons over inputs whose directions fall off as 1/k, through a GELU-like
 * activation, so that neurons predict one another and their means are not zero; reading rows differ in size.
 */
async function block(rows: number, hidden: number): Promise<{ x: Matrix; weight: Matrix }> {
	const spread = normal(rows, 96, 1);
	const input = matrix(
		rows,
		96,
		spread.data.map((value, at) => (value * 1.5) / (1 + (at % 96))),
	);
	const before = await products.multiply(input, normal(96, hidden, 3, 1));
	const x = matrix(
		rows,
		hidden,
		before.data.map((value) => value / (1 + Math.exp(-1.702 * value))),
	);
	const sizes = normal(hidden, 1, 6, 0.7).data.map(Math.exp);
	const weight = normal(hidden, 96, 4, 1 / Math.sqrt(hidden));
	return {
		x,
		weight: matrix(
			hidden,
			96,
			weight.data.map((value, at) => value * sizes[Math.floor(at / 96)]!),
		),
	};
}

/** All but the `gone` lowest scores, ascending. */
const keepBest = (scores: Float64Array, count: number): number[] =>
	Array.from(scores, (_, at) => at)
		.sort((a, b) => scores[b]! - scores[a]! || a - b)
		.slice(0, count)
		.sort((a, b) => a - b);
const rowSizes = ({ rows, cols, data }: Matrix): Float64Array =>
	Float64Array.from({ length: rows }, (_, row) =>
		data.subarray(row * cols, (row + 1) * cols).reduce((sum, value) => sum + value ** 2, 0),
	);

test('a refit loses eight times less than nothing and than than a new bias', async () => {
	const { x, weight } = await block(6000, 384);
	const fresh = rowsOf(x, 4800, 6000);
	const grams = await split(rowsOf(x, 0, 4800));
	for (const count of [192, 128, 96]) {
		const kept = keepBest(rowSizes(weight), count);
		const made = await refit({ grams, kept, weight, what: 'x' }, products);
		const error = await trueError(fresh, weight, kept, made);
		const plain = { weight: pickRows(weight, kept), shift: new Float64Array(96) };
		const none = await trueError(fresh, weight, kept, plain);
		assert.is(made.choice, 'affine');
		assert.ok(error * 8 < none, `${error} against ${none}`);
		assert.ok(made.heldOut.affine * 8 < made.heldOut.bias, 'against a bias alone');
		assert.ok(Math.abs(made.heldOut.affine - error) < 0.2 * error, 'told as it is on rows seen by nobody');
		// Cholesky in double precision, of a matrix whose condition the damping bounds by about 1e5 times its size.
		assert.ok(made.residual < 1e-9);
	}
});

test('surgeon scores choose better sets than size, what is read times size, and spread times size', async () => {
	const { x, weight } = await block(6000, 384);
	const fresh = rowsOf(x, 4800, 6000);
	const grams = await split(rowsOf(x, 0, 4800));
	const sizes = rowSizes(weight);
	const { count, sum, gram } = grams.fit;
	const square = (at: number): number => gram.data[at * 385]! / count;
	const surgeon = await surgeonScores(
		grams.fit,
		weight,
		Array.from(sizes, (_, at) => at),
		384,
		'x',
		products,
	);
	const scores = {
		surgeon,
		size: sizes,
		wanda: sizes.map((size, at) => size * square(at)),
		flap: sizes.map((size, at) => size * (square(at) - (sum[at]! / count) ** 2)),
	};
	for (const keep of [192, 96]) {
		const errors = new Map<string, number>();
		for (const [name, values] of Object.entries(scores)) {
			const kept = keepBest(values, keep);
			const made = await refit({ grams, kept, weight, what: 'x' }, products);
			errors.set(name, await trueError(fresh, weight, kept, made));
		}
		for (const name of ['size', 'wanda', 'flap'])
			assert.ok(errors.get('surgeon')! < errors.get(name)!, `${keep} kept, against ${name}`);
	}
});

async function spreadOf(x: Matrix, weight: Matrix): Promise<number> {
	const y = await products.multiply(x, weight);
	const mean = new Float64Array(y.cols);
	for (let at = 0; at < y.data.length; at++) mean[at % y.cols]! += y.data[at]! / y.rows;
	return y.data.reduce((sum, value, at) => sum + (value - mean[at % y.cols]!) ** 2, 0) / y.rows;
}

test('surgeon scores are what a removal costs after the best refit of the rest', async () => {
	const mixing = normal(6, 6, 2, 0.3);
	for (let at = 0; at < 6; at++) mixing.data[at * 7]! += 1;
	const mixed = await products.multiply(normal(500, 6, 1), mixing);
	const x = matrix(
		500,
		6,
		mixed.data.map((value, at) => value + (at % 6)),
	);
	const weight = normal(6, 3, 3);
	const owners = [0, 0, 1, 2, 1, -1];
	const gram = await gramOf(x);
	const scores = await surgeonScores(gram, weight, owners, 4, 'x', products);
	for (const unit of [0, 1, 2]) {
		const kept = owners.flatMap((owner, at) => (owner === unit ? [] : [at]));
		const { heldOut } = await refit(
			{ grams: { fit: gram, heldOut: gram }, kept, weight, what: 'x' },
			products,
		);
		const share = scores[unit]! / (await spreadOf(x, weight));
		// The damping of the scores is 1e-3, that of the refit at best 1e-5.
		assert.ok(Math.abs(share / heldOut.affine - 1) < 0.05, `${share} against ${heldOut.affine}`);
	}
	assert.is(scores[3], 0);
});

test('falls back to a new bias, and to nothing, when held-out rows are not served better', async () => {
	const weight = normal(8, 4, 3);
	const kept = [0, 1, 2, 3];
	const shifted = (rows: number, seed: number, by: number): Matrix =>
		matrix(
			rows,
			8,
			normal(rows, 8, seed).data.map((value) => value + by),
		);
	const made = async (fit: Matrix, heldOut: Matrix): Promise<Refit> =>
		refit(
			{ grams: { fit: await gramOf(fit), heldOut: await gramOf(heldOut) }, kept, weight, what: 'x' },
			products,
		);
	// Independent inputs and few rows: whatever a regression finds is chance, but the means are real.
	const bias = await made(shifted(12, 4, 2), shifted(4000, 5, 2));
	assert.is(bias.choice, 'bias');
	assert.ok(bias.heldOut.bias < bias.heldOut.none && bias.heldOut.bias <= bias.heldOut.affine);
	assert.equal(bias.weight, pickRows(weight, kept));
	const none = await made(shifted(12, 4, 3), shifted(4000, 5, 0));
	assert.is(none.choice, 'none');
	assert.equal(none.shift, new Float64Array(4));
	const blind = await made(shifted(12, 4, 3), matrix(0, 8));
	assert.equal([blind.choice, blind.heldOut.none], ['none', NaN]);
});

test('with outputs wanted, refits to them and not to what the reader puts out', async () => {
	const x = normal(3000, 10, 1);
	const weight = normal(10, 4, 3);
	// What is read came out 20 % too small upstream; the wanted outputs are those of whole inputs.
	const small = matrix(
		3000,
		10,
		x.data.map((value) => value * 0.8),
	);
	const wanted = await products.multiply(x, weight);
	const all = Array.from({ length: 10 }, (_, at) => at);
	const made = await refit({ grams: await split(small, wanted), kept: all, weight, what: 'x' }, products);
	assert.is(made.choice, 'affine');
	assert.ok(made.heldOut.affine < 1e-6 && Math.abs(made.heldOut.none - 0.04) < 0.01);
	made.weight.data.forEach((value, at) => {
		assert.ok(Math.abs(value - weight.data[at]! / 0.8) < 1e-3);
	});
});

test('inputs that never move are no obstacle, and sums that are not finite are named', async () => {
	const x = normal(400, 6, 1);
	for (let row = 0; row < 400; row++) x.data.set([0, 5], row * 6);
	const task = { grams: await split(x), kept: [0, 1, 2, 3], weight: normal(6, 2, 3), what: "'hidden'" };
	const made = await refit(task, products);
	assert.ok(made.weight.data.every(Number.isFinite));
	x.data[7] = Infinity;
	try {
		await refit({ ...task, grams: await split(x) }, products);
		assert.unreachable();
	} catch (problem) {
		assert.instance(problem, Fault);
		assert.match((problem as Fault).diagnostics[0]!.message, /not finite in the statistics of 'hidden'/);
	}
});

test.run();
