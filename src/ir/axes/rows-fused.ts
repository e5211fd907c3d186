/** Fused attention and recurrence. https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md */
import { noted, type Operator, type Removal } from './operator.ts';
import { type Attribute } from '../graph/graph.ts';
import { type Hints } from './notation.ts';
import { inputSizes, intAttribute, intsAttribute, type NodeView } from './view.ts';

const int = (value: number): Attribute => ({ kind: 'int', value });
const heads = (view: NodeView): number => intAttribute(view, 'num_heads', 1);
const past =
	(slot: number, text: string) =>
	(view: NodeView): string =>
		view.inputs[slot] ? text : '_';

/** Widths of q, k and v of the packed projection. */
function packed(view: NodeView): readonly [number, number, number] {
	const widths = intsAttribute(view, 'qkv_hidden_sizes');
	const each = (inputSizes(view, 1)?.[1] ?? 3) / 3;
	return [widths?.[0] ?? each, widths?.[1] ?? each, widths?.[2] ?? each];
}

function attentionAxes(view: NodeView): string {
	const cache = past(4, 'z b h p d')(view);
	const mask = view.inputs[3] ? ', _' : ', [_]';
	if (intsAttribute(view, 'qkv_hidden_sizes') !== undefined) {
		return `b !s i, i (h k)+(h e)+(h v), [(h k)+(h e)+(h v)]${mask} -> b !s (h v), _`;
	}
	return `b !s i, i (z h d), [(z h d)]${mask}, ${cache} -> b !s (h d), z b h !t d`;
}

function attentionHints(view: NodeView): Hints {
	const h = heads(view);
	const [q, k, v] = packed(view);
	return {
		sizes: { h, d: q / h, k: q / h, e: k / h, v: v / h, z: intsAttribute(view, 'qkv_hidden_sizes') ? 1 : 3 },
		roles: { d: 'scale', k: 'scale', e: 'scale', z: 'gate' },
	};
}

function attentionResize(view: NodeView, removal: Removal): { attributes: Record<string, Attribute> } {
	const h = removal.count('h');
	const widths = intsAttribute(view, 'qkv_hidden_sizes');
	const sizes: readonly number[] = widths ? ['k', 'e', 'v'].map((letter) => h * removal.count(letter)) : [];
	return {
		attributes: {
			num_heads: int(h),
			...(widths && { qkv_hidden_sizes: { kind: 'ints', value: sizes } }),
		},
	};
}

function attentionSizes(view: NodeView): (number[] | undefined)[] {
	const x = inputSizes(view, 0);
	if (x === undefined) return [];
	const [q, , v] = packed(view);
	const cache = inputSizes(view, 4);
	const length = (cache?.[3] ?? 0) + (x[1] ?? 0);
	return [
		[x[0] ?? 1, x[1] ?? 1, v],
		[2, x[0] ?? 1, heads(view), length, q / heads(view)],
	];
}

/** The packed projection has three parts and the cache two: the letter z of the cache is its own. */
function attentionText(view: NodeView): string {
	return attentionAxes(view).replace('z b h p d', 'y b h p d').replace('z b h !t d', 'y b h !t d');
}

function mhaAxes(view: NodeView): string {
	const tied =
		[6, 7].some((slot) => view.inputs[slot]) ||
		view.node.outputs.length > 1 ||
		inputSizes(view, 1)?.length === 4;
	const v = tied ? 'd' : 'v';
	const key = inputSizes(view, 1)?.length === 4 ? 'b h !t d' : 'b !t (h d)';
	const value = inputSizes(view, 2)?.length === 4 ? `b h !t ${v}` : `b !t (h ${v})`;
	const k = view.inputs[1] ? key : '_';
	const w = view.inputs[2] ? value : '_';
	const bias = view.inputs[3] ? `(h d)+(h d)+(h ${v})` : '_';
	const relative = view.inputs[5] && inputSizes(view, 5)?.[1] !== 1 ? '_ h !s !u' : '_';
	return `b !s (h d), ${k}, ${w}, ${bias}, _, ${relative}, ${past(6, 'b h !p d')(view)}, ${past(7, `b h !p ${v}`)(view)} -> b !s (h ${v}), b h !u d, b h !u ${v}`;
}

function mhaHints(view: NodeView): Hints {
	const h = heads(view);
	const value = inputSizes(view, 2);
	const d = (inputSizes(view, 0)?.[2] ?? h) / h;
	return {
		sizes: { h, d, v: value === undefined ? d : value.length === 4 ? (value[3] ?? d) : (value[2] ?? h) / h },
		roles: { d: 'scale' },
	};
}

