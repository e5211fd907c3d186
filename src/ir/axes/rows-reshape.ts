/** Reshape and its kin: rows from the concrete sizes, by the common refinement of both factorisations. */
import { elementCount, type Attribute } from '../graph/graph.ts';
import { built, type Operator, type Removal, type Resized, type SizePiece, int } from './operator.ts';
import { indexBy, RowBuilder, type Part, type Row, type Side, type Unrelated } from './row.ts';
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

type Stretch = { readonly input: readonly number[]; readonly output: readonly number[] };

/** Runs of axes with equal products: [2, 3, 8] → [2, 24] is {0}→{0}, {1, 2}→{1}. */
export function stretches(from: Sizes, to: Sizes): Stretch[] | undefined {
	const found: Stretch[] = [];
	let [i, j] = [0, 0];
	while (i < from.length || j < to.length) {
		const [input, output]: [number[], number[]] = [[], []];
		let [left, right] = [1, 1];
		if (i < from.length) left *= from[push(input, i++)] ?? 1;
		if (j < to.length) right *= to[push(output, j++)] ?? 1;
		while (left !== right) {
			if (left < right ? i >= from.length : j >= to.length) return undefined;
			if (left < right) left *= from[push(input, i++)] ?? 1;
			else right *= to[push(output, j++)] ?? 1;
		}
		while (i < from.length && from[i] === 1 && (j >= to.length || to[j] !== 1)) push(input, i++);
		while (j < to.length && to[j] === 1 && (i >= from.length || from[i] !== 1)) push(output, j++);
		found.push({ input, output });
	}
	return found;
}

function push(list: number[], axis: number): number {
	list.push(axis);
	return axis;
}

function reshapeRow(view: NodeView): Row | Unrelated {
	const [from, to] = [inputSizes(view, 0), outputSizes(view, 0)];
	if (from === undefined || to === undefined) return { unrelated: 'sizes cannot be told' };
	if ([...from, ...to].includes(0)) return { unrelated: 'an axis is empty' };
	const runs = stretches(from, to);
	if (runs === undefined)
		return { unrelated: `[${from.join(', ')}] is no [${to.join(', ')}]: --shape gives it other sizes` };
	const builder = new RowBuilder();
	runs.forEach((run, at) => {
		refine(builder, at, run, from, to);
	});
	return builder.build();
}

type Factor = { readonly letter: number; readonly low: number; readonly high: number };

/** Gives each mixed-radix digit that both sides share a letter; without a common refinement the axes stay without terms. */
function refine(builder: RowBuilder, at: number, { input, output }: Stretch, from: Sizes, to: Sizes): void {
	const total = elementCount(input.map((axis) => from[axis] ?? 1));
	if (total === 1) return;
	const cuts = [...new Set([1, total, ...strides(input, from), ...strides(output, to)])].sort(
		(a, b) => a - b,
	);
	if (cuts.some((cut, index) => index > 0 && cut % (cuts[index - 1] ?? 1) !== 0)) return;
	const factors: Factor[] = [];
	for (let index = cuts.length - 1; index > 0; index--) {
		const [low, high] = [cuts[index - 1] ?? 1, cuts[index] ?? 1];
		factors.push({ letter: builder.letter(`r${at}.${factors.length}`, high / low), low, high });
	}
	link(builder, 'in', input, from, factors);
	link(builder, 'out', output, to, factors);
}

function strides(axes: readonly number[], sizes: Sizes): number[] {
	let stride = 1;
	return axes.toReversed().map((axis) => (stride *= sizes[axis] ?? 1));
}

function link(
	builder: RowBuilder,
	side: Side,
	axes: readonly number[],
	sizes: Sizes,
	factors: readonly Factor[],
): void {
	let low = 1;
	for (const axis of axes.toReversed()) {
		const size = sizes[axis] ?? 1;
		const [bottom, top] = [low, low * size];
		low = top;
		if (size === 1) continue;
		const own = factors.filter((factor) => factor.low >= bottom && factor.high <= top);
		const parts =
			own.length === 1
				? own.map((factor): Part => ({ letter: factor.letter, index: null }))
				: own.map((factor) => digit(factor, bottom, size));
		if (side === 'in') builder.input(0, axis, ...parts);
		else builder.output(0, axis, ...parts);
	}
}

