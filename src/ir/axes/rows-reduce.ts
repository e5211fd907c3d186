/** Reductions, and what searches or sums along an axis. https://onnx.ai/onnx/operators/onnx__ReduceSum.html */
import { INT64 } from '../graph/dtype.ts';
import { type Attribute } from '../graph/graph.ts';
import {
	built,
	type Example,
	type ExampleInput,
	type Operator,
	type Removal,
	type Resized,
	int,
} from './operator.ts';
import { RowBuilder, type Role, type Row, type Unrelated } from './row.ts';
import {
	fixedInts,
	frontAxis,
	inputSizes,
	intAttribute,
	intsAttribute,
	sampledInts,
	type NodeView,
	axisOf,
} from './view.ts';

const list = (...value: number[]): Attribute => ({ kind: 'ints', value });
const unknownAxes: Unrelated = { unrelated: 'its axes cannot be told' };

/** Axes from the attribute or the second operand; all where none are given. Undefined when they cannot be told. */
function axesOf(view: NodeView): number[] | undefined {
	const rank = inputSizes(view, 0)?.length ?? 0;
	const said = intsAttribute(view, 'axes') ?? (view.inputs[1] ? fixedInts(view, 1) : []);
	if (said === undefined) return undefined;
	if (said.length > 0) return said.map((axis) => frontAxis(axis, rank));
	return intAttribute(view, 'noop_with_empty_axes', 0) ? [] : Array.from({ length: rank }, (_, axis) => axis);
}

function reducedRow(view: NodeView, axes: readonly number[], keep: boolean, role: Role): Row {
	const builder = new RowBuilder();
	let out = 0;
	for (const [axis, size] of (inputSizes(view, 0) ?? []).entries()) {
		if (!axes.includes(axis)) builder.through(`a${axis}`, size, [0, axis], [0, out++]);
		else {
			builder.input(0, axis, builder.letter(`k${axis}`, size, role));
			if (keep) out++;
		}
	}
	return builder.build();
}

function reducedSizes(view: NodeView, axes: readonly number[], keep: boolean): (number[] | undefined)[] {
	return [inputSizes(view, 0)?.flatMap((size, axis) => (axes.includes(axis) ? (keep ? [1] : []) : [size]))];
}

const keeps = (view: NodeView): boolean => intAttribute(view, 'keepdims', 1) === 1;

type Fold = (a: number, b: number) => number;

/** Only where everything is folded to one number, as sizes are. */
function foldAll(view: NodeView, fold: Fold): readonly number[] | undefined {
	const values = sampledInts(view, 0);
	const rank = inputSizes(view, 0)?.length ?? 0;
	if (values === undefined || values.length === 0 || (axesOf(view)?.length ?? -1) < rank) return undefined;
	return [values.reduce(fold)];
}

type Reduction = {
	readonly role: Role;
	readonly fold?: Fold;
	readonly data?: ExampleInput;
	readonly input?: number;
};

/** `input` is the version of the operator set that moved the axes from an attribute to an operand. */
function reduction(op: string, { role, fold, data = [3, 5, 4], input = 18 }: Reduction): Operator {
	const old: Example = { inputs: [data], attributes: { axes: list(1) }, opset: input - 1 };
	return built(op, {
		row: (view) => {
			const axes = axesOf(view);
			return axes === undefined ? unknownAxes : reducedRow(view, axes, keeps(view), role);
		},
		sizes: (view) => {
			const axes = axesOf(view);
			return axes === undefined ? [] : reducedSizes(view, axes, keeps(view));
		},
		...(fold && { values: (view: NodeView) => foldAll(view, fold) }),
		examples: [
			old,
			{ ...old, attributes: { axes: list(-2), keepdims: int(0) } },
			{ inputs: [data, { ints: [-2] }], attributes: { keepdims: int(0) } },
			{ inputs: [data] },
			{ inputs: [data], attributes: { noop_with_empty_axes: int(1) } },
			...(fold
				? [
						{
							inputs: [{ ints: op === 'ReduceMax' ? [-4, -2, -9] : [4, 2, 9] }],
							attributes: { keepdims: int(0) },
						},
					]
				: []),
		],
	});
}

const negative = { sizes: [3, 5, 4], negative: true };
const positive = { sizes: [3, 5, 4], positive: true };

const argAxis = (view: NodeView): number[] => [axisOf(view, 0)];

/** Every axis but `axis` goes through, to each of the outputs. */
function besides(view: NodeView, axis: number, outputs: number): Row {
	const builder = new RowBuilder();
	for (const [at, size] of (inputSizes(view, 0) ?? []).entries()) {
		if (at === axis) continue;
		const letter = builder.letter(`a${at}`, size);
		builder.input(0, at, letter);
		for (let slot = 0; slot < outputs; slot++) builder.output(slot, at, letter);
	}
	return builder.build();
}

const topAxis = (view: NodeView): number => axisOf(view, -1);

