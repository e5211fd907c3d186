/** Operators that move, join and part positions. https://onnx.ai/onnx/operators/onnx__Concat.html */
import { type Attribute } from '../graph/graph.ts';
import { built, type Example, type Operator, type Removal, type Resized, int } from './operator.ts';
import { indexBy, RowBuilder, type Part, type Row, type Unrelated, blind } from './row.ts';
import { reader, tabulate } from './values.ts';
import {
	fixedInts,
	frontAxis,
	inputSizes,
	intAttribute,
	intsAttribute,
	outputSizes,
	sampledInts,
	type NodeView,
	type Sizes,
} from './view.ts';

const list = (...value: number[]): Attribute => ({ kind: 'ints', value });
const rankOf = (view: NodeView): number => inputSizes(view, 0)?.length ?? 0;

function permutation(view: NodeView): readonly number[] {
	return (
		intsAttribute(view, 'perm') ?? Array.from({ length: rankOf(view) }, (_, at) => rankOf(view) - 1 - at)
	);
}

function transposeRow(view: NodeView): Row {
	const builder = new RowBuilder();
	permutation(view).forEach((axis, at) =>
		builder.through(`a${axis}`, inputSizes(view, 0)?.[axis] ?? 1, [0, axis], [0, at]),
	);
	return builder.build();
}

function transposedSizes(view: NodeView): number[] | undefined {
	const sizes = inputSizes(view, 0);
	return sizes && permutation(view).map((axis) => sizes[axis] ?? 1);
}

function transposedValues(view: NodeView): number[] | undefined {
	const [sizes, read, order] = [transposedSizes(view), reader(view, 0), permutation(view)];
	if (sizes === undefined || read === undefined) return undefined;
	return tabulate(sizes, (at) => read(order.map((_, axis) => at[order.indexOf(axis)] ?? 0)));
}

/** Stretches of one axis: each of the parts owns the positions from its offset on. */
function joined(
	whole: Sizes,
	axis: number,
	parts: readonly (Sizes | undefined)[],
	wholeSide: 'in' | 'out',
): Row {
	const builder = new RowBuilder();
	const link = (side: 'in' | 'out', slot: number, at: number, part: number | Part): void => {
		if (side === 'in') builder.input(slot, at, part);
		else builder.output(slot, at, part);
	};
	for (const [at, size] of whole.entries()) {
		const letter = builder.letter(at === axis ? 'joined' : `a${at}`, size);
		link(wholeSide, 0, at, letter);
		let offset = 0;
		for (const [slot, sizes] of parts.entries()) {
			if (sizes === undefined) continue;
			const [start, extent] = [offset, sizes[at] ?? 0];
			const index = at === axis ? indexBy(extent, (place) => start + place) : null;
			offset += extent;
			link(wholeSide === 'in' ? 'out' : 'in', slot, at, { letter, index });
		}
	}
	return builder.build();
}

const joinAxis = (view: NodeView): number =>
	frontAxis(intAttribute(view, 'axis', view.opset < 4 ? 1 : 0), rankOf(view));

function concatRow(view: NodeView): Row | Unrelated {
	const whole = outputSizes(view, 0);
	if (whole === undefined) return blind;
	const parts = view.inputs.map((input) => input?.sizes);
	return joined(whole, joinAxis(view), parts, 'out');
}

function concatSizes(view: NodeView): number[] | undefined {
	const all = view.inputs.map((input) => input?.sizes);
	const axis = joinAxis(view);
	return all[0]?.map((size, at) =>
		at === axis ? all.reduce((sum, sizes) => sum + (sizes?.[at] ?? 0), 0) : size,
	);
}

function concatValues(view: NodeView): readonly number[] | undefined {
	const [sizes, axis] = [concatSizes(view), joinAxis(view)];
	const parts = view.inputs.map((_, slot) => reader(view, slot));
	if (sizes === undefined || !parts.every((part) => part !== undefined)) return undefined;
	return tabulate(sizes, (at) => {
		let [place, slot] = [at[axis] ?? 0, 0];
		for (let extent = 0; place >= (extent = inputSizes(view, slot)?.[axis] ?? 0); slot++) place -= extent;
		return parts[slot]?.(at.with(axis, place)) ?? NaN;
	});
}