function digit({ letter, low, high }: Factor, bottom: number, size: number): Part {
	const [stride, radix] = [low / bottom, high / low];
	return {
		letter,
		index: indexBy(size, (position) => Math.floor(position / stride) % radix),
	};
}

/** The sizes a Reshape's target asks for: 0 copies, -1 is what is left. */
function targetSizes(view: NodeView): (number[] | undefined)[] {
	const from = inputSizes(view, 0);
	const target = intsAttribute(view, 'shape') ?? sampledInts(view, 1);
	if (from === undefined || target === undefined) return [];
	const copied = target.map((size, axis) =>
		size === 0 && !intAttribute(view, 'allowzero', 0) ? (from[axis] ?? 0) : size,
	);
	const known = elementCount(copied.filter((size) => size !== -1));
	return [copied.map((size) => (size === -1 ? elementCount(from) / known : size))];
}

/**
 * New sizes of the output, by axis: a literal where it does not move; for one that moves with the input 0 where it equals the
 * input's same axis, -1 once, else the original vector's own element.
 */
function resizeReshape(view: NodeView, removal: Removal): Resized {
	const [from, to] = [view.inputs[0], view.outputs[0]];
	if (to?.sizes === undefined || from?.sizes === undefined) return { refused: 'its sizes cannot be told' };
	const sizes = to.sizes;
	// Where the author wrote 0 or -1 and nothing is cut, that stays: it holds for sizes that were not tried.
	const asked = intsAttribute(view, 'shape') ?? fixedInts(view, 1);
	let inferred = false;
	const pieces = sizes.map((size, axis): SizePiece => {
		const kept = removal.kept('out', 0, axis);
		const own = kept === undefined ? asked?.[axis] : undefined;
		if (own === 0 && !intAttribute(view, 'allowzero', 0) && removal.kept('in', 0, axis) === undefined)
			return 0;
		if (own === -1 && !inferred) {
			inferred = true;
			return -1;
		}
		if (!to.dynamic[axis]) return kept?.length ?? size;
		if (
			kept === undefined &&
			from.dynamic[axis] &&
			from.sizes?.[axis] === size &&
			!intAttribute(view, 'allowzero', 0)
		)
			return 0;
		if (!inferred) {
			inferred = true;
			return -1;
		}
		return { piece: axis };
	});
	const moving = sizes.some(
		(_, axis) => to.dynamic[axis] && removal.kept('out', 0, axis) !== undefined && pieces[axis] !== -1,
	);
	if (moving) return { refused: 'two of its sizes depend on the input and on what is removed' };
	if (view.node.attributes.has('shape'))
		return {
			attributes: { shape: { kind: 'ints', value: pieces.filter((piece) => typeof piece === 'number') } },
		};
	return { inputs: new Map([[1, { pieces }]]) };
}

const givenAxes = (view: NodeView): readonly number[] | undefined =>
	intsAttribute(view, 'axes') ?? fixedInts(view, 1);

/** Also where an axis that the input decides is 1 only when this branch of an `If` is taken: the others go through. */
function squeezeRow(view: NodeView): Row | Unrelated {
	const from = view.inputs[0];
	const axes = givenAxes(view)?.map((axis) => frontAxis(axis, from?.sizes?.length ?? 0));
	const decided = axes?.filter((axis) => from?.sizes?.[axis] !== 1) ?? [];
	if (decided.length === 0 || !decided.every((axis) => from?.dynamic[axis])) return reshapeRow(view);
	const builder = new RowBuilder();
	(from?.sizes ?? [])
		.map((size, axis) => ({ size, axis }))
		.filter(({ axis }) => !axes?.includes(axis))
		.forEach(({ size, axis }, at) => builder.through(`a${axis}`, size, [0, axis], [0, at]));
	return builder.build();
}

