/** Means and covariances from sums over rows. */
import { Fault } from '../diagnostic.ts';
import { type Gram } from '../ir/lab.ts';
import { matrix, type Matrix } from '../ir/matrix.ts';
import { notFinite } from '../messages/plan.ts';

/** Throws `Fault` when a sum is not finite: one such activation spoils all. */
export function checkFinite({ count, sum, gram }: Gram, what: string): void {
	if (!Number.isFinite(count) || !areFinite(sum) || !areFinite(gram.data))
		throw new Fault(notFinite({ what: `the statistics of ${what}` }));
}

/** A loop: `every` takes five times as long on a million numbers. */
function areFinite(numbers: Float64Array): boolean {
	for (const number of numbers) if (!Number.isFinite(number)) return false;
	return true;
}

export function meanOf(sum: Float64Array, count: number): Float64Array {
	return sum.map((value) => value / count);
}

/** E[xᵀx] − E[x]ᵀE[x]. */
export function covariance({ count, sum, gram }: Gram): Matrix {
	return centred(gram, count, sum, sum);
}

/** Σ xᵀy as a covariance. */
export function centred(products: Matrix, count: number, left: Float64Array, right: Float64Array): Matrix {
	const { rows, cols, data } = products;
	const result = matrix(rows, cols);
	for (let row = 0; row < rows; row++) {
		const mean = (left[row] ?? 0) / count;
		for (let col = 0; col < cols; col++)
			result.data[row * cols + col] = ((data[row * cols + col] ?? 0) - mean * (right[col] ?? 0)) / count;
	}
	return result;
}

/** Rows and columns of a matrix at the positions given. */
export function pick({ cols, data }: Matrix, rows: readonly number[], columns: readonly number[]): Matrix {
	const result = matrix(rows.length, columns.length);
	rows.forEach((row, r) => {
		columns.forEach((col, c) => {
			result.data[r * columns.length + c] = data[row * cols + col] ?? 0;
		});
	});
	return result;
}

export function pickRows({ cols, data }: Matrix, rows: readonly number[]): Matrix {
	const result = matrix(rows.length, cols);
	rows.forEach((row, at) => {
		result.data.set(data.subarray(row * cols, (row + 1) * cols), at * cols);
	});
	return result;
}
