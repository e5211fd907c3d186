/** Canonical polyadic decomposition by alternating least squares (Carroll & Chang 1970; Kolda & Bader 2009, figure 3.3). */
import { drawAt } from '../ir/graph/random.ts';
import { matrix, transposed, type Matrix, type Products } from '../ir/matrix.ts';
import { damped, solveDamped } from './ridge.ts';
import { truncate } from './svd.ts';

export type Canonical = {
	/** By axis: size × rank; all columns but the last factor's are unit vectors. */
	readonly factors: readonly Matrix[];
	/** Squared relative error, from the Gram matrices of the factors. */
	readonly tail: number;
};

const sweeps = 100;
const settled = 1e-6;
/** Keeps vectors that nearly cancel each other from growing without bound. */
const damping = 1e-9;

/** A tensor of these sizes, row-major, as a sum of `rank` products of vectors. The start is drawn from a fixed seed. */
export function canonical(
	data: Float64Array,
	dims: readonly number[],
	rank: number,
	products: Products,
): Promise<Canonical> {
	const wide = [...dims.keys()].filter((axis) => dims[axis] !== 1);
	const [rows = 0, cols = dims.length - 1] = wide;
	const isMatrix = wide.length <= 2 && rows < cols && rank <= Math.min(dims[rows] ?? 1, dims[cols] ?? 1);
	return isMatrix
		? ofMatrix(data, dims, [rows, cols, rank], products)
		: alternating(data, dims, rank, products);
}

/** Along two axes alone the sum that loses least is that of the singular values (Eckart & Young 1936). */
async function ofMatrix(
	data: Float64Array,
	dims: readonly number[],
	[rows, cols, rank]: readonly [rows: number, cols: number, rank: number],
	products: Products,
): Promise<Canonical> {
	const whole = matrix(dims[rows] ?? 1, dims[cols] ?? 1, data);
	const { left, right, tail } = await truncate(whole, rank, products);
	const sides = [left, transposed(right)];
	const [before, behind] = sides.map(unitColumns);
	const lengths = sides.map(columnLengths);
	const sizes = Float64Array.from({ length: rank }, (_, at) =>
		lengths.reduce((all, own) => all * (own[at] ?? 0), 1),
	);
	const factors = dims.map((_, axis) => {
		const unit = axis === rows ? before : axis === cols ? behind : undefined;
		return unit ?? matrix(1, rank, new Float64Array(rank).fill(1));
	});
	return { factors: factors.map((one, axis) => (axis === dims.length - 1 ? scaled(one, sizes) : one)), tail };
}

async function alternating(
	data: Float64Array,
	dims: readonly number[],
	rank: number,
	products: Products,
): Promise<Canonical> {
	const total = data.reduce((sum, value) => sum + value * value, 0) || 1;
	let factors = dims.map((size, axis) =>
		matrix(
			size,
			rank,
			Float64Array.from({ length: size * rank }, (_, at) => drawAt(axis + 1, at) - 0.5),
		),
	);
	const [first, last] = [dims[0] ?? 1, dims.at(-1) ?? 1];
	const [byFirst, byLast] = [
		matrix(first, data.length / first, data),
		matrix(data.length / last, last, data),
	];
	for (let sweep = 0, before = Infinity; ; sweep++) {
		let tail = 1;
		// The last factor stays until all others are fitted, so one product with it serves them all.
		const behind = await products.multiply(byLast, factors.at(-1) ?? byLast);
		for (const axis of dims.keys()) {
			const isLast = axis === dims.length - 1;
			const others = factors.filter((_, at) => at !== axis);
			const found = isLast
				? await sumsOfLast(byFirst, dims, factors, products)
				: summed(behind, dims.slice(0, -1), axis, factors);
			const gram = await hadamardGram(others, products);
			const solver = await damped(gram, damping, products);
			const fitted = transposed(await solveDamped(solver, transposed(found), products));
			tail = 1 - (2 * dot(found, fitted) - dot(await products.multiply(fitted, gram), fitted)) / total;
			factors = factors.map((factor, at) => (at === axis ? (isLast ? fitted : unitColumns(fitted)) : factor));
		}
		if (sweep === sweeps || before - tail < settled) return { factors, tail: Math.max(0, tail) };
		before = tail;
	}
}

