/** Operators that work element by element, with broadcasting. https://onnx.ai/onnx/operators/ */
import { BOOL, DOUBLE, FLOAT, INT32, INT64 } from '../graph/dtype.ts';
import { type Attribute } from '../graph/graph.ts';
import { broadcastSizes, mapKnown } from './broadcast.ts';
import { resizeCompared } from './numbers.ts';
import { noted, type Example, type ExampleInput, type Operator, int } from './operator.ts';
import { type Unrelated } from './row.ts';
import { inputSizes, intAttribute, type NodeView } from './view.ts';

type Apply = (...values: number[]) => number;
type More = Partial<Pick<Operator, 'domain' | 'values' | 'type' | 'resize'>>;

const typeOf = (view: NodeView, slot = 0): number => view.inputs[slot]?.type ?? 0;

/** Until opset 7 operands were equally long, or the second lined up at an `axis`. */
function aligned(view: NodeView): string | Unrelated {
	const [first, ...others] = view.inputs.map((input) => input?.sizes?.join());
	if (view.opset < 7 && view.node.domain === '' && others.some((sizes) => sizes !== first))
		return { unrelated: 'broadcasting of opset 6 is not followed' };
	return `${view.inputs.map((input) => (input ? '...' : '_')).join(', ')} -> ${view.node.outputs.map(() => '...').join(', ')}`;
}

function sizesOf(view: NodeView): readonly (number[] | undefined)[] {
	const all = view.inputs.flatMap((input) => (input === undefined ? [] : [input.sizes]));
	const known = all.filter((sizes) => sizes !== undefined);
	return known.length < all.length ? [] : view.node.outputs.map(() => broadcastSizes(known));
}

function entry(ops: string | readonly string[], examples: readonly Example[], more: More = {}): Operator {
	return noted(ops, { axes: aligned, sizes: sizesOf, examples, ...more });
}

const boolean = (): number => BOOL;
const ints = (...values: number[]): ExampleInput => ({ ints: values });
const bools = (...sizes: number[]): ExampleInput => ({ sizes, type: BOOL });
const one: readonly Example[] = [{ inputs: [[3, 4, 5]] }];
const signed: readonly Example[] = [...one, { inputs: [ints(-7, 0, 8)] }];
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
	{ inputs: [ints(-7, 0, 8), ints(2)] },
];
const many: readonly Example[] = [...two, { inputs: [[3, 4], [4], []] }];
const positive: readonly Example[] = [
	{ inputs: [{ sizes: [3, 4, 5], positive: true }] },
	{ inputs: [{ floats: [4, 9, 2] }] },
];

/** An operator whose numbers are followed: sizes are computed by it. */
function arithmetic(op: string, apply: Apply, examples: readonly Example[] = two): Operator {
	return entry(op, examples, { values: (view) => mapKnown(view, typeOf(view), apply) });
}

function comparison(op: string, apply: Apply, more: More = {}): Operator {
	return entry(op, two, { ...more, values: (view) => mapKnown(view, BOOL, apply), type: boolean });
}

function logical(op: string, apply: Apply): Operator {
	return entry(op, [{ inputs: [bools(3, 4), bools(4)] }], {
		values: (view) => mapKnown(view, BOOL, apply),
		type: boolean,
	});
}

const smooth: readonly string[] = [
	...[
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
	],
	...['Softplus', 'Softsign', 'Gelu', 'Mish', 'ThresholdedRelu', 'Shrink'],
	...['Sin', 'Cos', 'Tan', 'Sinh', 'Cosh', 'Asin', 'Acos', 'Atan', 'Asinh', 'Atanh'],
];

const cast = (to: number): Readonly<Record<string, Attribute>> => ({ to: int(to) });
const byte = (...sizes: number[]): ExampleInput => ({ sizes, type: 2, below: 8 });

/** Whether a Dropout is in training, as far as can be told, and with a share to drop: without one it keeps all, as exporters leave it. */
function drops({ inputs: [, ratio, training] }: NodeView): boolean {
	return training !== undefined && training.known?.values[0] !== 0 && ratio?.known?.values[0] !== 0;
}

