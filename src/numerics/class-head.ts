/** The last matrix of a classifier on other features than it was trained on, in closed form or by convex fits. */
import { type Gram } from '../ir/lab.ts';
import { matrix, type Matrix, type Products } from '../ir/matrix.ts';
import { logistic } from './logistic.ts';
import { refit, type Refit } from './refit.ts';
import { softmaxed } from './temperature.ts';

/** All rows, and which of them are to judge by. */
export type HeadData = {
	/** Rows × features. */
	readonly features: Matrix;
	/** Rows × classes: what the head as it stands says of them, and what the whole model says. */
	readonly scores: Matrix;
	readonly teacher: Matrix;
	readonly heldOut: readonly boolean[];
};

export type ClassHead = {
	/** Features × classes. */
	readonly weight: Matrix;
	readonly bias: Float64Array;
	/** `none` where the head as it stands is better on held-out rows. */
	readonly choice: 'affine' | 'none';
	readonly damping?: number;
	readonly residual: number;
	/**
	 * Squared error on held-out rows as a share of the variance there, with the new matrix, with a new bias alone, and as it stands:
	 * of logits, or of probabilities where it is fitted to those.
	 */
	readonly heldOut: Refit['heldOut'];
};

/** Ridge regression to the logits of the whole model; the damping is chosen on held-out rows. */
export async function fitToTeacher(data: HeadData, products: Products): Promise<ClassHead> {
	const { features, scores, teacher, heldOut } = data;
	const grams = {
		fit: await gramOf(picked(features, heldOut, false), picked(teacher, heldOut, false), products),
		heldOut: await gramOf(picked(features, heldOut, true), picked(teacher, heldOut, true), products),
	};
	const kept = Array.from({ length: features.cols }, (_, at) => at);
	const start = matrix(features.cols, teacher.cols);
	const found = await refit({ grams, kept, weight: start, what: 'the features of an exit' }, products);
	const wanted = picked(teacher, heldOut, true);
	const none = share(picked(scores, heldOut, true), wanted);
	const shift = meanGap(picked(scores, heldOut, false), picked(teacher, heldOut, false));
	const bias = share(shifted(picked(scores, heldOut, true), shift), wanted);
	const affine = found.heldOut[found.choice];
	return {
		weight: found.weight,
		bias: found.shift,
		choice: affine < none ? 'affine' : 'none',
		residual: found.residual,
		...(found.damping !== undefined && { damping: found.damping }),
		heldOut: { affine, bias, none },
	};
}

const dampings = [1, 1e-1, 1e-2, 1e-3];

/**
 * Logistic regression to probabilities of classes, from the ridge regression to the teacher on: 1 for a label, or what the teacher says
 * (distillation, arXiv:1503.02531). What is best on held-out rows by squared error of probabilities (Brier).
 */
export async function fitToClasses(data: HeadData, classes: Matrix, products: Products): Promise<ClassHead> {
	const begun = await fitToTeacher(data, products);
	const { features, scores, heldOut } = data;
	const extended = withOnes(features);
	const start = stacked(begun.weight, begun.bias);
	const wanted = picked(classes, heldOut, true);
	const judge = async (weight: Matrix): Promise<number> =>
		share(softmaxed(await products.multiply(picked(extended, heldOut, true), weight)), wanted);
	let best = { weight: start, error: await judge(start), damping: begun.damping };
	for (const damping of dampings) {
		const task = {
			features: picked(extended, heldOut, false),
			wanted: picked(classes, heldOut, false),
			start,
		};
		const weight = await logistic(task, damping, products);
		const error = await judge(weight);
		if (error < best.error) best = { weight, error, damping };
	}
	const none = share(softmaxed(picked(scores, heldOut, true)), wanted);
	const { rows, cols, data: numbers } = best.weight;
	return {
		weight: matrix(rows - 1, cols, numbers.slice(0, (rows - 1) * cols)),
		bias: numbers.slice((rows - 1) * cols),
		choice: best.error < none ? 'affine' : 'none',
		residual: begun.residual,
		...(best.damping !== undefined && { damping: best.damping }),
		heldOut: { affine: best.error, bias: await judge(start), none },
	};
}

function picked({ cols, data }: Matrix, heldOut: readonly boolean[], which: boolean): Matrix {
	const rows = heldOut.flatMap((one, row) => (one === which ? [row] : []));
	const result = matrix(rows.length, cols);
	rows.forEach((row, at) => {
		result.data.set(data.subarray(row * cols, (row + 1) * cols), at * cols);
	});
	return result;
}

async function gramOf(x: Matrix, y: Matrix, products: Products): Promise<Gram> {
	return {
		count: x.rows,
		sum: sums(x),
		gram: await products.multiply(x, x, 'tn'),
		against: {
			cross: await products.multiply(x, y, 'tn'),
			sum: sums(y),
			squares: sums(
				matrix(
					y.rows,
					y.cols,
					y.data.map((value) => value * value),
				),
			),
		},
	};
}

function sums({ rows, cols, data }: Matrix): Float64Array {
	const result = new Float64Array(cols);
	for (let at = 0; at < rows * cols; at++) result[at % cols] = (result[at % cols] ?? 0) + (data[at] ?? 0);
	return result;
}

function meanGap(from: Matrix, to: Matrix): Float64Array {
	const [a, b] = [sums(from), sums(to)];
	return a.map((value, at) => ((b[at] ?? 0) - value) / Math.max(1, from.rows));
}

function shifted({ rows, cols, data }: Matrix, by: Float64Array): Matrix {
	return matrix(
		rows,
		cols,
		data.map((value, at) => value + (by[at % cols] ?? 0)),
	);
}

/** Σ(x − y)² over Σ(y − ȳ)². */
function share(found: Matrix, wanted: Matrix): number {
	const mean = sums(wanted).map((sum) => sum / Math.max(1, wanted.rows));
	let [error, variance] = [0, 0];
	wanted.data.forEach((value, at) => {
		error += ((found.data[at] ?? 0) - value) ** 2;
		variance += (value - (mean[at % wanted.cols] ?? 0)) ** 2;
	});
	return variance > 0 ? error / variance : 0;
}

function withOnes({ rows, cols, data }: Matrix): Matrix {
	const result = matrix(rows, cols + 1);
	for (let row = 0; row < rows; row++) {
		result.data.set(data.subarray(row * cols, (row + 1) * cols), row * (cols + 1));
		result.data[row * (cols + 1) + cols] = 1;
	}
	return result;
}

function stacked({ rows, cols, data }: Matrix, last: Float64Array): Matrix {
	const result = matrix(rows + 1, cols);
	result.data.set(data);
	result.data.set(last, rows * cols);
	return result;
}
