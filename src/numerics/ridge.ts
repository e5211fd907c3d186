/** Regularized normal equations (A + ε·diag A)·X = B, solved in correlation space. */
import { Fault } from '../diagnostic.ts';
import { matrix, type Matrix, type Products } from '../ir/matrix.ts';
import { notFinite } from '../messages/plan.ts';
import { cholesky, solve, type Cholesky } from './cholesky.ts';

export type Damped = {
	readonly factor: Cholesky;
	/** What rows and columns were divided by: the roots of the diagonal, 1 where it is zero. */
	readonly roots: Float64Array;
	/** The ε that was used: the one asked for, or more where the matrix was not positive definite with it. */
	readonly damping: number;
};

/** A symmetric positive semidefinite matrix in correlation space, to be factored with one damping after another. */
export type Correlated = {
	/** With what is to be added to its diagonal from time to time. */
	readonly matrix: Matrix;
	readonly roots: Float64Array;
	/** Rows of zeros, which get a 1 on the diagonal, whatever the damping. */
	readonly still: readonly number[];
};

/**
 * Factors A + ε·diag A for a symmetric positive semidefinite A. Damping each unknown by its own size leaves the result
 * independent of units, also when one channel is a thousand times larger than the others. Rows of zeros get a 1 on the diagonal.
 */
export async function damped(a: Matrix, damping: number, products: Products): Promise<Damped> {
	return dampedBy(correlated(a), damping, products);
}

export async function dampedBy(a: Correlated, damping: number, products: Products): Promise<Damped> {
	const { roots } = a;
	// Four steps of ten reach a matrix that is mostly diagonal: those are positive definite.
	for (let used = damping; ; used = Math.max(used * 10, 1e-10)) {
		const factor = await cholesky(withDiagonal(a, 1 + used), products);
		if (factor !== undefined) return { factor, roots, damping: used };
	}
}

/** The lower triangle alone. Throws `Fault` for numbers that are not finite. */
export function correlated({ rows: size, data }: Matrix): Correlated {
	const roots = Float64Array.from({ length: size }, (_, at) => Math.sqrt(data[at * size + at] ?? 0) || 1);
	const result = matrix(size, size);
	let finite = roots.every(Number.isFinite);
	for (let row = 0; row < size; row++) {
		const scale = 1 / (roots[row] ?? 1);
		for (let col = 0; col <= row; col++) {
			const value = ((data[row * size + col] ?? 0) * scale) / (roots[col] ?? 1);
			finite &&= value - value === 0;
			result.data[row * size + col] = value;
		}
	}
	if (!finite) throw new Fault(notFinite({ what: 'a matrix of statistics' }));
	const still = Array.from(roots.keys()).filter((at) => !((data[at * size + at] ?? 0) > 0));
	return { matrix: result, roots, still };
}

function withDiagonal({ matrix: { rows: size, cols, data }, still }: Correlated, value: number): Matrix {
	for (let at = 0; at < size; at++) data[at * size + at] = value;
	for (const at of still) data[at * size + at] = 1;
	return matrix(size, cols, data);
}

/** X of (A + ε·diag A)·X = B. */
export async function solveDamped({ factor, roots }: Damped, b: Matrix, products: Products): Promise<Matrix> {
	const x = await solve(factor, dividedRows(b, roots), products);
	return dividedRows(x, roots);
}

function dividedRows({ rows, cols, data }: Matrix, by: Float64Array): Matrix {
	const result = matrix(rows, cols);
	for (let row = 0; row < rows; row++) {
		const divisor = by[row] ?? 1;
		for (let at = row * cols; at < (row + 1) * cols; at++) result.data[at] = (data[at] ?? 0) / divisor;
	}
	return result;
}
