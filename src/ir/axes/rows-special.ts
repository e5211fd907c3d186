/** Operators that fit no other family: signals, sequences of unequal length, regions. https://onnx.ai/onnx/operators/ */
import { BOOL, INT64 } from '../graph/dtype.ts';
import { elementCount, type Attribute } from '../graph/graph.ts';
import { built, noted, pinned, type Operator, int } from './operator.ts';
import { indexBy, RowBuilder, type Row, type Unrelated, blind } from './row.ts';
import {
	decidedSize,
	fixedInts,
	frontAxis,
	inputSizes,
	intAttribute,
	intsAttribute,
	sampledInts,
	type NodeView,
} from './view.ts';

const list = (...value: number[]): Attribute => ({ kind: 'ints', value });
const rankOf = (view: NodeView): number => inputSizes(view, 0)?.length ?? 0;

/** A letter an axis, `!` where the operator mixes it. */
function lettered(view: NodeView, mixes: (axis: number) => boolean): string[] {
	return Array.from({ length: rankOf(view) }, (_, axis) => (mixes(axis) ? `!a${axis}` : `a${axis}`));
}

/** A sample is reversed up to its own length: time is mixed, the batch carries its lengths. */
function reversedAxes(view: NodeView): string {
	const batch = intAttribute(view, 'batch_axis', 1);
	const names = lettered(view, (axis) => axis === intAttribute(view, 'time_axis', 0)).join(' ');
	return `${names}, a${batch} -> ${names}`;
}

function compressAxis(view: NodeView): number | undefined {
	const axis = intAttribute(view, 'axis');
	return axis === undefined ? undefined : frontAxis(axis, rankOf(view));
}

/** Positions that the condition keeps, undefined when it is not constant. */
function picked(view: NodeView): number[] | undefined {
	const condition = fixedInts(view, 1);
	return condition && [...condition.keys()].filter((at) => condition[at] !== 0);
}

/** Where the condition is not constant the other axes go through. */
function compressRow(view: NodeView): Row | Unrelated {
	const [sizes, axis, places] = [inputSizes(view, 0), compressAxis(view), picked(view)];
	if (sizes === undefined) return blind;
	if (axis === undefined) return { unrelated: 'it picks from the flattened input' };
	const builder = new RowBuilder();
	for (const [at, size] of sizes.entries()) {
		if (at === axis && places === undefined) continue;
		const letter = builder.letter(`a${at}`, size);
		const index = at === axis ? Int32Array.from(places ?? []) : null;
		builder.input(0, at, letter).output(0, at, { letter, index });
		const tested = inputSizes(view, 1)?.[0] ?? 0;
		if (at === axis) builder.input(1, 0, { letter, index: indexBy(tested, (p) => p) });
	}
	return builder.build();
}

function compressedSizes(view: NodeView): number[][] {
	const [sizes, axis] = [inputSizes(view, 0), compressAxis(view)];
	const count = picked(view)?.length ?? decidedSize(view, view.node.inputs[1] ?? '');
	if (sizes === undefined) return [];
	return [axis === undefined ? [count] : sizes.with(axis, count)];
}

function croppedSizes(view: NodeView): number[] | undefined {
	const [sizes, target] = [inputSizes(view, 0), sampledInts(view, 1)];
	const axes = intsAttribute(view, 'axes')?.map((axis) => frontAxis(axis, rankOf(view)));
	return target && sizes?.map((size, axis) => target[axes?.indexOf(axis) ?? axis] ?? size);
}

/** Axes that are named are cropped or padded about their middle. */
function croppedRow(view: NodeView): Row {
	const builder = new RowBuilder();
	const axes = intsAttribute(view, 'axes')?.map((axis) => frontAxis(axis, rankOf(view)));
	inputSizes(view, 0)?.forEach((size, axis) => {
		if (axes !== undefined && !axes.includes(axis)) builder.through(`a${axis}`, size, [0, axis], [0, axis]);
	});
	return builder.build();
}

/** Columns of patches become an image: a channel owns the patch's elements. */
function imageSizes(view: NodeView): number[] | undefined {
	const [sizes, image, block] = [inputSizes(view, 0), sampledInts(view, 1), sampledInts(view, 2)];
	return sizes && image && block && [sizes[0] ?? 1, (sizes[1] ?? 1) / elementCount(block), ...image];
}

