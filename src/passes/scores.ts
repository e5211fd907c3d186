/** How important a unit is; larger means keep. One entry a metric. */
import { Fault, present } from '../diagnostic.ts';
import { type Block } from '../ir/anatomy/parts.ts';
import { type Family } from '../ir/axes/families.ts';
import { elementType } from '../ir/graph/dtype.ts';
import { elementCount, type Model } from '../ir/graph/graph.ts';
import { isReadable, numbersOf } from '../ir/graph/tensor.ts';
import { type Lab, type Moments } from '../ir/lab.ts';
import { type MetricWords } from '../ir/recipe/vocabulary.ts';
import { needsData } from '../messages/plan.ts';
import { type NetTensor } from '../ir/axes/net.ts';

export type ScoreContext = { readonly model: Model; readonly seed: number; readonly lab?: Lab };
/** Scores of a block's units, by unit. */
export type Metric = MetricWords & {
	readonly score: (block: Block, context: ScoreContext) => Promise<Float64Array>;
};

/** Matrices and filters that a family cuts, with the axis and the unit at each position. */
function weightsOf(family: Family): { tensor: NetTensor; axis: number; unitAt: Int32Array }[] {
	return [...family.axes].flatMap(([tensor, axes]) => {
		const { constant } = tensor;
		if (constant === undefined || constant.dims.length < 2 || !isReadable(constant)) return [];
		if (elementType(constant.type)?.kind !== 'float' || elementCount(constant.dims) < 2) return [];
		return axes.flatMap((unitAt, axis) =>
			unitAt?.some((unit) => unit >= 0) ? [{ tensor, axis, unitAt }] : [],
		);
	});
}

/** Sums a function of every element over the unit that owns it. */
function sumByUnit(family: Family, measure: (value: number) => number): Float64Array {
	const sums = new Float64Array(family.units);
	for (const { tensor, axis, unitAt } of weightsOf(family)) {
		const values = numbersOf(present(tensor.constant, 'a weight'));
		const inner = elementCount(tensor.sizes.slice(axis + 1));
		const size = tensor.sizes[axis] ?? 1;
		for (const [at, value] of values.entries()) {
			const unit = unitAt[Math.floor(at / inner) % size] ?? -1;
			if (unit >= 0) sums[unit] = (sums[unit] ?? 0) + measure(value);
		}
	}
	return sums;
}

const familyOf = (block: Block): Family => present(block.family, 'the family of a block that can be pruned');

/** A unit's share of each matrix that reads it: column norms of the activation times row weights (Wanda, arXiv:2306.11695). */
async function readerScores(
	block: Block,
	{ model, lab }: ScoreContext,
	metric: string,
	weigh: (weight: number, norm: number) => number,
): Promise<Float64Array> {
	const { moments, reader, unitAt } = await readerMoments(block, model, lab, metric);
	const scores = new Float64Array(familyOf(block).units);
	const weights = numbersOf(present(reader.weight.constant, 'a weight'));
	const [, cols = 1] = reader.weight.sizes;
	for (const [at, weight] of weights.entries()) {
		const position = reader.inAxis === 0 ? Math.floor(at / cols) : at % cols;
		const unit = unitAt[position] ?? -1;
		if (unit >= 0)
			scores[unit] = (scores[unit] ?? 0) + weigh(weight, Math.sqrt(moments.squares[position] ?? 0));
	}
	return scores;
}

type ReaderMoments = {
	readonly moments: Moments;
	readonly reader: Block['linears'][number];
	readonly unitAt: Int32Array;
};

async function readerMoments(
	block: Block,
	model: Model,
	lab: Lab | undefined,
	metric: string,
): Promise<ReaderMoments> {
	if (lab === undefined) throw new Fault(needsData({ metric }));
	const family = familyOf(block);
	const reader = present(
		block.linears.findLast((linear) => family.axes.get(linear.weight)?.[linear.inAxis] !== undefined),
		'the projection that reads the units',
	);
	const input = present(reader.node.inputs[1 - reader.slot], 'its input');
	const unitAt = present(family.axes.get(reader.weight)?.[reader.inAxis], 'its units');
	const [moments] = await lab.moments(model, [{ value: input.name, axis: input.sizes.length - 1 }]);
	return { moments: present(moments, 'the measured moments'), reader, unitAt };
}

/** Root mean square of what a unit puts out. */
async function activationScores(block: Block, { model, lab }: ScoreContext): Promise<Float64Array> {
	const { moments, unitAt } = await readerMoments(block, model, lab, 'activation');
	const [sums, counts] = [new Float64Array(familyOf(block).units), new Float64Array(familyOf(block).units)];
	unitAt.forEach((unit, position) => {
		if (unit < 0) return;
		sums[unit] = (sums[unit] ?? 0) + (moments.squares[position] ?? 0) / moments.count;
		counts[unit] = (counts[unit] ?? 0) + 1;
	});
	return sums.map((sum, unit) => Math.sqrt(sum / (counts[unit] ?? 1)));
}

/** A number from 0 to 1 that depends on the seed and the places alone (Weyl sequence, mixed). */
export function drawAt(seed: number, ...places: readonly number[]): number {
	let state = seed >>> 0;
	for (const place of places) {
		state = Math.imul(state ^ (place + 0x9e3779b9), 0x85ebca6b) >>> 0;
		state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35) >>> 0;
		state = (state ^ (state >>> 16)) >>> 0;
	}
	return state / 2 ** 32;
}

const ready = (scores: Float64Array): Promise<Float64Array> => Promise.resolve(scores);

export const metrics: readonly Metric[] = [
	{
		name: 'l2',
		needs: 'nothing',
		summary: 'Euclidean norm of all weights of the unit (arXiv:1608.08710).',
		score: (block) => ready(sumByUnit(familyOf(block), (value) => value * value).map(Math.sqrt)),
	},
	{
		name: 'l1',
		needs: 'nothing',
		summary: 'Sum of the absolute weights of the unit (arXiv:1608.08710).',
		score: (block) => ready(sumByUnit(familyOf(block), Math.abs)),
	},
	{
		name: 'random',
		needs: 'nothing',
		summary: 'A seeded draw: the baseline every other metric must beat.',
		score: (block, { seed }) =>
			ready(new Float64Array(familyOf(block).units).map((_, unit) => drawAt(seed, block.node.node.id, unit))),
	},
	{
		name: 'wanda',
		needs: 'calibration',
		summary: 'Absolute reading weights times the norm of what they read (arXiv:2306.11695).',
		score: (block, context) =>
			readerScores(block, context, 'wanda', (weight, norm) => Math.abs(weight) * norm),
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
