/** Gathering and scattering by index. https://onnx.ai/onnx/operators/onnx__Gather.html */
import { type Attribute } from '../graph/graph.ts';
import { INT64 } from '../graph/dtype.ts';
import { built, type Operator, type Removal, type Resized } from './operator.ts';
import { RowBuilder, type Part, type Row, type Unrelated } from './row.ts';
import { reader, tabulate } from './values.ts';
import { fixedInts, frontAxis, inputSizes, intAttribute, sampledInts, type NodeView } from './view.ts';

const int = (value: number): Attribute => ({ kind: 'int', value });
const blind: Unrelated = { unrelated: 'sizes cannot be told' };
const axisOf = (view: NodeView): number =>
	frontAxis(intAttribute(view, 'axis', 0), inputSizes(view, 0)?.length ?? 1);

function gatherRow(view: NodeView): Row | Unrelated {
	const [data, indices] = [inputSizes(view, 0), inputSizes(view, 1)];
	if (data === undefined || indices === undefined) return blind;
	const axis = axisOf(view);
	const builder = new RowBuilder();
	data.forEach((size, at) => {
		if (at !== axis) builder.through(`a${at}`, size, [0, at], [0, at < axis ? at : at + indices.length - 1]);
	});
	const size = data[axis] ?? 0;
	const picked = fixedInts(view, 1)?.map((index) => (index < 0 ? index + size : index));
	if (picked !== undefined && indices.length <= 1) {
		const letter = builder.letter('picked', size);
		builder.input(0, axis, letter);
		if (indices.length === 1) pickedAxis(builder, axis, letter, picked);
		else builder.selected.push({ letter, coordinates: picked });
		return builder.build();
	}
	builder.input(0, axis, builder.letter('rows', size, 'indexed'));
	indices.forEach((extent, at) => builder.through(`i${at}`, extent, [1, at], [0, axis + at]));
	return builder.build();
}

/**
 * Positions go with what they are picked from; where every position is picked several times, as keys and values are for the queries
 * that share them, also one by one, with their place among the indices.
 */
function pickedAxis(builder: RowBuilder, axis: number, letter: number, picked: readonly number[]): void {
	const from: Part = { letter, index: Int32Array.from(picked) };
	if (!isRepeat(picked)) {
		builder.output(0, axis, from);
		return;
	}
	const place = builder.letter('place', picked.length);
	builder.input(1, 0, place).output(0, axis, from, { letter: place, index: null });
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
	const axis = axisOf(view);
	return [[...data.slice(0, axis), ...indices, ...data.slice(axis + 1)]];
}

function gatherValues(view: NodeView): readonly number[] | undefined {
	const [data, indices, sizes] = [reader(view, 0), reader(view, 1), gatherSizes(view)[0]];
	if (data === undefined || indices === undefined || sizes === undefined) return undefined;
	const [axis, count] = [axisOf(view), inputSizes(view, 1)?.length ?? 0];
	const extent = inputSizes(view, 0)?.[axis] ?? 0;
	return tabulate(sizes, (at) => {
		const index = indices(at.slice(axis, axis + count));
		return data([...at.slice(0, axis), index < 0 ? index + extent : index, ...at.slice(axis + count)]);
	});
}

/** Constant indices point at the kept positions' new places. */
function resizeGather(view: NodeView, removal: Removal): Resized {
	const axis = axisOf(view);
	const [kept, gone, picked] = [removal.kept('in', 0, axis), removal.dead('place'), fixedInts(view, 1)];
	const isMoved = kept !== undefined || gone !== undefined;
	if (!isMoved || picked === undefined || (inputSizes(view, 1)?.length ?? 0) > 1) return {};
	const size = inputSizes(view, 0)?.[axis] ?? 0;
	const left = kept ?? Array.from({ length: size }, (_, position) => position);
	const places = new Map(Array.from(left, (position, place) => [position, place]));
	const pieces = picked.flatMap((index, at) =>
		gone?.[at] === 1 ? [] : (places.get(index < 0 ? index + size : index) ?? []),
	);
	return { inputs: new Map([[1, { pieces, scalar: inputSizes(view, 1)?.length === 0 }]]) };
}

/** Axes beside the indexed one go through where the indices are as long as the data. */
function elementsRow(view: NodeView): Row | Unrelated {
	const [data, indices] = [inputSizes(view, 0), inputSizes(view, 1)];
	if (data === undefined || indices === undefined) return blind;
	const builder = new RowBuilder();
	for (const [axis, size] of data.entries()) {
		const extent = indices[axis] ?? 0;
		if (axis === axisOf(view)) {
			builder.input(0, axis, builder.letter('rows', size, 'indexed'));
			builder.through(`i${axis}`, extent, [1, axis], [0, axis]);
		} else if (extent === size) {
			const letter = builder.through(`a${axis}`, size, [0, axis], [0, axis]);
			builder.input(1, axis, letter);
		}
	}
	return builder.build();
}

/** `indices` ends in tuples that address the axes after the shared batch ones; the axes behind those go through. */
function tuples(
	view: NodeView,
): { batch: number; depth: number; data: readonly number[]; indices: readonly number[] } | undefined {
	const [data, indices] = [inputSizes(view, 0), inputSizes(view, 1)];
	if (data === undefined || indices === undefined) return undefined;
	return { batch: intAttribute(view, 'batch_dims', 0), depth: indices.at(-1) ?? 1, data, indices };
}

