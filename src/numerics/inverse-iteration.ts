/** Eigenvectors of a symmetric tridiagonal matrix from its eigenvalues, by inverse iteration (LAPACK Working Note 3, `dstein`). */

export type Tridiagonal = {
	readonly diagonal: Float64Array;
	/** Entry i couples i − 1 and i; entry 0 is unused. */
	readonly below: Float64Array;
};

/** Eigenvalues closer than this share of the largest get vectors that are made orthogonal to one another. */
const nearness = 1e-6;
/** Larger groups of near eigenvalues are left to another method: making them orthogonal would cost more. */
const most = 64;

/**
 * Unit eigenvectors of the first `count` of `values` (largest first, at most 1 in size, as is the matrix); undefined when
 * one does not converge. They are orthogonal to about 1e-9, exactly where eigenvalues are near one another.
 */
export function tridiagonalVectors(
	t: Tridiagonal,
	values: Float64Array,
	count: number,
): Float64Array[] | undefined {
	const size = t.diagonal.length;
	const vectors: Float64Array[] = [];
	const factor = new ShiftedFactor(t);
	let [groupStart, shift] = [0, Infinity];
	for (let at = 0; at < count; at++) {
		const value = values[at] ?? 0;
		if (at === 0 || (values[at - 1] ?? 0) - value > nearness) groupStart = at;
		if (at - groupStart >= most) return undefined;
		// Equal eigenvalues are told apart by rounding, so that their vectors come from different systems.
		shift = groupStart === at ? value : Math.min(value, shift - 10 * Number.EPSILON);
		factor.shift(shift);
		const vector = iterate(factor, vectors.slice(groupStart), startVector(size, at));
		if (residual(t, value, vector) > 100 * Math.sqrt(size) * Number.EPSILON) return undefined;
		vectors.push(vector);
	}
	return vectors;
}

function iterate(factor: ShiftedFactor, others: readonly Float64Array[], vector: Float64Array): Float64Array {
	for (let round = 0; round < 4; round++) {
		factor.solve(vector);
		scale(vector, 1 / largest(vector));
		for (const other of others) removeAlong(vector, other);
		scale(vector, 1 / Math.sqrt(dot(vector, vector)));
	}
	return vector;
}

/** Fixed numbers between −1 and 1 without pattern, different for each index (a linear congruential generator). */
function startVector(size: number, index: number): Float64Array {
	let state = (index * 2654435761 + 12345) >>> 0;
	return Float64Array.from({ length: size }, () => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return state / 2 ** 31 - 1;
	});
}

function residual({ diagonal, below }: Tridiagonal, value: number, vector: Float64Array): number {
	let sum = 0;
	for (let at = 0; at < vector.length; at++) {
		const lower = at > 0 ? (below[at] ?? 0) * (vector[at - 1] ?? 0) : 0;
		const upper = at + 1 < vector.length ? (below[at + 1] ?? 0) * (vector[at + 1] ?? 0) : 0;
		sum += (((diagonal[at] ?? 0) - value) * (vector[at] ?? 0) + lower + upper) ** 2;
	}
	return Math.sqrt(sum);
}

/** T − shift·I = P·L·U with partial pivoting; U has two diagonals above its own. */
class ShiftedFactor {
	private readonly t: Tridiagonal;
	private readonly main: Float64Array;
	private readonly up: Float64Array;
	private readonly upper: Float64Array;
	private readonly lower: Float64Array;
	private readonly swapped: Uint8Array;

	constructor(t: Tridiagonal) {
		const size = t.diagonal.length;
		this.t = t;
		[this.main, this.up] = [new Float64Array(size), new Float64Array(size)];
		[this.upper, this.lower] = [new Float64Array(size), new Float64Array(size)];
		this.swapped = new Uint8Array(size);
	}

	shift(value: number): void {
		const { main, up, upper, lower, swapped } = this;
		const { diagonal, below } = this.t;
		const size = main.length;
		let [own, next] = [(diagonal[0] ?? 0) - value, below[1] ?? 0];
		for (let at = 0; at + 1 < size; at++) {
			const coupling = below[at + 1] ?? 0;
			const [mainBelow, nextBelow] = [(diagonal[at + 1] ?? 0) - value, below[at + 2] ?? 0];
			const swap = Math.abs(coupling) > Math.abs(own);
			swapped[at] = Number(swap);
			const pivot = nonZero(swap ? coupling : own);
			const factor = (swap ? own : coupling) / pivot;
			[main[at], lower[at]] = [pivot, factor];
			[up[at], upper[at]] = swap ? [mainBelow, nextBelow] : [next, 0];
			[own, next] = swap
				? [next - factor * mainBelow, -factor * nextBelow]
				: [mainBelow - factor * next, nextBelow];
		}
		main[size - 1] = nonZero(own);
	}

	/** Solves in place; the result may be huge, which is the point. */
	solve(x: Float64Array): void {
		const { main, up, upper, lower, swapped } = this;
		const size = main.length;
		for (let at = 0; at + 1 < size; at++) {
			const [own, next] = [x[at] ?? 0, x[at + 1] ?? 0];
			const kept = swapped[at] === 1 ? next : own;
			x[at] = kept;
			x[at + 1] = (swapped[at] === 1 ? own : next) - (lower[at] ?? 0) * kept;
		}
		for (let at = size - 1; at >= 0; at--) {
			const one = at + 1 < size ? (up[at] ?? 0) * (x[at + 1] ?? 0) : 0;
			const two = at + 2 < size ? (upper[at] ?? 0) * (x[at + 2] ?? 0) : 0;
			x[at] = ((x[at] ?? 0) - one - two) / (main[at] ?? 1);
		}
	}
}

/** A pivot that vanished, at rounding level of a matrix of size 1. */
function nonZero(pivot: number): number {
	return Math.abs(pivot) < Number.EPSILON ? Number.EPSILON : pivot;
}

function largest(x: Float64Array): number {
	let most = 0;
	for (const value of x) most = Math.max(most, Math.abs(value));
	return most;
}

function dot(x: Float64Array, y: Float64Array): number {
	let sum = 0;
	for (let at = 0; at < x.length; at++) sum += (x[at] ?? 0) * (y[at] ?? 0);
	return sum;
}

function scale(x: Float64Array, factor: number): void {
	for (let at = 0; at < x.length; at++) x[at] = (x[at] ?? 0) * factor;
}

function removeAlong(x: Float64Array, y: Float64Array): void {
	const along = dot(x, y);
	for (let at = 0; at < x.length; at++) x[at] = (x[at] ?? 0) - along * (y[at] ?? 0);
}
