/** Slice, with bounds as attributes (opset < 10) or operands. https://onnx.ai/onnx/operators/onnx__Slice.html */
import { built, type Operator, type Removal, type Resized, type SizePiece } from './operator.ts';
import { RowBuilder, type Row, type Unrelated } from './row.ts';
import { frontAxis, inputSizes, intsAttribute, sampledInts, type NodeView } from './view.ts';

type Bounds = {
	readonly axis: number;
	readonly start: number;
	readonly count: number;
	readonly step: number;
	readonly fixed: boolean;
	readonly at: number;
};

/** What a Slice does to each axis it names. */
function bounds(view: NodeView): Bounds[] | undefined {
	const sizes = inputSizes(view, 0);
	const read = (name: string, slot: number): readonly number[] | undefined =>
		intsAttribute(view, name) ?? sampledInts(view, slot);
	const [starts, ends] = [read('starts', 1), read('ends', 2)];
	if (sizes === undefined || starts === undefined || ends === undefined) return undefined;
	const axes = read('axes', 3) ?? starts.map((_, at) => at);
	const steps = read('steps', 4) ?? starts.map(() => 1);
	const isFixed = (slot: number, at: number): boolean => view.inputs[slot]?.known?.fixed[at] ?? true;
	return axes.map((said, at) => {
		const axis = frontAxis(said, sizes.length);
		const size = sizes[axis] ?? 0;
		const step = steps[at] ?? 1;
		const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
		const clamp = (value: number): number => Math.min(Math.max(value < 0 ? value + size : value, low), high);
		const start = clamp(starts[at] ?? 0);
		const end = (ends[at] ?? 0) < -size && step < 0 ? -1 : clamp(ends[at] ?? 0);
		const count = Math.max(0, Math.ceil((end - start) / step));
		return { axis, start, count, step, at, fixed: isFixed(1, at) && isFixed(2, at) };
	});
}

function sliceRow(view: NodeView): Row | Unrelated {
	const [sizes, all] = [inputSizes(view, 0), bounds(view)];
	if (sizes === undefined || all === undefined) return { unrelated: 'its bounds cannot be told' };
	const builder = new RowBuilder();
	for (const [axis, size] of sizes.entries()) {
		const bound = all.find((one) => one.axis === axis);
		if (bound !== undefined && !bound.fixed) continue;
		const whole = bound === undefined || (bound.count === size && bound.step === 1);
		const letter = builder.letter(`a${axis}`, size);
		const index = whole
			? null
			: Int32Array.from({ length: bound.count }, (_, at) => bound.start + at * bound.step);
		builder.input(0, axis, letter).output(0, axis, { letter, index });
	}
	return builder.build();
}

function sliceSizes(view: NodeView): (number[] | undefined)[] {
	const [sizes, all] = [inputSizes(view, 0), bounds(view)];
	if (sizes === undefined || all === undefined) return [];
	return [sizes.map((size, axis) => all.find((bound) => bound.axis === axis)?.count ?? size)];
}

function sliceValues(view: NodeView): readonly number[] | undefined {
	const [values, bound] = [sampledInts(view, 0), bounds(view)?.[0]];
	if (values === undefined || bound === undefined || inputSizes(view, 0)?.length !== 1) return undefined;
	return Array.from({ length: bound.count }, (_, at) => values[bound.start + at * bound.step] ?? 0);
}

/** New bounds where what is kept of a slice is still one stretch of what is kept of its input. */
function resizeSlice(view: NodeView, removal: Removal): Resized {
	const sizes = inputSizes(view, 0) ?? [];
	const moved = (bounds(view) ?? []).filter(({ axis }) => removal.kept('in', 0, axis) !== undefined);
	if (moved.length === 0) return {};
	const [starts, ends] = [current(view, 'starts', 1), current(view, 'ends', 2)];
	for (const { axis, start, count, step, at } of moved) {
		const kept = removal.kept('in', 0, axis) ?? new Int32Array(0);
		if (count === sizes[axis] && step === 1) continue;
		const wanted = new Set(Array.from({ length: count }, (_, position) => start + position * step));
		const places = [...kept.entries()].filter(([, position]) => wanted.has(position)).map(([place]) => place);
		const [first = 0] = places;
		const last = places.at(-1) ?? -1;
		if (step !== 1 || last - first + 1 !== places.length)
			return { refused: 'what it keeps is not one stretch' };
		starts[at] = first;
		ends[at] = last + 1;
	}
	if (view.node.attributes.has('starts')) {
		const literal = (pieces: readonly SizePiece[]): number[] =>
			pieces.filter((piece) => typeof piece === 'number');
		return {
			attributes: {
				starts: { kind: 'ints', value: literal(starts) },
				ends: { kind: 'ints', value: literal(ends) },
			},
		};
	}
	return {
		inputs: new Map([
			[1, { pieces: starts }],
			[2, { pieces: ends }],
		]),
	};
}

function current(view: NodeView, name: string, slot: number): SizePiece[] {
	const attribute = intsAttribute(view, name);
	if (attribute !== undefined) return [...attribute];
	const known = view.inputs[slot]?.known;
	return (known?.values ?? []).map((value, at) => (known?.fixed[at] ? value : { piece: at }));
}

export const sliceRows: readonly Operator[] = [
	built('Slice', {
		row: sliceRow,
		sizes: sliceSizes,
		values: sliceValues,
		resize: resizeSlice,
		examples: [{ inputs: [[3, 9], { ints: [2] }, { ints: [7] }, { ints: [1] }] }],
	}),
];
