/** onnxruntime's fused attention. https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md */
import { FLOAT, INT32 } from '../graph/dtype.ts';
import { type Attribute } from '../graph/graph.ts';
import {
	noted,
	type Example,
	type ExampleInput,
	type Operator,
	type Removal,
	type Resized,
	int,
} from './operator.ts';
import { type Hints } from './notation.ts';
import { type Unrelated } from './row.ts';
import { perAxis } from './rows-quantized.ts';
import { inputSizes, intAttribute, intsAttribute, type NodeView } from './view.ts';

const ms = 'com.microsoft';
const heads = (view: NodeView): number => intAttribute(view, 'num_heads', 1);
const given = (view: NodeView, slot: number, text: string): string => (view.inputs[slot] ? text : '_');

/** The additive bias on scores, `[batch, heads, queries, keys]` with sizes of 1 where it is shared. */
function scoreBias(view: NodeView, slot: number, axes: string): string {
	return given(view, slot, `${axes} !t`);
}

/** Widths of q, k and v in the packed projection. */
function packed(view: NodeView): readonly [number, number, number] {
	const widths = intsAttribute(view, 'qkv_hidden_sizes');
	const each = (inputSizes(view, 1)?.[1] ?? 3) / 3;
	return [widths?.[0] ?? each, widths?.[1] ?? each, widths?.[2] ?? each];
}

const isEven = (view: NodeView): boolean => new Set(packed(view)).size === 1;

/** `z` are the three of q, k and v, `y` the two of the cache. The batch is pinned by a mask: those come in too many forms. */
function attentionAxes(view: NodeView): string | Unrelated {
	const b = view.inputs[3] ? '!b' : 'b';
	const bias = scoreBias(view, 5, `${b} h !s`);
	if (isEven(view)) {
		const cache = given(view, 4, `y ${b} h !p d`);
		const inputs = `${b} !s i, i (z h d), ${given(view, 2, '(z h d)')}, _, ${cache}, ${bias}, _`;
		return `${inputs} -> ${b} !s (h d), y ${b} h !u d`;
	}
	if (view.inputs[4]) return { unrelated: 'it has a cache and widths that differ' };
	const width = '(h k)+(h k)+(h v)';
	return `${b} !s i, i ${width}, ${given(view, 2, width)}, _, _, ${bias}, _ -> ${b} !s (h v)`;
}

function attentionHints(view: NodeView): Hints {
	const h = heads(view);
	const [q, , v] = packed(view);
	const roles = { d: 'scale', k: 'scale', z: 'gate', y: 'gate' } as const;
	return isEven(view)
		? { sizes: { h, d: q / h, z: 3, y: 2 }, roles }
		: { sizes: { h, k: q / h, v: v / h }, roles };
}

function attentionResize(view: NodeView, removal: Removal): Resized {
	const h = removal.count('h');
	const letters = isEven(view) ? ['d', 'd', 'd'] : ['k', 'k', 'v'];
	const widths: Attribute = { kind: 'ints', value: letters.map((letter) => h * removal.count(letter)) };
	const hasWidths = view.node.attributes.has('qkv_hidden_sizes');
	return { attributes: { num_heads: int(h), ...(hasWidths && { qkv_hidden_sizes: widths }) } };
}

function attentionSizes(view: NodeView): (number[] | undefined)[] {
	const x = inputSizes(view, 0);
	if (x === undefined) return [];
	const [q, , v] = packed(view);
	const cache = inputSizes(view, view.node.op === 'QAttention' ? 8 : 4);
	const length = (cache?.[3] ?? 0) + (x[1] ?? 0);
	return [
		[x[0] ?? 1, x[1] ?? 1, v],
		[2, x[0] ?? 1, heads(view), length, q / heads(view)],
	];
}

type Mha = { readonly key: number; readonly value: number; readonly d: number; readonly v: number };

/** Ranks of key and value, and the widths of a head. */
function mhaShape(view: NodeView): Mha {
	const [q, k, v] = [inputSizes(view, 0), inputSizes(view, 1), inputSizes(view, 2)];
	const h = heads(view);
	const d = q?.length === 5 ? (q[4] ?? 1) : (q?.[2] ?? h) / h;
	const width = v === undefined ? d : v.length === 4 ? (v[3] ?? d) : (v[2] ?? h) / h;
	return { key: k?.length ?? 0, value: v?.length ?? 0, d, v: width };
}

