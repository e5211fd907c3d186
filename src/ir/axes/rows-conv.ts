/** Convolutions. https://onnx.ai/onnx/operators/onnx__Conv.html */
import { INT32 } from '../graph/dtype.ts';
import { type Attribute } from '../graph/graph.ts';
import {
	noted,
	type Example,
	type ExampleInput,
	type Operator,
	type Removal,
	type Resized,
	int,
} from './operator.ts';
import { type Hints } from './notation.ts';
import { perAxis } from './rows-quantized.ts';
import {
	inputSizes,
	intAttribute,
	intsAttribute,
	outputSizes,
	stringAttribute,
	type NodeView,
} from './view.ts';

/** Spatial axes, each a letter of its own: ` !x0 !x1`. */
export const spatial = (letter: string, rank: number): string =>
	Array.from({ length: rank }, (_, at) => ` !${letter}${at}`).join('');
export const spatialRank = (view: NodeView): number => (inputSizes(view, 0)?.length ?? 4) - 2;
const grouped = (group: number, letter: string): string => (group === 1 ? letter : `(g ${letter})`);
const list = (...value: number[]): Attribute => ({ kind: 'ints', value });

/** Sizes after a window slides: pads, strides, dilations, `auto_pad`, `ceil_mode`. */
export function slide(view: NodeView, input: readonly number[], kernel: readonly number[]): number[] {
	const strides = intsAttribute(view, 'strides') ?? [];
	const dilations = intsAttribute(view, 'dilations') ?? [];
	const pads = intsAttribute(view, 'pads') ?? [];
	const mode = stringAttribute(view, 'auto_pad', 'NOTSET');
	const ceil = intAttribute(view, 'ceil_mode', 0) === 1;
	return kernel.map((size, at) => {
		const [stride, extent] = [strides[at] ?? 1, input[at] ?? 1];
		if (mode.startsWith('SAME')) return Math.ceil(extent / stride);
		const [head, tail] = mode === 'VALID' ? [0, 0] : [pads[at] ?? 0, pads[at + kernel.length] ?? 0];
		const room = (extent + head + tail - ((size - 1) * (dilations[at] ?? 1) + 1)) / stride;
		if (!ceil) return Math.floor(room) + 1;
		const steps = Math.ceil(room) + 1;
		// A window that would start in the padding at the end is left out.
		return (steps - 1) * stride >= extent + head ? steps - 1 : steps;
	});
}

function transposedSizes(view: NodeView): (number[] | undefined)[] {
	const [x, w] = [inputSizes(view, 0), inputSizes(view, 1)];
	if (x === undefined || w === undefined) return [];
	const kernel = w.slice(2);
	const strides = intsAttribute(view, 'strides') ?? [];
	const dilations = intsAttribute(view, 'dilations') ?? [];
	const pads = intsAttribute(view, 'pads') ?? [];
	const extra = intsAttribute(view, 'output_padding') ?? [];
	const given = intsAttribute(view, 'output_shape')?.slice(-kernel.length);
	const same = stringAttribute(view, 'auto_pad', 'NOTSET').startsWith('SAME');
	const sizes = kernel.map((size, at) => {
		const [input, stride] = [x[at + 2] ?? 1, strides[at] ?? 1];
		if (given !== undefined) return given[at] ?? 1;
		if (same) return input * stride;
		const padding = (pads[at] ?? 0) + (pads[at + kernel.length] ?? 0);
		return stride * (input - 1) + (extra[at] ?? 0) + (size - 1) * (dilations[at] ?? 1) + 1 - padding;
	});
	return [[x[0] ?? 1, (w[1] ?? 1) * intAttribute(view, 'group', 1), ...sizes]];
}

function groupHints(view: NodeView): Hints {
	const group = intAttribute(view, 'group', 1);
	const [x, y] = [inputSizes(view, 0), outputSizes(view, 0)];
	if (group === 1 || x === undefined) return {};
	return { sizes: { g: group, i: (x[1] ?? group) / group, ...(y && { o: (y[1] ?? group) / group }) } };
}

function resizeGroup(view: NodeView, removal: Removal): Resized {
	const group = intAttribute(view, 'group', 1);
	return group === 1 || removal.count('g') === group
		? {}
		: { attributes: { group: int(removal.count('g')) } };
}

