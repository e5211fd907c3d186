/** One model for each form in which exporters write attention: two layers around it, weights seeded. */
import { type Dim, type Model } from '../../src/ir/graph/graph.ts';
import { modelBuilder, type Build } from './model.ts';

const [heads, width, hidden] = [4, 8, 48];
const d = heads * width;
const ms = 'com.microsoft';

/** Attention over `x [batch, seq, d]`, normed; `layer` counts from 0. */
type Attend = (b: Build, x: string, layer: number) => string;

/** Two layers with norms before: attention, then a feed-forward block. `inputs` are made first and handed on by name. */
function layersOf(attend: Attend, inputs: Readonly<Record<string, readonly Dim[]>> = {}, opset = 17): Model {
	const b = modelBuilder({ opset, ir: opset > 22 ? 11 : 8 });
	let x = b.input('x', ['batch', 'seq', d]);
	for (const [name, dims] of Object.entries(inputs)) b.input(name, dims);
	const norm = (value: string): string => b.node('LayerNormalization', [value, b.weight([d]), b.weight([d])]);
	for (const layer of [0, 1]) {
		x = b.node('Add', [x, attend(b, norm(x), layer)]);
		const inner = b.node('Relu', [linear(b, norm(x), d, hidden)]);
		x = b.node('Add', [x, linear(b, inner, hidden, d)]);
	}
	b.output(b.node('MatMul', [x, b.weight([d, 5])]), ['batch', 'seq', 5]);
	return b.build();
}

function linear(b: Build, x: string, from: number, to: number): string {
	return b.node('Add', [b.node('MatMul', [x, b.weight([from, to])]), b.weight([to])]);
}

const sizeAt = (b: Build, x: string, axis: number): string =>
	b.node('Gather', [b.node('Shape', [x]), b.ints([axis])]);

/** How the target of a Reshape is written: numbers, or sizes taken from the value beside them. */
type Target = (b: Build, x: string, tail: readonly number[]) => string;
const literal: Target = (b, _, tail) => b.ints([0, 0, ...tail]);
const computed: Target = (b, x, tail) =>
	b.node('Concat', [sizeAt(b, x, 0), sizeAt(b, x, 1), b.ints(tail)], { axis: 0 });

/** [batch, seq, count·width] to [batch, count, seq, width]. */
function split(b: Build, x: string, count = heads, target = literal): string {
	return b.node('Transpose', [b.node('Reshape', [x, target(b, x, [count, width])])], { perm: [0, 2, 1, 3] });
}

/** [batch, heads, seq, width] to [batch, seq, d], and the projection out. */
function merge(b: Build, context: string, target = literal): string {
	const turned = b.node('Transpose', [context], { perm: [0, 2, 1, 3] });
	return linear(b, b.node('Reshape', [turned, target(b, turned, [d])]), d, d);
}

/** softmax(q·kᵀ/√width)·v, all [batch, heads, seq, width]. */
function attention(b: Build, q: string, k: string, v: string): string {
	const product = b.node('MatMul', [q, b.node('Transpose', [k], { perm: [0, 1, 3, 2] })]);
	const scores = b.node('Mul', [product, b.floats([1 / Math.sqrt(width)], [])]);
	return b.node('MatMul', [b.node('Softmax', [scores], { axis: -1 }), v]);
}

const separate =
	(target: Target): Attend =>
	(b, x) => {
		const part = (): string => split(b, linear(b, x, d, d), heads, target);
		return merge(b, attention(b, part(), part(), part()), target);
	};

