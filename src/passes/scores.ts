/** How important a unit is; larger means keep. One entry a metric. */
import { Fault, present } from '../diagnostic.ts';
import { type Family } from '../ir/axes/families.ts';
import { elementType, INT8, UINT8 } from '../ir/graph/dtype.ts';
import { elementCount, type Model, type Tensor } from '../ir/graph/graph.ts';
import { drawAt } from '../ir/graph/random.ts';
import { isReadable, numbersOf } from '../ir/graph/tensor.ts';
import { type Lab, type Moments } from '../ir/lab.ts';
import { type MetricWords } from '../ir/recipe/vocabulary.ts';
import { needsData, noReader } from '../messages/plan.ts';
import { type NetTensor } from '../ir/axes/net.ts';
import { surgeonScores } from '../numerics/brain-surgeon.ts';
import { weightMatrix, type Grams } from './grams.ts';
import { isMeasurable, readersOf, type Reader, type UnitGroup } from './units.ts';

export type ScoreContext = {
	readonly model: Model;
	readonly seed: number;
	readonly lab?: Lab;
	/** Statistics of all groups that are ranked together. */
	readonly grams?: Grams;
};
/** Scores of a group's units, by unit. */
export type Metric = MetricWords & {
	readonly score: (group: UnitGroup, context: ScoreContext) => Promise<Float64Array>;
};

/** Matrices and filters that a family cuts, with the axis and the unit at each position. */
function weightsOf(family: Family): { tensor: NetTensor; axis: number; unitAt: Int32Array }[] {
	return [...family.axes].flatMap(([tensor, axes]) => {
		const { constant } = tensor;
		if (constant === undefined || constant.dims.length < 2 || !isReadable(constant)) return [];
		if (!isWeight(constant)) return [];
		return axes.flatMap((unitAt, axis) =>
			unitAt?.some((unit) => unit >= 0) ? [{ tensor, axis, unitAt }] : [],
		);
	});
}

/** Floating-point matrices and filters, and quantized ones: 8-bit integers. */
function isWeight({ type, dims }: Tensor): boolean {
	return elementCount(dims) > 1 && (elementType(type)?.kind === 'float' || type === UINT8 || type === INT8);
}

/** The numbers of a weight; of a quantized one the integers around their mean, which stands near the zero point. */
function valuesOf(constant: Tensor): Float32Array | Float64Array {
	const values = numbersOf(constant);
	if (elementType(constant.type)?.kind === 'float') return values;
	let sum = 0;
	for (const value of values) sum += value;
	return values.map((value) => value - sum / values.length);
}

/** Sums every element's size to the power of 1 or 2 over the unit that owns it. */
function sumByUnit(family: Family, power: 1 | 2): Float64Array {
	const sums = new Float64Array(family.units);
	for (const { tensor, axis, unitAt } of weightsOf(family)) {
		const inner = elementCount(tensor.sizes.slice(axis + 1));
		const stretches = stretchesOf(unitAt);
		const lengths = stretches.map(({ count }) => count * inner);
		const totals = sumStretches(valuesOf(present(tensor.constant, 'a weight')), lengths, power);
		stretches.forEach(({ unit }, at) => {
			if (unit >= 0) sums[unit] = (sums[unit] ?? 0) + (totals[at] ?? 0);
		});
	}
	return sums;
}

/** Neighbouring positions of one unit together: the longer the stretches, the faster the sums. */
function stretchesOf(unitAt: Int32Array): { readonly unit: number; count: number }[] {
	const stretches: { readonly unit: number; count: number }[] = [];
	for (const unit of unitAt) {
		const last = stretches.at(-1);
		if (last?.unit === unit) last.count++;
		else stretches.push({ unit, count: 1 });
	}
	return stretches;
}

/**
 * Sums of |v| or v² over stretches of elements that follow each other and begin anew after the last. Plain loops without calls: they run
 * over every weight.
 */
function sumStretches(
	values: Float32Array | Float64Array,
	lengths: readonly number[],
	power: 1 | 2,
): Float64Array {
	const totals = new Float64Array(lengths.length);
	const ends = Int32Array.from(lengths);
	if (ends.length === 0) return totals;
	if (ends.every((length) => length === 1)) {
		for (let start = 0; start < values.length; start += ends.length)
			for (let at = 0; at < ends.length; at++) {
				const value = values[start + at] ?? 0;
				totals[at] = (totals[at] ?? 0) + (power === 2 ? value * value : Math.abs(value));
			}
		return totals;
	}
	for (let start = 0; start < values.length;) {
		for (let at = 0; at < ends.length; at++) {
			let sum = totals[at] ?? 0;
			for (const end = start + (ends[at] ?? 0); start < end; start++) {
				const value = values[start] ?? 0;
				sum += power === 2 ? value * value : Math.abs(value);
			}
			totals[at] = sum;
		}
	}
	return totals;
}

type Reading = { readonly reader: Reader; readonly moments: Moments };

/** What everybody who reads the units reads, measured. */
async function readings(
	{ family, label }: UnitGroup,
	{ model, lab }: ScoreContext,
	metric: string,
): Promise<Reading[]> {
	if (lab === undefined) throw new Fault(needsData({ metric }));
	const readers = readersOf(family).filter(isMeasurable);
	if (readers.length === 0) throw new Fault(noReader({ metric, what: label }));
	const requests = readers.map(({ input, inputAxis }) => ({ value: input.name, axis: inputAxis }));
	const moments = await lab.moments(model, requests);
	return readers.map((reader, at) => ({ reader, moments: present(moments[at], 'the measured moments') }));
}

