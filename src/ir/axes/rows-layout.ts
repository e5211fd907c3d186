/** Operators that move, join, cut and repeat positions. */
import { broadcastSizes } from './broadcast.ts';
import { built, type Operator, type Removal, type Resized, type SizePiece } from './operator.ts';
import { notedRow } from './notation.ts';
import { RowBuilder, type Row, type Unrelated } from './row.ts';
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

function expandSizes(view: NodeView): (number[] | undefined)[] {
	const [sizes, target] = [inputSizes(view, 0), sampledInts(view, 1)];
	return sizes === undefined || target === undefined ? [] : [broadcastSizes([sizes, target])];
}

function resizeExpand(view: NodeView, removal: Removal): Resized {
	const [from, to] = [view.inputs[0], view.outputs[0]];
	const target = sampledInts(view, 1);
	if (from?.sizes === undefined || to?.sizes === undefined || target === undefined)
		return { refused: 'its sizes cannot be told' };
	const [before, after] = [from.sizes, to.sizes];
	const offset = after.length - target.length;
	const pieces = target.map((size, at): SizePiece => {
		const axis = at + offset;
		const own = before[axis - after.length + before.length];
		if (!to.dynamic[axis]) return removal.kept('out', 0, axis)?.length ?? size;
		return own !== undefined && own !== 1 ? 1 : { piece: at };
	});
	return { inputs: new Map([[1, { pieces }]]) };
}

function tileRow(view: NodeView): Row | Unrelated {
	const [from, to] = [inputSizes(view, 0), outputSizes(view, 0)];
	if (from === undefined || to === undefined) return { unrelated: 'sizes cannot be told' };
	const builder = new RowBuilder();
	for (const [axis, size] of from.entries()) {
		const letter = builder.letter(`a${axis}`, size);
		const index = Int32Array.from({ length: to[axis] ?? size }, (_, position) => position % size);
		builder.input(0, axis, letter);
		if (size > 1) builder.output(0, axis, { letter, index: size === to[axis] ? null : index });
	}
	return builder.build();
}

function padRow(view: NodeView): Row | Unrelated {
	const sizes = inputSizes(view, 0);
	const pads = intsAttribute(view, 'pads') ?? fixedInts(view, 1);
	if (sizes === undefined || pads === undefined) return { unrelated: 'its pads cannot be told' };
	const builder = new RowBuilder();
	for (const [axis, size] of sizes.entries()) {
		if (pads[axis] === 0 && pads[axis + sizes.length] === 0)
			builder.through(`a${axis}`, size, [0, axis], [0, axis]);
	}
	return builder.build();
}

function padSizes(view: NodeView): (number[] | undefined)[] {
	const sizes = inputSizes(view, 0);
	const pads = intsAttribute(view, 'pads') ?? sampledInts(view, 1);
	return sizes === undefined || pads === undefined
		? []
		: [sizes.map((size, axis) => size + (pads[axis] ?? 0) + (pads[axis + sizes.length] ?? 0))];
}

function scaledSizes(view: NodeView): (Sizes | undefined)[] {
	const sizes = inputSizes(view, 0);
	const last = view.node.inputs.length - 1;
	const scales =
		intsAttribute(view, 'scales') ?? sampledInts(view, view.node.op === 'Upsample' || last === 1 ? 1 : 2);
	const target = sampledInts(view, 3);
	if (sizes === undefined) return [];
	if (target?.length === sizes.length) return [target];
	return scales?.length === sizes.length
		? [sizes.map((size, axis) => Math.floor(size * (scales[axis] ?? 1)))]
		: [];
}

/** Axes that are not resized go through; the others mix their neighbours. */
function scaledRow(view: NodeView): Row | Unrelated {
	const [from, to] = [inputSizes(view, 0), outputSizes(view, 0)];
	if (from === undefined || to === undefined) return { unrelated: 'sizes cannot be told' };
	const builder = new RowBuilder();
	from.forEach((size, axis) => {
		if (axis < 2 && size === to[axis]) builder.through(`a${axis}`, size, [0, axis], [0, axis]);
	});
	return builder.build();
}

function resizeScaled(view: NodeView, removal: Removal): Resized {
	if (view.inputs[3] === undefined || sampledInts(view, 3)?.length === 0) return {};
	const sizes = outputSizes(view, 0) ?? [];
	return {
		inputs: new Map([
			[
				3,
				{
					pieces: sizes.map((size, axis) =>
						view.outputs[0]?.dynamic[axis] ? { piece: axis } : (removal.kept('out', 0, axis)?.length ?? size),
					),
				},
			],
		]),
	};
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
	built('Expand', {
		row: (view) => notedRow('..., _ -> ...', view),
		sizes: expandSizes,
		resize: resizeExpand,
		examples: [{ inputs: [[3, 1, 5], { ints: [3, 4, 5] }] }],
	}),
	built('Tile', {
		row: tileRow,
		sizes: (view) => {
			const [sizes, repeats] = [inputSizes(view, 0), sampledInts(view, 1)];
			return sizes === undefined || repeats === undefined
				? []
				: [sizes.map((size, axis) => size * (repeats[axis] ?? 1))];
		},
		examples: [{ inputs: [[3, 4], { ints: [1, 3] }] }],
	}),
	built('Pad', {
		row: padRow,
		sizes: padSizes,
		examples: [{ inputs: [[3, 4, 5], { ints: [0, 0, 1, 0, 0, 1] }] }],
	}),
	built(['Resize', 'Upsample'], { row: scaledRow, sizes: scaledSizes, resize: resizeScaled, examples: [] }),
	built('Trilu', {
		row: (view) => {
			const rank = rankOf(view);
			const names = (inputSizes(view, 0) ?? [])
				.map((_, axis) => (axis < rank - 2 ? `a${axis}` : `!c${axis}`))
				.join(' ');
			return notedRow(`${names}, [_] -> ${names}`, view);
		},
		sizes: (view) => [inputSizes(view, 0)],
		examples: [{ inputs: [[3, 4, 4]] }],
	}),
];