/** As torch.export writes it: scores and a softmax by head, both products with the heads beside the batch. */
const flattened: Attend = (b, x) => {
	const part = (): string => split(b, linear(b, x, d, d));
	const [q, k, v] = [part(), b.node('Transpose', [part()], { perm: [0, 1, 3, 2] }), part()];
	const [batch, seq] = [sizeAt(b, x, 0), sizeAt(b, x, 1)];
	const shaped = (value: string, ...sizes: readonly string[]): string =>
		b.node('Reshape', [value, b.node('Concat', sizes, { axis: 0 })]);
	const [every, wide, many] = [b.ints([-1]), b.ints([width]), b.ints([heads])];
	const product = b.node('MatMul', [shaped(q, every, seq, wide), shaped(k, every, wide, seq)]);
	const scores = b.node('Div', [shaped(product, batch, many, seq, seq), b.floats([Math.sqrt(width)], [])]);
	const weights = shaped(b.node('Softmax', [scores], { axis: -1 }), every, seq, seq);
	const context = b.node('MatMul', [weights, shaped(v, every, seq, wide)]);
	return merge(b, shaped(context, batch, many, seq, wide));
};

const packedSplit: Attend = (b, x) => {
	const first = b.node('Split', [linear(b, x, d, 3 * d), b.ints([d, d, d])], { axis: 2 }, '', 3);
	const [q = '', k = '', v = ''] = [first, `${first}_1`, `${first}_2`].map((part) => split(b, part));
	return merge(b, attention(b, q, k, v));
};

/** Of one packed projection, reshaped to [batch, seq, 3, heads, width] and turned so that the three come first. */
const packedTransposed =
	(pick: (b: Build, packed: string, at: number) => string): Attend =>
	(b, x) => {
		const packed = b.node('Reshape', [linear(b, x, d, 3 * d), b.ints([0, -1, 3, heads, width])]);
		const turned = b.node('Transpose', [packed], { perm: [2, 0, 3, 1, 4] });
		const [q, k, v] = [pick(b, turned, 0), pick(b, turned, 1), pick(b, turned, 2)];
		return merge(b, attention(b, q, k, v));
	};
const gathered = (b: Build, packed: string, at: number): string =>
	b.node('Gather', [packed, b.ints([at], [])], { axis: 0 });
const sliced = (b: Build, packed: string, at: number): string =>
	b.node('Squeeze', [b.node('Slice', [packed, b.ints([at]), b.ints([at + 1]), b.ints([0])]), b.ints([0])]);

/** torch.nn.MultiheadAttention: [seq, batch, d] inside, heads beside the batch on one axis, the projection out a Gemm. */
const threeDimensional: Attend = (b, x) => {
	const packed = linear(b, b.node('Transpose', [x], { perm: [1, 0, 2] }), d, 3 * d);
	const both = b.node('Mul', [sizeAt(b, packed, 1), b.ints([heads])]);
	const target = b.node('Concat', [sizeAt(b, packed, 0), both, b.ints([width])], { axis: 0 });
	const part = (at: number): string =>
		b.node('Reshape', [
			b.node('Slice', [packed, b.ints([at * d]), b.ints([(at + 1) * d]), b.ints([2])]),
			target,
		]);
	const q = b.node('Div', [
		b.node('Transpose', [part(0)], { perm: [1, 0, 2] }),
		b.floats([Math.sqrt(width)], []),
	]);
	const scores = b.node('MatMul', [q, b.node('Transpose', [part(1)], { perm: [1, 2, 0] })]);
	const v = b.node('Transpose', [part(2)], { perm: [1, 0, 2] });
	const context = b.node('MatMul', [b.node('Softmax', [scores], { axis: 2 }), v]);
	const flat = b.node('Reshape', [b.node('Transpose', [context], { perm: [1, 0, 2] }), b.ints([-1, d])]);
	const out = b.node('Gemm', [flat, b.weight([d, d]), b.weight([d])], { transB: 1 });
	const shape = b.node('Concat', [sizeAt(b, packed, 0), sizeAt(b, packed, 1), b.ints([d])], { axis: 0 });
	return b.node('Transpose', [b.node('Reshape', [out, shape])], { perm: [1, 0, 2] });
};

