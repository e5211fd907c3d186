/** Slice, with bounds as attributes (opset < 10) or operands. https://onnx.ai/onnx/operators/onnx__Slice.html */
import { type Attribute } from '../graph/graph.ts';
import { built, type Operator, type Removal, type Resized, type SizePiece } from './operator.ts';
import { indexBy, RowBuilder, type Row, type Unrelated } from './row.ts';
import { reader, tabulate } from './values.ts';
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
		const index = whole ? null : indexBy(bound.count, (at) => bound.start + at * bound.step);
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
	const [read, all, sizes] = [reader(view, 0), bounds(view), sliceSizes(view)[0]];
	if (read === undefined || all === undefined || sizes === undefined) return undefined;
	return tabulate(sizes, (at) =>
		read(
			at.map((position, axis) => {
				const bound = all.find((one) => one.axis === axis);
				return bound === undefined ? position : bound.start + position * bound.step;
			}),
		),
	);
}

/** Places, in what is kept of the input, of what is kept of the slice, in the slice's order. */
function places({ start, count, step }: Bounds, kept: Int32Array): number[] {
	const place = new Map(Array.from(kept, (position, at) => [position, at]));
	return Array.from({ length: count }, (_, at) => place.get(start + at * step)).filter(
		(at) => at !== undefined,
	);
}

/**
 * New bounds where what is kept of a slice is one stretch of what is kept of its input; else the axis is left whole and
 * its positions are gathered afterwards.
 */
function resizeSlice(view: NodeView, removal: Removal): Resized {
	const sizes = inputSizes(view, 0) ?? [];
	const vectors = ['starts', 'ends', 'axes', 'steps'].map((name, at) => current(view, name, at + 1));
	const [starts = [], ends = [], , steps = []] = vectors;
	let gather: Resized['gather'];
	for (const bound of bounds(view) ?? []) {
		const { axis, count, step, at } = bound;
		const kept = removal.kept('in', 0, axis);
		if (kept === undefined || (count === sizes[axis] && step === 1)) continue;
		const wanted = places(bound, kept);
		const isStretch = wanted.every((place, order) => place === (wanted[0] ?? 0) + order);
		if (!isStretch && gather !== undefined) return { refused: 'two of its axes are kept in pieces' };
		if (!isStretch) gather = { axis, indices: wanted };
		starts[at] = isStretch ? (wanted[0] ?? 0) : 0;
		ends[at] = isStretch ? (wanted.at(-1) ?? -1) + 1 : kept.length;
		if (steps.length > 0) steps[at] = 1;
	}
	return { ...written(view, starts, ends, steps), ...(gather && { gather }) };
}

function written(
	view: NodeView,
	starts: readonly SizePiece[],
	ends: readonly SizePiece[],
	steps: readonly SizePiece[],
): Resized {
	const literal = (pieces: readonly SizePiece[]): Attribute => ({
		kind: 'ints',
		value: pieces.filter((piece) => typeof piece === 'number'),
	});
	if (view.node.attributes.has('starts'))
		return { attributes: { starts: literal(starts), ends: literal(ends) } };
	return {
		inputs: new Map([
			[1, { pieces: starts }],
			[2, { pieces: ends }],
			...(steps.length > 0 ? [[4, { pieces: steps }] as const] : []),
		]),
	};
}

function current(view: NodeView, name: string, slot: number): SizePiece[] {
	const attribute = intsAttribute(view, name);
	if (attribute !== undefined) return [...attribute];
	const known = view.inputs[slot]?.known;
	return (known?.values ?? []).map((value, at) => (known?.fixed[at] ? value : { piece: at }));
}

const one = { ints: [1] };

export const sliceRows: readonly Operator[] = [
	built('Slice', {
		row: sliceRow,
		sizes: sliceSizes,
		values: sliceValues,
		resize: resizeSlice,
		examples: [
			{ inputs: [[3, 12], { ints: [2] }, { ints: [10] }, one] },
			{ inputs: [[3, 12], { ints: [-9] }, { ints: [2 ** 63] }, { ints: [-1] }] },
			{ inputs: [[9, 12], { ints: [1, 2] }, { ints: [8, 11] }, { ints: [0, 1] }, { ints: [1, 2] }] },
			{ inputs: [[3, 12], { ints: [10] }, { ints: [-100] }, one, { ints: [-2] }] },
			{ inputs: [[3, 12], { ints: [-1] }, { ints: [-(2 ** 63)] }, one, { ints: [-1] }] },
			{
				inputs: [[3, 12]],
				attributes: {
					starts: { kind: 'ints', value: [2] },
					ends: { kind: 'ints', value: [-1] },
					axes: { kind: 'ints', value: [1] },
				},
				opset: 9,
			},
			{ inputs: [{ ints: [4, 5, 6, 7] }, one, { ints: [3] }] },
		],
	}),
];