const partAxis = (view: NodeView): number => frontAxis(intAttribute(view, 'axis', 0), rankOf(view));

/** Extents of the parts: given, or even with a shorter last one. */
function partSizes(view: NodeView): (number[] | undefined)[] {
	const sizes = inputSizes(view, 0);
	const axis = partAxis(view);
	const given = intsAttribute(view, 'split') ?? sampledInts(view, 1);
	if (sizes === undefined || (view.inputs[1] !== undefined && given === undefined)) return [];
	const even = Math.ceil((sizes[axis] ?? 0) / view.node.outputs.length);
	return view.node.outputs.map((_, slot) =>
		sizes.map((size, at) => (at === axis ? (given?.[slot] ?? Math.min(even, size - even * slot)) : size)),
	);
}

function splitRow(view: NodeView): Row | Unrelated {
	const whole = inputSizes(view, 0);
	if (whole === undefined) return blind;
	if (view.inputs[1] !== undefined && fixedInts(view, 1) === undefined)
		return { unrelated: 'sizes of its parts change with the input' };
	return joined(whole, partAxis(view), partSizes(view), 'in');
}

function splitValues(view: NodeView, slot: number): number[] | undefined {
	const [all, read, axis] = [partSizes(view), reader(view, 0), partAxis(view)];
	const sizes = all[slot];
	if (sizes === undefined || read === undefined) return undefined;
	const start = all.slice(0, slot).reduce((sum, part) => sum + (part?.[axis] ?? 0), 0);
	return tabulate(sizes, (at) => read(at.with(axis, (at[axis] ?? 0) + start)));
}

function resizeSplit(view: NodeView, removal: Removal): Resized {
	const axis = partAxis(view);
	if (removal.kept('in', 0, axis) === undefined) return {};
	const parts = partSizes(view).map(
		(sizes, slot) => removal.kept('out', slot, axis)?.length ?? sizes?.[axis] ?? 0,
	);
	if (view.opset < 13) return { attributes: { split: list(...parts) } };
	return { attributes: { num_outputs: undefined }, inputs: new Map([[1, { pieces: parts }]]) };
}

const second = { axis: int(1) };
const splitExamples: readonly Example[] = [
	{ inputs: [[3, 9], { ints: [4, 5] }], outputs: 2, attributes: second },
	{ inputs: [[12, 3]], outputs: 3, opset: 13 },
	{ inputs: [[3, 11]], outputs: 3, attributes: { axis: int(-1), num_outputs: int(3) } },
	{ inputs: [[3, 9]], outputs: 2, attributes: { axis: int(1), split: list(2, 7) }, opset: 11 },
	{ inputs: [{ ints: [4, 5, 6] }, { ints: [1, 2] }], outputs: 2 },
];

export const layoutRows: readonly Operator[] = [
	built('Transpose', {
		row: transposeRow,
		sizes: (view) => [transposedSizes(view)],
		values: transposedValues,
		examples: [
			{ inputs: [[3, 4, 5]], attributes: { perm: list(1, 2, 0) } },
			{ inputs: [[3, 4, 5]] },
			{ inputs: [{ ints: [4, 5] }] },
		],
	}),
	built('Concat', {
		row: concatRow,
		sizes: (view) => [concatSizes(view)],
		values: concatValues,
		examples: [
			{
				inputs: [
					[3, 4],
					[3, 5],
				],
				attributes: second,
			},
			{
				inputs: [
					[3, 4, 5],
					[3, 6, 5],
					[3, 1, 5],
				],
				attributes: { axis: int(-2) },
			},
			{ inputs: [{ ints: [4, 5] }, { ints: [7] }], attributes: { axis: int(0) } },
		],
	}),
	built('Split', {
		row: splitRow,
		sizes: partSizes,
		values: splitValues,
		resize: resizeSplit,
		examples: splitExamples,
	}),
];
