/** Eigenvalues and leading eigenvectors of symmetric matrices: tridiagonal form in wasm, the rest in products. */
import { bug } from '../diagnostic.ts';
import { matrix, rowsOf, type Matrix, type Products } from '../ir/matrix.ts';
import { tridiagonalVectors } from './inverse-iteration.ts';
import { polish } from './orthonormal.ts';
import { openKernel, type Kernel } from './kernel.ts';

export type Spectrum = {
	/** All eigenvalues, largest first. */
	readonly values: Float64Array;
	/** Unit eigenvectors of the `count` largest, as columns (size × count); the largest entry of each is positive. */
	vectors(count: number): Promise<Matrix>;
};

/**
 * The spectrum of a symmetric matrix, of which the lower triangle is read. Values are exact to rounding of the largest
 * one. Memory: twice the matrix, three times where inverse iteration meets many equal eigenvalues.
 */
export function symmetricSpectrum(a: Matrix, products: Products): Spectrum {
	const size = a.rows;
	const scale = powerOfTwoAbove(a.data);
	const reduced = reduce(a, scale);
	const values = eigenvalues(reduced);
	return {
		values: values.map((value) => value * scale),
		vectors: async (count) => {
			const inner = await innerVectors(reduced, values, Math.min(count, size), products);
			await applyReflectors(reduced, inner, products);
			return withSigns(inner);
		},
	};
}

/** Householder's reduction: the tridiagonal matrix and what it takes to come back. */
type Reduced = {
	readonly size: number;
	readonly diagonal: Float64Array;
	readonly below: Float64Array;
	readonly tau: Float64Array;
	/** Row i holds the vector of reflector i left of its diagonal. */
	readonly reflectors: Float64Array;
};

/** A power of two that brings all entries to at most 1: scaling with it is exact. */
function powerOfTwoAbove(data: Float64Array): number {
	let most = 0;
	for (const value of data) most = Math.max(most, Math.abs(value));
	return most > 0 ? 2 ** Math.ceil(Math.log2(most)) : 1;
}

function reduce({ rows: size, data }: Matrix, scale: number): Reduced {
	const kernel = openKernel(size * size + 5 * size);
	const [a, diagonal, below, tau] = [size * size, size, size, size].map((length) => kernel.take(length));
	const work = kernel.take(2 * size);
	if (a === undefined || diagonal === undefined || below === undefined || tau === undefined)
		return bug('memory of the kernel is not laid out');
	const inside = kernel.view(a, size * size);
	for (let at = 0; at < data.length; at++) inside[at] = (data[at] ?? 0) / scale;
	kernel.tridiagonalize(a, size, diagonal, below, tau, work);
	const copy = (pointer: number): Float64Array => kernel.view(pointer, size).slice();
	return { size, diagonal: copy(diagonal), below: copy(below), tau: copy(tau), reflectors: inside };
}

function eigenvalues({ size, diagonal, below }: Reduced): Float64Array {
	const kernel = openKernel(2 * size);
	const [d, e] = [place(kernel, diagonal), place(kernel, below)];
	if (kernel.ql(d, e, size, 0, 0, tiny) !== 0) bug('eigenvalues did not converge', { size });
	return kernel.view(d, size).slice().sort().reverse();
}

/** Couplings below this are nothing beside entries of size 1, and rounding of a Gram matrix is far above. */
const tiny = 2 ** -70;

function place(kernel: Kernel, values: Float64Array): number {
	const pointer = kernel.take(values.length);
	kernel.view(pointer, values.length).set(values);
	return pointer;
}

/** Eigenvectors of the tridiagonal matrix, as columns. */
async function innerVectors(
	reduced: Reduced,
	values: Float64Array,
	count: number,
	products: Products,
): Promise<Matrix> {
	const { size } = reduced;
	const found = count > size / 2 ? undefined : tridiagonalVectors(reduced, values, count);
	const polished = found && (await polish(columnsOf(found, size), products));
	return polished ?? rotatedVectors(reduced, count);
}

function columnsOf(vectors: readonly Float64Array[], size: number): Matrix {
	const result = matrix(size, vectors.length);
	vectors.forEach((vector, col) => {
		for (let row = 0; row < size; row++) result.data[row * vectors.length + col] = vector[row] ?? 0;
	});
	return result;
}

/** All vectors by rotations: sure in every case, and as fast as anything where most are wanted. */
function rotatedVectors({ size, diagonal, below }: Reduced, count: number): Matrix {
	const kernel = openKernel(size * size + 2 * size);
	const [d, e] = [place(kernel, diagonal), place(kernel, below)];
	const pointer = kernel.take(size * size);
	const rows = kernel.view(pointer, size * size).fill(0);
	for (let at = 0; at < size; at++) rows[at * size + at] = 1;
	if (kernel.ql(d, e, size, pointer, size, tiny) !== 0) bug('eigenvectors did not converge', { size });
	const found = kernel.view(d, size);
	const order = Array.from(found, (_, at) => at).sort((x, y) => (found[y] ?? 0) - (found[x] ?? 0) || x - y);
	return columnsOf(
		order.slice(0, count).map((at) => rows.subarray(at * size, (at + 1) * size)),
		size,
	);
}

/** Reflectors a block: as many rows of U become one product (compact WY form, Schreiber & Van Loan 1989). */
const block = 64;

/** Brings vectors back from the tridiagonal basis, in place: H(n−1)·…·H(1)·x, smallest reflector first. */
async function applyReflectors(
	{ size, tau, reflectors }: Reduced,
	x: Matrix,
	products: Products,
): Promise<void> {
	for (let from = 1; from < size; from += block) {
		const to = Math.min(size, from + block);
		const u = matrix(to - from, to);
		for (let i = from; i < to; i++) u.data.set(reflectors.subarray(i * size, i * size + i), (i - from) * to);
		const inner = await products.multiply(u, u, 'nt');
		const target = rowsOf(x, 0, to);
		const along = await products.multiply(u, target);
		const combined = await products.multiply(triangularFactor(inner, tau.subarray(from, to)), along, 'tn');
		await products.subtract(target, u, combined, 'tn');
	}
}

/** T of H(1)·…·H(k) = I − Uᵀ·T·U for reflectors as rows of U, from U·Uᵀ. Reversed, the product takes T transposed. */
function triangularFactor({ rows: size, data }: Matrix, tau: Float64Array): Matrix {
	const t = matrix(size, size);
	for (let j = 0; j < size; j++) {
		t.data[j * size + j] = tau[j] ?? 0;
		for (let i = 0; i < j; i++) {
			let sum = 0;
			for (let k = i; k < j; k++) sum += (t.data[i * size + k] ?? 0) * (data[k * size + j] ?? 0);
			t.data[i * size + j] = -(tau[j] ?? 0) * sum;
		}
	}
	return t;
}

function withSigns(columns: Matrix): Matrix {
	const { rows, cols, data } = columns;
	const extreme = new Float64Array(cols);
	for (let at = 0; at < rows * cols; at++) {
		const value = data[at] ?? 0;
		if (Math.abs(value) > Math.abs(extreme[at % cols] ?? 0)) extreme[at % cols] = value;
	}
	for (let at = 0; at < rows * cols; at++) if ((extreme[at % cols] ?? 0) < 0) data[at] = -(data[at] ?? 0);
	return columns;
}
