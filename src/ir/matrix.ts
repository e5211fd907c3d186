/** Dense matrices in double precision, and the products that linear algebra is made of. */

export type Matrix = {
	readonly rows: number;
	readonly cols: number;
	/** Row-major, rows · cols. */
	readonly data: Float64Array;
};

/** Which operand is read transposed: `nn` A·B, `tn` Aᵀ·B, `nt` A·Bᵀ. */
export type Form = 'nn' | 'tn' | 'nt';

/** Products, handed in by whoever has a fast way to make them. The same input gives the same bits. */
export type Products = {
	multiply(a: Matrix, b: Matrix, form?: Form): Promise<Matrix>;
	/** c + a·b, in place. */
	add(c: Matrix, a: Matrix, b: Matrix, form?: Form): Promise<void>;
	/** c − a·b, in place. */
	subtract(c: Matrix, a: Matrix, b: Matrix, form?: Form): Promise<void>;
};

export function matrix(
	rows: number,
	cols: number,
	data: Float64Array = new Float64Array(rows * cols),
): Matrix {
	return { rows, cols, data };
}

/** Rows `from` up to but without `to`, sharing memory. */
export function rowsOf({ cols, data }: Matrix, from: number, to: number): Matrix {
	return { rows: to - from, cols, data: data.subarray(from * cols, to * cols) };
}

/** Sizes of a product, [rows, inner, cols]. */
export function productSizes(a: Matrix, b: Matrix, form: Form): readonly [number, number, number] {
	const [rows, inner] = form === 'tn' ? [a.cols, a.rows] : [a.rows, a.cols];
	return [rows, inner, form === 'nt' ? b.rows : b.cols];
}

export function transposed({ rows, cols, data }: Matrix): Matrix {
	const result = matrix(cols, rows);
	const block = 32;
	for (let r0 = 0; r0 < rows; r0 += block)
		for (let c0 = 0; c0 < cols; c0 += block)
			for (let r = r0; r < Math.min(rows, r0 + block); r++)
				for (let c = c0; c < Math.min(cols, c0 + block); c++)
					result.data[c * rows + r] = data[r * cols + c] ?? 0;
	return result;
}

/** A square matrix with its lower triangle on both sides, in place. */
export function mirrored(square: Matrix): Matrix {
	const { rows: size, data } = square;
	const block = 32;
	for (let r0 = 0; r0 < size; r0 += block)
		for (let c0 = 0; c0 <= r0; c0 += block)
			for (let r = r0; r < Math.min(size, r0 + block); r++)
				for (let c = c0; c < Math.min(r, c0 + block); c++) data[c * size + r] = data[r * size + c] ?? 0;
	return square;
}

export function identity(size: number): Matrix {
	const result = matrix(size, size);
	for (let at = 0; at < size; at++) result.data[at * size + at] = 1;
	return result;
}
