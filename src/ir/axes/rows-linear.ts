/** Matrix products: MatMul, Gemm. https://onnx.ai/onnx/operators/ */
import { noted, type Operator } from './operator.ts';
import { inputSizes, intAttribute, stringAttribute, type NodeView } from './view.ts';

function gemmBias(view: NodeView): string {
	const rank = inputSizes(view, 2)?.length;
	if (rank === undefined) return '';
	return `, ${['_', 'n', 'm n'][rank] ?? '_'}`;
}

export const linear: readonly Operator[] = [
	noted('MatMul', {
		axes: (view) => {
			const [a, b] = [inputSizes(view, 0)?.length ?? 2, inputSizes(view, 1)?.length ?? 2];
			if (a === 1) return b === 1 ? 'k, k -> ' : 'k, ... k n -> ... n';
			return b === 1 ? '... m k, k -> ... m' : '... m k, ... k n -> ... m n';
		},
		examples: [
			{
				inputs: [
					[4, 5],
					[5, 6],
				],
			},
			{
				inputs: [
					[2, 3, 4, 5],
					[3, 5, 6],
				],
			},
			{ inputs: [[4, 5], [5]] },
		],
	}),
	noted('FusedMatMul', {
		domain: 'com.microsoft',
		axes: (view) => {
			if (intAttribute(view, 'transBatchA', 0) || intAttribute(view, 'transBatchB', 0))
				return { unrelated: 'it moves the batch axes' };
			const a = intAttribute(view, 'transA', 0) ? 'k m' : 'm k';
			const b = intAttribute(view, 'transB', 0) ? 'n k' : 'k n';
			return `... ${a}, ... ${b} -> ... m n`;
		},
		examples: [
			{
				inputs: [
					[2, 4, 5],
					[2, 6, 5],
				],
				attributes: { transB: { kind: 'int', value: 1 } },
			},
		],
	}),
	noted('Einsum', {
		axes: (view) => {
			const equation = stringAttribute(view, 'equation', '').replaceAll(' ', '');
			if (equation.includes('.') || !equation.includes('->'))
				return { unrelated: 'an equation with an ellipsis or without a result' };
			const spaced = (operand: string): string => [...operand].join(' ');
			const [inputs = '', output = ''] = equation.split('->');
			return `${inputs.split(',').map(spaced).join(', ')} -> ${spaced(output)}`;
		},
		examples: [
			{
				inputs: [
					[3, 4, 5],
					[5, 6],
				],
				attributes: { equation: { kind: 'string', value: 'abc,cd->abd' } },
			},
		],
	}),
	noted('Gemm', {
		axes: (view) => {
			const a = intAttribute(view, 'transA', 0) ? 'k m' : 'm k';
			const b = intAttribute(view, 'transB', 0) ? 'n k' : 'k n';
			return `${a}, ${b}${gemmBias(view)} -> m n`;
		},
		examples: [
			{ inputs: [[4, 5], [5, 6], [6]] },
			{
				inputs: [
					[5, 4],
					[6, 5],
				],
				attributes: { transA: { kind: 'int', value: 1 }, transB: { kind: 'int', value: 1 } },
			},
		],
	}),
];
