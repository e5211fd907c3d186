/** Low rank by what a matrix puts out on data: principal directions of its outputs (Yu & Wu, AAAI 2023, "Features Are Low-Rank, but Weights Are Not"). */
import { matrix, transposed, type Matrix, type Products } from '../ir/matrix.ts';
import { rankIn, truncate, type Factors, type Wanted } from './svd.ts';
import { symmetricSpectrum } from './symmetric.ts';

/**
 * Of all products of two factors, the one whose outputs on centred inputs of this covariance are nearest to those of the
 * matrix `w` (inputs × outputs), in the mean of squares: W·V·Vᵀ, with V the leading eigenvectors of Wᵀ·covariance·W.
 * `tail` is the share of the outputs' variance that is lost.
 */
export async function outputFactors(
	w: Matrix,
	covariance: Matrix,
	wanted: Wanted,
	products: Products,
): Promise<Factors> {
	const { directions, tail } =
		w.cols <= w.rows
			? await fromOutputs(w, covariance, wanted, products)
			: await fromInputs(w, covariance, wanted, products);
	const right = transposed(directions);
	return { left: await products.multiply(w, directions), right, rank: right.rows, tail };
}

type Directions = { /** outputs × rank. */ readonly directions: Matrix; readonly tail: number };

async function fromOutputs(
	w: Matrix,
	covariance: Matrix,
	wanted: Wanted,
	products: Products,
): Promise<Directions> {
	const outputs = await products.multiply(w, await products.multiply(covariance, w), 'tn');
	const spectrum = symmetricSpectrum(outputs, products);
	const energies = spectrum.values.map((value) => Math.max(0, value));
	const total = energies.reduce((sum, energy) => sum + energy, 0) || 1;
	const rank = rankIn(
		wanted,
		energies.map((energy) => energy / total),
	);
	const lost = energies.subarray(rank).reduce((sum, energy) => sum + energy, 0);
	return { directions: await spectrum.vectors(rank), tail: lost / total };
}

/** Where outputs are more than inputs: the same directions from the root of the covariance times the matrix. */
async function fromInputs(
	w: Matrix,
	covariance: Matrix,
	wanted: Wanted,
	products: Products,
): Promise<Directions> {
	const spectrum = symmetricSpectrum(covariance, products);
	const vectors = await spectrum.vectors(w.rows);
	const rotated = await products.multiply(vectors, w, 'tn');
	const roots = spectrum.values.map((value) => Math.sqrt(Math.max(0, value)));
	const weighted = matrix(
		w.rows,
		w.cols,
		rotated.data.map((value, at) => value * (roots[Math.floor(at / w.cols)] ?? 0)),
	);
	const { right, tail } = await truncate(weighted, wanted, products);
	return { directions: transposed(withUnitRows(right)), tail };
}

/** Rows over their lengths; rows of zeros, which stand for no direction, stay. */
function withUnitRows({ rows, cols, data }: Matrix): Matrix {
	const lengths = Array.from({ length: rows }, (_, row) =>
		Math.sqrt(data.subarray(row * cols, (row + 1) * cols).reduce((sum, value) => sum + value * value, 0)),
	);
	return matrix(
		rows,
		cols,
		data.map((value, at) => value / Math.max(lengths[Math.floor(at / cols)] ?? 0, Number.MIN_VALUE)),
	);
}