function gatherTuplesRow(view: NodeView): Row | Unrelated {
	const shape = tuples(view);
	if (shape === undefined) return blind;
	const { batch, depth, data, indices } = shape;
	const builder = new RowBuilder();
	indices.slice(0, -1).forEach((size, at) => {
		const letter = builder.through(`i${at}`, size, [1, at], [0, at]);
		if (at < batch) builder.input(0, at, letter);
	});
	for (const [axis, size] of data.entries()) {
		if (axis >= batch && axis < batch + depth)
			builder.input(0, axis, builder.letter(`d${axis}`, size, 'indexed'));
		if (axis < batch + depth) continue;
		builder.through(`a${axis}`, size, [0, axis], [0, axis - batch - depth + indices.length - 1]);
	}
	return builder.build();
}

function gatherTuplesSizes(view: NodeView): (number[] | undefined)[] {
	const shape = tuples(view);
	return [shape && [...shape.indices.slice(0, -1), ...shape.data.slice(shape.batch + shape.depth)]];
}

/** What tuples address may not go; the axes behind go through data, updates and result. */
function scatterTuplesRow(view: NodeView): Row | Unrelated {
	const shape = tuples(view);
	if (shape === undefined) return blind;
	const { depth, data, indices } = shape;
	const builder = new RowBuilder();
	for (const [axis, size] of data.entries()) {
		const letter = builder.letter(`a${axis}`, size, axis < depth ? 'pinned' : 'carried');
		builder.input(0, axis, letter).output(0, axis, letter);
		if (axis >= depth) builder.input(2, axis - depth + indices.length - 1, letter);
	}
	return builder.build();
}

/** Axes beside the scattered one go through where data, indices and updates are equally long. */
function scatterElementsRow(view: NodeView): Row | Unrelated {
	const [data, indices] = [inputSizes(view, 0), inputSizes(view, 1)];
	if (data === undefined || indices === undefined) return blind;
	const builder = new RowBuilder();
	for (const [axis, size] of data.entries()) {
		if (axis === axisOf(view) || indices[axis] !== size) continue;
		const letter = builder.through(`a${axis}`, size, [0, axis], [0, axis]);
		builder.input(1, axis, letter).input(2, axis, letter);
	}
	return builder.build();
}

function oneHotRow(view: NodeView): Row | Unrelated {
	const [indices, rank] = [inputSizes(view, 0), (inputSizes(view, 0)?.length ?? 0) + 1];
	if (indices === undefined) return blind;
	const hot = frontAxis(intAttribute(view, 'axis', -1), rank);
	const builder = new RowBuilder();
	indices.forEach((size, axis) =>
		builder.through(`a${axis}`, size, [0, axis], [0, axis < hot ? axis : axis + 1]),
	);
	return builder.build();
}

function oneHotSizes(view: NodeView): (number[] | undefined)[] {
	const [indices, depth] = [inputSizes(view, 0), sampledInts(view, 1)?.[0]];
	if (indices === undefined || depth === undefined) return [];
	const hot = frontAxis(intAttribute(view, 'axis', -1), indices.length + 1);
	return [indices.toSpliced(hot, 0, depth)];
}

const indices = (below: number, ...sizes: number[]): { sizes: number[]; type: number; below: number } => ({
	sizes,
	type: INT64,
	below,
});

export const indexRows: readonly Operator[] = [
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
			{ inputs: [[7, 5], indices(7, 3, 5)] },
			{ inputs: [[3, 7, 5], indices(7, 6)], attributes: { axis: int(1) } },
			{ inputs: [{ ints: [4, 5, 6] }, { ints: [-1], scalar: true }] },
			{ inputs: [{ ints: [4, 5, 6] }, { ints: [2, 0] }] },
		],
	}),
	built('GatherElements', {
		row: elementsRow,
		sizes: (view) => [inputSizes(view, 1)],
		examples: [
			{ inputs: [[7, 5], indices(7, 6, 5)] },
			{ inputs: [[7, 8], indices(8, 5, 6)], attributes: { axis: int(1) } },
		],
	}),
	built('GatherND', {
		row: gatherTuplesRow,
		sizes: gatherTuplesSizes,
		examples: [
			{ inputs: [[5, 6, 7], indices(5, 6, 2)] },
			{ inputs: [[5, 6, 7], indices(6, 5, 6, 1)], attributes: { batch_dims: int(1) } },
		],
	}),
	built('ScatterND', {
		row: scatterTuplesRow,
		sizes: (view) => [inputSizes(view, 0)],
		examples: [{ inputs: [[7, 6, 5], { sizes: [4, 1], type: INT64, below: 7 }, [4, 6, 5]] }],
	}),
	built('ScatterElements', {
		row: scatterElementsRow,
		sizes: (view) => [inputSizes(view, 0)],
		examples: [{ inputs: [[7, 6], indices(7, 1, 6), [1, 6]] }],
	}),
	built('Scatter', {
		row: scatterElementsRow,
		sizes: (view) => [inputSizes(view, 0)],
		examples: [{ inputs: [[7, 6], indices(7, 1, 6), [1, 6]], opset: 10 }],
	}),
	built('OneHot', {
		row: oneHotRow,
		sizes: oneHotSizes,
		resize: (view, removal) => {
			const depth = removal.dead('numbered') && removal.count('numbered');
			const scalar = inputSizes(view, 1)?.length === 0;
			return depth === undefined ? {} : { inputs: new Map([[1, { pieces: [depth], scalar }]]) };
		},
		type: (view) => view.inputs[2]?.type ?? 0,
		examples: [
			{ inputs: [indices(7, 5, 6), { ints: [7], scalar: true }, [2]] },
			{ inputs: [indices(7, 5, 6), { ints: [7], scalar: true }, [2]], attributes: { axis: int(1) } },
		],
	}),
];
