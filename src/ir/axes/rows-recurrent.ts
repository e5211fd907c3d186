/** Recurrent layers. https://onnx.ai/onnx/operators/onnx__LSTM.html */
import { INT32 } from '../graph/dtype.ts';
import { type Attribute } from '../graph/graph.ts';
import { noted, type Example, type Operator } from './operator.ts';
import { type Unrelated } from './row.ts';
import { inputSizes, intAttribute, type NodeView } from './view.ts';

const int = (value: number): Attribute => ({ kind: 'int', value });
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

function recurrent(op: keyof typeof gates, more: readonly Example[]): Operator {
	const q = gates[op];
	return noted(op, {
		axes: axesOf,
		hints: (view) => ({
			sizes: { q, h: intAttribute(view, 'hidden_size', 1), u: 2 * q, w: 3 },
			roles: { q: 'gate', u: 'gate', w: 'gate', D: 'gate', h: 'recurrent' },
		}),
		sizes: (view) => {
			const [x, w, r] = [inputSizes(view, 0), inputSizes(view, 1), inputSizes(view, 2)];
			if (x === undefined || w === undefined || intAttribute(view, 'layout', 0)) return [];
			const state = [w[0] ?? 1, x[1] ?? 1, r?.[2] ?? 1];
			return [[x[0] ?? 1, ...state], state, state];
		},
		resize: (_, removal) => ({ attributes: { hidden_size: int(removal.count('h')) } }),
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
];
