/** Reduced-rank regression (Izenman, 1975): the matrix of a rank that predicts best from given features. */
import { matrix, type Matrix, type Products } from '../ir/matrix.ts';
import { truncate, type Factors, type Wanted } from './svd.ts';
import { symmetricSpectrum } from './symmetric.ts';

/** Directions of the features with less than this share of the largest one's variance are noise. */
const smallest = 1e-7;

/**
 * Of all P·A·B with `basis` P (inputs × features), the one whose outputs are nearest to those of `w` (inputs × outputs) in the mean of
 * squares, on inputs of these second moments (on white ones where they are absent). `left` is A, `right` B, and `tail` the share of the
 * outputs' energy that is lost.
 */
export async function regress(
	basis: Matrix,
	w: Matrix,
	moments: Matrix | undefined,
	wanted: Wanted,
	products: Products,
): Promise<Factors> {
	const weighted = moments === undefined ? basis : await products.multiply(moments, basis);
	const spectrum = symmetricSpectrum(await products.multiply(basis, weighted, 'tn'), products);
	const floor = smallest * (spectrum.values[0] ?? 0);
	const count = Math.max(1, spectrum.values.findLastIndex((value) => value > floor) + 1);
	const vectors = await spectrum.vectors(count);
	const roots = spectrum.values
		.subarray(0, count)
		.map((value) => Math.sqrt(Math.max(value, Number.MIN_VALUE)));
	const cross = await products.multiply(weighted, w, 'tn');
	const white = scaledRows(await products.multiply(vectors, cross, 'tn'), roots);
	const found = await truncate(white, wanted, products);
	const seen = energyOf(white.data) / ((await totalOf(w, moments, products)) || 1);
	return {
		left: await products.multiply(vectors, scaledRows(found.left, roots)),
		right: found.right,
		rank: found.rank,
		tail: Math.max(0, 1 - seen * (1 - found.tail)),
	};
}

async function totalOf(w: Matrix, moments: Matrix | undefined, products: Products): Promise<number> {
	const weighted = moments === undefined ? w : await products.multiply(moments, w);
	return w.data.reduce((sum, value, at) => sum + value * (weighted.data[at] ?? 0), 0);
}

const energyOf = (data: Float64Array): number => data.reduce((sum, value) => sum + value * value, 0);

/** Rows over these numbers. */
function scaledRows({ rows, cols, data }: Matrix, by: Float64Array): Matrix {
	return matrix(
		rows,
		cols,
		data.map((value, at) => value / (by[Math.floor(at / cols)] ?? 1)),
	);
}