const pairs = 2;
/** Each key head serves `heads / pairs` query heads: repeated by Unsqueeze, Expand, Reshape. */
const repeated: Attend = (b, x) => {
	const q = split(b, linear(b, x, d, d));
	const repeat = (): string => {
		const few = split(b, linear(b, x, d, pairs * width), pairs);
		const many = b.node(
			'Concat',
			[sizeAt(b, few, 0), b.ints([pairs, heads / pairs]), sizeAt(b, few, 2), b.ints([width])],
			{ axis: 0 },
		);
		const wide = b.node('Expand', [b.node('Unsqueeze', [few, b.ints([2])]), many]);
		const flat = b.node('Concat', [sizeAt(b, few, 0), b.ints([heads]), sizeAt(b, few, 2), b.ints([width])], {
			axis: 0,
		});
		return b.node('Reshape', [wide, flat]);
	};
	return merge(b, attention(b, q, repeat(), repeat()));
};

/** The same by numbers: heads 0, 0, 1, 1 of keys and values. */
const gatheredPairs: Attend = (b, x) => {
	const q = split(b, linear(b, x, d, d));
	const places = Array.from({ length: heads }, (_, at) => Math.floor((at * pairs) / heads));
	const repeat = (): string =>
		b.node('Gather', [split(b, linear(b, x, d, pairs * width), pairs), b.ints(places)], { axis: 1 });
	return merge(b, attention(b, q, repeat(), repeat()));
};

/** The same as torch's repeat_interleave comes out of its TorchScript exporter: tiled, and the tile's own sizes make the target. */
const tiled: Attend = (b, x) => {
	const q = split(b, linear(b, x, d, d));
	const repeat = (): string => {
		const few = split(b, linear(b, x, d, pairs * width), pairs);
		const tile = b.node('Tile', [
			b.node('Unsqueeze', [few, b.ints([2])]),
			b.ints([1, 1, heads / pairs, 1, 1]),
		]);
		const sizes = b.node('Shape', [tile]);
		const part = (from: number, to: number): string =>
			b.node('Slice', [sizes, b.ints([from]), b.ints([to]), b.ints([0])]);
		return b.node('Reshape', [tile, b.node('Concat', [part(0, 1), b.ints([-1]), part(3, 5)], { axis: 0 })]);
	};
	return merge(b, attention(b, q, repeat(), repeat()));
};

/** Queries on an axis beside that of their keys, [batch, pairs, queries, seq, width], keys and values broadcast to it. */
const broadcast: Attend = (b, x) => {
	const q = b.node('Reshape', [split(b, linear(b, x, d, d)), b.ints([0, pairs, heads / pairs, -1, width])]);
	const few = (): string =>
		b.node('Unsqueeze', [split(b, linear(b, x, d, pairs * width), pairs), b.ints([2])]);
	const keys = b.node('Transpose', [few()], { perm: [0, 1, 2, 4, 3] });
	const scores = b.node('Mul', [b.node('MatMul', [q, keys]), b.floats([1 / Math.sqrt(width)], [])]);
	const context = b.node('MatMul', [b.node('Softmax', [scores], { axis: -1 }), few()]);
	return merge(b, b.node('Reshape', [context, b.ints([0, heads, -1, width])]));
};

/** The same as JAX writes it: both products by `Einsum`, heads behind the sequence. */
const einsums: Attend = (b, x) => {
	const part = (...sizes: readonly number[]): string =>
		b.node('Reshape', [
			linear(
				b,
				x,
				d,
				sizes.reduce((all, size) => all * size),
			),
			b.ints([0, 0, ...sizes]),
		]);
	const [q, k, v] = [part(pairs, heads / pairs, width), part(pairs, width), part(pairs, width)];
	const product = b.node('Einsum', [q, k], { equation: 'btkgh,bskh->bkgts' });
	const scores = b.node('Mul', [product, b.floats([1 / Math.sqrt(width)], [])]);
	const weights = b.node('Softmax', [scores], { axis: -1 });
	const context = b.node('Einsum', [weights, v], { equation: 'bkgts,bskh->btkgh' });
	return linear(b, b.node('Reshape', [context, b.ints([0, 0, d])]), d, d);
};

