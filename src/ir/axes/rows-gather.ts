/** Gathering along one axis. https://onnx.ai/onnx/operators/onnx__Gather.html */
import { elementCount } from '../graph/graph.ts';
import { INT64 } from '../graph/dtype.ts';
import { built, type Operator, type Removal, type Resized, int } from './operator.ts';
import { indexBy, RowBuilder, type Part, type Row, type Unrelated, blind } from './row.ts';
import { reader, tabulate } from './values.ts';
import { fixedInts, inputSizes, type NodeView, type Sizes, axisOf } from './view.ts';

function gatherRow(view: NodeView): Row | Unrelated {
	const [data, indices] = [inputSizes(view, 0), inputSizes(view, 1)];
	if (data === undefined || indices === undefined) return blind;
	const axis = axisOf(view, 0);
	const builder = new RowBuilder();
	data.forEach((size, at) => {
		if (at !== axis) builder.through(`a${at}`, size, [0, at], [0, at < axis ? at : at + indices.length - 1]);
	});
	const size = data[axis] ?? 0;
	const picked = fixedInts(view, 1)?.map((index) => (index < 0 ? index + size : index));
	const long = longAxis(indices);
	if (picked !== undefined && long !== undefined) {
		const letter = builder.letter('picked', size);
		builder.input(0, axis, letter);
		if (indices.length > 0) pickedAxis(builder, [axis, long], letter, picked);
		else builder.selected.push({ letter, coordinates: picked });
		return builder.build();
	}
	const strides = picked && stridesOf(picked, indices, size);
	if (strides !== undefined) return stridedAxes(builder, axis, indices, strides).build();
	builder.input(0, axis, builder.letter('rows', size, 'indexed'));
	indices.forEach((extent, at) => builder.through(`i${at}`, extent, [1, at], [0, axis + at]));
	return builder.build();
}

/**
 * Positions go with what they are picked from; where every position is picked several times, as keys and values are for the queries
 * that share them, also one by one, with their place among the indices.
 */
function pickedAxis(
	builder: RowBuilder,
	[axis, long]: readonly [axis: number, long: number],
	letter: number,
	picked: readonly number[],
): void {
	const from: Part = { letter, index: Int32Array.from(picked) };
	if (!isRepeat(picked)) {
		builder.output(0, axis + long, from);
		return;
	}
	const place = builder.letter('place', picked.length);
	builder.input(1, long, place).output(0, axis + long, from, { letter: place, index: null });
}

/** The axis of indices on which they lie when all their others are of size 1. */
function longAxis(indices: Sizes): number | undefined {
	const long = indices.flatMap((size, at) => (size > 1 ? [at] : []));
	return long.length > 1 ? undefined : (long[0] ?? 0);
}

/**
 * How far one step along each axis of indices goes in what they pick from, where they only lay all of it out anew (`as_strided` of
 * torch): every position is picked once, and the strides are those of some order of the axes.
 */
function stridesOf(picked: readonly number[], indices: Sizes, size: number): readonly number[] | undefined {
	if (picked.length !== size || picked[0] !== 0) return undefined;
	const steps = indices.map((_, axis) => elementCount(indices.slice(axis + 1)));
	const strides = steps.map((step, axis) => (indices[axis] === 1 ? 0 : (picked[step] ?? 0)));
	const place = (at: number): number =>
		strides.reduce((sum, stride, axis) => sum + stride * digit(at, steps[axis] ?? 1, indices[axis] ?? 1), 0);
	const isLaidOut = picked.every((from, at) => from === place(at)) && new Set(picked).size === size;
	return isLaidOut ? strides : undefined;
}

const digit = (at: number, step: number, extent: number): number => Math.floor(at / step) % extent;

function stridedAxes(
	builder: RowBuilder,
	axis: number,
	indices: Sizes,
	strides: readonly number[],
): RowBuilder {
	const size = elementCount(indices);
	const parts = indices.flatMap((extent, at): Part[] => {
		if (extent === 1) return [];
		const letter = builder.letter(`s${at}`, extent);
		builder.output(0, axis + at, letter);
		const step = strides[at] ?? 1;
		return [{ letter, index: indexBy(size, (from) => digit(from, step, extent)) }];
	});
	return builder.input(0, axis, ...parts);
}