/** onnxruntime asks for equal widths once there is a cache or keys come by head. */
function mhaAxes(view: NodeView): string | Unrelated {
	if (inputSizes(view, 0)?.length === 5 || inputSizes(view, 1)?.length === 5)
		return { unrelated: 'its operands are packed' };
	const { key, value } = mhaShape(view);
	const tied = [6, 7].some((slot) => view.inputs[slot]) || view.node.outputs.length > 1 || key === 4;
	const v = tied ? 'd' : 'v';
	const b = view.inputs[4] ? '!b' : 'b';
	const s = intAttribute(view, 'unidirectional', 0) || inputSizes(view, 4)?.length === 3 ? '!s' : 's';
	const k = given(view, 1, key === 4 ? `${b} h !t d` : `${b} !t (h d)`);
	const w = given(view, 2, value === 4 ? `${b} h !t ${v}` : `${b} !t (h ${v})`);
	const bias = given(view, 3, `(h d)+(h d)+(h ${v})`);
	const cache = `${given(view, 6, `${b} h !p d`)}, ${given(view, 7, `${b} h !p ${v}`)}`;
	const inputs = `${b} ${s} (h d), ${k}, ${w}, ${bias}, _, ${scoreBias(view, 5, `${b} h ${s}`)}, ${cache}`;
	return `${inputs} -> ${b} ${s} (h ${v}), ${b} h !u d, ${b} h !u ${v}`;
}

function mhaSizes(view: NodeView): (number[] | undefined)[] {
	const [q, k] = [inputSizes(view, 0), inputSizes(view, 1)];
	if (q?.length !== 3) return [];
	const { key, d, v } = mhaShape(view);
	const own = key === 0 ? (q[1] ?? 1) : (k?.[key === 4 ? 2 : 1] ?? 1);
	const total = own + (inputSizes(view, 6)?.[2] ?? 0);
	const [b, s, h] = [q[0] ?? 1, q[1] ?? 1, heads(view)];
	return [
		[b, s, h * v],
		[b, h, total, d],
		[b, h, total, v],
	];
}

function gqa(view: NodeView): { k: number; g: number; d: number } {
	const k = intAttribute(view, 'kv_num_heads', 1);
	const key = inputSizes(view, 1);
	const d = key === undefined ? (inputSizes(view, 0)?.[2] ?? 1) / (heads(view) + 2 * k) : (key[2] ?? k) / k;
	return { k, g: heads(view) / k, d };
}

function gqaAxes(view: NodeView): string {
	const cache = view.inputs[3] ? '!b k !p d, !b k !p d' : '_, _';
	const query = view.inputs[1]
		? '!b !s (k g d), !b !s (k d), !b !s (k d)'
		: '!b !s (k g d)+(k d)+(k d), _, _';
	const tables = `${given(view, 7, '_ !r')}, ${given(view, 8, '_ !r')}, _`;
	const bias = `${scoreBias(view, 10, '!b (k g) !s')}, ${given(view, 11, '(k g)')}`;
	return `${query}, ${cache}, _, _, ${tables}, ${bias} -> !b !s (k g d), !b k !u d, !b k !u d`;
}

function gqaSizes(view: NodeView): (number[] | undefined)[] {
	const q = inputSizes(view, 0);
	if (q === undefined) return [];
	const { k, g, d } = gqa(view);
	const [b, s, past] = [q[0] ?? 1, q[1] ?? 1, inputSizes(view, 3)?.[2] ?? 0];
	const total = view.inputs[6]?.known?.values[0];
	const cache = [b, k, total === undefined ? past + s : Math.max(past, total), d];
	return [[b, s, k * g * d], cache, cache];
}

const int32 = (...ints: number[]): ExampleInput => ({ ints, type: INT32 });
const int32Scalar = (value: number): ExampleInput => ({ ints: [value], type: INT32, scalar: true });
const attributes = { num_heads: int(5) };
const widths = { num_heads: int(5), qkv_hidden_sizes: { kind: 'ints', value: [20, 20, 30] } } as const;
const grouped = { num_heads: int(10), kv_num_heads: int(5) };
const u8 = (...sizes: number[]): ExampleInput => ({ sizes, type: 2 });
const i8 = (...sizes: number[]): ExampleInput => ({ sizes, type: 3 });

