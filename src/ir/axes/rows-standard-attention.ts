/** Attention and rotary embedding of the ONNX standard, and onnxruntime's rotary embedding. */
import { INT64 } from '../graph/dtype.ts';
import { noted, type Example, type Operator, int } from './operator.ts';
import { type Hints } from './notation.ts';
import { inputSizes, intAttribute, type NodeView } from './view.ts';

const given = (view: NodeView, slot: number, text: string): string => (view.inputs[slot] ? text : '_');

type Shape = {
	readonly flat: boolean;
	readonly k: number;
	readonly g: number;
	readonly d: number;
	readonly v: number;
};

/** Heads are an axis of rank-4 operands and counted by attributes for rank-3 ones; query heads share keys in groups. */
function shapeOf(view: NodeView): Shape | undefined {
	const [q, w] = [inputSizes(view, 0), inputSizes(view, 2)];
	if (q === undefined || w === undefined) return undefined;
	const flat = q.length === 3;
	const heads = flat ? intAttribute(view, 'q_num_heads', 1) : (q[1] ?? 1);
	const k = flat ? intAttribute(view, 'kv_num_heads', 1) : (w[1] ?? 1);
	return {
		flat,
		k,
		g: heads / k,
		d: flat ? (q[2] ?? 1) / heads : (q[3] ?? 1),
		v: flat ? (w[2] ?? 1) / k : (w[3] ?? 1),
	};
}

/** The mask lines up with `[batch, heads, queries, keys]` from the end. */
function mask(view: NodeView, heads: string, s: string): string {
	const names = ['b', heads, s, '!t'].slice(-(inputSizes(view, 3)?.length ?? 4));
	return given(view, 3, names.join(' '));
}

function attentionAxes(view: NodeView): string {
	const { flat = true, g = 1 } = shapeOf(view) ?? {};
	const [q, k] = g === 1 ? ['h', 'h'] : ['(k g)', 'k'];
	const inner = (heads: string, width: string): string => `(${heads.replace(/[()]/g, '')} ${width})`;
	const s = intAttribute(view, 'is_causal', 0) ? '!s' : 's';
	const operands = flat
		? `b ${s} ${inner(q, 'd')}, b !t ${inner(k, 'd')}, b !t ${inner(k, 'v')}`
		: `b ${q} ${s} d, b ${k} !t d, b ${k} !t v`;
	const cache = `${given(view, 4, `b ${k} !p d`)}, ${given(view, 5, `b ${k} !p v`)}`;
	const result = flat ? `b ${s} ${inner(q, 'v')}` : `b ${q} ${s} v`;
	const outputs = `${result}, b ${k} !u d, b ${k} !u v, b ${q} ${s} !x`;
	const lengths = given(view, 6, '!b');
	return `${operands}, ${mask(view, q, s)}, ${cache}, ${lengths} -> ${outputs}`;
}

function attentionHints(view: NodeView): Hints {
	const { k = 1, g = 1, d = 1, v = 1 } = shapeOf(view) ?? {};
	return { sizes: { ...(g === 1 ? { h: k } : { k, g }), d, v }, roles: { d: 'scale' } };
}

function attentionSizes(view: NodeView): (number[] | undefined)[] {
	const [q, keys, shape] = [inputSizes(view, 0), inputSizes(view, 1), shapeOf(view)];
	if (q === undefined || keys === undefined || shape === undefined) return [];
	const { flat, k, g, d, v } = shape;
	const [b, s, t] = [q[0] ?? 1, q[flat ? 1 : 2] ?? 1, keys[flat ? 1 : 2] ?? 1];
	const total = t + (inputSizes(view, 4)?.[2] ?? 0);
	return [
		flat ? [b, s, k * g * v] : [b, k * g, s, v],
		[b, k, total, d],
		[b, k, total, v],
		[b, k * g, s, total],
	];
}

/** Slots of positions and tables differ between the standard's operator and onnxruntime's. */
type Slots = { readonly positions: number; readonly cos: number; readonly sin: number };