/** Whether positions stand for several: each picked equally often, or, where some of those have gone, copies still side by side. */
function isRepeat(picked: readonly number[]): boolean {
	const times = new Map<number, number>();
	for (const at of picked) times.set(at, (times.get(at) ?? 0) + 1);
	const [first = 1] = times.values();
	if (times.size < 2 || times.size === picked.length) return false;
	const even = [...times.values()].every((count) => count === first);
	return even || picked.every((at, place) => place === 0 || at >= (picked[place - 1] ?? 0));
}

function gatherSizes(view: NodeView): (number[] | undefined)[] {
	const [data, indices] = [inputSizes(view, 0), inputSizes(view, 1)];
	if (data === undefined || indices === undefined) return [];
	const axis = axisOf(view, 0);
	return [[...data.slice(0, axis), ...indices, ...data.slice(axis + 1)]];
}

function gatherValues(view: NodeView): readonly number[] | undefined {
	const [data, indices, sizes] = [reader(view, 0), reader(view, 1), gatherSizes(view)[0]];
	if (data === undefined || indices === undefined || sizes === undefined) return undefined;
	const [axis, count] = [axisOf(view, 0), inputSizes(view, 1)?.length ?? 0];
	const extent = inputSizes(view, 0)?.[axis] ?? 0;
	return tabulate(sizes, (at) => {
		const index = indices(at.slice(axis, axis + count));
		return data([...at.slice(0, axis), index < 0 ? index + extent : index, ...at.slice(axis + count)]);
	});
}

/** Constant indices point at the kept positions' new places. */
function resizeGather(view: NodeView, removal: Removal): Resized {
	const axis = axisOf(view, 0);
	const [kept, gone, picked] = [removal.kept('in', 0, axis), removal.dead('place'), fixedInts(view, 1)];
	const isIndexed = removal.row.letters.some(({ role }) => role === 'indexed');
	if ((kept === undefined && gone === undefined) || picked === undefined || isIndexed) return {};
	const size = inputSizes(view, 0)?.[axis] ?? 0;
	const left = kept ?? Array.from({ length: size }, (_, position) => position);
	const places = new Map(Array.from(left, (position, place) => [position, place]));
	const pieces = picked.flatMap((index, at) =>
		gone?.[at] === 1 ? [] : (places.get(index < 0 ? index + size : index) ?? []),
	);
	const dims = (inputSizes(view, 1) ?? []).map(
		(extent, at) => removal.kept('out', 0, axis + at)?.length ?? extent,
	);
	return { inputs: new Map([[1, { pieces, dims }]]) };
}

export const gatherRows: readonly Operator[] = [
	built('Gather', {
		row: gatherRow,
		sizes: gatherSizes,
		values: gatherValues,
		resize: resizeGather,
		indices: { rows: 1 },
		examples: [
			{ inputs: [[8, 5], { ints: [7, 0, 2, -3, 3, 2] }] },
			{ inputs: [[5, 8], { ints: [-2], scalar: true }], attributes: { axis: int(-1) } },
			{ inputs: [[4, 5], { ints: [0, 0, 1, 1, 2, 2, 3, 3] }] },
			{ inputs: [[7, 5], { sizes: [3, 5], type: INT64, below: 7 }] },
			{ inputs: [[3, 7, 5], { sizes: [6], type: INT64, below: 7 }], attributes: { axis: int(1) } },
			{ inputs: [[6, 5], { ints: [5, 0, 2], dims: [1, 3, 1] }] },
			{
				inputs: [[2, 12], { ints: [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11], dims: [3, 1, 4] }],
				attributes: { axis: int(1) },
			},
			{ inputs: [{ ints: [4, 5, 6] }, { ints: [-1], scalar: true }] },
			{ inputs: [{ ints: [4, 5, 6] }, { ints: [2, 0] }] },
		],
	}),
];
