/** Operators that work element by element, with broadcasting. https://onnx.ai/onnx/operators/ */
import { BOOL } from '../graph/dtype.ts';
import { broadcastSizes, mapKnown } from './broadcast.ts';
import { built, noted, type Example, type Operator } from './operator.ts';
import { notedRow } from './notation.ts';
import { intAttribute, type NodeView } from './view.ts';

type Apply = (...values: number[]) => number;

function elementwise(view: NodeView): string {
	return `${view.inputs.map((input) => (input ? '...' : '[...]')).join(', ')} -> ...`;
}

function sizesOf(view: NodeView): readonly (number[] | undefined)[] {
	const all = view.inputs.flatMap((input) => (input === undefined ? [] : [input.sizes]));
	const known = all.filter((sizes) => sizes !== undefined);
	return known.length < all.length ? [] : view.node.outputs.map(() => broadcastSizes(known));
}

function entry(ops: readonly string[], examples: readonly Example[], more: Partial<Operator> = {}): Operator {
	return built(ops, {
		row: (view) =>
			notedRow(elementwise(view), {
				...view,
				outputs: view.outputs.map((output, slot) => (slot === 0 ? output : undefined)),
			}),
		sizes: sizesOf,
		examples,
		...more,
	});
}

const one: readonly Example[] = [{ inputs: [[3, 4, 5]] }];
const two: readonly Example[] = [
	{
		inputs: [
			[3, 4, 5],
			[4, 5],
		],
	},
	{
		inputs: [
			[3, 1, 5],
			[1, 4, 5],
		],
	},
];
const positive: readonly Example[] = [{ inputs: [{ sizes: [3, 4, 5], positive: true }] }];

function arithmetic(op: string, apply: Apply, examples: readonly Example[] = two): Operator {
	return entry([op], examples, { values: (view) => mapKnown(view, apply) });
}

function isInteger(view: NodeView): boolean {
	return [2, 3, 4, 5, 6, 7, 12, 13].includes(view.inputs[0]?.type ?? 0);
}

const boolean = (): number => BOOL;

function comparison(op: string, apply: Apply): Operator {
	return entry([op], two, { values: (view) => mapKnown(view, apply), type: boolean });
}

/** Cast keeps numbers; to integers it drops the fraction. */
function castValues(view: NodeView): readonly number[] | undefined {
	const integral = [2, 3, 4, 5, 6, 7, 12, 13].includes(intAttribute(view, 'to', 1));
	return mapKnown(view, (value = 0) => (integral ? Math.trunc(value) : value));
}

export const elementwiseRows: readonly Operator[] = [
	entry(
		[
			'Relu',
			'Sigmoid',
			'Tanh',
			'Erf',
			'Exp',
			'HardSigmoid',
			'HardSwish',
			'LeakyRelu',
			'Elu',
			'Selu',
			'Celu',
			'Softplus',
			'Softsign',
			'Gelu',
			'Sin',
			'Cos',
			'Sign',
			'ThresholdedRelu',
			'Mish',
			'Round',
			'Atan',
			'Tan',
			'Sinh',
			'Cosh',
			'Asin',
			'Acos',
		],
		one,
	),
	entry(['Log'], positive),
	entry(['IsNaN', 'IsInf'], one, { type: boolean }),
	entry(['Dropout'], one, { values: (view) => view.inputs[0]?.known?.values }),
	entry(['Identity'], one, { values: (view) => view.inputs[0]?.known?.values }),
	entry(
		['PRelu'],
		[
			{
				inputs: [
					[3, 4, 5],
					[4, 1],
				],
			},
		],
	),
	entry(['Cast'], [{ inputs: [[3, 4]], attributes: { to: { kind: 'int', value: 11 } } }], {
		values: castValues,
		type: (view) => intAttribute(view, 'to', 1),
	}),
	entry(['CastLike'], [{ inputs: [[3, 4], []] }], { type: (view) => view.inputs[1]?.type ?? 0 }),
	arithmetic('Add', (a = 0, b = 0) => a + b),
	arithmetic('Sub', (a = 0, b = 0) => a - b),
	arithmetic('Mul', (a = 0, b = 0) => a * b),
	entry(['Div'], two, {
		values: (view) => mapKnown(view, (a = 0, b = 1) => (isInteger(view) ? Math.trunc(a / b) : a / b)),
	}),
	arithmetic('Pow', (a = 0, b = 1) => a ** b, [{ inputs: [{ sizes: [3, 4], positive: true }, []] }]),
	entry(['Mod'], [{ inputs: [[3, 4], [4]], attributes: { fmod: { kind: 'int', value: 1 } } }], {
		values: (view) => mapKnown(view, (a = 0, b = 1) => a - Math.floor(a / b) * b),
	}),
	arithmetic('Max', (...values) => Math.max(...values)),
	arithmetic('Min', (...values) => Math.min(...values)),
	arithmetic('Sum', (...values) => values.reduce((sum, value) => sum + value, 0)),
	arithmetic('Mean', (...values) => values.reduce((sum, value) => sum + value, 0) / values.length),
	arithmetic('Neg', (a = 0) => -a, one),
	arithmetic('Abs', (a = 0) => Math.abs(a), one),
	arithmetic('Floor', (a = 0) => Math.floor(a), one),
	arithmetic('Ceil', (a = 0) => Math.ceil(a), one),
	arithmetic('Sqrt', (a = 0) => Math.sqrt(a), positive),
	arithmetic('Reciprocal', (a = 1) => 1 / a, positive),
	comparison('Equal', (a, b) => Number(a === b)),
	comparison('Greater', (a = 0, b = 0) => Number(a > b)),
	comparison('Less', (a = 0, b = 0) => Number(a < b)),
	comparison('GreaterOrEqual', (a = 0, b = 0) => Number(a >= b)),
	comparison('LessOrEqual', (a = 0, b = 0) => Number(a <= b)),
	entry(
		['And', 'Or', 'Xor'],
		[
			{
				inputs: [
					{ sizes: [3, 4], type: BOOL },
					{ sizes: [4], type: BOOL },
				],
			},
		],
		{ type: boolean },
	),
	entry(['Not'], [{ inputs: [{ sizes: [3, 4], type: BOOL }] }], { type: boolean }),
	entry(['Where'], [{ inputs: [{ sizes: [3, 4], type: BOOL }, [3, 4], []] }], {
		values: (view) => mapKnown(view, (test = 0, a = 0, b = 0) => (test ? a : b)),
		type: (view) => view.inputs[1]?.type ?? 0,
	}),
	entry(['Clip'], [{ inputs: [[3, 4], [], []] }], {
		values: (view) =>
			view.inputs.length === 1
				? undefined
				: mapKnown(view, (value = 0, low = -Infinity, high = Infinity) =>
						Math.min(Math.max(value, low), high),
					),
	}),
	...(['FastGelu', 'BiasGelu'] as const).map((op) =>
		noted(op, {
			domain: 'com.microsoft',
			axes: '... c, [c] -> ... c',
			examples: [{ inputs: [[3, 4, 5], [5]] }],
		}),
	),
	noted(['QuickGelu', 'Gelu'], {
		domain: 'com.microsoft',
		axes: '... -> ...',
		examples: [{ inputs: [[3, 4, 5]] }],
	}),
];