type Convolution = Pick<Operator, 'examples'> &
	Partial<Pick<Operator, 'type' | 'zeroPoints' | 'domain'>> & {
		/** Slots of the data and of the kernel. */
		readonly data?: number;
		readonly kernel: number;
		/** Axes of the other slots, given how output channels read. */
		readonly others: (view: NodeView, out: string) => Readonly<Record<number, string>>;
	};

function convolution(op: string, { data = 0, kernel, others, ...rest }: Convolution): Operator {
	return noted(op, {
		...rest,
		axes: (view) => {
			const group = intAttribute(view, 'group', 1);
			const [i, o, n] = [grouped(group, 'i'), grouped(group, 'o'), spatialRank(view)];
			const other = others(view, o);
			const inputs = view.inputs.map((_, slot) => {
				if (slot === data) return `b ${i}${spatial('x', n)}`;
				return slot === kernel ? `${o} i${spatial('k', n)}` : (other[slot] ?? '_');
			});
			return `${inputs.join(', ')} -> b ${o}${spatial('y', n)}`;
		},
		hints: groupHints,
		sizes: (view) => {
			const [x, w] = [inputSizes(view, data), inputSizes(view, kernel)];
			if (x === undefined || w === undefined) return [];
			return [[x[0] ?? 1, w[0] ?? 1, ...slide(view, x.slice(2), w.slice(2))]];
		},
		resize: resizeGroup,
	});
}

const plain: readonly Example[] = [
	{ inputs: [[2, 5, 6, 6], [6, 5, 3, 3], [6]] },
	{
		inputs: [
			[2, 10, 5, 5],
			[15, 2, 3, 3],
		],
		attributes: { group: int(5) },
	},
	{ inputs: [[2, 6, 5, 5], [6, 1, 3, 3], [6]], attributes: { group: int(6) } },
	{ inputs: [[2, 5, 5, 5], [10, 1, 3, 3], [10]], attributes: { group: int(5) } },
	{
		inputs: [
			[1, 2, 9, 11],
			[5, 2, 3, 2],
		],
		attributes: { strides: list(2, 3), dilations: list(2, 1), pads: list(1, 0, 2, 1) },
	},
	{
		inputs: [
			[1, 2, 9, 11],
			[5, 2, 3, 2],
		],
		attributes: { strides: list(2, 2), auto_pad: { kind: 'string', value: 'SAME_UPPER' } },
	},
	{
		inputs: [
			[1, 2, 9],
			[5, 2, 3],
		],
		attributes: { auto_pad: { kind: 'string', value: 'VALID' } },
	},
];

const u8 = (...sizes: number[]): ExampleInput => ({ sizes, type: 2 });
const i8 = (...sizes: number[]): ExampleInput => ({ sizes, type: 3 });
const zero = (type: number, value: number): ExampleInput => ({ ints: [value], scalar: true, type });
const scale = (value: number): ExampleInput => ({ floats: [value], scalar: true });

const quantized: readonly Operator[] = [
	convolution('ConvInteger', {
		kernel: 1,
		others: (view, o) => ({ 3: perAxis(view, 3, o) }),
		zeroPoints: { 0: 2, 1: 3 },
		type: () => INT32,
		examples: [
			{ inputs: [u8(2, 6, 5, 5), u8(6, 6, 3, 3), zero(2, 90), zero(2, 70)] },
			{ inputs: [u8(2, 6, 5, 5), u8(6, 2, 3, 3), zero(2, 90)], attributes: { group: int(3) } },
		],
	}),
	convolution('QLinearConv', {
		kernel: 3,
		others: (view, o) => ({ 4: perAxis(view, 4, o), 5: perAxis(view, 5, o), 8: o }),
		zeroPoints: { 0: 2, 3: 5 },
		type: (view) => view.inputs[7]?.type ?? 2,
		examples: [
			{
				inputs: [u8(2, 6, 5, 5), scale(0.02), zero(2, 90), i8(6, 6, 3, 3)].concat([
					{ sizes: [6], positive: true },
					{ ints: [0, 0, 0, 0, 0, 0], type: 3 },
					scale(20),
					zero(2, 128),
					{ sizes: [6], type: INT32, below: 500 },
				]),
			},
		],
	}),
];

/**
 * Offsets and masks are given for every element of the kernel, once for each of `offset_group` groups of input channels.
 * Where channels are grouped both ways the two groupings cross, and they stay.
 */
