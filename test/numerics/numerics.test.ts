/** Linear algebra against `ml-matrix`, against itself (reconstruction, orthogonality) and at its edges. */
import { CholeskyDecomposition, EigenvalueDecomposition, Matrix as Dense, SVD } from 'ml-matrix';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { productsOf } from '../../src/backends/ort/products.ts';
import { Fault } from '../../src/diagnostic.ts';
import { stream } from '../../src/data/generate.ts';
import { identity, matrix, transposed, type Form, type Matrix } from '../../src/ir/matrix.ts';
import { canonical, khatriRao } from '../../src/numerics/canonical.ts';
import { cholesky, factorMatrix, inverseFactor, solve } from '../../src/numerics/cholesky.ts';
import { orthonormalize } from '../../src/numerics/orthonormal.ts';
import { plainProducts } from '../../src/numerics/plain-products.ts';
import { damped, solveDamped } from '../../src/numerics/ridge.ts';
import { truncate, type Factors } from '../../src/numerics/svd.ts';
import { symmetricSpectrum } from '../../src/numerics/symmetric.ts';

const test = suite('numerics');
const products = productsOf(1);

const random = (rows: number, cols: number, seed = 1): Matrix => {
	const next = stream(seed);
	return matrix(
		rows,
		cols,
		Float64Array.from({ length: rows * cols }, () => next() - 0.5),
	);
};
const dense = ({ rows, cols, data }: Matrix): Dense => Dense.from1DArray(rows, cols, Array.from(data));
const flat = (from: Dense): Float64Array => Float64Array.from(from.to1DArray());
const norm = (data: Float64Array): number => Math.sqrt(data.reduce((sum, value) => sum + value * value, 0));
const distance = (a: Float64Array, b: Float64Array): number =>
	norm(a.map((value, at) => value - b[at]!)) / (norm(b) || 1);
/** A matrix with the singular values given, largest first. */
const withValues = async (rows: number, cols: number, values: readonly number[]): Promise<Matrix> => {
	const [u, v] = await Promise.all([
		orthonormalize(random(rows, values.length, 2), plainProducts),
		orthonormalize(random(cols, values.length, 3), plainProducts),
	]);
	const scaled = matrix(
		rows,
		values.length,
		u!.data.map((value, at) => value * values[at % values.length]!),
	);
	return plainProducts.multiply(scaled, v!, 'nt');
};
const errorOf = async (a: Matrix, { left, right }: Factors): Promise<number> =>
	distance((await products.multiply(left, right)).data, a.data);
/** A few hundred roundings of doubles. */
const rounding = 1e-13;

test('products of all forms equal those of ml-matrix, in onnxruntime and without it', async () => {
	const sizes = fc.tuple(...[1, 2, 3].map(() => fc.integer({ min: 1, max: 70 })));
	await fc.assert(
		fc.asyncProperty(sizes, fc.constantFrom<Form>('nn', 'tn', 'nt'), async ([rows, inner, cols], form) => {
			const [a, b, c] = [random(rows!, inner!, 4), random(inner!, cols!, 5), random(rows!, cols!, 6)];
			const [left, right] = [form === 'tn' ? transposed(a) : a, form === 'nt' ? transposed(b) : b];
			const expected = flat(dense(a).mmul(dense(b)));
			for (const maker of [products, plainProducts]) {
				assert.ok(distance((await maker.multiply(left, right, form)).data, expected) < rounding);
				const rest = matrix(rows!, cols!, c.data.slice());
				await maker.subtract(rest, left, right, form);
				assert.ok(
					distance(
						rest.data,
						c.data.map((value, at) => value - expected[at]!),
					) < rounding,
				);
			}
		}),
		{ numRuns: 40, seed: 1 },
	);
});

test('factors positive definite matrices as ml-matrix does, and solves with them', async () => {
	for (const size of [1, 2, 127, 128, 129, 300]) {
		const wide = random(size, 2 * size, size);
		const a = await products.multiply(wide, wide, 'nt');
		const factor = (await cholesky(a, products))!;
		const lower = factorMatrix(factor);
		if (size < 200)
			assert.ok(
				distance(lower.data, flat(new CholeskyDecomposition(dense(a)).lowerTriangularMatrix)) < rounding,
			);
		assert.ok(distance((await products.multiply(lower, lower, 'nt')).data, a.data) < rounding);
		const b = random(size, 3, 7);
		const x = await solve(factor, b, products);
		assert.ok(distance((await products.multiply(a, x)).data, b.data) < 1e-10, `solve ${size}`);
		const unit = await products.multiply(await inverseFactor(factor, products), lower);
		assert.ok(distance(unit.data, identity(size).data) < 1e-12);
	}
	assert.is(await cholesky(matrix(2, 2, Float64Array.of(1, 2, 2, 1)), products), undefined);
	assert.is(await cholesky(matrix(1, 1, Float64Array.of(NaN)), products), undefined);
});