function mhaSizes(view: NodeView): (number[] | undefined)[] {
	const [q, k, v] = [inputSizes(view, 0), inputSizes(view, 1), inputSizes(view, 2)];
	if (q === undefined) return [];
	const { d = 1, v: width = d } = mhaHints(view).sizes ?? {};
	const own = k === undefined ? (q[1] ?? 1) : k.length === 4 ? (k[2] ?? 1) : (k[1] ?? 1);
	const total = own + (inputSizes(view, 6)?.[2] ?? 0);
	const [b, s, h] = [q[0] ?? 1, q[1] ?? 1, heads(view)];
	return [
		[b, s, h * (v === undefined ? d : width)],
		[b, h, total, d],
		[b, h, total, width],
	];
}

function gqa(view: NodeView): { k: number; g: number; d: number } {
	const k = intAttribute(view, 'kv_num_heads', 1);
	const key = inputSizes(view, 1);
	const d = key === undefined ? (inputSizes(view, 0)?.[2] ?? 1) / (heads(view) + 2 * k) : (key[2] ?? k) / k;
	return { k, g: heads(view) / k, d };
}

function gqaAxes(view: NodeView): string {
	const cache = 'b k !p d, b k !p d';
	const query = view.inputs[1] ? 'b !s (k g d), b !s (k d), b !s (k d)' : 'b !s (k g d)+(k d)+(k d), _, _';
	return `${query}, ${view.inputs[3] ? cache : '_, _'}, _, _, [_], [_] -> b !s (k g d), b k !u d, b k !u d`;
}

function gqaSizes(view: NodeView): (number[] | undefined)[] {
	const q = inputSizes(view, 0);
	if (q === undefined) return [];
	const { k, g, d } = gqa(view);
	const [b, s] = [q[0] ?? 1, q[1] ?? 1];
	const cache = [b, k, Math.max(inputSizes(view, 3)?.[2] ?? 0, s), d];
	return [[b, s, k * g * d], cache, cache];
}

const gates: Readonly<Record<string, number>> = { LSTM: 4, GRU: 3, RNN: 1 };

function recurrentAxes(view: NodeView): string {
	const cell = view.node.op === 'LSTM' ? `, ${past(6, 'D b h')(view)}, ${past(7, 'D (w h)')(view)}` : '';
	const bias = past(3, 'D (u h)')(view);
	const outputs = `!t D b h, D b h${view.node.op === 'LSTM' ? ', D b h' : ''}`;
	return `!t b i, D (q h) i, D (q h) h, ${bias}, _, ${past(5, 'D b h')(view)}${cell} -> ${outputs}`;
}

function recurrent(op: string): Operator {
	const q = gates[op] ?? 1;
	return noted(op, {
		axes: recurrentAxes,
		hints: (view) => ({
			sizes: { q, h: intAttribute(view, 'hidden_size', 1), u: 2 * q, w: 3 },
			roles: { q: 'gate', u: 'gate', w: 'gate', D: 'gate', h: 'recurrent' },
		}),
		sizes: (view) => {
			const [x, w] = [inputSizes(view, 0), inputSizes(view, 1)];
			const h = intAttribute(view, 'hidden_size', 1);
			const state = [w?.[0] ?? 1, x?.[1] ?? 1, h];
			return x === undefined ? [] : [[x[0] ?? 1, ...state], state, state];
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
		],
	});
}

export const fusedRows: readonly Operator[] = [
	noted('Attention', {
		domain: 'com.microsoft',
		axes: attentionText,
		hints: (view) => {
			const hints = attentionHints(view);
			return { sizes: { ...hints.sizes, y: 2 }, roles: { ...hints.roles, y: 'gate' } };
		},
		sizes: attentionSizes,
		resize: attentionResize,
		examples: [{ inputs: [[2, 5, 6], [6, 24], [24]], attributes: { num_heads: int(4) } }],
	}),
	noted('MultiHeadAttention', {
		domain: 'com.microsoft',
		axes: mhaAxes,
		hints: mhaHints,
		sizes: mhaSizes,
		resize: (_, removal) => ({ attributes: { num_heads: int(removal.count('h')) } }),
		examples: [{ inputs: [[2, 5, 8], [2, 7, 8], [2, 7, 12], [28]], attributes: { num_heads: int(4) } }],
	}),
	noted('GroupQueryAttention', {
		domain: 'com.microsoft',
		axes: gqaAxes,
		hints: (view) => ({ sizes: gqa(view), roles: { d: 'scale' } }),
		sizes: gqaSizes,
		resize: (_, removal) => ({
			attributes: {
				num_heads: int(removal.count('k') * removal.count('g')),
				kv_num_heads: int(removal.count('k')),
			},
		}),
		examples: [],
	}),
	recurrent('LSTM'),
	recurrent('GRU'),
	recurrent('RNN'),
];