/** Mean square of what is read at each summed coordinate. */
function squaresOf({ reader, moments }: Reading): Float64Array {
	const sums = new Float64Array(reader.owners.length);
	const counts = new Float64Array(reader.owners.length);
	moments.squares.forEach((square, position) => {
		const at = reader.inputIndex === null ? position : (reader.inputIndex[position] ?? -1);
		if (at < 0) return;
		sums[at] = (sums[at] ?? 0) + square / Math.max(1, moments.count);
		counts[at] = (counts[at] ?? 0) + 1;
	});
	return sums.map((sum, at) => sum / Math.max(1, counts[at] ?? 1));
}

/** A unit's share of each matrix or filter that reads it: size of what is read times weight (Wanda, arXiv:2306.11695). */
async function wandaScores(group: UnitGroup, context: ScoreContext): Promise<Float64Array> {
	const scores = new Float64Array(group.family.units);
	for (const reading of await readings(group, context, 'wanda')) {
		const { weight, weightAxis, weightIndex, owners } = reading.reader;
		if (weight.constant === undefined || !isReadable(weight.constant)) continue;
		const norms = squaresOf(reading).map(Math.sqrt);
		const inner = elementCount(weight.sizes.slice(weightAxis + 1));
		const size = weight.sizes[weightAxis] ?? 1;
		for (const [at, value] of numbersOf(weight.constant).entries()) {
			const position = Math.floor(at / inner) % size;
			const coordinate = weightIndex === null ? position : (weightIndex[position] ?? -1);
			const unit = owners[coordinate] ?? -1;
			if (unit >= 0) scores[unit] = (scores[unit] ?? 0) + Math.abs(value) * (norms[coordinate] ?? 0);
		}
	}
	return scores;
}

/** Root mean square of what a unit puts out, over all that read it. */
async function activationScores(group: UnitGroup, context: ScoreContext): Promise<Float64Array> {
	const [sums, counts] = [new Float64Array(group.family.units), new Float64Array(group.family.units)];
	for (const reading of await readings(group, context, 'activation')) {
		squaresOf(reading).forEach((square, coordinate) => {
			const unit = reading.reader.owners[coordinate] ?? -1;
			if (unit < 0) return;
			sums[unit] = (sums[unit] ?? 0) + square;
			counts[unit] = (counts[unit] ?? 0) + 1;
		});
	}
	return sums.map((sum, unit) => Math.sqrt(sum / Math.max(1, counts[unit] ?? 1)));
}

/** What the readers lose when a unit goes and the rest is refitted. */
async function surgeon(group: UnitGroup, { lab, grams }: ScoreContext): Promise<Float64Array> {
	if (lab === undefined || grams === undefined) throw new Fault(needsData({ metric: 'obs' }));
	const { family, label } = group;
	const readings = await grams.of(group);
	if (readings.length === 0) throw new Fault(noReader({ metric: 'obs', what: label }));
	const scores = new Float64Array(family.units);
	for (const { reader, grams: measured } of readings) {
		const weight = weightMatrix(reader);
		const what = `what ${label} reads`;
		const own = await surgeonScores(measured.fit, weight, reader.owners, family.units, what, lab.products);
		own.forEach((score, unit) => (scores[unit] = (scores[unit] ?? 0) + score));
	}
	return scores;
}

const ready = (scores: Float64Array): Promise<Float64Array> => Promise.resolve(scores);

export const metrics: readonly Metric[] = [
	{
		name: 'l2',
		needs: 'nothing',
		summary: 'Euclidean norm of all weights of the unit (arXiv:1608.08710).',
		score: ({ family }) => ready(sumByUnit(family, 2).map(Math.sqrt)),
	},
	{
		name: 'l1',
		needs: 'nothing',
		summary: 'Sum of the absolute weights of the unit (arXiv:1608.08710).',
		score: ({ family }) => ready(sumByUnit(family, 1)),
	},
	{
		name: 'random',
		needs: 'nothing',
		summary: 'A seeded draw: the baseline every other metric must beat.',
		score: ({ family }, { seed }) =>
			ready(new Float64Array(family.units).map((_, unit) => drawAt(seed, family.seed.node.node.id, unit))),
	},
	{
		name: 'obs',
		needs: 'calibration',
		summary:
			'Error left in what reads the unit once all others are refitted: structured optimal brain surgeon (arXiv:2403.12983).',
		score: surgeon,
	},
	{
		name: 'wanda',
		needs: 'calibration',
		summary: 'Absolute reading weights times the norm of what they read (arXiv:2306.11695).',
		score: wandaScores,
	},
	{
		name: 'activation',
		needs: 'calibration',
		summary: 'Root mean square of what the unit puts out.',
		score: activationScores,
	},
	{
		name: 'block_influence',
		needs: 'calibration',
		summary:
			'One minus the cosine between what goes into a layer and what comes out (ShortGPT, arXiv:2403.03853).',
		score: () => Promise.reject(new Fault(needsData({ metric: 'block_influence' }))),
	},
];

export function metricNamed(name: string): Metric {
	return present(
		metrics.find((metric) => metric.name === name),
		`metric '${name}'`,
	);
}