test('finds the eigenvalues of ml-matrix, with vectors that belong to them', async () => {
	for (const [size, count] of [
		[1, 1],
		[2, 1],
		[5, 5],
		[40, 13],
		[130, 40],
		[130, 130],
	] as const) {
		const half = random(size, size, size);
		const a = matrix(
			size,
			size,
			half.data.map((value, at) => value + half.data[(at % size) * size + Math.floor(at / size)]!),
		);
		const spectrum = symmetricSpectrum(a, products);
		const expected = new EigenvalueDecomposition(dense(a), {
			assumeSymmetric: true,
		}).realEigenvalues.toSorted((x, y) => y - x);
		assert.ok(distance(spectrum.values, Float64Array.from(expected)) < rounding);
		const vectors = await spectrum.vectors(count);
		const images = await products.multiply(a, vectors);
		const scaled = vectors.data.map((value, at) => value * spectrum.values[at % count]!);
		assert.ok(distance(images.data, scaled) < rounding, `vectors of ${size}`);
		assert.ok(
			distance((await products.multiply(vectors, vectors, 'tn')).data, identity(count).data) < rounding,
		);
	}
});

test('finds orthonormal vectors where all eigenvalues are equal, where they are zero, and in blocks', async () => {
	const zero = matrix(90, 90);
	const blocks = identity(90);
	for (let at = 0; at < 45; at++) blocks.data[at * 91] = 3;
	for (const a of [zero, identity(90), blocks]) {
		const vectors = await symmetricSpectrum(a, products).vectors(30);
		assert.ok(distance((await products.multiply(vectors, vectors, 'tn')).data, identity(30).data) < rounding);
		const images = await products.multiply(a, vectors);
		assert.ok(
			distance(
				images.data,
				vectors.data.map((value) => value * a.data[0]!),
			) < rounding,
		);
	}
});

test('truncates like the singular value decomposition of ml-matrix', async () => {
	for (const [rows, cols, rank] of [
		[40, 60, 7],
		[60, 40, 7],
		[30, 30, 1],
		[1, 5, 1],
		[5, 1, 1],
	] as const) {
		const a = random(rows, cols, 8);
		const factors = await truncate(a, rank, products);
		const values = new SVD(dense(a), { autoTranspose: true }).diagonal;
		const total = values.reduce((sum, value) => sum + value ** 2, 0);
		const tail = values.slice(rank).reduce((sum, value) => sum + value ** 2, 0) / total;
		assert.ok(Math.abs(factors.tail - tail) < 1e-12, 'the tail that is told');
		assert.ok(Math.abs((await errorOf(a, factors)) - Math.sqrt(tail)) < 1e-7, 'the error that is measured');
	}
});

test('a kernel of two axes is decomposed by its singular values, whichever two they are', async () => {
	const [rows, cols, rank] = [12, 9, 4];
	const a = random(rows, cols, 5);
	const values = new SVD(dense(a)).diagonal.map((value) => value * value);
	const all = values.reduce((sum, value) => sum + value, 0);
	const lost = values.slice(rank).reduce((sum, value) => sum + value, 0) / all;
	for (const dims of [
		[rows, 1, cols],
		[1, rows, cols],
		[rows, cols, 1],
	]) {
		const { factors, tail } = await canonical(a.data, dims, rank, plainProducts);
		const ones = matrix(rank, 1, new Float64Array(rank).fill(1));
		const made = await products.multiply(khatriRao(factors), ones);
		// Double precision, through a Gram matrix.
		assert.ok(Math.abs(tail - lost) < 1e-12 && Math.abs(distance(made.data, a.data) ** 2 - lost) < 1e-12);
		for (const { data } of factors.slice(0, -1)) {
			const size = data.length / rank;
			const first = Array.from({ length: size }, (_, at) => data[at * rank]!);
			assert.ok(Math.abs(norm(Float64Array.from(first)) - 1) < 1e-12, 'unit vectors');
		}
	}
});

test('chooses a rank from the shares of the squared singular values', async () => {
	const a = await withValues(20, 30, [4, 2, 1]);
	let seen: number[] = [];
	const factors = await truncate(
		a,
		(shares) => {
			seen = Array.from(shares.subarray(0, 4), (share) => Math.round(share * 21 * 1e9) / 1e9);
			return 2;
		},
		products,
	);
	assert.equal(seen, [16, 4, 1, 0]);
	assert.ok(Math.abs(factors.tail - 1 / 21) < rounding);
});

test('truncates matrices that lack rank, are zero, or are as small and as large as doubles go', async () => {
	const a = await withValues(50, 80, [3, 2, 1]);
	for (const scale of [1, 1e-200, 1e200]) {
		const scaled = matrix(
			a.rows,
			a.cols,
			a.data.map((value) => value * scale),
		);
		const factors = await truncate(scaled, 10, products);
		const back = matrix(
			a.rows,
			a.cols,
			(await products.multiply(factors.left, factors.right)).data.map((value) => value / scale),
		);
		assert.ok(distance(back.data, a.data) < rounding, `scale ${scale}`);
	}
	const zero = await truncate(matrix(4, 6), 2, products);
	assert.equal([zero.rank, zero.tail, norm(zero.left.data), norm(zero.right.data)], [2, 0, 0, 0]);
});