/** Dropout keeps its input when it is not training; until opset 12 its mask had the input's type or was bool. */
const dropout: Operator = noted('Dropout', {
	axes: (view) => (drops(view) ? { unrelated: 'it drops at random' } : '..., _, _ -> ..., ...'),
	sizes: (view) => [inputSizes(view, 0), inputSizes(view, 0)],
	values: (view, slot) => (slot === 0 ? view.inputs[0]?.known?.values : undefined),
	type: (view, slot) => (slot === 0 || view.opset < 10 ? typeOf(view) : BOOL),
	examples: [
		{ inputs: [[3, 5]], outputs: 2 },
		{ inputs: [[3, 5]], opset: 7, attributes: { ratio: { kind: 'float', value: 0.3 } } },
		{
			inputs: [[3, 5], { floats: [0.3], scalar: true }, { ints: [0], scalar: true, type: BOOL }],
			outputs: 2,
		},
		{
			inputs: [[3, 5], { floats: [0.3], scalar: true }, { ints: [1], scalar: true, type: BOOL }],
			unrelated: true,
		},
		{
			inputs: [[3, 5], { floats: [0], scalar: true }, { ints: [1], scalar: true, type: BOOL }],
			outputs: 2,
		},
	],
});

const choosing: readonly Operator[] = [
	entry('Where', [{ inputs: [bools(3, 4), [3, 4], []] }, { inputs: [bools(3, 1), [4], [1, 4]] }], {
		values: (view) => mapKnown(view, typeOf(view, 1), (test = 0, a = 0, b = 0) => (test ? a : b)),
		type: (view) => typeOf(view, 1),
	}),
	entry(
		'Clip',
		[
			{ inputs: [[3, 4], [], []] },
			{ inputs: [[3, 4], null, []] },
			{ inputs: [ints(-7, 0, 8), null, { ints: [2], scalar: true }] },
			{ inputs: [ints(-7, 0, 8), { ints: [-2], scalar: true }] },
			{ inputs: [[3, 4]], attributes: { min: { kind: 'float', value: 0 } }, opset: 6 },
		],
		{
			values: (view) =>
				view.opset < 11
					? undefined
					: mapKnown(view, typeOf(view), (value = 0, low = NaN, high = NaN) => {
							const raised = value < low ? low : value;
							return raised > high ? high : raised;
						}),
		},
	),
	entry('PRelu', [
		{
			inputs: [
				[3, 4, 5],
				[4, 1],
			],
		},
	]),
];

const casting: readonly Operator[] = [
	entry(
		'Cast',
		[
			{ inputs: [[3, 4]], attributes: cast(DOUBLE) },
			{ inputs: [{ floats: [-2.7, 0.5, 3] }], attributes: cast(INT64) },
			{ inputs: [ints(-2, 0, 3)], attributes: cast(BOOL) },
			{ inputs: [ints(-2, 0, 3)], attributes: cast(FLOAT) },
		],
		{
			values: (view) => mapKnown(view, intAttribute(view, 'to', FLOAT), (value = 0) => value),
			type: (view) => intAttribute(view, 'to', FLOAT),
		},
	),
	noted('CastLike', {
		axes: '..., _ -> ...',
		sizes: (view) => [inputSizes(view, 0)],
		values: (view) =>
			mapKnown({ ...view, inputs: view.inputs.slice(0, 1) }, typeOf(view, 1), (value = 0) => value),
		type: (view) => typeOf(view, 1),
		examples: [
			{ inputs: [[3, 4], { sizes: [5], type: INT32 }] },
			{ inputs: [{ floats: [-2.7, 3] }, { ints: [1] }] },
		],
	}),
	noted('BitCast', {
		axes: '... -> ...',
		type: (view) => intAttribute(view, 'to', FLOAT),
		examples: [{ inputs: [[3, 4]], attributes: cast(INT32), opset: 26, noKernel: 'not in onnxruntime 1.30' }],
	}),
];

