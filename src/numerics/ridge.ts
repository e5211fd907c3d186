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

/**
 * Factors A + ε·diag A for a symmetric positive semidefinite A. Damping each unknown by its own size leaves the result
 * independent of units, also when one channel is a thousand times larger than the others. Rows of zeros get a 1 on the diagonal.
 */
export async function damped(a: Matrix, damping: number, products: Products): Promise<Damped> {
	const { rows: size, data } = a;
	const roots = Float64Array.from({ length: size }, (_, at) => Math.sqrt(data[at * size + at] ?? 0) || 1);
	if (!data.every(Number.isFinite) || !roots.every(Number.isFinite))
		throw new Fault(notFinite({ what: 'a matrix of statistics' }));
	// Four steps of ten reach a matrix that is mostly diagonal: those are positive definite.
	for (let used = damping; ; used = Math.max(used * 10, 1e-10)) {
		const factor = await cholesky(correlation(a, roots, used), products);
		if (factor !== undefined) return { factor, roots, damping: used };
	}
}

function correlation({ rows: size, data }: Matrix, roots: Float64Array, damping: number): Matrix {
	const result = matrix(size, size);
	for (let row = 0; row < size; row++) {
		const scale = 1 / (roots[row] ?? 1);
		for (let col = 0; col <= row; col++)
			result.data[row * size + col] = ((data[row * size + col] ?? 0) * scale) / (roots[col] ?? 1);
		const own = result.data[row * size + row] ?? 0;
		result.data[row * size + row] = own > 0 ? own + damping : 1;
	}
	return result;
}

/** X of (A + ε·diag A)·X = B. */
export async function solveDamped({ factor, roots }: Damped, b: Matrix, products: Products): Promise<Matrix> {
	const x = await solve(factor, dividedRows(b, roots), products);
	return dividedRows(x, roots);
}

function dividedRows({ rows, cols, data }: Matrix, by: Float64Array): Matrix {
	return matrix(
		rows,
		cols,
		data.map((value, at) => value / (by[Math.floor(at / cols)] ?? 1)),
	);
}
