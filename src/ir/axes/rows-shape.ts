/** Arithmetic of shapes: what reads sizes and what is made from them. */
import { INT64, FLOAT } from '../graph/dtype.ts';
import { elementCount, type Tensor } from '../graph/graph.ts';
import { isReadable, numbersOf, tensorOf } from '../graph/tensor.ts';
import { built, type Operator, int } from './operator.ts';
import { RowBuilder, type Row, type Unrelated } from './row.ts';
import { heldAs, tabulate } from './values.ts';
import { decidedSize, inputSizes, intAttribute, outputSizes, sampledInts, type NodeView } from './view.ts';

const frozen = (): Unrelated => ({ unrelated: 'reads sizes only' });

function shapeOf(view: NodeView): readonly number[] | undefined {
	const sizes = inputSizes(view, 0);
	return sizes?.slice(intAttribute(view, 'start', 0), intAttribute(view, 'end', sizes.length));
}

function rangeValues(view: NodeView): number[] | undefined {
	const [start, limit, delta] = [0, 1, 2].map((slot) => sampledInts(view, slot)?.[0]);
	if (start === undefined || limit === undefined || delta === undefined || delta === 0) return undefined;
	const count = Math.max(0, Math.ceil((limit - start) / delta));
	return tabulate([count], ([at = 0]) => heldAs(view.inputs[0]?.type ?? 0, start + at * delta));
}

function filler(view: NodeView): Tensor | undefined {
	const attribute = view.node.attributes.get('value');
	return attribute?.kind === 'tensor' ? attribute.value : undefined;
}

function filledValues(view: NodeView): readonly number[] | undefined {
	const [sizes, tensor] = [sampledInts(view, 0), filler(view)];
	const value = tensor === undefined ? 0 : isReadable(tensor) ? numbersOf(tensor)[0] : undefined;
	return sizes && value !== undefined ? tabulate(sizes, () => value) : undefined;
}

function filledRow(view: NodeView): Row {
	const builder = new RowBuilder();
	(outputSizes(view, 0) ?? []).forEach((size, axis) =>
		builder.output(0, axis, builder.letter(`f${axis}`, size, 'produced')),
	);
	return builder.build();
}

/** Coordinates of the elements that are not zero, one row an axis. */
function foundCoordinates(view: NodeView): number[][] | undefined {
	const [values, sizes] = [sampledInts(view, 0), inputSizes(view, 0)];
	if (values === undefined || sizes === undefined) return undefined;
	const found = [...values.keys()].filter((at) => values[at] !== 0);
	return sizes.map((size, axis) => {
		const inner = elementCount(sizes.slice(axis + 1));
		return found.map((at) => Math.floor(at / inner) % size);
	});
}

const scalar = (value: number): { ints: number[]; scalar: true } => ({ ints: [value], scalar: true });

export const shapeRows: readonly Operator[] = [
	built('Shape', {
		reads: 'shape',
		row: frozen,
		sizes: (view) => [[shapeOf(view)?.length ?? 0]],
		values: shapeOf,
		type: () => INT64,
		examples: [{ inputs: [[3, 4, 5]] }, { inputs: [[3, 4, 5]], attributes: { start: int(-2), end: int(9) } }],
	}),
	built('Size', {
		reads: 'shape',
		row: frozen,
		sizes: () => [[]],
		values: (view) => {
			const sizes = inputSizes(view, 0);
			return sizes && [elementCount(sizes)];
		},
		type: () => INT64,
		examples: [{ inputs: [[3, 4, 5]] }],
	}),
	built('Range', {
		row: () => ({ unrelated: 'its length comes from its operands' }),
		note: 'its length comes from its operands',
		sizes: (view) => {
			const bounds = view.node.inputs.slice(0, 3).join();
			return [[rangeValues(view)?.length ?? decidedSize(view, bounds)]];
		},
		values: rangeValues,
		examples: [
			{ inputs: [scalar(0), scalar(7), scalar(2)], unrelated: true },
			{ inputs: [scalar(5), scalar(-3), scalar(-1)], unrelated: true },
		],
	}),
	built('ConstantOfShape', {
		row: filledRow,
		sizes: (view) => [sampledInts(view, 0)],
		values: filledValues,
		type: (view) => filler(view)?.type ?? FLOAT,
		resize: (view, removal) => {
			const pieces = (outputSizes(view, 0) ?? []).map((size, axis) =>
				view.outputs[0]?.dynamic[axis] ? { piece: axis } : (removal.kept('out', 0, axis)?.length ?? size),
			);
			return { inputs: new Map([[0, { pieces }]]) };
		},
		examples: [
			{ inputs: [{ ints: [5, 6] }] },
			{
				inputs: [{ ints: [6] }],
				attributes: { value: { kind: 'tensor', value: tensorOf('value', INT64, [1], [3]) } },
			},
		],
	}),
	built('NonZero', {
		row: () => ({ unrelated: 'its length depends on the data' }),
		note: 'its length depends on the data',
		sizes: (view) => {
			const found = foundCoordinates(view);
			if (found !== undefined) return [[found.length, found[0]?.length ?? 0]];
			const [rank, by = ''] = [inputSizes(view, 0)?.length, view.node.inputs[0]];
			return rank === undefined ? [] : [[rank, decidedSize(view, by)]];
		},
		values: (view) => foundCoordinates(view)?.flat(),
		type: () => INT64,
		examples: [{ inputs: [{ ints: [0, 3, 0, 5] }], unrelated: true }],
	}),
	built('EyeLike', {
		row: () => ({ unrelated: 'its diagonal counts positions' }),
		note: 'its diagonal counts positions',
		sizes: (view) => [inputSizes(view, 0)],
		values: (view) => {
			const sizes = inputSizes(view, 0);
			const shift = intAttribute(view, 'k', 0);
			return sizes && tabulate(sizes, ([row = 0, column = 0]) => Number(column - row === shift));
		},
		type: (view) => intAttribute(view, 'dtype', view.inputs[0]?.type ?? FLOAT),
		examples: [{ inputs: [[4, 5]], attributes: { k: int(1) }, unrelated: true }],
	}),
];
