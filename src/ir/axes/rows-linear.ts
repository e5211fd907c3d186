/** Matrix products. https://onnx.ai/onnx/operators/ */
import { type Attribute } from '../graph/graph.ts';
import { noted, type Example, type Operator, int } from './operator.ts';
import { type Unrelated } from './row.ts';
import { inputSizes, intAttribute, stringAttribute, type NodeView } from './view.ts';

const text = (value: string): Attribute => ({ kind: 'string', value });

function gemmBias(view: NodeView): string {
	const rank = inputSizes(view, 2)?.length;
	return rank === undefined ? '_' : (['_', 'n', 'm n'][rank] ?? '_');
}

/** `A · B` for operands of these ranks, leading axes broadcast. */
export function productAxes(a: number, b: number): { a: string; b: string; out: string } {
	if (a === 1) return b === 1 ? { a: 'k', b: 'k', out: '' } : { a: 'k', b: '... k n', out: '... n' };
	return b === 1 ? { a: '... m k', b: 'k', out: '... m' } : { a: '... m k', b: '... k n', out: '... m n' };
}

const flipped: Readonly<Record<string, Attribute>> = { transA: int(1), transB: int(1) };

function gemm(ops: readonly string[], domain: string, more: Readonly<Record<string, Attribute>>): Operator {
	return noted(ops, {
		domain,
		axes: (view) => {
			const a = intAttribute(view, 'transA', 0) ? 'k m' : 'm k';
			const b = intAttribute(view, 'transB', 0) ? 'n k' : 'k n';
			return `${a}, ${b}, ${gemmBias(view)} -> m n`;
		},
		examples: [
			{ inputs: [[4, 5], [5, 6], [6]], attributes: more },
			{
				inputs: [
					[5, 4],
					[6, 5],
				],
				attributes: { ...flipped, ...more },
			},
			{
				inputs: [
					[4, 5],
					[5, 6],
					[4, 1],
				],
				attributes: { alpha: { kind: 'float', value: 0.5 }, ...more },
			},
			{ inputs: [[4, 5], [5, 6], []], attributes: more },
		],
	});
}

/** Without a result, letters that stand once are the result, in alphabetical order behind the ellipsis. */
function implied(inputs: string): string {
	const letters = [...inputs.replaceAll(/[.,]/g, '')].sort();
	const once = letters.filter((letter) => letters.indexOf(letter) === letters.lastIndexOf(letter));
	return (inputs.includes('...') ? '...' : '') + once.join('');
}

function einsum(view: NodeView): string {
	const equation = stringAttribute(view, 'equation', '').replaceAll(' ', '');
	const [inputs = '', output = implied(inputs)] = equation.split('->');
	const spaced = (operand: string): string => (operand.match(/\.\.\.|\w/g) ?? []).join(' ');
	return `${inputs.split(',').map(spaced).join(', ')} -> ${spaced(output)}`;
}

function fused(view: NodeView): string | Unrelated {
	if (intAttribute(view, 'transBatchA', 0) || intAttribute(view, 'transBatchB', 0))
		return { unrelated: 'it moves the batch axes' };
	const [a, b] = [inputSizes(view, 0)?.length ?? 2, inputSizes(view, 1)?.length ?? 2];
	const axes = productAxes(a, b);
	const left = intAttribute(view, 'transA', 0) && a > 1 ? '... k m' : axes.a;
	const right = intAttribute(view, 'transB', 0) && b > 1 ? '... n k' : axes.b;
	return `${left}, ${right} -> ${axes.out}`;
}

const products: readonly Example[] = [
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
	{
		inputs: [
			[2, 1, 4, 5],
			[1, 3, 5, 6],
		],
	},
	{ inputs: [[4, 5], [5]] },
	{ inputs: [[5], [3, 5, 6]] },
	{ inputs: [[5], [5]] },
];

export const linear: readonly Operator[] = [
	noted('MatMul', {
		axes: (view) => {
			const { a, b, out } = productAxes(inputSizes(view, 0)?.length ?? 2, inputSizes(view, 1)?.length ?? 2);
			return `${a}, ${b} -> ${out}`;
		},
		examples: products,
	}),
	noted('FusedMatMul', {
		domain: 'com.microsoft',
		axes: fused,
		examples: [
			{
				inputs: [
					[2, 4, 5],
					[2, 6, 5],
				],
				attributes: { transB: int(1) },
			},
			{
				inputs: [
					[2, 5, 4],
					[5, 6],
				],
				attributes: { transA: int(1), alpha: { kind: 'float', value: 0.5 } },
			},
			{
				inputs: [
					[4, 2, 5],
					[2, 5, 6],
				],
				attributes: { transBatchA: int(1) },
				unrelated: true,
			},
		],
	}),
	noted('Einsum', {
		axes: einsum,
		examples: [
			{
				inputs: [
					[3, 4, 5],
					[5, 6],
				],
				attributes: { equation: text('abc,cd->abd') },
			},
			{
				inputs: [
					[2, 3, 4, 5],
					[2, 3, 6, 5],
				],
				attributes: { equation: text('bhsd,bhtd->bhst') },
			},
			{ inputs: [[4, 5]], attributes: { equation: text('ij->') } },
			{ inputs: [[5, 5]], attributes: { equation: text('ii->i') } },
			{
				inputs: [
					[3, 4],
					[4, 5],
				],
				attributes: { equation: text('...a,ab->...b') },
			},
			{
				inputs: [
					[2, 5, 3, 4],
					[2, 5, 4, 6],
				],
				attributes: { equation: text('...ij, ...jk') },
			},
			{ inputs: [[4, 5]], attributes: { equation: text('ba') } },
		],
	}),
	gemm(['Gemm'], '', {}),
	gemm(['FusedGemm'], 'com.microsoft', { activation: text('Relu') }),
];
