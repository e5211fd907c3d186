/** Operators on quantized numbers. https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md */
import { FLOAT, INT32 } from '../graph/dtype.ts';
import { elementCount } from '../graph/graph.ts';
import { broadcastSizes } from './broadcast.ts';
import { noted, type Example, type ExampleInput, type Operator, int } from './operator.ts';
import { type Hints } from './notation.ts';
import { type Unrelated } from './row.ts';
import { productAxes } from './rows-linear.ts';
import { inputSizes, intAttribute, type NodeView, axisOf } from './view.ts';

const ms = 'com.microsoft';
const [UINT8, INT8] = [2, 3];
const u8 = (...sizes: number[]): ExampleInput => ({ sizes, type: UINT8 });
const i8 = (...sizes: number[]): ExampleInput => ({ sizes, type: INT8 });
const scale = (...sizes: number[]): ExampleInput => ({ sizes, positive: true });
const zero = (type: number, value: number): ExampleInput => ({ ints: [value], scalar: true, type });

/** A scale or zero point: one number, or one a position of the letter's axis. */
export function perAxis(view: NodeView, slot: number, letter: string): string {
	const sizes = inputSizes(view, slot);
	return sizes?.length === 1 && sizes[0] !== 1 ? letter : '_';
}

const typeOf =
	(slot: number, otherwise: number) =>
	(view: NodeView): number =>
		view.inputs[slot]?.type ?? otherwise;

function product(
	view: NodeView,
	[a, b]: readonly [number, number],
	axes: Readonly<Record<number, 'm' | 'n'>>,
): string {
	const names = productAxes(inputSizes(view, a)?.length ?? 2, inputSizes(view, b)?.length ?? 2);
	const inputs = view.inputs.map((_, slot) => {
		const letter = axes[slot];
		return slot === a ? names.a : slot === b ? names.b : letter ? perAxis(view, slot, letter) : '_';
	});
	return `${inputs.join(', ')} -> ${names.out}`;
}

function linearAxes(view: NodeView): string | Unrelated {
	const axis = axisOf(view, 1);
	if (intAttribute(view, 'block_size', 0) > 0) return { unrelated: 'it is quantized in blocks' };
	const names = (inputSizes(view, 0) ?? []).map((_, at) => `a${at}`).join(' ');
	return `${names}, ${perAxis(view, 1, `a${axis}`)}, ${perAxis(view, 2, `a${axis}`)} -> ${names}`;
}

function linearQuantization(domain: string): Operator[] {
	return [
		noted('QuantizeLinear', {
			domain,
			axes: linearAxes,
			type: (view) => view.inputs[2]?.type ?? intAttribute(view, 'output_dtype', UINT8),
			examples: [
				{ inputs: [[5, 4], scale(5), u8(5)], attributes: { axis: int(0) } },
				{ inputs: [[5, 4], scale(), zero(INT8, 3)] },
			],
		}),
		noted('DequantizeLinear', {
			domain,
			axes: linearAxes,
			zeroPoints: { 0: 2 },
			type: typeOf(1, FLOAT),
			examples: [
				{ inputs: [i8(5, 4), scale(5), i8(5)], attributes: { axis: int(0) } },
				{ inputs: [u8(3, 4, 5), scale(4), u8(4)] },
				{ inputs: [u8(5, 4), scale(), zero(UINT8, 3)] },
			],
		}),
	];
}

/** The range that sets the scale contains zero, so a zeroed position moves it as little as an absent one. */
const ranged: Hints = {
	roles: Object.fromEntries([1, 2, 3, 4, 5, 6].map((distance) => [`~${distance}`, 'recurrent' as const])),
};