function fourierAxis(view: NodeView): number | undefined {
	const said =
		view.opset < 20 ? intAttribute(view, 'axis', 1) : view.inputs[2] ? fixedInts(view, 2)?.[0] : -2;
	return said === undefined ? undefined : frontAxis(said, rankOf(view));
}

function fourierAxes(view: NodeView): string | Unrelated {
	const axis = fourierAxis(view);
	if (axis === undefined) return { unrelated: 'its axis cannot be told' };
	const names = lettered(view, (at) => at === axis).with(-1, '_');
	return `${names.join(' ')}, _, _ -> ${names.with(axis, '!f').join(' ')}`;
}

function fourierSizes(view: NodeView): (number[] | undefined)[] {
	const [sizes, axis] = [inputSizes(view, 0), fourierAxis(view)];
	const length = view.inputs[1] ? sampledInts(view, 1)?.[0] : sizes?.[axis ?? 0];
	if (sizes === undefined || axis === undefined || length === undefined) return [];
	const bins = intAttribute(view, 'onesided', 0) ? Math.floor(length / 2) + 1 : length;
	return [
		sizes
			.with(axis, bins)
			.with(-1, intAttribute(view, 'onesided', 0) && intAttribute(view, 'inverse', 0) ? 1 : 2),
	];
}

function framedSizes(view: NodeView): (number[] | undefined)[] {
	const [sizes, step] = [inputSizes(view, 0), sampledInts(view, 1)?.[0]];
	const length = view.inputs[3] ? sampledInts(view, 3)?.[0] : inputSizes(view, 2)?.[0];
	if (sizes === undefined || step === undefined || length === undefined) return [];
	const frames = Math.floor(((sizes[1] ?? 0) - length) / step) + 1;
	return [
		[sizes[0] ?? 1, frames, intAttribute(view, 'onesided', 1) ? Math.floor(length / 2) + 1 : length, 2],
	];
}

/** Rows of a cache are overwritten from a sample's own place on. */
function cacheAxes(view: NodeView): string {
	const axis = frontAxis(intAttribute(view, 'axis', -2), rankOf(view));
	const names = lettered(view, (at) => at === axis);
	return `${names.join(' ')}, ${names.with(axis, '!u').join(' ')}, a0 -> ${names.join(' ')}`;
}

/** Each region is of one image, which its first number names. */
function regionSizes(view: NodeView): (number[] | undefined)[] {
	const [sizes, regions] = [inputSizes(view, 0), inputSizes(view, 1)];
	if (sizes === undefined || regions === undefined) return [];
	return [[regions[0] ?? 1, sizes[1] ?? 1, ...(intsAttribute(view, 'pooled_shape') ?? [])]];
}

function unpooledSizes(view: NodeView): (number[] | undefined)[] {
	const given = view.inputs[2] && sampledInts(view, 2);
	const [sizes, kernel] = [inputSizes(view, 0), intsAttribute(view, 'kernel_shape') ?? []];
	const [strides, pads] = [intsAttribute(view, 'strides') ?? [], intsAttribute(view, 'pads') ?? []];
	if (given !== undefined) return [[...given]];
	const inner = kernel.map((size, at) => {
		const padding = (pads[at] ?? 0) + (pads[at + kernel.length] ?? 0);
		return ((sizes?.[at + 2] ?? 1) - 1) * (strides[at] ?? 1) - padding + size;
	});
	return view.inputs[2] ? [] : [sizes && [...sizes.slice(0, 2), ...inner]];
}

/** The values found, where each was first, which each place holds, and how often. */
function uniqueSizes(view: NodeView): number[][] {
	const sizes = inputSizes(view, 0);
	if (sizes === undefined) return [];
	const axis = compressAxis(view);
	const count = decidedSize(view, view.node.inputs[0] ?? '');
	const places = axis === undefined ? elementCount(sizes) : (sizes[axis] ?? 1);
	return [axis === undefined ? [count] : sizes.with(axis, count), [count], [places], [count]];
}

