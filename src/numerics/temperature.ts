/** How sure scores should be: one number that they are divided by ("On Calibration of Modern Neural Networks", arXiv:1706.04599). */
import { matrix, rowsOf, type Matrix } from '../ir/matrix.ts';

/** Probabilities by row. */
export function softmaxed(scores: Matrix): Matrix {
	const result = matrix(scores.rows, scores.cols);
	for (let row = 0; row < scores.rows; row++) {
		const own = rowsOf(scores, row, row + 1).data;
		const top = own.reduce((most, score) => Math.max(most, score), -Infinity);
		const powers = own.map((score) => Math.exp(score - top));
		const sum = powers.reduce((all, one) => all + one, 0);
		result.data.set(
			powers.map((one) => one / sum),
			row * scores.cols,
		);
	}
	return result;
}

/**
 * The T at which the cross-entropy of softmax(scores / T) to the probabilities wanted is least. It is convex in 1/T, whose
 * derivative, the mean score under the softmax less that under what is wanted, is bisected from 1/64 to 64.
 */
export function temperatureOf(scores: Matrix, wanted: Matrix): number {
	const excess = (inverse: number): number => {
		const scaled = matrix(
			scores.rows,
			scores.cols,
			scores.data.map((score) => score * inverse),
		);
		const { data } = softmaxed(scaled);
		return data.reduce(
			(sum, share, at) => sum + (share - (wanted.data[at] ?? 0)) * (scores.data[at] ?? 0),
			0,
		);
	};
	let [low, high] = [1 / 64, 64];
	for (let step = 0; step < 40; step++) {
		const middle = Math.sqrt(low * high);
		if (excess(middle) > 0) high = middle;
		else low = middle;
	}
	return 1 / Math.sqrt(low * high);
}