/** Weights packed by blocks of the contracted axis. */
function packedAxes(view: NodeView): string {
	const bits = intAttribute(view, 'bits', 4);
	const [K, block] = [intAttribute(view, 'K', 1), intAttribute(view, 'block_size', 32)];
	const whole = K % block === 0 && (view.inputs[3] === undefined || bits === 8);
	const k = whole ? '(q !r)' : '!k';
	const q = whole ? 'q' : '!q';
	const scales = inputSizes(view, 2)?.length === 1 ? `(n ${q})` : `n ${q}`;
	const points = inputSizes(view, 3)?.length === 1 ? '(n !p)' : 'n !p';
	const point = view.inputs[3] ? (whole ? scales : points) : '_';
	const order = view.inputs[4] ? '!g' : '_';
	return `... ${k}, n ${q} !x, ${scales}, ${point}, ${order}, ${view.inputs[5] ? 'n' : '_'} -> ... n`;
}

function packedHints(view: NodeView): Hints {
	const [K, block] = [intAttribute(view, 'K', 1), intAttribute(view, 'block_size', 32)];
	return {
		sizes: { n: intAttribute(view, 'N', 1), q: Math.ceil(K / block), ...(K % block === 0 && { r: block }) },
	};
}

const matrices: readonly Operator[] = [
	noted('MatMulInteger', {
		axes: (view) => product(view, [0, 1], { 2: 'm', 3: 'n' }),
		zeroPoints: { 0: 2, 1: 3 },
		type: () => INT32,
		examples: [
			{ inputs: [u8(4, 6), i8(6, 5), zero(UINT8, 7), zero(INT8, -3)] },
			{ inputs: [u8(4, 6), i8(6, 5), zero(UINT8, 7), i8(5)] },
			{ inputs: [u8(2, 4, 6), u8(6, 5)] },
		],
	}),
	noted('MatMulIntegerToFloat', {
		domain: ms,
		axes: (view) => product(view, [0, 1], { 2: 'm', 3: 'n', 4: 'm', 5: 'n', 6: 'n' }),
		zeroPoints: { 0: 4, 1: 5 },
		type: () => FLOAT,
		examples: [
			{ inputs: [u8(4, 6), i8(6, 5), scale(), scale(5), zero(UINT8, 7), i8(5), [5]] },
			{ inputs: [u8(4, 6), i8(6, 5), scale(), scale(), zero(UINT8, 7)] },
		],
	}),
	noted('QLinearMatMul', {
		axes: (view) => product(view, [0, 3], { 1: 'm', 2: 'm', 4: 'n', 5: 'n' }),
		zeroPoints: { 0: 2, 3: 5 },
		type: typeOf(7, UINT8),
		examples: [
			{
				inputs: [u8(4, 6), { floats: [0.01], scalar: true }, zero(UINT8, 90), i8(6, 5)].concat([
					{ floats: [0.02], scalar: true },
					zero(INT8, 3),
					{ floats: [0.05], scalar: true },
					zero(UINT8, 128),
				]),
			},
		],
	}),
	noted('QGemm', {
		domain: ms,
		axes: (view) => {
			const [a, b] = [
				intAttribute(view, 'transA', 0) ? 'k m' : 'm k',
				intAttribute(view, 'transB', 0) ? 'n k' : 'k n',
			];
			const rank = inputSizes(view, 6)?.length ?? 0;
			const bias = ['_', 'n', 'm n'][rank] ?? '_';
			return `${a}, _, _, ${b}, ${perAxis(view, 4, 'n')}, ${perAxis(view, 5, 'n')}, ${bias}, _, _ -> m n`;
		},
		zeroPoints: { 0: 2, 3: 5 },
		type: typeOf(8, FLOAT),
		examples: [
			{
				inputs: [u8(4, 6), scale(), zero(UINT8, 90), i8(5, 6), scale(), zero(INT8, 3)].concat({
					sizes: [5],
					type: INT32,
					below: 500,
				}),
				attributes: { transB: int(1) },
			},
		],
	}),
	noted('DynamicQuantizeMatMul', {
		domain: ms,
		axes: (view) => product(view, [0, 1], { 2: 'n', 3: 'n', 4: 'n' }),
		hints: () => ({ roles: { ...ranged.roles, m: 'recurrent' } }),
		zeroPoints: { 1: 3 },
		examples: [{ inputs: [[8, 9], i8(9, 5), scale(5), i8(5), [5]] }],
	}),
	noted('MatMulNBits', {
		domain: ms,
		axes: packedAxes,
		hints: packedHints,
		zeroPoints: { 1: null },
		resize: (view, removal) => ({
			attributes: {
				N: int(removal.count('n')),
				...(removal.dead('q') && { K: int(removal.count('q') * intAttribute(view, 'block_size', 32)) }),
			},
		}),
		examples: [
			{
				inputs: [[3, 80], { sizes: [5, 5, 8], type: UINT8, below: 256, constant: true }, scale(25)],
				attributes: { K: int(80), N: int(5), bits: int(4), block_size: int(16) },
			},
			{
				inputs: [
					[3, 80],
					{ sizes: [6, 5, 8], type: UINT8, below: 256, constant: true },
					scale(30),
					{ sizes: [18], type: UINT8, below: 256, constant: true },
				],
				attributes: { K: int(80), N: int(6), bits: int(4), block_size: int(16) },
			},
		],
	}),
	noted('DynamicQuantizeLinear', {
		axes: '... -> ..., _, _',
		hints: () => ranged,
		sizes: (view) => [inputSizes(view, 0), [], []],
		type: (_, slot) => (slot === 1 ? FLOAT : UINT8),
		examples: [{ inputs: [[6, 7]], outputs: 3 }],
	}),
];