async function sumsOfLast(
	byFirst: Matrix,
	dims: readonly number[],
	factors: readonly Matrix[],
	products: Products,
): Promise<Matrix> {
	const before = await products.multiply(byFirst, factors[0] ?? byFirst, 'tn');
	return summed(before, dims.slice(1), dims.length - 2, factors.slice(1));
}

/**
 * A tensor of which one end was multiplied with its factor, [the other axes] × rank, summed over all of them but one, weighted by their
 * factors. That product comes first, since the matrix of all other factors is as large as the tensor times the rank.
 */
function summed(
	{ data, cols }: Matrix,
	dims: readonly number[],
	axis: number,
	factors: readonly Matrix[],
): Matrix {
	const result = matrix(dims[axis] ?? 1, cols);
	const others = [...dims.keys()].filter((at) => at !== axis);
	const strides = dims.map((_, at) => dims.slice(at + 1).reduce((product, size) => product * size, 1));
	const place = (row: number, at: number): number =>
		cols * (Math.floor(row / (strides[at] ?? 1)) % (dims[at] ?? 1));
	for (let row = 0; row * cols < data.length; row++) {
		const weighted = data.slice(row * cols, (row + 1) * cols);
		for (const other of others) {
			const [from, factor] = [place(row, other), factors[other]?.data ?? weighted];
			for (let col = 0; col < cols; col++) weighted[col] = (weighted[col] ?? 0) * (factor[from + col] ?? 0);
		}
		const to = place(row, axis);
		for (let col = 0; col < cols; col++)
			result.data[to + col] = (result.data[to + col] ?? 0) + (weighted[col] ?? 0);
	}
	return result;
}

/** Column r is the outer product of the factors' columns r. */
export function khatriRao(factors: readonly Matrix[]): Matrix {
	return factors.reduce((left, right) => {
		const result = matrix(left.rows * right.rows, left.cols);
		for (let a = 0; a < left.rows; a++)
			for (let b = 0; b < right.rows; b++)
				for (let col = 0; col < left.cols; col++)
					result.data[(a * right.rows + b) * left.cols + col] =
						(left.data[a * left.cols + col] ?? 0) * (right.data[b * left.cols + col] ?? 0);
		return result;
	});
}

/** Gram matrix of the Khatri–Rao product: the factors' own, multiplied entry by entry. */
async function hadamardGram(factors: readonly Matrix[], products: Products): Promise<Matrix> {
	const rank = factors[0]?.cols ?? 0;
	const result = matrix(rank, rank, new Float64Array(rank * rank).fill(1));
	for (const factor of factors) {
		const { data } = await products.multiply(factor, factor, 'tn');
		for (let at = 0; at < data.length; at++) result.data[at] = (result.data[at] ?? 0) * (data[at] ?? 0);
	}
	return result;
}

function unitColumns(a: Matrix): Matrix {
	return scaled(
		a,
		columnLengths(a).map((length) => 1 / (length || 1)),
	);
}

function columnLengths({ cols, data }: Matrix): Float64Array {
	const squares = new Float64Array(cols);
	data.forEach((value, at) => {
		squares[at % cols] = (squares[at % cols] ?? 0) + value * value;
	});
	return squares.map(Math.sqrt);
}

/** Each column times a number. */
function scaled({ rows, cols, data }: Matrix, by: Float64Array): Matrix {
	return matrix(
		rows,
		cols,
		data.map((value, at) => value * (by[at % cols] ?? 0)),
	);
}

const dot = (a: Matrix, b: Matrix): number =>
	a.data.reduce((sum, value, at) => sum + value * (b.data[at] ?? 0), 0);
