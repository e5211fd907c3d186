/** Recurrent layers. https://onnx.ai/onnx/operators/onnx__LSTM.html */
import { FLOAT, INT32, INT8 } from '../graph/dtype.ts';
import { type Hints } from './notation.ts';
import {
	noted,
	type Example,
	type ExampleInput,
	type Operator,
	type Removal,
	type Resized,
	int,
} from './operator.ts';
import { type Unrelated } from './row.ts';
import { inputSizes, intAttribute, type NodeView } from './view.ts';

const given = (view: NodeView, slot: number, text: string): string => (view.inputs[slot] ? text : '_');

const gates = { LSTM: 4, GRU: 3, RNN: 1 } as const;

/** Directions `D`, gates `q`, biases of both matrices `u`, peepholes `w`, hidden units `h`. */
function axesOf(view: NodeView): string | Unrelated {
	if (intAttribute(view, 'layout', 0)) return { unrelated: 'its batch comes first' };
	const b = view.inputs[4] ? '!b' : 'b';
	const state = `D ${b} h`;
	const cell = `${given(view, 6, state)}, ${given(view, 7, 'D (w h)')}`;
	const inputs = `!t ${b} i, D (q h) i, D (q h) h, ${given(view, 3, 'D (u h)')}, _, ${given(view, 5, state)}`;
	return `${inputs}, ${cell} -> !t D ${b} h, ${state}, ${state}`;
}

const hintsOf =
	(q: number) =>
	(view: NodeView): Hints => ({
		sizes: { q, h: intAttribute(view, 'hidden_size', 1), u: 2 * q, w: 3 },
		roles: { q: 'gate', u: 'gate', w: 'gate', D: 'gate', h: 'recurrent' },
	});

const resize = (_: NodeView, removal: Removal): Resized => ({
	attributes: { hidden_size: int(removal.count('h')) },
});

function recurrent(op: keyof typeof gates, more: readonly Example[]): Operator {
	const q = gates[op];
	return noted(op, {
		axes: axesOf,
		hints: hintsOf(q),
		sizes: (view) => {
			const [x, w, r] = [inputSizes(view, 0), inputSizes(view, 1), inputSizes(view, 2)];
			if (x === undefined || w === undefined || intAttribute(view, 'layout', 0)) return [];
			const state = [w[0] ?? 1, x[1] ?? 1, r?.[2] ?? 1];
			return [[x[0] ?? 1, ...state], state, state];
		},
		resize,
		examples: [
			{
				inputs: [
					[3, 2, 5],
					[1, q * 6, 5],
					[1, q * 6, 6],
					[1, 2 * q * 6],
				],
				outputs: 2,
				attributes: { hidden_size: int(6) },
			},
			{
				inputs: [[3, 2, 5], [2, q * 6, 5], [2, q * 6, 6], null, null, [2, 2, 6]],
				outputs: [1],
				attributes: { hidden_size: int(6), direction: { kind: 'string', value: 'bidirectional' } },
			},
			...more,
		],
	});
}

/**
 * An LSTM of quantized matrices, which lie the other way round; what it reads, and its state, are quantized as they come, by their range.
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.DynamicQuantizeLSTM
 */
function quantizedAxes(view: NodeView): string {
	const state = 'D !b h';
	const cell = `${given(view, 6, state)}, ${given(view, 7, 'D (w h)')}`;
	const inputs = `!t !b i, D i (q h), D h (q h), ${given(view, 3, 'D (u h)')}, _, ${given(view, 5, state)}`;
	const quantization = [8, 9, 10, 11].map((slot) => (inputSizes(view, slot)?.length === 2 ? 'D (q h)' : 'D'));
	return `${inputs}, ${cell}, ${quantization.join(', ')} -> !t D !b h, ${state}, ${state}`;
}

const i8 = (...sizes: number[]): ExampleInput => ({ sizes, type: INT8, constant: true });

/** Wide, so that few positions set a range: zeroing one that does is not the same as leaving it out. */
function quantizedExample(directions: number, attributes: Example['attributes'], outputs: number[]): Example {
	const [features, hidden] = [24, 12];
	const matrix = (rows: number): ExampleInput => i8(directions, rows, 4 * hidden);
	const read = [[2, 1, features], matrix(features), matrix(hidden), [directions, 8 * hidden]];
	const state = [null, null, null, null];
	const scale: ExampleInput = { floats: Array.from({ length: directions }, () => 0.01) };
	const quantization = [scale, i8(directions), scale, i8(directions)];
	return {
		inputs: [...read, ...state, ...quantization],
		outputs,
		attributes: { hidden_size: int(hidden), ...attributes },
	};
}

const quantized = noted('DynamicQuantizeLSTM', {
	domain: 'com.microsoft',
	axes: quantizedAxes,
	hints: hintsOf(4),
	sizes: (view) => {
		const [x, r] = [inputSizes(view, 0), inputSizes(view, 2)];
		if (x === undefined || r === undefined) return [];
		const state = [r[0] ?? 1, x[1] ?? 1, r[1] ?? 1];
		return [[x[0] ?? 1, ...state], state, state];
	},
	type: () => FLOAT,
	zeroPoints: { 1: 9, 2: 11 },
	resize,
	examples: [
		quantizedExample(1, {}, [0, 1]),
		quantizedExample(2, { direction: { kind: 'string', value: 'bidirectional' } }, [1]),
	],
});

const lengths = { sizes: [2], type: INT32, from: 1, below: 4 };

export const recurrentRows: readonly Operator[] = [
	recurrent('LSTM', [
		{
			inputs: [[3, 2, 5], [1, 24, 5], [1, 24, 6], [1, 48], lengths, [1, 2, 6], [1, 2, 6], [1, 18]],
			outputs: 3,
			attributes: { hidden_size: int(6) },
		},
	]),
	recurrent('GRU', [
		{
			inputs: [
				[3, 2, 5],
				[1, 18, 5],
				[1, 18, 6],
				[1, 36],
			],
			outputs: 2,
			attributes: { hidden_size: int(6), linear_before_reset: int(1) },
		},
	]),
	recurrent('RNN', []),
	quantized,
];
