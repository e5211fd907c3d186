/** How far a value could be from what more data would say: 95 % intervals. */
import { type Interval, type Metric, type Observation } from './metric.ts';

/** 97.5 % of a normal distribution lie below it. */
const z = 1.959963984540054;
const resamples = 1000;

/** Wilson's interval (1927) of a share of `count` trials: right near 0 and 1, where the usual one is not. */
export function wilson(hits: number, count: number): Interval {
	const [share, square] = [hits / count, z * z];
	const middle = (share + square / (2 * count)) / (1 + square / count);
	const half =
		(z / (1 + square / count)) * Math.sqrt((share * (1 - share)) / count + square / (4 * count * count));
	return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

/** Wilson's where each example is one trial of a share, else a bootstrap over examples. `next` draws from 0 to 1. */
export function intervalOf(
	{ isShare, value }: Metric,
	all: readonly Observation[],
	next: () => number,
): Interval {
	const isTrials =
		isShare && all.every(([hit, of, ...more]) => of === 1 && (hit === 0 || hit === 1) && more.length === 0);
	if (isTrials)
		return wilson(
			all.reduce((sum, [hit = 0]) => sum + hit, 0),
			all.length,
		);
	return bootstrap(all.length, next, (places) => value(places.map((at) => all[at] ?? [])));
}

/** The interval of the difference between two models on the same examples (paired bootstrap, Efron 1979). */
export function changeOf(
	{ value }: Metric,
	before: readonly Observation[],
	after: readonly Observation[],
	next: () => number,
): Interval {
	return bootstrap(before.length, next, (places) => {
		const pick = (all: readonly Observation[]): Observation[] => places.map((at) => all[at] ?? []);
		return value(pick(after)) - value(pick(before));
	});
}

function bootstrap(
	count: number,
	next: () => number,
	value: (places: readonly number[]) => number,
): Interval {
	const values = Array.from({ length: resamples }, () =>
		value(Array.from({ length: count }, () => Math.floor(next() * count))),
	);
	values.sort((a, b) => a - b);
	const at = (share: number): number => values[Math.round(share * (resamples - 1))] ?? NaN;
	return [at(0.025), at(0.975)];
}
