/**
 * Statistics of a batch normalization whose input has changed: means and variances are moved as its own have moved, so that what it puts out
 * has the mean and variance that it had (re-estimation; variance that pruned networks lose: Jordan et al., arXiv:2211.08403).
 */
import { present } from '../diagnostic.ts';
import { type Gram, type SplitGram } from '../ir/lab.ts';
import { type Choice } from './refit.ts';

export type BatchStatistics = {
	readonly mean: Float64Array;
	readonly variance: Float64Array;
	readonly scale: Float64Array;
	readonly epsilon: number;
};

export type Reestimated = Pick<BatchStatistics, 'mean' | 'variance'> & {
	/** Mean and variance, the mean alone, or neither: whatever is best on held-out rows. */
	readonly choice: Choice;
	/** Squared error of what is put out on held-out rows, as a share of its variance there. */
	readonly heldOut: Readonly<Record<Choice, number>>;
};

/** @param seen sums over what is read by now, against what was read before. @param kept channels that stay. */
export function reestimated(seen: SplitGram, norm: BatchStatistics, kept: readonly number[]): Reestimated {
	const fit = momentsOf(seen.fit);
	const candidates = {
		none: norm,
		bias: moved(fit, norm, () => 1),
		affine: moved(fit, norm, (at) => stretchOf(fit, norm, at)),
	};
	const judge = momentsOf(seen.heldOut);
	const error = (one: Moved): number => errorOf(judge, norm, one, kept);
	const heldOut = {
		affine: error(candidates.affine),
		bias: error(candidates.bias),
		none: error(candidates.none),
	};
	const simple = heldOut.bias < heldOut.none ? 'bias' : 'none';
	const choice = heldOut.affine < heldOut[simple] ? 'affine' : simple;
	const { mean, variance } = candidates[choice];
	return { mean, variance, choice, heldOut };
}

type Moved = Pick<BatchStatistics, 'mean' | 'variance'>;

/** By channel: means, variances and the covariance of what is read by now and what was read before. */
type Moments = Readonly<Record<'now' | 'before' | 'spread' | 'spreadBefore' | 'shared', Float64Array>>;

function momentsOf({ count, sum, gram, against }: Gram): Moments {
	const { cross, sum: sumBefore, squares } = present(against, 'sums against what was read before');
	const now = sum.map((value) => value / count);
	const before = sumBefore.map((value) => value / count);
	const centred = (of: (at: number) => number, left: Float64Array, right: Float64Array): Float64Array =>
		left.map((mean, at) => of(at) / count - mean * (right[at] ?? 0));
	return {
		now,
		before,
		spread: centred((at) => gram.data[at * gram.cols + at] ?? 0, now, now),
		spreadBefore: centred((at) => squares[at] ?? 0, before, before),
		shared: centred((at) => cross.data[at * cross.cols + at] ?? 0, now, before),
	};
}

/** By how much a channel's values lie further apart than before; 1 where they did not or do not vary. */
function stretchOf(
	{ spread, spreadBefore }: Moments,
	{ variance, epsilon }: BatchStatistics,
	at: number,
): number {
	const [now = 0, before = 0, own = 0] = [spread[at], spreadBefore[at], variance[at]];
	if (!(now > 0) || !(before > 0)) return 1;
	// No variance is below zero, whatever is added to it.
	return Math.max(Math.sqrt(now / before), Math.sqrt(epsilon / (own + epsilon)));
}

/** The same outputs of inputs that are `stretch` times as far from a mean of their own. */
function moved(
	{ now, before }: Moments,
	{ mean, variance, epsilon }: BatchStatistics,
	stretch: (at: number) => number,
): Moved {
	return {
		mean: mean.map((value, at) => (now[at] ?? 0) - ((before[at] ?? 0) - value) * stretch(at)),
		variance: variance.map((value, at) => Math.max(0, (value + epsilon) * stretch(at) ** 2 - epsilon)),
	};
}

/** E‖y′ − y‖² over E‖y − E[y]‖² of the outputs y before and y′ now, over the channels that stay. */
function errorOf(
	{ now, before, spread, spreadBefore, shared }: Moments,
	norm: BatchStatistics,
	{ mean, variance }: Moved,
	kept: readonly number[],
): number {
	let [error, total] = [0, 0];
	for (const at of kept) {
		const gain = (of: Float64Array): number =>
			(norm.scale[at] ?? 0) / Math.sqrt((of[at] ?? 0) + norm.epsilon);
		const [a, b] = [gain(variance), gain(norm.variance)];
		const [vary, varied, both] = [spread[at] ?? 0, spreadBefore[at] ?? 0, shared[at] ?? 0];
		const offset = a * ((now[at] ?? 0) - (mean[at] ?? 0)) - b * ((before[at] ?? 0) - (norm.mean[at] ?? 0));
		error += Math.max(0, a * a * vary + b * b * varied - 2 * a * b * both) + offset * offset;
		total += b * b * varied;
	}
	return total > 0 ? error / total : 0;
}
