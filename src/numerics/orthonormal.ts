/** Orthonormal columns by CholeskyQR, repeated (Fukaya et al., 2014), with a shift where columns depend (arXiv:1809.11085). */
import { type Matrix, type Products } from '../ir/matrix.ts';
import { cholesky, inverseFactor } from './cholesky.ts';

/** One pass halves the digits that are lost: two reach rounding level unless the condition number exceeds 1e8. */
async function pass(columns: Matrix, products: Products, shift: number): Promise<Matrix | undefined> {
	const gram = await products.multiply(columns, columns, 'tn');
	const size = gram.rows;
	let trace = 0;
	for (let at = 0; at < size; at++) trace += gram.data[at * size + at] ?? 0;
	for (let at = 0; at < size; at++)
		gram.data[at * size + at] = (gram.data[at * size + at] ?? 0) + shift * trace;
	const factor = await cholesky(gram, products);
	return factor && products.multiply(columns, await inverseFactor(factor, products), 'nt');
}

/** Passes at most: each shifted one brings the condition number down by a factor of about 1e6. */
const passes = 6;

/** An orthonormal basis of the span of the columns (rows ≥ cols); undefined when they depend on one another. */
export async function orthonormalize(columns: Matrix, products: Products): Promise<Matrix | undefined> {
	let [current, clean] = [columns, 0];
	for (let at = 0; at < passes && clean < 2; at++) {
		const plain = await pass(current, products, 0);
		const next = plain ?? (await pass(current, products, (columns.rows + columns.cols) * Number.EPSILON));
		if (next === undefined) return undefined;
		[current, clean] = [next, plain === undefined ? 0 : clean + 1];
	}
	return clean === 2 ? current : undefined;
}

/** Makes columns that are nearly orthonormal exactly so. */
export function polish(columns: Matrix, products: Products): Promise<Matrix | undefined> {
	return pass(columns, products, 0);
}