/** A rotated head is pairs `p`, whose two numbers `r` lie side by side or in halves. */
function rotaryAxes(view: NodeView, { positions, cos, sin }: Slots): string {
	const x = inputSizes(view, 0);
	const partial = intAttribute(view, 'rotary_embedding_dim', 0) > 0;
	const pair = intAttribute(view, 'interleaved', 0) ? 'p !r' : '!r p';
	const width = partial ? '!d' : pair;
	const placed = (inputSizes(view, positions)?.length ?? 1) === 2 && view.inputs[positions] !== undefined;
	const free = placed || (inputSizes(view, cos)?.length ?? 2) === 3;
	const s = free ? 's' : '!s';
	const data = x?.length === 4 ? `b h ${s} ${partial ? '!d' : `(${pair})`}` : `b ${s} (h ${width})`;
	const last = partial ? '!m' : 'p';
	const table = (inputSizes(view, cos)?.length ?? 2) === 3 ? `b ${s} ${last}` : `n ${last}`;
	const inputs = view.inputs.map((_, slot) => {
		if (slot === 0) return data;
		if (slot === cos || slot === sin) return table;
		return slot === positions && placed ? `b ${s}` : '_';
	});
	return `${inputs.join(', ')} -> ${data}`;
}

function rotaryHints(view: NodeView, { cos }: Slots): Hints {
	const x = inputSizes(view, 0);
	const partial = intAttribute(view, 'rotary_embedding_dim', 0) > 0;
	const pairs = inputSizes(view, cos)?.at(-1) ?? 1;
	const width = x?.at(-1) ?? 1;
	const h = x?.length === 4 ? (x[1] ?? 1) : intAttribute(view, 'num_heads', 0) || width / (2 * pairs);
	return {
		sizes: { h, ...(partial ? { d: x?.length === 4 ? width : width / h } : { p: pairs, r: 2 }) },
		roles: { n: 'indexed' },
	};
}

function rotary(domain: string, slots: Slots, examples: readonly Example[]): Operator {
	return noted('RotaryEmbedding', {
		domain,
		axes: (view) => rotaryAxes(view, slots),
		hints: (view) => rotaryHints(view, slots),
		sizes: (view) => [inputSizes(view, 0)],
		resize: (view, removal) =>
			intAttribute(view, 'num_heads', 0) ? { attributes: { num_heads: int(removal.count('h')) } } : {},
		examples,
	});
}

const places = (...sizes: number[]): { sizes: number[]; type: number; below: number } => ({
	sizes,
	type: INT64,
	below: 7,
});
const interleaved = { interleaved: int(1) };

export const standardAttentionRows: readonly Operator[] = [
	noted('Attention', {
		axes: attentionAxes,
		hints: attentionHints,
		sizes: attentionSizes,
		resize: (view, removal) => {
			const { flat, g = 1 } = shapeOf(view) ?? {};
			if (!flat) return {};
			const k = removal.count(g === 1 ? 'h' : 'k');
			const queries = g === 1 ? k : k * removal.count('g');
			return { attributes: { q_num_heads: int(queries), kv_num_heads: int(k) } };
		},
		examples: [
			{
				inputs: [
					[2, 5, 4, 6],
					[2, 5, 7, 6],
					[2, 5, 7, 8],
				],
				opset: 23,
			},
			{
				inputs: [
					[2, 10, 4, 6],
					[2, 5, 7, 6],
					[2, 5, 7, 8],
				],
				opset: 23,
			},
			{
				inputs: [
					[2, 4, 60],
					[2, 7, 30],
					[2, 7, 40],
					[10, 4, 7],
				],
				attributes: { q_num_heads: int(10), kv_num_heads: int(5) },
				opset: 23,
			},
			{
				inputs: [[2, 5, 4, 6], [2, 5, 7, 6], [2, 5, 7, 8], null, [2, 5, 3, 6], [2, 5, 3, 8]],
				outputs: 4,
				opset: 23,
			},
		],
	}),
	rotary('', { cos: 1, sin: 2, positions: 3 }, [
		{ inputs: [[2, 5, 6, 10], [7, 5], [7, 5], places(2, 6)], opset: 23 },
		{
			inputs: [[2, 6, 50], [7, 5], [7, 5], places(2, 6)],
			attributes: { ...interleaved, num_heads: int(5) },
			opset: 23,
		},
		{
			inputs: [
				[2, 5, 6, 10],
				[2, 6, 5],
				[2, 6, 5],
			],
			opset: 23,
		},
	]),
	rotary('com.microsoft', { positions: 1, cos: 2, sin: 3 }, [
		{ inputs: [[2, 6, 50], places(2, 6), [7, 5], [7, 5]] },
		{ inputs: [[2, 5, 6, 10], places(2, 6), [7, 5], [7, 5]], attributes: interleaved },
		{ inputs: [[2, 5, 6, 10], { ints: [0] }, [7, 5], [7, 5]] },
		{
			inputs: [[2, 6, 40], places(2, 6), [7, 2], [7, 2]],
			attributes: { num_heads: int(5), rotary_embedding_dim: int(4) },
		},
	]),
];