/** Rotary positions, the half turned by Slice, Neg, Concat; tables of 64 positions cut to the length. */
const rotary: Attend = (b, x) => {
	const length = sizeAt(b, x, 1);
	const angles = Array.from(
		{ length: 64 * width },
		(_, at) => Math.floor(at / width) / 100 ** ((2 * (at % (width / 2))) / width),
	);
	const table = (values: readonly number[]): string =>
		b.node('Slice', [b.floats(values, [64, width]), b.ints([0]), length, b.ints([0])]);
	const [cos, sin] = [table(angles.map(Math.cos)), table(angles.map(Math.sin))];
	const turn = (value: string): string => {
		const half = (from: number, to: number): string =>
			b.node('Slice', [value, b.ints([from]), b.ints([to]), b.ints([3])]);
		const other = b.node('Concat', [b.node('Neg', [half(width / 2, width)]), half(0, width / 2)], {
			axis: -1,
		});
		return b.node('Add', [b.node('Mul', [value, cos]), b.node('Mul', [other, sin])]);
	};
	const part = (): string => split(b, linear(b, x, d, d));
	return merge(b, attention(b, turn(part()), turn(part()), part()));
};

const cross: Attend = (b, x) => {
	const part = (from: string): string => split(b, linear(b, from, d, d));
	const states = 'encoder_hidden_states';
	return merge(b, attention(b, part(x), part(states), part(states)));
};

const cacheNames = [0, 1].flatMap((layer) => [
	`past_key_values.${layer}.key`,
	`past_key_values.${layer}.value`,
]);
/** Keys and values of before, [batch, heads, past, width] each. */
const separateCache: Attend = (b, x, layer) => {
	const part = (): string => split(b, linear(b, x, d, d));
	const [keys = '', values = ''] = cacheNames.slice(2 * layer);
	const k = b.node('Concat', [keys, part()], { axis: 2 });
	const v = b.node('Concat', [values, part()], { axis: 2 });
	b.output(k, ['batch', heads, 'total', width]);
	b.output(v, ['batch', heads, 'total', width]);
	return merge(b, attention(b, part(), k, v));
};

/** GPT-2's cache: keys and values in one tensor [2, batch, heads, past, width], keys turned before they are joined. */
const packedCache: Attend = (b, x, layer) => {
	const part = (): string => split(b, linear(b, x, d, d));
	const pick = (at: number): string => b.node('Gather', [`past_${layer}`, b.ints([at], [])], { axis: 0 });
	const turned = (value: string): string => b.node('Transpose', [value], { perm: [0, 1, 3, 2] });
	const k = turned(b.node('Concat', [turned(pick(0)), turned(part())], { axis: -1 }));
	const v = b.node('Concat', [pick(1), part()], { axis: -2 });
	const first = (value: string): string => b.node('Unsqueeze', [value, b.ints([0])]);
	b.output(b.node('Concat', [first(k), first(v)], { axis: 0 }), [2, 'batch', heads, 'total', width]);
	return merge(b, attention(b, part(), k, v));
};

const fusedAttention: Attend = (b, x) => {
	const out = b.node('Attention', [x, b.weight([d, 3 * d]), b.weight([3 * d])], { num_heads: heads }, ms);
	return linear(b, out, d, d);
};

const fusedMultiHead: Attend = (b, x) => {
	const part = (): string => b.node('MatMul', [x, b.weight([d, d])]);
	const inputs = [part(), part(), part(), b.weight([3 * d])];
	return linear(b, b.node('MultiHeadAttention', inputs, { num_heads: heads }, ms), d, d);
};

