/** Canonical polyadic decomposition by alternating least squares (Carroll & Chang 1970; Kolda & Bader 2009, figure 3.3). */
import { drawAt } from '../ir/graph/random.ts';
import { matrix, transposed, type Matrix, type Products } from '../ir/matrix.ts';
import { damped, solveDamped } from './ridge.ts';

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
export async function canonical(
	data: Float64Array,
	dims: readonly number[],
	rank: number,
	products: Products,
): Promise<Canonical> {
	const total = data.reduce((sum, value) => sum + value * value, 0) || 1;
	const unfolded = dims.map((_, axis) => unfold(data, dims, axis));
	let factors = dims.map((size, axis) =>
		matrix(
			size,
			rank,
			Float64Array.from({ length: size * rank }, (_, at) => drawAt(axis + 1, at) - 0.5),
		),
	);
	for (let sweep = 0, before = Infinity; ; sweep++) {
		let tail = 1;
		for (const [axis, wide] of unfolded.entries()) {
			const others = factors.filter((_, at) => at !== axis);
			const found = await products.multiply(wide, khatriRao(others));
			const gram = await hadamardGram(others, products);
			const solver = await damped(gram, damping, products);
			const fitted = transposed(await solveDamped(solver, transposed(found), products));
			tail = 1 - (2 * dot(found, fitted) - dot(await products.multiply(fitted, gram), fitted)) / total;
			const isLast = axis === dims.length - 1;
			factors = factors.map((factor, at) => (at === axis ? (isLast ? fitted : unitColumns(fitted)) : factor));
		}
		if (sweep === sweeps || before - tail < settled) return { factors, tail: Math.max(0, tail) };
		before = tail;
	}
}

/** size of the axis × all others, those in their order. */
function unfold(data: Float64Array, dims: readonly number[], axis: number): Matrix {
	const size = dims[axis] ?? 1;
	const inner = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
	const rest = data.length / size;
	const result = matrix(size, rest);
	for (let at = 0; at < data.length; at++) {
		const row = Math.floor(at / inner) % size;
		const col = Math.floor(at / (inner * size)) * inner + (at % inner);
		result.data[row * rest + col] = data[at] ?? 0;
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

function unitColumns({ rows, cols, data }: Matrix): Matrix {
	const squares = new Float64Array(cols);
	data.forEach((value, at) => {
		squares[at % cols] = (squares[at % cols] ?? 0) + value * value;
	});
	return matrix(
		rows,
		cols,
		data.map((value, at) => value / (Math.sqrt(squares[at % cols] ?? 0) || 1)),
	);
}

const dot = (a: Matrix, b: Matrix): number =>
	a.data.reduce((sum, value, at) => sum + value * (b.data[at] ?? 0), 0);
