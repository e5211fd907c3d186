/**
 * Multinomial logistic regression on fixed features, damped towards the weight it begins with. Each step solves with a bound on the
 * Hessian that does not depend on the weight (Böhning, Annals of the Institute of Statistical Mathematics 44, 1992), so that one
 * factorization serves all steps and none can overshoot.
 */
import { matrix, type Matrix, type Products } from '../ir/matrix.ts';
import { damped, solveDamped } from './ridge.ts';
import { softmaxed } from './temperature.ts';

export type LogisticTask = {
	/** Rows × features, the last of which is 1, for the bias. */
	readonly features: Matrix;
	/** Rows × classes: probabilities, or one 1 in each row. */
	readonly wanted: Matrix;
	/** Features × classes. */
	readonly start: Matrix;
};

/** Steps enough for a weight that is damped at all: the error shrinks by a constant factor in each. */
const steps = 200;

/** The weight after all steps, with ε·diag of the bound holding it to the start. */
export async function logistic(
	{ features, wanted, start }: LogisticTask,
	damping: number,
	products: Products,
): Promise<Matrix> {
	const bound = scaled(await products.multiply(features, features, 'tn'), 0.5 / features.rows);
	const system = await damped(bound, damping, products);
	let weight = start;
	for (let step = 0; step < steps; step++) {
		const wrong = minus(wanted, softmaxed(await products.multiply(features, weight)));
		const gradient = scaled(await products.multiply(features, wrong, 'tn'), 1 / features.rows);
		const away = minus(weight, start);
		const pull = gradient.data.map((value, at) => {
			const row = Math.floor(at / gradient.cols);
			const own = bound.data[row * bound.cols + row] ?? 0;
			return value - system.damping * own * (away.data[at] ?? 0);
		});
		const change = await solveDamped(system, matrix(gradient.rows, gradient.cols, pull), products);
		weight = matrix(
			weight.rows,
			weight.cols,
			weight.data.map((value, at) => value + (change.data[at] ?? 0)),
		);
	}
	return weight;
}

function scaled({ rows, cols, data }: Matrix, by: number): Matrix {
	return matrix(
		rows,
		cols,
		data.map((value) => value * by),
	);
}

function minus(left: Matrix, right: Matrix): Matrix {
	return matrix(
		left.rows,
		left.cols,
		left.data.map((value, at) => value - (right.data[at] ?? 0)),
	);
}
