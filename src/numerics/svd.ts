/** Truncated singular value decomposition through the Gram matrix of the smaller side, in double precision. */
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';

export type Factors = {
	/** rows × rank, row-major: W·V. */
	readonly left: Float64Array;
	/** rank × cols, row-major, orthonormal rows: Vᵀ. */
	readonly right: Float64Array;
	readonly rank: number;
	/** Squared singular values, largest first. */
	readonly energies: Float64Array;
};

/**
 * Best rank-`rank` approximation of a rows × cols matrix in the Frobenius norm (Eckart–Young). `choose` sees the squared
 * singular values and gives the rank. The Gram matrix squares the condition number; what is cut off lies far above that.
 */
export function truncate(
	values: ArrayLike<number>,
	rows: number,
	cols: number,
	choose: (energies: Float64Array) => number,
): Factors {
	const matrix = new Matrix(rows, cols);
	for (let row = 0; row < rows; row++)
		for (let col = 0; col < cols; col++) matrix.set(row, col, values[row * cols + col] ?? 0);
	const wide = cols > rows;
	const { energies, vectors } = spectrum(
		wide ? matrix.mmul(matrix.transpose()) : matrix.transpose().mmul(matrix),
	);
	const rank = Math.max(1, Math.min(choose(energies), energies.length));
	const kept = vectors.subMatrix(0, vectors.rows - 1, 0, rank - 1);
	const [left, right] = wide ? [kept, kept.transpose().mmul(matrix)] : [matrix.mmul(kept), kept.transpose()];
	return { left: flat(left), right: flat(right), rank, energies };
}

/** Eigenvalues of a symmetric matrix, largest first and never negative, with their vectors as columns, signs fixed. */
function spectrum(gram: Matrix): { energies: Float64Array; vectors: Matrix } {
	const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(gram, { assumeSymmetric: true });
	const order = realEigenvalues
		.map((_, at) => at)
		.sort((a, b) => (realEigenvalues[b] ?? 0) - (realEigenvalues[a] ?? 0) || a - b);
	const vectors = new Matrix(gram.rows, gram.rows);
	order.forEach((from, to) => {
		const column = eigenvectorMatrix.getColumn(from);
		const largest = column.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
		vectors.setColumn(to, largest < 0 ? column.map((value) => -value) : column);
	});
	return { energies: Float64Array.from(order, (at) => Math.max(0, realEigenvalues[at] ?? 0)), vectors };
}

function flat(matrix: Matrix): Float64Array {
	return Float64Array.from(matrix.to1DArray());
}

/** Share of the energies behind the first `rank`: the squared relative error of the best approximation. */
export function tailShare(energies: Float64Array, rank: number): number {
	const total = energies.reduce((sum, energy) => sum + energy, 0);
	return total > 0 ? energies.slice(rank).reduce((sum, energy) => sum + energy, 0) / total : 0;
}