test('says which numbers are not finite', async () => {
	const broken = random(3, 3);
	broken.data[4] = NaN;
	const codes = async (work: () => Promise<unknown>): Promise<string[]> => {
		try {
			await work();
			return [];
		} catch (problem) {
			return problem instanceof Fault ? problem.diagnostics.map(({ code }) => code) : [String(problem)];
		}
	};
	assert.equal(await codes(async () => truncate(broken, 1, products)), ['plan/not-finite']);
	assert.equal(await codes(() => damped(broken, 0, products)), ['plan/not-finite']);
});

test('subspace iteration comes within a thousandth of the best error on a slow spectrum', async () => {
	const values = Array.from({ length: 1700 }, (_, at) => (at + 1) ** -0.5);
	const side = values.length;
	// Two fast orthogonal mixings of a diagonal: reflections at random directions keep the singular values.
	const [u, v] = [random(side, 1, 9), random(side, 1, 10)].map(({ data }) =>
		data.map((value) => value / norm(data)),
	);
	const a = matrix(side, side);
	const along = values.map((value, at) => value * v![at]!);
	const across = values.map((value, at) => value * u![at]!);
	const both = values.reduce((sum, value, at) => sum + value * u![at]! * v![at]!, 0);
	for (let row = 0; row < side; row++)
		for (let col = 0; col < side; col++)
			a.data[row * side + col] =
				(row === col ? values[row]! : 0) -
				2 * u![row]! * across[col]! -
				2 * along[row]! * v![col]! +
				4 * u![row]! * both * v![col]!;
	const factors = await truncate(a, 24, products);
	const best =
		values.slice(24).reduce((sum, value) => sum + value ** 2, 0) /
		values.reduce((sum, value) => sum + value ** 2, 0);
	assert.ok(
		factors.tail >= best - rounding && factors.tail <= best * 1.001,
		`${factors.tail} against ${best}`,
	);
	assert.ok(Math.abs((await errorOf(a, factors)) - Math.sqrt(factors.tail)) < 1e-9);
});

test('makes orthonormal columns of ill-conditioned ones, and tells dependent ones', async () => {
	const graded = await withValues(
		100,
		20,
		Array.from({ length: 20 }, (_, at) => 10 ** (-at * 0.7)),
	);
	const basis = (await orthonormalize(graded, products))!;
	const gram = await products.multiply(basis, basis, 'tn');
	assert.ok(distance(gram.data, identity(basis.cols).data) < 1e-12);
	const along = await products.multiply(basis, await products.multiply(basis, graded, 'tn'));
	assert.ok(distance(along.data, graded.data) < rounding, 'the span is the same');
	const twice = await products.multiply(random(50, 1), matrix(1, 2, Float64Array.of(1, 1)));
	assert.is(await orthonormalize(twice, products), undefined);
	assert.is(await orthonormalize(matrix(50, 2), products), undefined);
});

test('damps each unknown by its own size', async () => {
	const x = random(400, 12);
	const gram = await products.multiply(x, x, 'tn');
	const b = random(12, 3, 11);
	const plain = await solveDamped(await damped(gram, 1e-2, products), b, products);
	const expected = dense(gram);
	for (let at = 0; at < 12; at++) expected.set(at, at, expected.get(at, at) * 1.01);
	assert.ok(distance(flat(expected.mmul(dense(plain))), b.data) < 1e-12);
	// A channel in other units: the solution changes by the units and by nothing else.
	const unit = Float64Array.from({ length: 12 }, (_, at) => (at === 5 ? 1e6 : 1));
	const scaled = matrix(
		12,
		12,
		gram.data.map((value, at) => value * unit[at % 12]! * unit[Math.floor(at / 12)]!),
	);
	const other = await solveDamped(
		await damped(scaled, 1e-2, products),
		matrix(
			12,
			3,
			b.data.map((value, at) => value * unit[Math.floor(at / 3)]!),
		),
		products,
	);
	assert.ok(
		distance(
			other.data.map((value, at) => value * unit[Math.floor(at / 3)]!),
			plain.data,
		) < 1e-12,
	);
});

test('solves singular systems with as little more damping as it takes, and dead channels with zeros', async () => {
	const singular = matrix(3, 3, Float64Array.of(1, 1, 0, 1, 1, 0, 0, 0, 0));
	const factor = await damped(singular, 0, products);
	assert.ok(factor.damping > 0 && factor.damping <= 1e-6);
	const x = await solveDamped(factor, matrix(3, 1, Float64Array.of(2, 2, 0)), products);
	assert.ok(distance(x.data, Float64Array.of(1, 1, 0)) < 1e-6);
});

test.run();
