/** Operators that move, join, cut and repeat positions. */
import { built, type Operator, type Removal, type Resized } from './operator.ts';
import { RowBuilder, type Row, type Unrelated } from './row.ts';
import {
	fixedInts,
	frontAxis,
	inputSizes,
	intAttribute,
	intsAttribute,
	outputSizes,
	type NodeView,
	type Sizes,
} from './view.ts';

const rankOf = (view: NodeView): number => inputSizes(view, 0)?.length ?? 0;
const axisOf = (view: NodeView, otherwise = 0): number =>
	frontAxis(intAttribute(view, 'axis', otherwise), rankOf(view));

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

/** Stretches of one axis: each operand owns the positions from its offset on. */
function joined(
	whole: Sizes,
	axis: number,
	parts: readonly (Sizes | undefined)[],
	wholeSide: 'in' | 'out',
): Row {
	const builder = new RowBuilder();
	for (const [at, size] of whole.entries()) {
		const letter = builder.letter(at === axis ? 'joined' : `a${at}`, size);
		let offset = 0;
		if (wholeSide === 'in') builder.input(0, at, letter);
		else builder.output(0, at, letter);
		for (const [slot, sizes] of parts.entries()) {
			if (sizes === undefined) continue;
			const start = offset;
			const index =
				at === axis ? Int32Array.from({ length: sizes[at] ?? 0 }, (_, position) => start + position) : null;
			offset += sizes[at] ?? 0;
			if (wholeSide === 'in') builder.output(slot, at, { letter, index });
			else builder.input(slot, at, { letter, index });
		}
	}
	return builder.build();
}

function concatRow(view: NodeView): Row | Unrelated {
	const whole = outputSizes(view, 0);
	if (whole === undefined) return { unrelated: 'sizes cannot be told' };
	return joined(
		whole,
		frontAxis(intAttribute(view, 'axis', 0), whole.length),
		view.inputs.map((input) => input?.sizes),
		'out',
	);
}

function concatSizes(view: NodeView): (number[] | undefined)[] {
	const all = view.inputs.map((input) => input?.sizes);
	const [first] = all;
	if (first === undefined) return [];
	const axis = axisOf(view);
	return [
		first.map((size, at) => (at === axis ? all.reduce((sum, sizes) => sum + (sizes?.[at] ?? 0), 0) : size)),
	];
}

function concatValues(view: NodeView): readonly number[] | undefined {
	const parts = view.inputs.map((input) => input?.known?.values);
	return rankOf(view) === 1 && parts.every((part) => part !== undefined) ? parts.flat() : undefined;
}

function splitSizes(view: NodeView): (number[] | undefined)[] {
	const sizes = inputSizes(view, 0);
	if (sizes === undefined) return [];
	const axis = axisOf(view);
	const count = view.node.outputs.length;
	const even = Math.ceil((sizes[axis] ?? 0) / count);
	const parts = intsAttribute(view, 'split') ?? fixedInts(view, 1);
	return view.node.outputs.map((_, slot) =>
		sizes.map((size, at) => (at === axis ? (parts?.[slot] ?? Math.min(even, size - even * slot)) : size)),
	);
}

function splitRow(view: NodeView): Row | Unrelated {
	const whole = inputSizes(view, 0);
	if (whole === undefined) return { unrelated: 'sizes cannot be told' };
	return joined(whole, axisOf(view), splitSizes(view), 'in');
}

function resizeSplit(view: NodeView, removal: Removal): Resized {
	const axis = axisOf(view);
	if (removal.kept('in', 0, axis) === undefined) return {};
	const parts = splitSizes(view).map(
		(sizes, slot) => removal.kept('out', slot, axis)?.length ?? sizes?.[axis] ?? 0,
	);
	if (view.opset < 13) return { attributes: { split: { kind: 'ints', value: parts } } };
	return { attributes: { num_outputs: undefined }, inputs: new Map([[1, { pieces: parts }]]) };
}

export const layoutRows: readonly Operator[] = [
	built('Transpose', {
		row: transposeRow,
		sizes: (view) => [permutation(view).map((axis) => inputSizes(view, 0)?.[axis] ?? 1)],
		examples: [{ inputs: [[3, 4, 5]], attributes: { perm: { kind: 'ints', value: [1, 2, 0] } } }],
	}),
	built('Concat', {
		row: concatRow,
		sizes: concatSizes,
		values: concatValues,
		examples: [
			{
				inputs: [
					[3, 4],
					[3, 5],
				],
				attributes: { axis: { kind: 'int', value: 1 } },
			},
		],
	}),
	built('Split', {
		row: splitRow,
		sizes: splitSizes,
		resize: resizeSplit,
		examples: [
			{ inputs: [[3, 9], { ints: [4, 5] }], outputs: 2, attributes: { axis: { kind: 'int', value: 1 } } },
		],
	}),
];