function qlinearBinary(view: NodeView): (number[] | undefined)[] {
	const [a, b] = [inputSizes(view, 0), inputSizes(view, 3)];
	return a && b && elementCount(a) > 0 ? [broadcastSizes([a, b])] : [];
}

const q = (floats: number): ExampleInput => ({ floats: [floats], scalar: true });
const binary: Example = {
	inputs: [u8(3, 4, 5), q(0.02), zero(UINT8, 100), u8(4, 5), q(0.03), zero(UINT8, 90), q(0.05)].concat(
		zero(UINT8, 110),
	),
};
const unary: Example = { inputs: [u8(3, 4, 5), q(0.02), zero(UINT8, 100), q(0.01), zero(UINT8, 3)] };

const pointwise: readonly Operator[] = [
	noted(['QLinearAdd', 'QLinearMul'], {
		domain: ms,
		axes: '..., _, _, ..., _, _, _, _ -> ...',
		sizes: qlinearBinary,
		examples: [binary],
	}),
	noted(['QLinearSigmoid', 'QLinearLeakyRelu'], {
		domain: ms,
		axes: '..., _, _, _, _ -> ...',
		examples: [unary],
	}),
	noted('QLinearGlobalAveragePool', {
		domain: ms,
		axes: (view) => {
			const rank = (inputSizes(view, 0)?.length ?? 4) - 2;
			const inner = (name: string): string =>
				Array.from({ length: rank }, (_, at) => `${name}${at}`).join(' ');
			return intAttribute(view, 'channels_last', 0)
				? `b ${inner('x')} c, _, _, _, _ -> b ${inner('!y')} c`
				: `b c ${inner('x')}, _, _, _, _ -> b c ${inner('!y')}`;
		},
		hints: () => ({ roles: { x0: 'statistic', x1: 'statistic', x2: 'statistic' } }),
		sizes: (view) => {
			const rank = inputSizes(view, 0)?.length ?? 4;
			const channel = intAttribute(view, 'channels_last', 0) ? rank - 1 : 1;
			return [inputSizes(view, 0)?.map((size, axis) => (axis === 0 || axis === channel ? size : 1))];
		},
		examples: [{ inputs: [u8(2, 5, 6, 6), q(0.02), zero(UINT8, 100), q(0.002), zero(UINT8, 3)] }],
	}),
];

export const quantizedRows: readonly Operator[] = [
	...linearQuantization(''),
	...linearQuantization(ms),
	...matrices,
	...pointwise,
];