/** A count that depends on data is sampled: about half of the axis. */
function topSizes(view: NodeView): (number[] | undefined)[] {
	const sizes = inputSizes(view, 0);
	const half = Math.ceil((sizes?.[topAxis(view)] ?? 0) / 2) - (view.turn ?? 0);
	const count = intAttribute(view, 'k') ?? sampledInts(view, 1)?.[0] ?? Math.max(1, half);
	if (sizes === undefined) return [];
	const result = sizes.map((size, at) => (at === topAxis(view) ? count : size));
	return [result, result];
}

const countOf = (view: NodeView): number => view.outputs[0]?.sizes?.[topAxis(view)] ?? 1;

/** As many must stay as are asked for. */
function enoughToChoose(view: NodeView, removal: Removal): Resized {
	const left = removal.kept('in', 0, topAxis(view))?.length;
	const asked = countOf(view);
	return left !== undefined && left < asked
		? { refused: `it asks for ${asked}, and fewer would be left to choose from` }
		: {};
}

/** Sums from one end of known numbers, for one axis alone. */
function runningSums(view: NodeView): readonly number[] | undefined {
	const values = sampledInts(view, 0);
	if (values === undefined || inputSizes(view, 0)?.length !== 1) return undefined;
	const reverse = intAttribute(view, 'reverse', 0) === 1;
	const exclusive = intAttribute(view, 'exclusive', 0) === 1;
	let sum = 0;
	const sums = (reverse ? values.toReversed() : values).map((value) => {
		sum += value;
		return exclusive ? sum - value : sum;
	});
	return reverse ? sums.reverse() : sums;
}

/** A sum or product up to every position of one axis. */
function running(op: string, role: Role, examples: readonly Example[]): Operator {
	return built(op, {
		row: (view) => {
			const axis = fixedInts(view, 1)?.[0];
			if (axis === undefined) return unknownAxes;
			const summed = frontAxis(axis, inputSizes(view, 0)?.length ?? 1);
			const builder = new RowBuilder();
			for (const [at, size] of (inputSizes(view, 0) ?? []).entries()) {
				const letter = builder.letter(`a${at}`, size, at === summed ? role : 'carried');
				builder.input(0, at, letter).output(0, at, letter);
			}
			return builder.build();
		},
		sizes: (view) => [inputSizes(view, 0)],
		...(op === 'CumSum' && { values: runningSums }),
		examples,
	});
}

const searching: readonly Operator[] = [
	built(['ArgMax', 'ArgMin'], {
		row: (view) => reducedRow(view, argAxis(view), keeps(view), 'pinned'),
		sizes: (view) => reducedSizes(view, argAxis(view), keeps(view)),
		type: () => INT64,
		examples: [
			{ inputs: [[3, 6, 5]], attributes: { axis: int(1) } },
			{ inputs: [[3, 6, 5]], attributes: { axis: int(-1), keepdims: int(0) } },
		],
	}),
	built('TopK', {
		row: (view) => besides(view, topAxis(view), view.node.outputs.length),
		sizes: topSizes,
		resize: enoughToChoose,
		chooses: (view) => ({ slot: 0, axis: topAxis(view), count: countOf(view), clips: false }),
		type: (view, slot) => (slot === 0 ? (view.inputs[0]?.type ?? 0) : INT64),
		examples: [
			{ inputs: [[3, 5, 6], { ints: [2] }], outputs: 2 },
			{ inputs: [[3, 5, 6]], outputs: 2, attributes: { axis: int(1), k: int(2) }, opset: 9 },
			{ inputs: [[3, 6, 5], { ints: [2] }], outputs: 2, attributes: { axis: int(1) }, opset: 10 },
		],
	}),
	running('CumSum', 'recurrent', [
		{ inputs: [[3, 4, 5], { ints: [1], scalar: true }] },
		{ inputs: [[3, 4, 5], { ints: [-1] }], attributes: { exclusive: int(1), reverse: int(1) } },
		{ inputs: [{ ints: [3, -4, 5] }, { ints: [0] }] },
		{ inputs: [{ ints: [3, -4, 5] }, { ints: [0] }], attributes: { exclusive: int(1), reverse: int(1) } },
	]),
	running('CumProd', 'pinned', [
		{ inputs: [[3, 4, 5], { ints: [1], scalar: true }], opset: 26, noKernel: 'not in onnxruntime 1.30' },
	]),
];

export const reduceRows: readonly Operator[] = [
	reduction('ReduceSum', { role: 'contracted', fold: (a, b) => a + b, input: 13 }),
	reduction('ReduceMean', { role: 'statistic' }),
	reduction('ReduceMax', { role: 'statistic', fold: (a, b) => Math.max(a, b), data: negative }),
	reduction('ReduceMin', { role: 'statistic', fold: (a, b) => Math.min(a, b), data: positive }),
	reduction('ReduceProd', { role: 'pinned', fold: (a, b) => a * b, data: positive }),
	reduction('ReduceL1', { role: 'contracted' }),
	reduction('ReduceL2', { role: 'contracted' }),
	reduction('ReduceSumSquare', { role: 'contracted' }),
	reduction('ReduceLogSum', { role: 'contracted', data: positive }),
	reduction('ReduceLogSumExp', { role: 'pinned' }),
	...searching,
];
