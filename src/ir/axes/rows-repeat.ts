/** Operators that make positions: repeated, padded, resampled. */
import { type Attribute } from '../graph/graph.ts';
import { broadcastSizes } from './broadcast.ts';
import { built, type Operator, type Removal, type Resized, type SizePiece } from './operator.ts';
import { notedRow } from './notation.ts';
import { indexBy, RowBuilder, type Part, type Row, type Unrelated, blind } from './row.ts';
import { reader, tabulate } from './values.ts';
import {
	fixedInts,
	frontAxis,
	inputSizes,
	intsAttribute,
	outputSizes,
	sampledInts,
	stringAttribute,
	type NodeView,
	type Sizes,
} from './view.ts';

const list = (...value: number[]): Attribute => ({ kind: 'ints', value });

function expandSizes(view: NodeView): (number[] | undefined)[] {
	const [sizes, target] = [inputSizes(view, 0), sampledInts(view, 1)];
	return sizes === undefined || target === undefined ? [] : [broadcastSizes([sizes, target])];
}

function expandValues(view: NodeView): number[] | undefined {
	const [sizes, read] = [expandSizes(view)[0], reader(view, 0)];
	return sizes && read && tabulate(sizes, read);
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

/** Repeats of each axis; opset 1 to 5 repeated one axis. */
function repeatsOf(view: NodeView): readonly number[] | undefined {
	return sampledInts(view, 1);
}

function tileRow(view: NodeView): Row | Unrelated {
	const [from, to] = [inputSizes(view, 0), outputSizes(view, 0)];
	if (from === undefined || to === undefined) return blind;
	const builder = new RowBuilder();
	for (const [axis, size] of from.entries()) {
		const extent = to[axis] ?? size;
		const times = extent / size;
		if (times > 1 && !(view.inputs[1]?.known?.fixed[axis] ?? false)) continue;
		const own = builder.letter(`a${axis}`, size);
		if (size > 1) builder.input(0, axis, own);
		if (times === 1) {
			if (size > 1) builder.output(0, axis, own);
			continue;
		}
		const copies = builder.letter(`t${axis}`, times, 'produced');
		const part = (letter: number, at: (position: number) => number): Part => ({
			letter,
			index: indexBy(extent, (position) => at(position)),
		});
		const whole = part(copies, (position) => Math.floor(position / size));
		builder.output(0, axis, ...(size > 1 ? [part(own, (position) => position % size), whole] : [whole]));
	}
	return builder.build();
}

function resizeTile(view: NodeView, removal: Removal): Resized {
	const known = view.inputs[1]?.known;
	if (known === undefined) return { refused: 'its repeats cannot be told' };
	if (!known.values.some((_, axis) => removal.dead(`t${axis}`))) return {};
	const pieces = known.values.map((times, axis): SizePiece => {
		if (removal.dead(`t${axis}`)) return removal.count(`t${axis}`);
		return known.fixed[axis] ? times : { piece: axis };
	});
	return { inputs: new Map([[1, { pieces }]]) };
}

type Padding = {
	readonly before: number;
	readonly after: number;
	readonly at: number;
	readonly fixed: boolean;
};

/** Padding by axis; `at` is where its slot lies in the vector of pads. */
function padding(view: NodeView): readonly Padding[] | undefined {
	const sizes = inputSizes(view, 0);
	const pads = intsAttribute(view, 'pads') ?? intsAttribute(view, 'paddings') ?? sampledInts(view, 1);
	const said = view.inputs[3] === undefined ? sizes?.map((_, axis) => axis) : fixedInts(view, 3);
	if (sizes === undefined || pads === undefined || said === undefined) return undefined;
	const axes = said.map((axis) => frontAxis(axis, sizes.length));
	const fixed = view.inputs[1]?.known?.fixed;
	return sizes.map((_, axis) => {
		const at = axes.indexOf(axis);
		if (at < 0) return { before: 0, after: 0, at, fixed: true };
		const isFixed = (fixed?.[at] ?? true) && (fixed?.[at + axes.length] ?? true);
		return { before: pads[at] ?? 0, after: pads[at + axes.length] ?? 0, at, fixed: isFixed };
	});
}

/** A padded axis is what it was and the made positions around it; what is cropped, reflected or repeated is not followed. */
function padRow(view: NodeView): Row | Unrelated {
	const [sizes, pads] = [inputSizes(view, 0), padding(view)];
	if (sizes === undefined || pads === undefined) return { unrelated: 'its pads cannot be told' };
	const constant = stringAttribute(view, 'mode', 'constant') === 'constant';
	const builder = new RowBuilder();
	for (const [axis, size] of sizes.entries()) {
		const { before = 0, after = 0, fixed = true } = pads[axis] ?? {};
		if (before === 0 && after === 0 && fixed) builder.through(`a${axis}`, size, [0, axis], [0, axis]);
		if ((before === 0 && after === 0) || !fixed || !constant || before < 0 || after < 0) continue;
		const own = builder.letter(`a${axis}`, size);
		const made = builder.letter(`z${axis}`, before + after, 'produced');
		const map = (at: (position: number) => number): Int32Array =>
			indexBy(size + before + after, (position) => at(position - before));
		const isOwn = (position: number): boolean => position >= 0 && position < size;
		builder.input(0, axis, own).output(
			0,
			axis,
			{ letter: own, index: map((position) => (isOwn(position) ? position : -1)) },
			{
				letter: made,
				index: map((position) =>
					isOwn(position) ? -1 : position < 0 ? position + before : before + position - size,
				),
			},
		);
	}
	return builder.build();
}

function resizePad(view: NodeView, removal: Removal): Resized {
	const [pads, rank] = [padding(view) ?? [], inputSizes(view, 0)?.length ?? 0];
	if (!pads.some((_, axis) => removal.dead(`z${axis}`))) return {};
	const known = view.inputs[1]?.known;
	const attribute = intsAttribute(view, 'pads');
	const pieces = (attribute ?? known?.values ?? []).map((value, at): SizePiece =>
		attribute || known?.fixed[at] ? value : { piece: at },
	);
	for (const [axis, { before, at }] of pads.entries()) {
		const dead = removal.dead(`z${axis}`);
		if (dead === undefined) continue;
		const kept = [...dead.entries()].filter(([, gone]) => gone === 0).map(([coordinate]) => coordinate);
		pieces[at] = kept.filter((coordinate) => coordinate < before).length;
		pieces[at + pieces.length / 2] = kept.filter((coordinate) => coordinate >= before).length;
	}
	if (attribute === undefined) return { inputs: new Map([[1, { pieces }]]) };
	return {
		attributes: { pads: list(...pieces.filter((piece) => typeof piece === 'number').slice(0, 2 * rank)) },
	};
}

/** Of a reflection that is longer than what there is to reflect nothing can be made. */
function padSizes(view: NodeView): (number[] | undefined)[] {
	const [sizes, pads] = [inputSizes(view, 0), padding(view)];
	if (sizes === undefined || pads === undefined) return [];
	const reflects = stringAttribute(view, 'mode', 'constant') === 'reflect';
	return [
		sizes.map((size, axis) => {
			const { before = 0, after = 0 } = pads[axis] ?? {};
			return reflects && Math.max(before, after) >= size ? 0 : size + before + after;
		}),
	];
}

type Scaling = { readonly scale?: number; readonly size?: number };

/** How each axis is resampled: by a scale or to a size; slots moved between versions of the operator set. */
function scaling(view: NodeView): readonly Scaling[] | undefined {
	const sizes = inputSizes(view, 0);
	const early = view.node.op === 'Upsample' || view.opset < 11;
	const scales = intsAttribute(view, 'scales') ?? sampledInts(view, early ? 1 : 2);
	const target = early ? undefined : sampledInts(view, 3);
	const said = intsAttribute(view, 'axes');
	if (sizes === undefined || stringAttribute(view, 'keep_aspect_ratio_policy', 'stretch') !== 'stretch')
		return undefined;
	const axes = said?.map((axis) => frontAxis(axis, sizes.length)) ?? sizes.map((_, axis) => axis);
	const given = target?.length ? target : scales;
	if (given?.length !== axes.length) return undefined;
	return sizes.map((_, axis) => {
		const value = given[axes.indexOf(axis)];
		if (value === undefined) return { scale: 1 };
		return target?.length ? { size: value } : { scale: value };
	});
}

function scaledSizes(view: NodeView): (Sizes | undefined)[] {
	const all = scaling(view);
	return [
		all &&
			inputSizes(view, 0)?.map((size, axis) => {
				const { scale = 1, size: target } = all[axis] ?? {};
				return target ?? Math.floor(Math.fround(size * scale));
			}),
	];
}

/** Axes that keep their size go through; the others mix their neighbours. */
function scaledRow(view: NodeView): Row | Unrelated {
	const [from, all] = [view.inputs[0], scaling(view)];
	if (from?.sizes === undefined || all === undefined) return blind;
	if (stringAttribute(view, 'coordinate_transformation_mode', '') === 'tf_crop_and_resize')
		return { unrelated: 'it crops a region' };
	const builder = new RowBuilder();
	from.sizes.forEach((size, axis) => {
		const { scale, size: target } = all[axis] ?? {};
		if (scale === 1 || (target === size && !from.dynamic[axis]))
			builder.through(`a${axis}`, size, [0, axis], [0, axis]);
	});
	return builder.build();
}

function resizeScaled(view: NodeView, removal: Removal): Resized {
	const known = view.inputs[3]?.known;
	if (view.node.op === 'Upsample' || view.opset < 11 || !known?.values.length) return {};
	const rank = inputSizes(view, 0)?.length ?? 0;
	const axes = intsAttribute(view, 'axes')?.map((axis) => frontAxis(axis, rank));
	const pieces = known.values.map((size, at): SizePiece => {
		if (!known.fixed[at]) return { piece: at };
		return removal.kept('out', 0, axes?.[at] ?? at)?.length ?? size;
	});
	return { inputs: new Map([[3, { pieces }]]) };
}

const linear: Attribute = { kind: 'string', value: 'linear' };

export const repeatRows: readonly Operator[] = [
	built('Expand', {
		row: (view) => notedRow('..., _ -> ...', view),
		sizes: expandSizes,
		values: expandValues,
		resize: resizeExpand,
		examples: [
			{ inputs: [[3, 1, 5], { ints: [3, 6, 5] }] },
			{ inputs: [[5, 1], { ints: [6, 1, 7] }] },
			{ inputs: [{ ints: [4, 5, 6] }, { ints: [2, 1] }] },
		],
	}),
	built('Tile', {
		row: tileRow,
		sizes: (view) => {
			const [sizes, repeats] = [inputSizes(view, 0), repeatsOf(view)];
			return [repeats && sizes?.map((size, axis) => size * (repeats[axis] ?? 1))];
		},
		values: (view) => {
			const [sizes, repeats, read] = [inputSizes(view, 0), repeatsOf(view), reader(view, 0)];
			if (sizes === undefined || repeats === undefined || read === undefined) return undefined;
			const target = sizes.map((size, axis) => size * (repeats[axis] ?? 1));
			return tabulate(target, (at) => read(at.map((position, axis) => position % (sizes[axis] ?? 1))));
		},
		resize: resizeTile,
		examples: [
			{ inputs: [[3, 5], { ints: [1, 6] }] },
			{ inputs: [[1, 5], { ints: [6, 1] }] },
			{ inputs: [{ ints: [4, 5] }, { ints: [3] }] },
		],
	}),
	built('Pad', {
		row: padRow,
		sizes: padSizes,
		resize: resizePad,
		examples: [
			{ inputs: [[3, 5, 6], { ints: [0, 0, 2, 0, 0, 4] }] },
			{ inputs: [[3, 5, 6]], attributes: { pads: list(1, 0, 3, 0, 0, 3) }, opset: 10 },
			{ inputs: [[3, 5, 6], { ints: [1, 2] }, null, { ints: [-1] }] },
			{ inputs: [[3, 5, 6], { ints: [0, 0, -2, 0, 0, 1] }] },
			{
				inputs: [[3, 5, 6], { ints: [0, 1, 0, 0, 1, 0] }],
				attributes: { mode: { kind: 'string', value: 'reflect' } },
			},
		],
	}),
	built('Resize', {
		row: scaledRow,
		sizes: scaledSizes,
		resize: resizeScaled,
		examples: [
			{ inputs: [[2, 5, 4, 4], null, { floats: [1, 1, 2, 1.6] }] },
			{ inputs: [[2, 5, 4, 4], null, null, { ints: [2, 5, 7, 6] }], attributes: { mode: linear } },
			{ inputs: [[2, 5, 4, 4], null, null, { ints: [7, 6] }], attributes: { axes: list(2, 3) } },
			{ inputs: [[2, 5, 4, 4], { floats: [1, 1, 2, 3] }], opset: 10 },
			{ inputs: [[2, 5, 4, 4], { floats: [] }, { floats: [1, 1, 2, 3] }], opset: 11 },
			{ inputs: [[2, 5, 4, 4], { floats: [] }, { floats: [] }, { ints: [2, 5, 7, 6] }], opset: 13 },
		],
	}),
	built('Upsample', {
		row: scaledRow,
		sizes: scaledSizes,
		examples: [
			{ inputs: [[2, 5, 4, 4], { floats: [1, 1, 2, 3] }], opset: 9 },
			{
				inputs: [[2, 5, 4, 4]],
				attributes: { scales: { kind: 'floats', value: [1, 1, 2, 3] } },
				opset: 7,
			},
		],
	}),
	built('Trilu', {
		row: (view) => {
			const rank = inputSizes(view, 0)?.length ?? 2;
			const names = Array.from({ length: rank }, (_, axis) =>
				axis < rank - 2 ? `a${axis}` : `!c${axis}`,
			).join(' ');
			return notedRow(`${names}, _ -> ${names}`, view);
		},
		sizes: (view) => [inputSizes(view, 0)],
		examples: [{ inputs: [[5, 6, 6]] }],
	}),
];
