/** Gathering by index, and the arithmetic of shapes. */
import { elementCount } from '../graph/graph.ts';
import { built, noted, type Operator, type Removal, type Resized } from './operator.ts';
import { RowBuilder, type Row, type Unrelated } from './row.ts';
import {
	fixedInts,
	frontAxis,
	inputSizes,
	intAttribute,
	outputSizes,
	sampledInts,
	type NodeView,
} from './view.ts';

const axisOf = (view: NodeView): number =>
	frontAxis(intAttribute(view, 'axis', 0), inputSizes(view, 0)?.length ?? 1);

function gatherRow(view: NodeView): Row | Unrelated {
	const [data, indices] = [inputSizes(view, 0), inputSizes(view, 1)];
	if (data === undefined || indices === undefined) return { unrelated: 'sizes cannot be told' };
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
		if (indices.length === 1) builder.output(0, axis, { letter, index: Int32Array.from(picked) });
		else builder.selected.push({ letter, coordinates: picked });
		return builder.build();
	}
	builder.input(0, axis, builder.letter('rows', size, 'indexed'));
	indices.forEach((extent, at) => builder.through(`i${at}`, extent, [1, at], [0, axis + at]));
	return builder.build();
}

function gatherSizes(view: NodeView): (number[] | undefined)[] {
	const [data, indices] = [inputSizes(view, 0), inputSizes(view, 1)];
	if (data === undefined || indices === undefined) return [];
	const axis = axisOf(view);
	return [[...data.slice(0, axis), ...indices, ...data.slice(axis + 1)]];
}

function gatherValues(view: NodeView): readonly number[] | undefined {
	const [data, indices] = [sampledInts(view, 0), sampledInts(view, 1)];
	if (data === undefined || indices === undefined || inputSizes(view, 0)?.length !== 1) return undefined;
	return indices.map((index) => data.at(index) ?? 0);
}

/** Constant indices point at the kept positions' new places. */
function resizeGather(view: NodeView, removal: Removal): Resized {
	const axis = axisOf(view);
	const kept = removal.kept('in', 0, axis);
	const picked = fixedInts(view, 1);
	if (kept === undefined || picked === undefined || (inputSizes(view, 1)?.length ?? 0) > 1) return {};
	const size = inputSizes(view, 0)?.[axis] ?? 0;
	const places = new Map(Array.from(kept, (position, place) => [position, place]));
	const pieces = picked.flatMap((index) => places.get(index < 0 ? index + size : index) ?? []);
	return { inputs: new Map([[1, { pieces, scalar: inputSizes(view, 1)?.length === 0 }]]) };
}

function constantOfShape(view: NodeView): { sizes: readonly number[] | undefined; value: number } {
	const value = view.node.attributes.get('value');
	const bytes = value?.kind === 'tensor' ? value.value.bytes?.read() : undefined;
	const type = value?.kind === 'tensor' ? value.value.type : 1;
	const data = bytes && new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const number =
		data === undefined
			? 0
			: type === 7
				? Number(data.getBigInt64(0, true))
				: type === 1
					? data.getFloat32(0, true)
					: NaN;
	return { sizes: sampledInts(view, 0), value: number };
}

function rangeValues(view: NodeView): number[] | undefined {
	const [start, limit, delta] = [0, 1, 2].map((slot) => sampledInts(view, slot)?.[0]);
	if (start === undefined || limit === undefined || delta === undefined || delta === 0) return undefined;
	const count = Math.max(0, Math.ceil((limit - start) / delta));
	return count > 4096 ? undefined : Array.from({ length: count }, (_, at) => start + at * delta);
}

function shapeOf(view: NodeView): readonly number[] | undefined {
	const sizes = inputSizes(view, 0);
	const start = intAttribute(view, 'start', 0);
	return sizes?.slice(start, intAttribute(view, 'end', sizes.length));
}

const frozen = (): Unrelated => ({ unrelated: 'reads sizes only' });

export const indexRows: readonly Operator[] = [
	built('Gather', {
		row: gatherRow,
		sizes: gatherSizes,
		values: gatherValues,
		resize: resizeGather,
		examples: [
			{ inputs: [[6, 4], { ints: [0, 2, 3, 5] }] },
			{ inputs: [[6, 4], { ints: [2], scalar: true }] },
			{ inputs: [[6, 4], { sizes: [3, 2], type: 7, below: 6 }] },
		],
	}),
	built('Shape', {
		reads: 'shape',
		row: frozen,
		sizes: (view) => [[shapeOf(view)?.length ?? 0]],
		values: shapeOf,
		type: () => 7,
		examples: [{ inputs: [[3, 4, 5]] }],
	}),
	built('Size', {
		reads: 'shape',
		row: frozen,
		sizes: () => [[]],
		values: (view) => {
			const sizes = inputSizes(view, 0);
			return sizes && [elementCount(sizes)];
		},
		type: () => 7,
		examples: [{ inputs: [[3, 4, 5]] }],
	}),
	built('Range', {
		row: () => ({ unrelated: 'its length comes from its operands' }),
		sizes: (view) => {
			const values = rangeValues(view);
			return values === undefined ? [] : [[values.length]];
		},
		values: rangeValues,
		examples: [
			{
				inputs: [
					{ ints: [0], scalar: true },
					{ ints: [7], scalar: true },
					{ ints: [1], scalar: true },
				],
			},
		],
	}),
	built('ConstantOfShape', {
		row: (view) => {
			const builder = new RowBuilder();
			(outputSizes(view, 0) ?? []).forEach((size, axis) =>
				builder.output(0, axis, builder.letter(`f${axis}`, size, 'produced')),
			);
			return builder.build();
		},
		sizes: (view) => [constantOfShape(view).sizes],
		values: (view) => {
			const { sizes, value } = constantOfShape(view);
			return sizes === undefined || elementCount(sizes) > 4096
				? undefined
				: new Array<number>(elementCount(sizes)).fill(value);
		},
		type: (view) => {
			const value = view.node.attributes.get('value');
			return value?.kind === 'tensor' ? value.value.type : 1;
		},
		resize: (view, removal) => ({
			inputs: new Map([
				[
					0,
					{
						pieces: (outputSizes(view, 0) ?? []).map((size, axis) =>
							view.outputs[0]?.dynamic[axis]
								? { piece: axis }
								: (removal.kept('out', 0, axis)?.length ?? size),
						),
					},
				],
			]),
		}),
		examples: [{ inputs: [{ ints: [3, 4] }] }],
	}),
	noted(['QuantizeLinear', 'DequantizeLinear'], {
		axes: (view) => {
			const axis = frontAxis(intAttribute(view, 'axis', 1), inputSizes(view, 0)?.length ?? 1);
			const names = (inputSizes(view, 0) ?? []).map((_, at) => `a${at}`).join(' ');
			const scale = (slot: number): string => (inputSizes(view, slot)?.length === 1 ? `a${axis}` : '_');
			return `${names}, ${scale(1)}, ${scale(2)} -> ${names}`;
		},
		type: (view) =>
			view.node.op === 'DequantizeLinear' ? (view.inputs[1]?.type ?? 1) : (view.inputs[2]?.type ?? 2),
		examples: [],
	}),
];