const images: readonly Operator[] = [
	built('CenterCropPad', {
		row: croppedRow,
		sizes: (view) => [croppedSizes(view)],
		examples: [
			{ inputs: [[3, 5, 8], { ints: [4, 6] }], attributes: { axes: list(0, -1) } },
			{ inputs: [[5, 8], { ints: [7, 6] }] },
		],
	}),
	noted('Col2Im', {
		axes: (view) =>
			`b (c !k) !l, _, _ -> b c${(sampledInts(view, 1) ?? []).map((_, at) => ` !y${at}`).join('')}`,
		hints: (view) => ({ sizes: { k: elementCount(sampledInts(view, 2) ?? []) } }),
		sizes: (view) => [imageSizes(view)],
		examples: [{ inputs: [[2, 30, 9], { ints: [4, 5] }, { ints: [2, 3] }] }],
	}),
	noted('MaxRoiPool', {
		axes: '!b c !h !w, n _ -> n c !p !q',
		sizes: regionSizes,
		examples: [
			{
				inputs: [[2, 5, 6, 6], { sizes: [6, 5], type: 1, from: 0, below: 2 }],
				attributes: { pooled_shape: list(2, 2) },
			},
		],
	}),
	pinned('MaxUnpool', 'its indices count elements of the whole output', {
		sizes: unpooledSizes,
		examples: [
			{
				inputs: [[1, 2, 2, 2], { sizes: [1, 2, 2, 2], type: INT64, below: 16 }],
				attributes: { kernel_shape: list(2, 2), strides: list(2, 2) },
				unrelated: true,
			},
		],
	}),
	pinned('AffineGrid', 'it makes coordinates of every position', {
		sizes: (view) => {
			const size = sampledInts(view, 1);
			return [size && [size[0] ?? 1, ...size.slice(2), size.length - 2]];
		},
		examples: [{ inputs: [[2, 2, 3], { ints: [2, 3, 4, 5] }], unrelated: true }],
	}),
	pinned('NonMaxSuppression', 'how many boxes it selects depends on the data', {
		type: () => INT64,
		sizes: (view) => [[decidedSize(view, view.node.inputs.slice(0, 2).join()), 3]],
	}),
];

export const specialRows: readonly Operator[] = [
	...images,
	noted('ReverseSequence', {
		axes: reversedAxes,
		examples: [
			{ inputs: [[4, 5, 6], { sizes: [5], type: INT64, from: 1, below: 5 }] },
			{
				inputs: [[5, 4, 6], { sizes: [5], type: INT64, from: 1, below: 5 }],
				attributes: { batch_axis: int(0), time_axis: int(1) },
			},
		],
	}),
	built('Compress', {
		row: compressRow,
		sizes: compressedSizes,
		examples: [
			{ inputs: [[3, 6], { ints: [1, 0, 1, 1, 1, 0], type: BOOL }], attributes: { axis: int(1) } },
			{ inputs: [[6, 3], { ints: [1, 0, 1, 1], type: BOOL }], attributes: { axis: int(0) } },
			{ inputs: [[2, 2], { ints: [1, 0, 1], type: BOOL }], unrelated: true },
		],
	}),
	noted('Det', { axes: '... !m !n -> ...', examples: [{ inputs: [[2, 5, 4, 4]] }] }),
	noted('DFT', {
		axes: fourierAxes,
		sizes: fourierSizes,
		examples: [
			{ inputs: [[3, 6, 1]], opset: 20 },
			{ inputs: [[6, 3, 2], null, { ints: [0], scalar: true }], opset: 20 },
			{ inputs: [[3, 6, 1]], attributes: { onesided: int(1) }, opset: 17 },
		],
	}),
	noted('STFT', {
		axes: 'b !t _, _, _, _ -> b !f !k _',
		sizes: framedSizes,
		examples: [
			{ inputs: [[5, 16, 1], { ints: [4], scalar: true }, [8]] },
			{ inputs: [[5, 16, 1], { ints: [2], scalar: true }, null, { ints: [8], scalar: true }] },
		],
	}),
	noted('TensorScatter', {
		axes: cacheAxes,
		examples: [
			{ inputs: [[2, 3, 6, 5], [2, 3, 2, 5], { sizes: [2], type: INT64, below: 4 }], opset: 24 },
			{
				inputs: [
					[2, 3, 6, 5],
					[2, 3, 2, 5],
				],
				opset: 24,
			},
		],
	}),
	pinned('Unique', 'how many values it finds depends on the data', {
		sizes: uniqueSizes,
		type: (view, slot) => (slot === 0 ? (view.inputs[0]?.type ?? 0) : INT64),
	}),
];
