/** Convolutions and pooling. https://onnx.ai/onnx/operators/onnx__Conv.html */
import { noted, type Operator, type Removal, type Resized } from './operator.ts';
import { type Unrelated } from './row.ts';
import {
	inputSizes,
	intAttribute,
	intsAttribute,
	outputSizes,
	stringAttribute,
	type NodeView,
} from './view.ts';

const spatial = (letter: string, rank: number): string =>
	Array.from({ length: rank }, (_, at) => ` !${letter}${at}`).join('');
const grouped = (group: number, letter: string): string => (group === 1 ? letter : `(g ${letter})`);

/** Sizes after a window slides: pads, strides, dilations, `auto_pad`, `ceil_mode`. */
function slide(view: NodeView, input: readonly number[], kernel: readonly number[]): number[] {
	const strides = intsAttribute(view, 'strides') ?? kernel.map(() => 1);
	const dilations = intsAttribute(view, 'dilations') ?? kernel.map(() => 1);
	const pads = intsAttribute(view, 'pads') ?? kernel.flatMap(() => [0, 0]);
	const mode = stringAttribute(view, 'auto_pad', 'NOTSET');
	const round = intAttribute(view, 'ceil_mode', 0) ? Math.ceil : Math.floor;
	return kernel.map((size, at) => {
		const stride = strides[at] ?? 1;
		const extent = input[at] ?? 1;
		if (mode.startsWith('SAME')) return Math.ceil(extent / stride);
		const padding = mode === 'VALID' ? 0 : (pads[at] ?? 0) + (pads[at + kernel.length] ?? 0);
		return round((extent + padding - ((size - 1) * (dilations[at] ?? 1) + 1)) / stride) + 1;
	});
}

function convSizes(view: NodeView): (number[] | undefined)[] {
	const [x, w] = [inputSizes(view, 0), inputSizes(view, 1)];
	if (x === undefined || w === undefined) return [];
	return [[x[0] ?? 1, w[0] ?? 1, ...slide(view, x.slice(2), w.slice(2))]];
}

function transposedSizes(view: NodeView): (number[] | undefined)[] {
	const [x, w] = [inputSizes(view, 0), inputSizes(view, 1)];
	if (x === undefined || w === undefined) return [];
	const kernel = w.slice(2);
	const strides = intsAttribute(view, 'strides') ?? kernel.map(() => 1);
	const dilations = intsAttribute(view, 'dilations') ?? kernel.map(() => 1);
	const pads = intsAttribute(view, 'pads') ?? kernel.flatMap(() => [0, 0]);
	const extra = intsAttribute(view, 'output_padding') ?? kernel.map(() => 0);
	const given = intsAttribute(view, 'output_shape');
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

function poolSizes(view: NodeView): (number[] | undefined)[] {
	const x = inputSizes(view, 0);
	const kernel = intsAttribute(view, 'kernel_shape');
	if (x === undefined || kernel === undefined) return [];
	return view.node.outputs.map(() => [...x.slice(0, 2), ...slide(view, x.slice(2), kernel)]);
}

function groupSizes(view: NodeView): { sizes?: Record<string, number> } {
	const group = intAttribute(view, 'group', 1);
	const [x, y] = [inputSizes(view, 0), outputSizes(view, 0)];
	if (group === 1 || x === undefined) return {};
	return { sizes: { g: group, i: (x[1] ?? group) / group, ...(y && { o: (y[1] ?? group) / group }) } };
}

function resizeGroup(view: NodeView, removal: Removal): Resized {
	const group = intAttribute(view, 'group', 1);
	return group === 1 || removal.count('g') === group
		? {}
		: { attributes: { group: { kind: 'int', value: removal.count('g') } } };
}

const rank = (view: NodeView): number => (inputSizes(view, 0)?.length ?? 4) - 2;

function convolution(ops: readonly string[], domain: string, extra: (view: NodeView) => string): Operator {
	return noted(ops, {
		domain,
		axes: (view): string | Unrelated => {
			const group = intAttribute(view, 'group', 1);
			const [i, o] = [grouped(group, 'i'), grouped(group, 'o')];
			const n = rank(view);
			return `b ${i}${spatial('x', n)}, ${o} i${spatial('k', n)}, [${o}]${extra(view)} -> b ${o}${spatial('y', n)}`;
		},
		hints: groupSizes,
		sizes: convSizes,
		resize: resizeGroup,
		examples: [
			{ inputs: [[2, 4, 5, 5], [6, 4, 3, 3], [6]] },
			{
				inputs: [
					[2, 6, 5, 5],
					[6, 2, 3, 3],
				],
				attributes: { group: { kind: 'int', value: 3 } },
			},
			{ inputs: [[2, 6, 5, 5], [6, 1, 3, 3], [6]], attributes: { group: { kind: 'int', value: 6 } } },
		],
	});
}

export const convRows: readonly Operator[] = [
	convolution(['Conv'], '', () => ''),
	convolution(['FusedConv'], 'com.microsoft', (view) =>
		view.inputs[3] ? `, b ${grouped(intAttribute(view, 'group', 1), 'o')}${spatial('y', rank(view))}` : '',
	),
	noted('ConvTranspose', {
		axes: (view) => {
			const group = intAttribute(view, 'group', 1);
			const [i, o, n] = [grouped(group, 'i'), grouped(group, 'o'), rank(view)];
			return `b ${i}${spatial('x', n)}, ${i} o${spatial('k', n)}, [${o}] -> b ${o}${spatial('y', n)}`;
		},
		hints: groupSizes,
		sizes: transposedSizes,
		resize: resizeGroup,
		examples: [
			{ inputs: [[2, 4, 5, 5], [4, 6, 3, 3], [6]] },
			{
				inputs: [
					[2, 6, 5, 5],
					[6, 2, 3, 3],
				],
				attributes: { group: { kind: 'int', value: 3 } },
			},
		],
	}),
	noted(['MaxPool', 'AveragePool', 'LpPool'], {
		axes: (view) => `b c${spatial('x', rank(view))} -> b c${spatial('y', rank(view))}`,
		sizes: poolSizes,
		examples: [{ inputs: [[2, 4, 6, 6]], attributes: { kernel_shape: { kind: 'ints', value: [2, 2] } } }],
	}),
	noted(['GlobalAveragePool', 'GlobalMaxPool', 'GlobalLpPool'], {
		axes: (view) => `b c${spatial('x', rank(view))} -> b c${spatial('y', rank(view))}`,
		sizes: (view) => {
			const x = inputSizes(view, 0);
			return x === undefined ? [] : [x.map((size, axis) => (axis < 2 ? size : 1))];
		},
		examples: [{ inputs: [[2, 4, 6, 6]] }],
	}),
];
