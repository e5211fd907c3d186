/** Truncated singular value decomposition in double precision: exact through the Gram matrix of the smaller side, randomized where that is too large. */
import { Fault } from '../diagnostic.ts';
import { matrix, rowsOf, transposed, type Matrix, type Products } from '../ir/matrix.ts';
import { notFinite } from '../messages/plan.ts';
import { orthonormalize } from './orthonormal.ts';
import { symmetricSpectrum } from './symmetric.ts';

export type Factors = {
	/** rows × rank. */
	readonly left: Matrix;
	/** rank × cols. The factor on the smaller side has orthonormal vectors. */
	readonly right: Matrix;
	readonly rank: number;
	/** Share of the squared singular values that is cut off: the squared relative error in the Frobenius norm. */
	readonly tail: number;
};

/** A rank, or how to choose one: it is given the shares of the squared singular values, largest first. */
export type Wanted = number | ((shares: Float64Array) => number);

/** Smaller sides from here on are not decomposed wholly when a small rank is asked for. */
const large = 1536;

/**
 * Best approximation of the matrix with the rank wanted, in the Frobenius norm (Eckart–Young). The Gram matrix squares
 * the condition number, so singular values below 1e-8 of the largest are noise: far below what a truncation keeps.
 * Above `large`, a rank below an eighth comes from subspace iteration, whose squared error is within 0.1 % of the best
 * where singular values fall as slowly as the root of their number. Throws `Fault` for numbers that are not finite.
 */
export function truncate(a: Matrix, wanted: Wanted, products: Products): Promise<Factors> {
	const scaled = scaledToOne(a);
	if (scaled.scale === 0) return Promise.resolve(zeroFactors(a, wanted));
	const side = Math.min(a.rows, a.cols);
	const randomized = typeof wanted === 'number' && side > large && wanted + oversampling < side / 8;
	return randomized ? subspace(scaled, wanted, products) : exact(scaled, wanted, products);
}

type Scaled = { readonly a: Matrix; readonly scale: number };

/** Entries divided by a power of two, so that their squares neither overflow nor vanish. */
function scaledToOne({ rows, cols, data }: Matrix): Scaled {
	let most = 0;
	for (const value of data) {
		if (!Number.isFinite(value)) throw new Fault(notFinite({ what: `a matrix of ${rows} × ${cols}` }));
		most = Math.max(most, Math.abs(value));
	}
	const scale = most > 0 ? 2 ** Math.floor(Math.log2(most)) : 0;
	return { a: matrix(rows, cols, scale === 1 ? data : data.map((value) => value / scale)), scale };
}

function zeroFactors({ rows, cols }: Matrix, wanted: Wanted): Factors {
	const side = Math.min(rows, cols);
	const rank = rankIn(wanted, new Float64Array(side));
	return { left: matrix(rows, rank), right: matrix(rank, cols), rank, tail: 0 };
}

/** The rank wanted, within what the spectrum has. */
export function rankIn(wanted: Wanted, shares: Float64Array): number {
	const rank = typeof wanted === 'number' ? wanted : wanted(shares);
	return Math.max(1, Math.min(rank, shares.length));
}

async function exact({ a, scale }: Scaled, wanted: Wanted, products: Products): Promise<Factors> {
	const wide = a.cols >= a.rows;
	const spectrum = symmetricSpectrum(
		await (wide ? rowGram(a, products) : products.multiply(a, a, 'tn')),
		products,
	);
	const energies = spectrum.values.map((value) => Math.max(0, value));
	const total = sum(energies);
	const rank = rankIn(
		wanted,
		energies.map((energy) => energy / total),
	);
	const vectors = await spectrum.vectors(rank);
	const tail = sum(energies.subarray(rank)) / total;
	return { ...(await project({ a, scale }, vectors, products)), rank, tail };
}

/** The lower triangle of A·Aᵀ in blocks of rows; above the blocks' diagonal are zeros. */
async function rowGram(a: Matrix, products: Products): Promise<Matrix> {
	const gram = matrix(a.rows, a.rows);
	const step = a.rows < 512 ? a.rows : Math.ceil(a.rows / 4);
	for (let from = 0; from < a.rows; from += step) {
		const to = Math.min(a.rows, from + step);
		const part = await products.multiply(rowsOf(a, from, to), rowsOf(a, 0, to), 'nt');
		for (let row = from; row < to; row++)
			gram.data.set(part.data.subarray((row - from) * to, (row - from + 1) * to), row * a.rows);
	}
	return gram;
}

/** The matrix on the span of orthonormal vectors of its smaller side, as two factors. */
async function project(
	{ a, scale }: Scaled,
	vectors: Matrix,
	products: Products,
): Promise<Pick<Factors, 'left' | 'right'>> {
	if (a.cols >= a.rows)
		return { left: vectors, right: scaleBy(await products.multiply(vectors, a, 'tn'), scale) };
	return { left: scaleBy(await products.multiply(a, vectors), scale), right: transposed(vectors) };
}

function scaleBy({ rows, cols, data }: Matrix, factor: number): Matrix {
	return matrix(rows, cols, factor === 1 ? data : data.map((value) => value * factor));
}

const oversampling = 16;
/** Rounds of subspace iteration at most, and the change of what is captured that ends it before. */
const rounds = 10;
const settled = 1e-5;

/** Randomized subspace iteration (Halko, Martinsson & Tropp 2011, algorithm 4.4), then the exact problem inside the subspace. */
async function subspace({ a, scale }: Scaled, rank: number, products: Products): Promise<Factors> {
	const wide = a.cols >= a.rows;
	const [forth, back] = wide ? (['nn', 'tn'] as const) : (['tn', 'nn'] as const);
	const total = energyOf(a);
	let image = await products.multiply(a, noise(wide ? a.cols : a.rows, rank + oversampling), forth);
	let captured = 0;
	for (let round = 0; ; round++) {
		const basis = await orthonormalize(image, products);
		// The matrix has no more directions than that: the exact way knows what to do.
		if (basis === undefined) return exact({ a, scale }, rank, products);
		const inside = await products.multiply(a, basis, back);
		const spectrum = symmetricSpectrum(await products.multiply(inside, inside, 'tn'), products);
		const now = sum(spectrum.values.subarray(0, rank));
		if (round === rounds || now - captured <= settled * (total - now)) {
			const vectors = await products.multiply(basis, await spectrum.vectors(rank));
			return {
				...(await project({ a, scale }, vectors, products)),
				rank,
				tail: Math.max(0, 1 - now / total),
			};
		}
		captured = now;
		image = await products.multiply(a, inside, forth);
	}
}

/** Fixed numbers of a bell-like distribution: the sum of three draws of a linear congruential generator. */
function noise(rows: number, cols: number): Matrix {
	let state = 1;
	const draw = (): number => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return state / 2 ** 32 - 0.5;
	};
	return matrix(
		rows,
		cols,
		Float64Array.from({ length: rows * cols }, () => draw() + draw() + draw()),
	);
}

function energyOf({ data }: Matrix): number {
	let total = 0;
	for (const value of data) total += value * value;
	return total;
}

function sum(values: Float64Array): number {
	return values.reduce((total, value) => total + value, 0);
}