/** Nothing cached before: lengths are those of the input. */
const fusedGrouped: Attend = (b, x) => {
	const part = (to: number): string => b.node('MatMul', [x, b.weight([d, to])]);
	const total = b.node('Cast', [sizeAt(b, x, 1)], { to: 6 });
	const last = b.node('Cast', [b.node('Sub', [sizeAt(b, x, 1), b.ints([1])])], { to: 6 });
	const lengths = b.node('Expand', [last, sizeAt(b, x, 0)]);
	const inputs = [part(d), part(pairs * width), part(pairs * width), '', '', lengths, total];
	const out = b.node('GroupQueryAttention', inputs, { num_heads: heads, kv_num_heads: pairs }, ms, 3);
	return linear(b, out, d, d);
};

/** The standard's own operator, of opset 23, with query, key and value [batch, seq, heads·width]. */
const standard =
	(keys: number): Attend =>
	(b, x) => {
		const inputs = [linear(b, x, d, d), linear(b, x, d, keys * width), linear(b, x, d, keys * width)];
		return linear(b, b.node('Attention', inputs, { q_num_heads: heads, kv_num_heads: keys }), d, d);
	};

export type Form = {
	readonly model: () => Model;
	/** What can go one by one: heads, or heads of keys with all the query heads that they serve. */
	readonly units: number;
	readonly width: number;
	readonly fused?: string;
};
const whole = { units: heads, width };

/** By the words that a reader of the tests knows them under. */
export const attentionForms: Readonly<Record<string, Form>> = {
	'separate query, key, value, literal Reshape': { ...whole, model: () => layersOf(separate(literal)) },
	'separate query, key, value, computed Reshape': { ...whole, model: () => layersOf(separate(computed)) },
	'softmax by head between products beside the batch': { ...whole, model: () => layersOf(flattened) },
	'packed, Split': { ...whole, model: () => layersOf(packedSplit) },
	'packed, Slice, heads beside the batch': { ...whole, model: () => layersOf(threeDimensional) },
	'packed, Reshape, Transpose, Gather': { ...whole, model: () => layersOf(packedTransposed(gathered)) },
	'packed, Reshape, Transpose, Slice, Squeeze': { ...whole, model: () => layersOf(packedTransposed(sliced)) },
	'keys repeated for groups of queries': { units: pairs, width, model: () => layersOf(repeated) },
	'keys picked for groups of queries': { units: pairs, width, model: () => layersOf(gatheredPairs) },
	'keys tiled for groups of queries': { units: pairs, width, model: () => layersOf(tiled) },
	'queries on an axis beside their keys': { units: pairs, width, model: () => layersOf(broadcast) },
	'queries beside their keys, by Einsum': { units: pairs, width, model: () => layersOf(einsums) },
	'rotary positions': { ...whole, model: () => layersOf(rotary) },
	'Attention, fused': { ...whole, fused: 'Attention', model: () => layersOf(fusedAttention) },
	'MultiHeadAttention, fused': {
		...whole,
		fused: 'MultiHeadAttention',
		model: () => layersOf(fusedMultiHead),
	},
	'GroupQueryAttention, fused': {
		units: pairs,
		width,
		fused: 'GroupQueryAttention',
		model: () => layersOf(fusedGrouped),
	},
	'Attention of opset 23': { ...whole, fused: 'Attention', model: () => layersOf(standard(heads), {}, 23) },
	'Attention of opset 23, keys for groups of queries': {
		units: pairs,
		width,
		fused: 'Attention',
		model: () => layersOf(standard(pairs), {}, 23),
	},
	'attention to an encoder': {
		...whole,
		model: () => layersOf(cross, { encoder_hidden_states: ['batch', 'encoder_seq', d] }),
	},
	'a cache of keys and of values': {
		...whole,
		model: () =>
			layersOf(
				separateCache,
				Object.fromEntries(cacheNames.map((name) => [name, ['batch', heads, 'past', width]])),
			),
	},
	'a cache of both in one, keys turned': {
		...whole,
		model: () =>
			layersOf(
				packedCache,
				Object.fromEntries([0, 1].map((layer) => [`past_${layer}`, [2, 'batch', heads, 'past', width]])),
			),
	},
};
