/** Fused and older operators that only onnxruntime has. https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md */
import { INT32 } from '../graph/dtype.ts';
import { noted, type Operator, int } from './operator.ts';
import { inputSizes, intAttribute, intsAttribute, sampledInts, type NodeView } from './view.ts';

const ms = 'com.microsoft';
const behind = (view: NodeView): string =>
	(inputSizes(view, 0) ?? [])
		.slice(2)
		.map((_, at) => ` s${at}`)
		.join('');

/** The bias stands in an attribute, one a channel. */
const imageScaler: Operator = noted('ImageScaler', {
	axes: (view) => `b c${behind(view)} -> b c${behind(view)}`,
	resize: (view, removal) => {
		const dead = removal.dead('c');
		const bias = intsAttribute(view, 'bias');
		if (dead === undefined || bias === undefined) return {};
		return { attributes: { bias: { kind: 'floats', value: bias.filter((_, at) => dead[at] === 0) } } };
	},
	examples: [
		{
			inputs: [[2, 5, 3, 4]],
			attributes: {
				scale: { kind: 'float', value: 0.5 },
				bias: { kind: 'floats', value: [0.1, 0.2, 0.3, 0.4, 0.5] },
			},
			opset: 8,
		},
	],
});

/** An embedding looked up from rows that are quantized in blocks of their width. */
function blockTable(view: NodeView): string {
	const [packed, scales] = [inputSizes(view, 0)?.length ?? 2, inputSizes(view, 2)];
	const ids = (inputSizes(view, 1) ?? []).map((_, at) => `i${at}`).join(' ');
	const plain = packed === 2 && intAttribute(view, 'gather_axis', 0) === 0;
	const block = intAttribute(view, 'block_size', 128);
	const whole = (inputSizes(view, 0)?.[1] ?? 0) * perByte(view) === (scales?.[1] ?? 0) * block;
	if (!plain || !whole || (view.inputs[3] !== undefined && perByte(view) > 1))
		return `!a !b, ${ids}, !a !q, _ -> ${ids} !w`;
	return `v (q !x), ${ids}, v q, ${view.inputs[3] ? 'v q' : '_'} -> ${ids} (q !w)`;
}

const perByte = (view: NodeView): number =>
	view.inputs[0]?.type === 2 ? 8 / intAttribute(view, 'bits', 4) : 1;

export const fusedRows: readonly Operator[] = [
	noted(['FastGelu', 'BiasGelu'], {
		domain: ms,
		axes: (view) => `... c, ${view.inputs[1] ? 'c' : '_'} -> ... c`,
		examples: [{ inputs: [[3, 4, 5], [5]] }],
	}),
	noted(['QuickGelu', 'Gelu'], { domain: ms, axes: '... -> ...', examples: [{ inputs: [[3, 4, 5]] }] }),
	noted('BiasAdd', {
		domain: ms,
		axes: 'b s c, c, b s c -> b s c',
		examples: [{ inputs: [[2, 4, 5], [5], [2, 4, 5]], noKernel: 'onnxruntime has it on GPUs alone' }],
	}),
	noted('BiasSplitGelu', {
		domain: ms,
		axes: 'b s (!z c), (!z c) -> b s c',
		hints: () => ({ sizes: { z: 2 } }),
		sizes: (view) => [inputSizes(view, 0)?.map((size, axis) => (axis === 2 ? size / 2 : size))],
		examples: [{ inputs: [[2, 4, 10], [10]], noKernel: 'onnxruntime has it on GPUs alone' }],
	}),
	noted(['Affine', 'ScaledTanh', 'ParametricSoftplus'], {
		axes: '... -> ...',
		examples: [
			{
				inputs: [[3, 4, 5]],
				attributes: { alpha: { kind: 'float', value: 0.5 }, beta: { kind: 'float', value: 0.25 } },
				opset: 8,
			},
		],
	}),
	imageScaler,
	noted('Inverse', { domain: ms, axes: '... !m !n -> ... !m !n', examples: [{ inputs: [[5, 3, 3]] }] }),
	noted('GatherBlockQuantized', {
		domain: ms,
		axes: blockTable,
		hints: (view) => ({
			sizes: {
				...(inputSizes(view, 2)?.length === 2 && { q: inputSizes(view, 2)?.[1] ?? 1 }),
				w: intAttribute(view, 'block_size', 128),
			},
			roles: { v: 'indexed' },
		}),
		indices: { v: 1 },
		sizes: (view) => {
			const [data, ids] = [inputSizes(view, 0), inputSizes(view, 1)];
			return [data && ids && [...ids, (data[1] ?? 1) * perByte(view)]];
		},
		type: (view) => view.inputs[2]?.type ?? 1,
		zeroPoints: { 0: null },
		examples: [
			{
				inputs: [
					{ sizes: [7, 80], type: 2, below: 256, constant: true },
					{ sizes: [2, 3], type: INT32, below: 7 },
					{ sizes: [7, 10], positive: true, constant: true },
				],
				attributes: { block_size: int(16), quantize_axis: int(1), bits: int(4) },
			},
		],
	}),
	noted('CDist', {
		domain: ms,
		axes: 'm !k, n !k -> m n',
		examples: [
			{
				inputs: [
					[4, 6],
					[5, 6],
				],
				attributes: { metric: { kind: 'string', value: 'sqeuclidean' } },
			},
		],
	}),
	noted('ExpandDims', {
		domain: ms,
		axes: (view) => {
			const names = (inputSizes(view, 0) ?? []).map((_, at) => `a${at}`);
			const axis = sampledInts(view, 1)?.[0];
			if (axis === undefined) return { unrelated: 'its axis cannot be told' };
			const place = axis < 0 ? axis + names.length + 1 : axis;
			return `${names.join(' ')}, _ -> ${names.toSpliced(place, 0, '_').join(' ')}`;
		},
		sizes: (view) => {
			const [sizes, axis] = [inputSizes(view, 0), sampledInts(view, 1)?.[0]];
			if (sizes === undefined || axis === undefined) return [];
			return [sizes.toSpliced(axis < 0 ? axis + sizes.length + 1 : axis, 0, 1)];
		},
		examples: [{ inputs: [[3, 5], { ints: [1], scalar: true, type: INT32 }] }],
	}),
];