function squeezed(view: NodeView): (number[] | undefined)[] {
	const from = inputSizes(view, 0);
	const axes = givenAxes(view)?.map((axis) => frontAxis(axis, from?.length ?? 0));
	if (axes === undefined && view.inputs[1] !== undefined) return [];
	return [from?.filter((size, axis) => (axes === undefined ? size !== 1 : !axes.includes(axis)))];
}

function unsqueezed(view: NodeView): (number[] | undefined)[] {
	const [from, said] = [inputSizes(view, 0), givenAxes(view)];
	if (from === undefined || said === undefined) return [];
	const rank = from.length + said.length;
	const axes = said.map((axis) => frontAxis(axis, rank));
	const rest = [...from];
	return [Array.from({ length: rank }, (_, axis) => (axes.includes(axis) ? 1 : (rest.shift() ?? 1)))];
}

function flattened(view: NodeView): (number[] | undefined)[] {
	const from = inputSizes(view, 0);
	if (from === undefined) return [];
	const axis = intAttribute(view, 'axis', 1);
	const at = axis < 0 ? axis + from.length : axis;
	return [[elementCount(from.slice(0, at)), elementCount(from.slice(at))]];
}

const sameValues = (view: NodeView): readonly number[] | undefined => sampledInts(view, 0);
const list = (...value: number[]): Attribute => ({ kind: 'ints', value });

export const reshapeRows: readonly Operator[] = [
	built('Reshape', {
		row: reshapeRow,
		sizes: targetSizes,
		values: sameValues,
		resize: resizeReshape,
		examples: [
			{ inputs: [[2, 5, 30], { ints: [2, 5, 6, 5] }] },
			{ inputs: [[2, 5, 6, 5], { ints: [0, -1, 30] }] },
			{ inputs: [[6, 20], { ints: [2, 12, 5] }] },
			{ inputs: [[4, 6, 5], { ints: [2, 2, 30] }] },
			{ inputs: [[2, 1, 15], { ints: [30, 1, 1] }] },
			{ inputs: [[6, 5], { ints: [1, 6, 1, 5] }] },
			{ inputs: [[4, 9], { ints: [6, 6] }] },
			{ inputs: [[2, 5, 6]], attributes: { shape: list(10, 6) }, opset: 1 },
			{ inputs: [{ ints: [4, 5, 6] }, { ints: [3, 1] }] },
		],
	}),
	built('Flatten', {
		row: reshapeRow,
		sizes: flattened,
		examples: [
			{ inputs: [[3, 5, 6]] },
			{ inputs: [[3, 5, 6]], attributes: { axis: int(-1) } },
			{ inputs: [[3, 5, 6]], attributes: { axis: int(0) } },
			{ inputs: [[3, 5]], attributes: { axis: int(2) } },
		],
	}),
	built('Squeeze', {
		row: squeezeRow,
		sizes: squeezed,
		values: sameValues,
		examples: [
			{ inputs: [[3, 1, 5], { ints: [1] }] },
			{ inputs: [[1, 5, 1, 6], { ints: [-2] }] },
			{ inputs: [[1, 5, 1, 6]] },
			{ inputs: [[3, 1, 5]], attributes: { axes: list(1) }, opset: 11 },
			{ inputs: [{ ints: [7] }, { ints: [0] }] },
		],
	}),
	built('Unsqueeze', {
		row: reshapeRow,
		sizes: unsqueezed,
		values: sameValues,
		examples: [
			{ inputs: [[3, 5], { ints: [1] }] },
			{ inputs: [[3, 5], { ints: [0, -1] }] },
			{ inputs: [[3, 5]], attributes: { axes: list(0, 2) }, opset: 11 },
			{ inputs: [{ ints: [7, 8] }, { ints: [1] }] },
		],
	}),
];
