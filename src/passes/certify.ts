/** Certificates of numbers that stand on both sides of an equality: what they lose, measured on them as stored. */
import { matrix, type Matrix, type Products } from '../ir/matrix.ts';
import { type Certificate } from '../ir/proof.ts';

/** Gram matrices square what they are made of: relative errors are good to the root of a double's rounding, times some terms. */
const spectralRounding = 1e-6;
/**
 * Moments of inputs are made of single-precision products (`Lab.grams`): 2⁻²⁴ of a variance, times some terms, may be missing or too much.
 * Beside a tail that is something this is little: its root differs by no more than this over itself.
 */
const squaresRounding = 4 * 2 ** -24;

export type Approximation = {
	/** Inputs × outputs. */
	readonly of: Matrix;
	/** What stands for it, before it was rounded to the model's type and after. */
	readonly computed: Matrix;
	readonly stored: Matrix;
	/** What theory says is lost, of the squares. */
	readonly tail: number;
	/** Second moments of the inputs, where outputs are what counts. */
	readonly moments?: Matrix | undefined;
};

/** The relative error that was measured on the numbers as stored, beside the one that theory says. */
export async function certify(
	{ of, computed, stored, tail, moments }: Approximation,
	products: Products,
): Promise<Pick<Certificate, 'expected' | 'measured' | 'tolerance'>> {
	const total = (await energyOf(of, moments, products)) || 1;
	const relative = async (rest: Matrix): Promise<number> =>
		Math.sqrt(Math.max(0, await energyOf(rest, moments, products)) / total);
	const expected = Math.sqrt(tail);
	const ofMoments = squaresRounding / Math.max(expected, Math.sqrt(squaresRounding));
	const rounding = spectralRounding + (moments === undefined ? 0 : ofMoments);
	return {
		expected,
		measured: await relative(difference(of, stored)),
		tolerance: rounding + (await relative(difference(computed, stored))),
	};
}

export function difference(a: Matrix, b: Matrix): Matrix {
	return matrix(
		a.rows,
		a.cols,
		a.data.map((value, at) => value - (b.data[at] ?? 0)),
	);
}

/** Sum of squares of a matrix's entries, or of its outputs on inputs with these moments. */
export async function energyOf(w: Matrix, moments: Matrix | undefined, products: Products): Promise<number> {
	const weighed = moments === undefined ? w : await products.multiply(moments, w);
	return w.data.reduce((sum, value, at) => sum + value * (weighed.data[at] ?? 0), 0);
}
