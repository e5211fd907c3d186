/** What a linear reader loses at every width at once: one factorization in the order in which its inputs go. */
import { type Gram } from '../ir/lab.ts';
import { matrix, type Matrix, type Products } from '../ir/matrix.ts';
import { timesFactor } from './cholesky.ts';
import { damped } from './ridge.ts';
import { checkFinite, covariance, pick, pickRows } from './statistics.ts';

/** As for scores: with 4 rows a feature or more the result hardly depends on it. */
const damping = 1e-3;

export type Elimination = {
	/** Squared error, summed over the outputs, that each input adds when it goes after those before it in the order. */
	readonly losses: Float64Array;
	/** Sum over the outputs of their variance. */
	readonly variance: number;
};

/**
 * With Σ + Λ = L·Lᵀ in an order where what stays comes first, the Schur complement of the removed tail given the kept head is
 * L_RR·L_RRᵀ for every split, so that the error left after a refit is the sum over the tail of ‖(Lᵀ·W)_i‖² (block OBS, Hassibi &
 * Stork 1992; the suffix sums of one factor serve all widths). `order` lists the inputs, the first to go first; `weight` is inputs ×
 * outputs. Throws `Fault` for numbers that are not finite.
 */
export async function eliminate(
	gram: Gram,
	weight: Matrix,
	order: readonly number[],
	what: string,
	products: Products,
): Promise<Elimination> {
	checkFinite(gram, what);
	const kept = order.toReversed();
	const sigma = covariance(gram);
	const sorted = pick(sigma, kept, kept);
	const rows = pickRows(weight, kept);
	const { factor, roots } = await damped(sorted, damping, products);
	const scaled = matrix(
		rows.rows,
		rows.cols,
		rows.data.map((value, at) => value * spreadAt(sorted, roots, Math.floor(at / rows.cols))),
	);
	const image = await timesFactor(factor, scaled, products);
	const losses = new Float64Array(order.length);
	for (let row = 0; row < kept.length; row++) {
		const own = image.data.subarray(row * image.cols, (row + 1) * image.cols);
		losses[order.length - 1 - row] = own.reduce((sum, value) => sum + value * value, 0);
	}
	return { losses, variance: await varianceOf(sorted, rows, products) };
}

/** The root of an input's variance; an input that never moves takes nothing with it. */
function spreadAt({ cols, data }: Matrix, roots: Float64Array, at: number): number {
	return (data[at * cols + at] ?? 0) > 0 ? (roots[at] ?? 0) : 0;
}

async function varianceOf(sigma: Matrix, weight: Matrix, products: Products): Promise<number> {
	const image = await products.multiply(sigma, weight);
	return image.data.reduce((sum, value, at) => sum + value * (weight.data[at] ?? 0), 0);
}
