/** Gathering and scattering by index. https://onnx.ai/onnx/operators/onnx__Gather.html */
import { INT64 } from '../graph/dtype.ts';
import { built, type Operator, int } from './operator.ts';
import { RowBuilder, type Row, type Unrelated, blind } from './row.ts';
import { frontAxis, inputSizes, intAttribute, sampledInts, type NodeView, axisOf } from './view.ts';

/** Axes beside the indexed one go through where the indices are as long as the data. */
function elementsRow(view: NodeView): Row | Unrelated {
	const [data, indices] = [inputSizes(view, 0), inputSizes(view, 1)];
	if (data === undefined || indices === undefined) return blind;
	const builder = new RowBuilder();
	for (const [axis, size] of data.entries()) {
		const extent = indices[axis] ?? 0;
		if (axis === axisOf(view, 0)) {
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
		if (axis === axisOf(view, 0) || indices[axis] !== size) continue;
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
			const dims = inputSizes(view, 1) ?? [1];
			return depth === undefined ? {} : { inputs: new Map([[1, { pieces: [depth], dims }]]) };
		},
		type: (view) => view.inputs[2]?.type ?? 0,
		examples: [
			{ inputs: [indices(7, 5, 6), { ints: [7], scalar: true }, [2]] },
			{ inputs: [indices(7, 5, 6), { ints: [7], scalar: true }, [2]], attributes: { axis: int(1) } },
		],
	}),
];