const attentionExamples: readonly Example[] = [
	{ inputs: [[2, 4, 6], [6, 90], [90]], attributes },
	{ inputs: [[2, 4, 6], [6, 90], [90], null, [2, 2, 5, 3, 6]], outputs: 2, attributes },
	{ inputs: [[2, 4, 6], [6, 70], [70]], attributes: widths },
	{
		inputs: [[2, 4, 6], [6, 90], [90], { sizes: [2, 4], type: INT32, below: 2 }, null, [2, 5, 4, 4]],
		attributes,
	},
	{
		inputs: [[2, 4, 6], [6, 90], [90]],
		attributes: {
			...attributes,
			unidirectional: int(1),
			qkv_hidden_sizes: { kind: 'ints', value: [30, 30, 30] },
		},
	},
];

const mhaExamples: readonly Example[] = [
	{ inputs: [[2, 6, 15], [2, 7, 15], [2, 7, 30], [60]], attributes },
	{
		inputs: [
			[2, 6, 15],
			[2, 5, 7, 3],
			[2, 5, 7, 3],
		],
		attributes,
	},
	{
		inputs: [[2, 6, 15], [2, 6, 15], [2, 6, 15], null, null, null, [2, 5, 4, 3], [2, 5, 4, 3]],
		outputs: 3,
		attributes,
	},
	{
		inputs: [
			[2, 6, 15],
			[2, 7, 15],
			[2, 7, 30],
			null,
			{ sizes: [2, 7], type: INT32, below: 2 },
			[1, 5, 6, 7],
		],
		attributes,
	},
	{
		inputs: [
			[2, 6, 15],
			[2, 6, 15],
			[2, 6, 30],
		],
		attributes: { ...attributes, unidirectional: int(1) },
	},
];

const gqaExamples: readonly Example[] = [
	{
		inputs: [[1, 4, 80], [1, 4, 40], [1, 4, 40], [1, 5, 0, 8], [1, 5, 0, 8], int32(3), int32Scalar(4)],
		outputs: 3,
		attributes: grouped,
	},
	{
		inputs: [[2, 4, 160], null, null, null, null, int32(3, 3), int32Scalar(4)],
		outputs: 3,
		attributes: grouped,
	},
	{
		inputs: [[1, 1, 320], null, null, [1, 5, 6, 16], [1, 5, 6, 16], int32(6), int32Scalar(7), [9, 8], [9, 8]],
		outputs: 3,
		attributes: { ...grouped, do_rotary: int(1) },
	},
];

export const attentionRows: readonly Operator[] = [
	noted('Attention', {
		domain: ms,
		axes: attentionAxes,
		hints: attentionHints,
		sizes: attentionSizes,
		resize: attentionResize,
		examples: attentionExamples,
	}),
	noted('QAttention', {
		domain: ms,
		axes: (view) => {
			const b = view.inputs[5] ? '!b' : 'b';
			const scale = perAxis(view, 4, '(z h d)');
			const inputs = `${b} !s i, i (z h d), (z h d), _, ${scale}, _, _, ${perAxis(view, 7, '(z h d)')}`;
			return `${inputs}, ${given(view, 8, `y ${b} h !p d`)} -> ${b} !s (h d), y ${b} h !u d`;
		},
		hints: attentionHints,
		sizes: attentionSizes,
		zeroPoints: { 0: 6, 1: 7 },
		resize: (_, removal) => ({ attributes: { num_heads: int(removal.count('h')) } }),
		type: () => FLOAT,
		examples: [
			{
				inputs: [u8(2, 4, 6), i8(6, 90), [90], { floats: [0.02], scalar: true }].concat([
					{ floats: [0.01], scalar: true },
					null,
					{ ints: [100], scalar: true, type: 2 },
					{ ints: [3], scalar: true, type: 3 },
				] as ExampleInput[]),
				attributes,
			},
		],
	}),
	noted('MultiHeadAttention', {
		domain: ms,
		axes: mhaAxes,
		hints: (view) => {
			const { d, v } = mhaShape(view);
			return { sizes: { h: heads(view), d, v }, roles: { d: 'scale' } };
		},
		sizes: mhaSizes,
		resize: (_, removal) => ({ attributes: { num_heads: int(removal.count('h')) } }),
		examples: mhaExamples,
	}),
	noted('GroupQueryAttention', {
		domain: ms,
		axes: gqaAxes,
		hints: (view) => ({ sizes: gqa(view), roles: { d: 'scale' } }),
		sizes: gqaSizes,
		resize: (_, removal) => ({
			attributes: {
				num_heads: int(removal.count('k') * removal.count('g')),
				kv_num_heads: int(removal.count('k')),
			},
		}),
		examples: gqaExamples,
	}),
];
