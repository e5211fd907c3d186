/** What a reader's output loses when a unit goes and the others are refitted: structured optimal brain surgeon. */
import { type Gram } from '../ir/lab.ts';
import { matrix, rowsOf, type Matrix, type Products } from '../ir/matrix.ts';
import { cholesky, inverseFactor, solveLower } from './cholesky.ts';
import { damped } from './ridge.ts';
import { checkFinite, covariance, pick, pickRows } from './statistics.ts';

/** Of Λ = ε·diag Σ: with 4 rows a feature or more the scores hardly depend on it. */
const damping = 1e-3;

/**
 * For each unit J the score tr(W_Jᵀ·([(Σ + Λ)⁻¹]_JJ)⁻¹·W_J): the squared error, summed over the outputs, that is left after
 * removing the rows of J and refitting all others at once (OBS; Hassibi & Stork 1992, OSSCAR arXiv:2403.12983). One inverse
 * serves all units: scores of one shot rank as well as a greedy loop once the reader is refitted.
 * `owners` gives the unit of each input, −1 for none; `weight` is inputs × outputs. Throws `Fault` for numbers that are not finite.
 */
export async function surgeonScores(
	gram: Gram,
	weight: Matrix,
	owners: ArrayLike<number>,
	units: number,
	what: string,
	products: Products,
): Promise<Float64Array> {
	checkFinite(gram, what);
	const sigma = covariance(gram);
	const { factor } = await damped(sigma, damping, products);
	const inverse = await inverseFactor(factor, products);
	const members = Array.from({ length: units }, (): number[] => []);
	for (let at = 0; at < owners.length; at++) members[owners[at] ?? -1]?.push(at);
	// In units of each input's own spread; an input that never moves takes nothing with it.
	const spread = Float64Array.from({ length: sigma.rows }, (_, at) =>
		Math.sqrt(Math.max(0, sigma.data[at * sigma.cols + at] ?? 0)),
	);
	const [scores, diagonal] = [new Float64Array(units), columnSquares(inverse)];
	for (const [unit, own] of members.entries())
		scores[unit] =
			own.length === 1
				? scoreOfOne(own[0] ?? 0, diagonal, weight, spread)
				: await scoreOf(own, inverse, weight, spread, products);
	return scores;
}

/** The diagonal of (L·Lᵀ)⁻¹. */
function columnSquares({ rows, cols, data }: Matrix): Float64Array {
	const sums = new Float64Array(cols);
	for (let row = 0; row < rows; row++)
		for (let col = 0; col <= row; col++) {
			const value = data[row * cols + col] ?? 0;
			sums[col] = (sums[col] ?? 0) + value * value;
		}
	return sums;
}

/** Of a unit that is one input, as a neuron is. */
function scoreOfOne(
	own: number,
	diagonal: Float64Array,
	{ cols, data }: Matrix,
	spread: Float64Array,
): number {
	let squares = 0;
	for (let at = own * cols; at < (own + 1) * cols; at++) squares += (data[at] ?? 0) ** 2;
	return (squares * (spread[own] ?? 0) ** 2) / (diagonal[own] ?? 1);
}

async function scoreOf(
	own: readonly number[],
	inverse: Matrix,
	weight: Matrix,
	spread: Float64Array,
	products: Products,
): Promise<number> {
	if (own.length === 0) return 0;
	const rows = pickRows(weight, own);
	const scaled = matrix(
		rows.rows,
		rows.cols,
		rows.data.map((value, at) => value * (spread[own[Math.floor(at / rows.cols)] ?? 0] ?? 0)),
	);
	// Columns of a lower triangle start at their diagonal.
	const columns = pickColumns(rowsOf(inverse, own[0] ?? 0, inverse.rows), own);
	const block = await cholesky(await products.multiply(columns, columns, 'tn'), products);
	const left = block && (await solveLower(block, scaled, products));
	return (left ?? scaled).data.reduce((sum, value) => sum + value * value, 0);
}

function pickColumns(from: Matrix, columns: readonly number[]): Matrix {
	return pick(
		from,
		Array.from({ length: from.rows }, (_, row) => row),
		columns,
	);
}