export const elementwiseRows: readonly Operator[] = [
	entry(smooth, one),
	entry(['Log', 'Acosh'], [{ inputs: [{ sizes: [3, 4, 5], positive: true }] }]),
	entry('Swish', [{ inputs: [[3, 4, 5]], opset: 24 }]),
	entry(['IsNaN', 'IsInf'], one, { type: boolean }),
	entry('Identity', signed, { values: (view) => view.inputs[0]?.known?.values }),
	dropout,
	...casting,
	...choosing,
	arithmetic('Add', (a = 0, b = 0) => a + b),
	arithmetic('Sub', (a = 0, b = 0) => a - b),
	arithmetic('Mul', (a = 0, b = 0) => a * b),
	arithmetic('Div', (a = 0, b = 1) => a / b),
	entry('Pow', [{ inputs: [{ sizes: [3, 4], positive: true }, []] }, { inputs: [ints(2, 5), ints(3)] }], {
		values: (view) => mapKnown(view, typeOf(view), (a = 0, b = 1) => a ** b),
	}),
	entry(
		'Mod',
		[
			{ inputs: [[3, 4], [4]], attributes: { fmod: int(1) } },
			{ inputs: [ints(-7, 7, 8), ints(3)] },
			{ inputs: [ints(-7, 7, 8), ints(-3)], attributes: { fmod: int(1) } },
		],
		{
			values: (view) => {
				const truncates = intAttribute(view, 'fmod', 0) === 1;
				return mapKnown(view, typeOf(view), (a = 0, b = 1) =>
					truncates ? a % b : a - Math.floor(a / b) * b,
				);
			},
		},
	),
	arithmetic('Max', (...values) => Math.max(...values), many),
	arithmetic('Min', (...values) => Math.min(...values), many),
	arithmetic('Sum', (...values) => values.reduce((sum, value) => sum + value, 0), many.filter(isFloating)),
	arithmetic(
		'Mean',
		(...values) => values.reduce((sum, value) => sum + value, 0) / values.length,
		many.filter(isFloating),
	),
	arithmetic('Neg', (a = 0) => -a, signed),
	arithmetic('Abs', (a = 0) => Math.abs(a), signed),
	arithmetic('Sign', (a = 0) => Math.sign(a), signed),
	arithmetic('Floor', (a = 0) => Math.floor(a), [...one, { inputs: [{ floats: [-1.5, 2.5] }] }]),
	arithmetic('Ceil', (a = 0) => Math.ceil(a), [...one, { inputs: [{ floats: [-1.5, 2.5] }] }]),
	arithmetic('Round', roundHalfEven, [...one, { inputs: [{ floats: [-1.5, 2.5, 0.4, 3.5] }] }]),
	arithmetic('Sqrt', (a = 0) => Math.sqrt(a), positive),
	arithmetic('Reciprocal', (a = 1) => 1 / a, positive),
	comparison('Equal', (a, b) => Number(a === b), { resize: resizeCompared }),
	comparison('Greater', (a = 0, b = 0) => Number(a > b)),
	comparison('Less', (a = 0, b = 0) => Number(a < b)),
	comparison('GreaterOrEqual', (a = 0, b = 0) => Number(a >= b)),
	comparison('LessOrEqual', (a = 0, b = 0) => Number(a <= b)),
	logical('And', (a, b) => Number(Boolean(a) && Boolean(b))),
	logical('Or', (a, b) => Number(Boolean(a) || Boolean(b))),
	logical('Xor', (a, b) => Number(Boolean(a) !== Boolean(b))),
	entry('Not', [{ inputs: [bools(3, 4)] }, { inputs: [{ ints: [0, 1], type: BOOL }] }], {
		values: (view) => mapKnown(view, BOOL, (a) => Number(!a)),
		type: boolean,
	}),
	entry(['BitwiseAnd', 'BitwiseOr', 'BitwiseXor'], [{ inputs: [byte(3, 4), byte(4)] }]),
	entry('BitwiseNot', [{ inputs: [byte(3, 4)] }]),
	entry('BitShift', [
		{ inputs: [byte(3, 4), byte(4)], attributes: { direction: { kind: 'string', value: 'LEFT' } } },
	]),
];

function isFloating({ inputs }: Example): boolean {
	return inputs.every((input) => input !== null && !('ints' in input));
}

function roundHalfEven(a = 0): number {
	const low = Math.floor(a);
	if (a - low !== 0.5) return Math.round(a);
	return low % 2 === 0 ? low : low + 1;
}
