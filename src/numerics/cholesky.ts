/**
 * Cholesky factorization A = L·Lᵀ in block columns, and solves with it (Golub & Van Loan, 4.2). Diagonal blocks are
 * factored and inverted here; all else are products. A block column is stored as one matrix, so no product packs anything.
 */
import { identity, matrix, rowsOf, type Matrix, type Products } from '../ir/matrix.ts';

export type Cholesky = {
	readonly size: number;
	readonly panels: readonly Panel[];
};
type Panel = {
	/** First row and column. */
	readonly from: number;
	/** Inverse of the diagonal block, lower triangular. */
	readonly inverse: Matrix;
	/** The diagonal block and all rows below it. */
	readonly column: Matrix;
};

/** Columns of a block that is factored in TypeScript: few, since that is slow. */
const narrow = 128;
/** Columns of a block of a large matrix, whose diagonal block is made of narrow ones: many, since every product reads and writes what is left. */
const wide = 384;

/** The factor of a symmetric matrix, of which the lower triangle is read; undefined when it is not positive definite. */
export async function cholesky(
	{ rows: size, data }: Matrix,
	products: Products,
): Promise<Cholesky | undefined> {
	const panels: Panel[] = [];
	const width = size > wide ? wide : narrow;
	for (let from = 0; from < size; from += width) {
		const column = matrix(size - from, Math.min(width, size - from));
		for (let row = from; row < size; row++)
			column.data.set(
				data.subarray(row * size + from, row * size + from + column.cols),
				(row - from) * column.cols,
			);
		for (const { from: start, column: left } of panels) {
			const below = rowsOf(left, from - start, left.rows);
			await products.subtract(column, below, rowsOf(below, 0, column.cols), 'nt');
		}
		const panel = await finishPanel(from, column, products);
		if (panel === undefined) return undefined;
		panels.push(panel);
	}
	return { size, panels };
}

async function finishPanel(from: number, column: Matrix, products: Products): Promise<Panel | undefined> {
	const { cols } = column;
	const inverse = await factorDiagonal(rowsOf(column, 0, cols), products);
	if (inverse === undefined) return undefined;
	const below = rowsOf(column, cols, column.rows);
	if (below.rows > 0) below.data.set((await products.multiply(below, inverse, 'nt')).data);
	return { from, inverse, column };
}

/** Factors a block in place; its inverse, or undefined when it is not positive definite. */
async function factorDiagonal(block: Matrix, products: Products): Promise<Matrix | undefined> {
	if (block.rows <= narrow) return factorBlock(block) ? invertBlock(block) : undefined;
	const factor = await cholesky(block, products);
	if (factor === undefined) return undefined;
	block.data.set(factorMatrix(factor).data);
	return inverseFactor(factor, products);
}

/** Factors a small matrix in place, zeros above the diagonal; false when it is not positive definite. */
function factorBlock({ rows: size, data }: Matrix): boolean {
	for (let i = 0; i < size; i++) {
		for (let j = 0; j <= i; j++) {
			let sum = data[i * size + j] ?? 0;
			for (let k = 0; k < j; k++) sum -= (data[i * size + k] ?? 0) * (data[j * size + k] ?? 0);
			if (j < i) data[i * size + j] = sum / (data[j * size + j] ?? 1);
			else if (sum > 0 && sum < Infinity) data[i * size + i] = Math.sqrt(sum);
			else return false;
		}
		data.fill(0, i * size + i + 1, (i + 1) * size);
	}
	return true;
}

function invertBlock({ rows: size, data }: Matrix): Matrix {
	const inverse = identity(size);
	const out = inverse.data;
	for (let i = 0; i < size; i++) {
		const pivot = 1 / (data[i * size + i] ?? 1);
		for (let k = 0; k < i; k++) {
			const factor = data[i * size + k] ?? 0;
			for (let j = 0; j <= k; j++)
				out[i * size + j] = (out[i * size + j] ?? 0) - factor * (out[k * size + j] ?? 0);
		}
		for (let j = 0; j <= i; j++) out[i * size + j] = (out[i * size + j] ?? 0) * pivot;
	}
	return inverse;
}

/** X of L·X = B, for B of `size` rows. */
export async function solveLower({ panels }: Cholesky, b: Matrix, products: Products): Promise<Matrix> {
	const x = matrix(b.rows, b.cols, b.data.slice());
	for (const { from, inverse, column } of panels) {
		const own = rowsOf(x, from, from + inverse.rows);
		own.data.set((await products.multiply(inverse, own)).data);
		const [below, rest] = [rowsOf(column, inverse.rows, column.rows), rowsOf(x, from + inverse.rows, x.rows)];
		if (rest.rows > 0) await products.subtract(rest, below, own);
	}
	return x;
}

/** X of Lᵀ·X = B. */
export async function solveUpper({ panels }: Cholesky, b: Matrix, products: Products): Promise<Matrix> {
	const x = matrix(b.rows, b.cols, b.data.slice());
	for (const { from, inverse, column } of panels.toReversed()) {
		const own = rowsOf(x, from, from + inverse.rows);
		const [below, rest] = [rowsOf(column, inverse.rows, column.rows), rowsOf(x, from + inverse.rows, x.rows)];
		if (rest.rows > 0) await products.subtract(own, below, rest, 'tn');
		own.data.set((await products.multiply(inverse, own, 'tn')).data);
	}
	return x;
}

/** X of A·X = B. */
export async function solve(factor: Cholesky, b: Matrix, products: Products): Promise<Matrix> {
	return solveUpper(factor, await solveLower(factor, b, products), products);
}

/** Lᵀ·B. */
export async function timesFactor({ panels }: Cholesky, b: Matrix, products: Products): Promise<Matrix> {
	const result = matrix(b.rows, b.cols);
	for (const { from, column } of panels)
		result.data.set((await products.multiply(column, rowsOf(b, from, b.rows), 'tn')).data, from * b.cols);
	return result;
}

/** The inverse of L, lower triangular. */
export async function inverseFactor({ size, panels }: Cholesky, products: Products): Promise<Matrix> {
	const result = matrix(size, size);
	for (const { from, inverse } of panels) {
		// Below the block's first row only: columns of an inverse lower triangle start at their diagonal.
		const start = matrix(size - from, inverse.cols);
		for (let at = 0; at < inverse.cols; at++) start.data[at * inverse.cols + at] = 1;
		const later = {
			size: size - from,
			panels: panels
				.filter((panel) => panel.from >= from)
				.map((panel) => ({ ...panel, from: panel.from - from })),
		};
		const x = await solveLower(later, start, products);
		for (let row = 0; row < x.rows; row++)
			result.data.set(x.data.subarray(row * x.cols, (row + 1) * x.cols), (from + row) * size + from);
	}
	return result;
}

/** L as one matrix. */
export function factorMatrix({ size, panels }: Cholesky): Matrix {
	const result = matrix(size, size);
	for (const { from, column } of panels)
		for (let row = 0; row < column.rows; row++)
			result.data.set(
				column.data.subarray(row * column.cols, (row + 1) * column.cols),
				(from + row) * size + from,
			);
	return result;
}
