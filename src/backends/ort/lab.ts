/** The lab over onnxruntime: statistics from runs with extra outputs. */
import { present } from '../../diagnostic.ts';
import { elementCount, type Model, type ValueName } from '../../ir/graph/graph.ts';
import { type Example } from '../../data/sample.ts';
import { type Shapes } from '../../ir/graph/bindings.ts';
import { type Lab, type Moments } from '../../ir/lab.ts';
import { type Matrix } from '../../ir/matrix.ts';
import { averagesOf } from './averages.ts';
import { measureChanges } from './changes.ts';
import { measureDrift } from './drift.ts';
import { measureGrams } from './grams.ts';
import { countValues, emptyHistogram, widen } from './histograms.ts';
import { checkOutside, collector, type Collect } from './collect.ts';
import { compareTimes } from './latency.ts';
import { measureLikeness } from './likeness.ts';
import { holding, type Holds } from './padding.ts';
import { timeParts } from './part-times.ts';
import { productsOf } from './products.ts';
import { remembering, type StatisticsMemory } from './remember.ts';
import { rowsOf } from './rows.ts';
import { type Feeds, type Value } from './session.ts';
import { memory as walkMemory, walkOver } from './walk.ts';

/** @param memory statistics measured before, and where to keep those that are measured now; absent: all are measured. */
export function labOf(
	examples: readonly Example[],
	inputs: string,
	calibrated: boolean,
	threads: number,
	shapes: Shapes = new Map(),
	memory?: StatisticsMemory,
): Lab {
	const lab = {
		...measuringLab(examples, inputs, calibrated, threads, shapes),
		halves: () => halved(examples, (some) => labOf(some, inputs, calibrated, threads, shapes, memory)),
	};
	return memory === undefined ? lab : remembering(lab, examples, threads, memory);
}

function measuringLab(
	examples: readonly Example[],
	inputs: string,
	calibrated: boolean,
	threads: number,
	shapes: Shapes,
): Omit<Lab, 'halves'> {
	const collect = collector(examples, threads);
	return {
		inputs,
		calibrated,
		products: productsOf(threads),
		moments: async (model, requests) => {
			const sums: { count: number; sum: Float64Array; squares: Float64Array }[] = [];
			await alongAxes(model, requests, collect, (at, tensor, axis, holds) => {
				sums[at] = addMoments(sums[at], tensor, axis, holds);
			});
			return sums;
		},
		histograms: (model, requests, bins) => histograms(model, requests, bins, collect),
		changes: (model, experiment) => measureChanges(model, experiment, examples, threads),
		...summing(examples, threads),
		rows: (model, values, which) => {
			const marked = examples.map((example, at) => ({ example, heldOut: at % 5 === 4 }));
			const chosen = which === 'all' ? marked : marked.filter(({ heldOut }) => heldOut);
			const run = collector(
				chosen.map(({ example }) => example),
				threads,
			);
			return rowsOf(model, values, chosen, run);
		},
		timeParts: (parts) => timeParts(parts, threads),
		compareTimes: (original, changed) => compareTimes(original, changed, shapes, threads),
		drift: (original, pruned) => driftOn(examples, original, pruned, threads),
		similarity: (model, pairs) => measureLikeness(model, pairs, collect),
		averages: (model, values) => averagesOf(model, values, collect),
	};
}

/** Gram matrices, and walks that start from what the last of them kept. */
function summing(examples: readonly Example[], threads: number): Pick<Lab, 'grams' | 'walk'> {
	let kept: { readonly model: Model; readonly values: readonly Feeds[] } | undefined;
	return {
		grams: async (model, requests, keep = []) => {
			const asked = requests.flatMap(({ value, against }) => [value, against?.value ?? value]);
			checkOutside(model, [...asked, ...keep]);
			if (keep.length > 0) kept = undefined;
			const on = { examples, threads };
			const found = await measureGrams(model, requests, on, { keep, room: walkMemory });
			if (keep.length > 0) kept = { model, values: found.kept };
			return [...found.grams];
		},
		walk: (from) => walkOver(examples, threads, kept?.model === from ? kept.values : undefined),
	};
}

function halved(
	examples: readonly Example[],
	lab: (some: readonly Example[]) => Lab,
): readonly [even: Lab, odd: Lab] {
	const every = (turn: 0 | 1): Lab => lab(examples.filter((_, at) => at % 2 === turn));
	return [every(0), every(1)];
}

function driftOn(
	examples: readonly Example[],
	original: Model,
	pruned: Model,
	threads: number,
): ReturnType<typeof measureDrift> {
	const feeds = examples.map((one) => one.feeds);
	return measureDrift({ original, pruned, kept: new Map() }, feeds, threads);
}

type AxisOf = { readonly value: ValueName; readonly axis: number };

/** Hands over each value asked for, on every example, with what in it is no padding. */
function alongAxes(
	model: Model,
	requests: readonly AxisOf[],
	collect: Collect,
	note: (at: number, tensor: Value, axis: number, holds: Holds | undefined) => void,
): Promise<void> {
	const names = requests.map(({ value }) => value);
	return collect(model, names, (values, mask) => {
		requests.forEach(({ value, axis }, at) => {
			const tensor = present(values.get(value), `value '${value}'`);
			note(at, tensor, axis, holding(tensor.dims, mask, axis));
		});
	});
}

/** Twice over the inputs: for the ranges, and for what lies in each of their bins. */
async function histograms(
	model: Model,
	requests: readonly AxisOf[],
	bins: number,
	collect: Collect,
): Promise<Matrix[]> {
	const found = requests.map(() => emptyHistogram());
	for (const note of [widen, countValues])
		await alongAxes(model, requests, collect, (at, tensor, axis, holds) => {
			note(present(found[at], 'a histogram'), tensor, axis, holds, bins);
		});
	return found.map(({ counts }) => counts);
}

function addMoments(
	before: Moments | undefined,
	{ dims, data }: Value,
	axis: number,
	holds: Holds | undefined,
): { count: number; sum: Float64Array; squares: Float64Array } {
	const size = dims[axis] ?? 1;
	const inner = elementCount(dims.slice(axis + 1));
	const sum = before?.sum ?? new Float64Array(size);
	const squares = before?.squares ?? new Float64Array(size);
	let counted = 0;
	for (let at = 0; at < data.length; at++) {
		if (holds !== undefined && !holds(at)) continue;
		counted++;
		const position = Math.floor(at / inner) % size;
		const value = data[at] ?? 0;
		sum[position] = (sum[position] ?? 0) + value;
		squares[position] = (squares[position] ?? 0) + value * value;
	}
	return { count: (before?.count ?? 0) + counted / size, sum, squares };
}