function deformed(view: NodeView): string {
	const [group, offsets] = [intAttribute(view, 'group', 1), intAttribute(view, 'offset_group', 1)];
	const [n, o] = [spatialRank(view), grouped(group, 'o')];
	const crossed = group > 1 && offsets > 1;
	const x = crossed ? '!c' : offsets > 1 ? '(f j)' : grouped(group, 'i');
	const w = crossed ? '!i' : offsets > 1 ? '(f j)' : 'i';
	const of = (letter: string): string => (offsets > 1 && !crossed ? `(f !${letter})` : `!${letter}`);
	const y = spatial('y', n);
	const mask = view.inputs[4] ? `b ${of('m')}${y}` : '_';
	return `b ${x}${spatial('x', n)}, ${crossed ? '!o' : o} ${w}${spatial('k', n)}, b ${of('p')}${y}, ${view.inputs[3] ? (crossed ? '!o' : o) : '_'}, ${mask} -> b ${crossed ? '!o' : o}${y}`;
}

const deformable: Operator = noted('DeformConv', {
	axes: deformed,
	zeroPoints: { 2: null },
	hints: (view) => {
		const [f, channels] = [intAttribute(view, 'offset_group', 1), inputSizes(view, 0)?.[1] ?? 1];
		const { sizes } = groupHints(view);
		const offsets = f > 1 ? { f, j: channels / f } : {};
		return { sizes: { ...sizes, ...offsets } };
	},
	sizes: (view) => {
		const [x, w] = [inputSizes(view, 0), inputSizes(view, 1)];
		if (x === undefined || w === undefined) return [];
		return [[x[0] ?? 1, w[0] ?? 1, ...slide(view, x.slice(2), w.slice(2))]];
	},
	resize: (view, removal) => {
		const f = intAttribute(view, 'offset_group', 1);
		const { attributes } = resizeGroup(view, removal);
		return {
			attributes: {
				...attributes,
				...(removal.dead('f') && f > 1 && { offset_group: int(removal.count('f')) }),
			},
		};
	},
	examples: [
		{ inputs: [[2, 5, 6, 6], [6, 5, 3, 3], [2, 18, 4, 4], [6], [2, 9, 4, 4]] },
		{
			inputs: [
				[2, 10, 6, 6],
				[10, 2, 3, 3],
				[2, 18, 4, 4],
			],
			attributes: { group: int(5) },
		},
		{
			inputs: [[2, 10, 6, 6], [6, 10, 3, 3], [2, 90, 4, 4], null, [2, 45, 4, 4]],
			attributes: { offset_group: int(5) },
		},
	],
});

export const convRows: readonly Operator[] = [
	deformable,
	convolution('Conv', { kernel: 1, others: (_, o) => ({ 2: o }), examples: plain }),
	convolution('FusedConv', {
		domain: 'com.microsoft',
		kernel: 1,
		others: (view, o) => ({ 2: o, 3: `b ${o}${spatial('y', spatialRank(view))}` }),
		examples: [
			...plain.slice(0, 3).map((example) => ({
				...example,
				attributes: { ...example.attributes, activation: { kind: 'string', value: 'Relu' } as const },
			})),
			{ inputs: [[2, 5, 6, 6], [6, 5, 3, 3], [6], [2, 6, 4, 4]] },
		],
	}),
	...quantized,
	noted('ConvTranspose', {
		axes: (view) => {
			const group = intAttribute(view, 'group', 1);
			const [i, o, n] = [grouped(group, 'i'), grouped(group, 'o'), spatialRank(view)];
			const bias = view.inputs[2] ? o : '_';
			return `b ${i}${spatial('x', n)}, ${i} o${spatial('k', n)}, ${bias} -> b ${o}${spatial('y', n)}`;
		},
		hints: groupHints,
		sizes: transposedSizes,
		resize: resizeGroup,
		examples: [
			{ inputs: [[2, 5, 5, 5], [5, 6, 3, 3], [6]] },
			{ inputs: [[2, 10, 5, 5], [10, 3, 3, 3], [15]], attributes: { group: int(5) } },
			{
				inputs: [
					[2, 5, 4, 5],
					[5, 6, 3, 3],
				],
				attributes: { strides: list(2, 3), pads: list(1, 0, 1, 2), output_padding: list(1, 0) },
			},
			{
				inputs: [
					[2, 5, 4, 5],
					[5, 6, 3, 3],
				],
				attributes: { strides: list(2, 2), output_shape: list(8, 11) },
			},
		],
	}),
];
