/** Products in plain TypeScript: for small matrices, and where no runtime is installed. */
import { matrix, productSizes, transposed, type Matrix, type Products } from '../ir/matrix.ts';

export const plainProducts: Products = {
	multiply: (a, b, form = 'nn') => {
		const [rows, , cols] = productSizes(a, b, form);
		const result = matrix(rows, cols);
		accumulate(result, form === 'tn' ? transposed(a) : a, form === 'nt' ? transposed(b) : b, 1);
		return Promise.resolve(result);
	},
	add: (c, a, b, form = 'nn') => {
		accumulate(c, form === 'tn' ? transposed(a) : a, form === 'nt' ? transposed(b) : b, 1);
		return Promise.resolve();
	},
	subtract: (c, a, b, form = 'nn') => {
		accumulate(c, form === 'tn' ? transposed(a) : a, form === 'nt' ? transposed(b) : b, -1);
		return Promise.resolve();
	},
};

/** A·B at once, for whoever cannot wait. */
export function plainProduct(a: Matrix, b: Matrix): Matrix {
	const result = matrix(a.rows, b.cols);
	accumulate(result, a, b, 1);
	return result;
}

/** c + sign·a·b in place, four terms of the inner sum at a time, so that a row of c is read and written a quarter as often. */
function accumulate(c: Matrix, a: Matrix, b: Matrix, sign: number): void {
	const [inner, cols] = [a.cols, b.cols];
	for (let row = 0; row < a.rows; row++) {
		const target = c.data.subarray(row * cols, (row + 1) * cols);
		let k = 0;
		for (; k + 3 < inner; k += 4) fourTerms(target, a.data, row * inner + k, b.data, k * cols, sign);
		for (; k < inner; k++) {
			const factor = sign * (a.data[row * inner + k] ?? 0);
			for (let col = 0; col < cols; col++)
				target[col] = (target[col] ?? 0) + factor * (b.data[k * cols + col] ?? 0);
		}
	}
}

function fourTerms(
	target: Float64Array,
	a: Float64Array,
	from: number,
	b: Float64Array,
	first: number,
	sign: number,
): void {
	const cols = target.length;
	const [f0, f1] = [sign * (a[from] ?? 0), sign * (a[from + 1] ?? 0)];
	const [f2, f3] = [sign * (a[from + 2] ?? 0), sign * (a[from + 3] ?? 0)];
	for (let col = 0; col < cols; col++) {
		const at = first + col;
		target[col] =
			(target[col] ?? 0) +
			(f0 * (b[at] ?? 0) +
				f1 * (b[at + cols] ?? 0) +
				f2 * (b[at + 2 * cols] ?? 0) +
				f3 * (b[at + 3 * cols] ?? 0));
	}
}
