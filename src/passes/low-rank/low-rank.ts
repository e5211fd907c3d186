/** The factors that stand for one matrix: chosen by the data it reads where there is some, and certified. */
import { type Gram, type SplitGram } from '../../ir/lab.ts';
import { matrix, type Matrix, type Products } from '../../ir/matrix.ts';
import { type Certificate } from '../../ir/proof.ts';
import { numbersOf, tensorOf } from '../../ir/graph/tensor.ts';
import { outputFactors } from '../../numerics/output-pca.ts';
import { truncate, type Factors, type Wanted } from '../../numerics/svd.ts';
import { certify, energyOf } from '../certify.ts';

/** What a matrix reads on calibration inputs: the mean, and second moments about it of the inputs that fit and of those held out. */
export type Inputs = { readonly mean: Matrix; readonly fit: Matrix; readonly heldOut?: Matrix };

export type LowRank = Pick<Factors, 'left' | 'right' | 'rank'> & {
	/** 1 × outputs: the mean of what is lost, which a bias gives back. Absent without data. */
	readonly shift?: Matrix;
	readonly certificate: Omit<Certificate, 'of'>;
};

export function inputsOf({ fit, heldOut }: SplitGram): Inputs {
	const mean = matrix(1, fit.sum.length, meanOf(fit));
	return {
		mean,
		fit: momentsAbout(mean, fit),
		...(heldOut.count > 0 && { heldOut: momentsAbout(mean, heldOut) }),
	};
}

const meanOf = ({ sum, count }: Gram): Float64Array => sum.map((value) => value / Math.max(1, count));

/** Mean of (x − c)ᵀ(x − c). */
function momentsAbout({ data: center }: Matrix, gram: Gram): Matrix {
	const own = meanOf(gram);
	const size = own.length;
	const moments = matrix(size, size);
	for (let row = 0; row < size; row++) {
		const [c, m] = [center[row] ?? 0, own[row] ?? 0];
		for (let col = 0; col < size; col++) {
			const [d, n] = [center[col] ?? 0, own[col] ?? 0];
			const square = (gram.gram.data[row * size + col] ?? 0) / Math.max(1, gram.count);
			moments.data[row * size + col] = square - c * n - m * d + c * d;
		}
	}
	return moments;
}

/**
 * Factors of `w` (inputs × outputs) stored as elements of `type`. With data, by the variance of the outputs, unless
 * singular values lose less of the held-out inputs' outputs.
 */
export async function lowRank(
	w: Matrix,
	type: number,
	inputs: Inputs | undefined,
	wanted: Wanted,
	products: Products,
): Promise<LowRank> {
	if (inputs === undefined) {
		const factors = await truncate(w, wanted, products);
		return { ...factors, certificate: await certificateOf(w, factors, type, undefined, products) };
	}
	const byOutputs = await outputFactors(w, inputs.fit, wanted, products);
	const plain = await truncate(w, byOutputs.rank, products);
	const loss = async ({ left, right }: Factors): Promise<number> =>
		energyOf(await lost(w, left, right, products), inputs.heldOut, products);
	const isPlain = inputs.heldOut !== undefined && (await loss(plain)) < (await loss(byOutputs));
	const factors = isPlain ? plain : byOutputs;
	const { left, right } = stored(factors, type);
	return {
		...factors,
		shift: await products.multiply(inputs.mean, await lost(w, left, right, products)),
		certificate: await certificateOf(w, factors, type, isPlain ? undefined : inputs.fit, products),
	};
}

/** The relative error that was measured on the factors as stored, beside the one the spectrum says. */
async function certificateOf(
	w: Matrix,
	factors: Factors,
	type: number,
	moments: Matrix | undefined,
	products: Products,
): Promise<LowRank['certificate']> {
	const kept = stored(factors, type);
	const computed = await products.multiply(factors.left, factors.right);
	const approximation = { of: w, computed, stored: await products.multiply(kept.left, kept.right) };
	return {
		says: moments === undefined ? 'singular values' : 'output variance',
		...(await certify({ ...approximation, tail: factors.tail, moments }, products)),
	};
}

/** W − A·B. */
async function lost(w: Matrix, left: Matrix, right: Matrix, products: Products): Promise<Matrix> {
	const rest = matrix(w.rows, w.cols, w.data.slice());
	await products.subtract(rest, left, right);
	return rest;
}

/** The factors as elements of a type hold them. */
export function stored(
	{ left, right }: Pick<Factors, 'left' | 'right'>,
	type: number,
): Pick<Factors, 'left' | 'right'> {
	const rounded = ({ rows, cols, data }: Matrix): Matrix =>
		matrix(rows, cols, Float64Array.from(numbersOf(tensorOf('', type, [rows, cols], data))));
	return { left: rounded(left), right: rounded(right) };
}
