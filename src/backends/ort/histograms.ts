/** Histograms of a value by coordinate of one axis, between the least and the largest number of each. */
import { elementCount } from '../../ir/graph/graph.ts';
import { matrix, type Matrix } from '../../ir/matrix.ts';
import { type Holds } from './padding.ts';
import { type Value } from './session.ts';

type Histogram = { least: Float64Array; most: Float64Array; counts: Matrix };

export function emptyHistogram(): Histogram {
	return { least: new Float64Array(0), most: new Float64Array(0), counts: matrix(0, 0) };
}

/** Widens the ranges to what a value holds. */
export function widen(
	histogram: Histogram,
	value: Value,
	axis: number,
	holds: Holds | undefined,
	bins: number,
): void {
	const size = value.dims[axis] ?? 1;
	if (histogram.least.length === 0) {
		histogram.least = new Float64Array(size).fill(Infinity);
		histogram.most = new Float64Array(size).fill(-Infinity);
		histogram.counts = matrix(size, bins);
	}
	const { least, most } = histogram;
	forEach(value, axis, holds, (position, number) => {
		least[position] = Math.min(least[position] ?? Infinity, number);
		most[position] = Math.max(most[position] ?? -Infinity, number);
	});
}

/** Counts what a value holds, all ranges being known. A coordinate that never moves falls into the first bin. */
export function countValues(
	{ least, most, counts }: Histogram,
	value: Value,
	axis: number,
	holds: Holds | undefined,
	bins: number,
): void {
	forEach(value, axis, holds, (position, number) => {
		const from = least[position] ?? 0;
		const width = (most[position] ?? 0) - from;
		const bin = width > 0 ? Math.min(bins - 1, Math.floor((bins * (number - from)) / width)) : 0;
		const at = position * bins + bin;
		counts.data[at] = (counts.data[at] ?? 0) + 1;
	});
}

function forEach(
	{ dims, data }: Value,
	axis: number,
	holds: Holds | undefined,
	take: (position: number, number: number) => void,
): void {
	const size = dims[axis] ?? 1;
	const inner = elementCount(dims.slice(axis + 1));
	for (let at = 0; at < data.length; at++)
		if (holds === undefined || holds(at)) take(Math.floor(at / inner) % size, data[at] ?? 0);
}
