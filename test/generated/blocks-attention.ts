/** Attention in every layout that exporters write. In exact models a remainder stands where the softmax would. */
import { type Block } from './blocks.ts';
import { type Flow, type Kit } from './kit.ts';

type Sizes = { readonly heads: number; readonly width: number; readonly d: number };
/** Query, key and value of [batch, seq, d], each as [batch, heads, seq, width]. */
type Layout = (kit: Kit, x: Flow, sizes: Sizes) => readonly [string, string, string];

const apart = (kit: Kit, value: string, count: number, width: number): string =>
	kit.transpose(kit.reshape(value, 2, [count, width]), 0, 2, 1, 3);

const separate: Layout = (kit, x, { heads, width, d }) => {
	const part = (): string => apart(kit, kit.linear(x.name, x.width, d), heads, width);
	return [part(), part(), part()];
};

const packedParts: Layout = (kit, x, { heads, width, d }) => {
	const [q = '', k = '', v = ''] = kit
		.split(kit.linear(x.name, x.width, 3 * d), 2, d, d, d)
		.map((part) => apart(kit, part, heads, width));
	return [q, k, v];
};

/** [batch, seq, 3, heads, width], turned so that the three come first. */
const packedThree: Layout = (kit, x, { heads, width, d }) => {
	const whole = kit.reshape(kit.linear(x.name, x.width, 3 * d), 2, [3, heads, width]);
	const turned = kit.transpose(whole, 2, 0, 3, 1, 4);
	const gathers = kit.draw.chance(0.5);
	const pick = (at: number): string =>
		gathers
			? kit.node('Gather', [turned, kit.b.ints([at], [])], { axis: 0 })
			: kit.node('Squeeze', [kit.slice(turned, 0, at, at + 1), kit.b.ints([0])]);
	return [pick(0), pick(1), pick(2)];
};

/** Heads outermost, the three inside each of them. */
const packedByHead: Layout = (kit, x, { heads, width, d }) => {
	const whole = kit.reshape(kit.linear(x.name, x.width, 3 * d), 2, [heads, 3 * width]);
	const [q = '', k = '', v = ''] = kit.split(kit.transpose(whole, 0, 2, 1, 3), 3, width, width, width);
	return [q, k, v];
};

/** Fewer heads of keys and values, repeated for the queries of their group. */
const repeated: Layout = (kit, x, { heads, width, d }) => {
	const pairs = heads / 2;
	const few = (): string => {
		const own = apart(kit, kit.linear(x.name, x.width, pairs * width), pairs, width);
		const one = kit.node('Unsqueeze', [own, kit.b.ints([2])]);
		const sizes = [kit.sizeAt(own, 0), kit.b.ints([pairs, 2]), kit.sizeAt(own, 2), kit.b.ints([width])];
		const wide = kit.draw.chance(0.5)
			? kit.node('Expand', [one, kit.node('Concat', sizes, { axis: 0 })])
			: kit.node('Tile', [one, kit.b.ints([1, 1, 2, 1, 1])]);
		const target = [kit.sizeAt(own, 0), kit.b.ints([heads]), kit.sizeAt(own, 2), kit.b.ints([width])];
		return kit.node('Reshape', [wide, kit.node('Concat', target, { axis: 0 })]);
	};
	return [apart(kit, kit.linear(x.name, x.width, d), heads, width), few(), few()];
};

/** The same by numbers: some heads of keys for more queries than others. */
const mapped: Layout = (kit, x, { heads, width, d }) => {
	const pairs = kit.draw.from(2, Math.max(2, heads - 1));
	const more = Array.from({ length: heads - pairs }, () => kit.draw.below(pairs));
	const places = [...Array.from({ length: pairs }, (_, at) => at), ...more].sort((a, b) => a - b);
	const few = (): string => {
		const own = apart(kit, kit.linear(x.name, x.width, pairs * width), pairs, width);
		return kit.node('Gather', [own, kit.b.ints(places)], { axis: 1 });
	};
	return [apart(kit, kit.linear(x.name, x.width, d), heads, width), few(), few()];
};

/** One head of keys and values for all queries. */
const shared: Layout = (kit, x, { heads, width, d }) => {
	const one = (): string => apart(kit, kit.linear(x.name, x.width, width), 1, width);
	return [apart(kit, kit.linear(x.name, x.width, d), heads, width), one(), one()];
};

/** Positions turned in: halves swapped and a table for each feature. */
const rotary: Layout = (kit, x, sizes) => {
	const { width } = sizes;
	const [cos, sin] = [kit.scale([width]), kit.scale([width])];
	const turn = (value: string): string => {
		const half = width / 2;
		const [left = '', right = ''] = kit.split(value, 3, half, half);
		const swapped = kit.node('Concat', [kit.node('Neg', [right]), left], { axis: -1 });
		const sum = kit.node('Add', [kit.node('Mul', [value, cos]), kit.node('Mul', [swapped, sin])]);
		return kit.bounded(sum);
	};
	const [q, k, v] = separate(kit, x, sizes);
	return [turn(q), turn(k), v];
};

const layouts: Readonly<Record<string, Layout>> = {
	separate,
	packedParts,
	packedThree,
	packedByHead,
	repeated,
	mapped,
	shared,
	rotary,
};

function scored(kit: Kit, scores: string, heads: number): string {
	const biased = kit.draw.chance(0.3) ? kit.node('Add', [scores, kit.weight([heads, 1, 1], 1)]) : scores;
	if (kit.exact) return kit.bounded(biased);
	return kit.node('Softmax', [kit.node('Mul', [biased, kit.b.floats([0.5], [])])], { axis: -1 });
}

/** Scores, their softmax, values, and the way back to [batch, seq, d]. */
function attended(
	kit: Kit,
	qkv: readonly [string, string, string],
	{ heads, d }: Sizes,
	bias?: string,
): string {
	const [q, k, v] = qkv;
	const einsum = kit.draw.chance(0.2);
	const plain = einsum
		? kit.node('Einsum', [q, k], { equation: { kind: 'string', value: 'bhsd,bhtd->bhst' } })
		: kit.node('MatMul', [q, kit.transpose(k, 0, 1, 3, 2)]);
	const scores = bias === undefined ? plain : kit.node('Add', [plain, bias]);
	const context = kit.bounded(kit.node('MatMul', [scored(kit, scores, heads), v]));
	return kit.reshape(kit.transpose(context, 0, 2, 1, 3), 2, [d]);
}

const pickSizes = (kit: Kit): Sizes => {
	const [heads, width] = [kit.draw.pick([2, 4]), kit.draw.pick([2, 4])];
	return { heads, width, d: heads * width };
};

function attention(layout: Layout): Block {
	return {
		takes: ['sequence'],
		build: (kit, x) => {
			const sizes = pickSizes(kit);
			const name = attended(kit, layout(kit, x, sizes), sizes);
			return { ...x, name: kit.linear(name, sizes.d, x.width) };
		},
	};
}

/** Two attentions that read one bias by head and key, of T5's and ALiBi's kind: their heads are tied until it is copied. */
const tied: Block = {
	takes: ['sequence'],
	build: (kit, x) => {
		const sizes = pickSizes(kit);
		const byKey = kit.transpose(kit.linear(x.name, x.width, 1), 0, 2, 1);
		const bias = kit.bounded(
			kit.node('Mul', [kit.node('Unsqueeze', [byKey, kit.b.ints([1])]), kit.weight([sizes.heads, 1, 1], 1)]),
		);
		const layer = (from: string): string => {
			const name = attended(kit, separate(kit, { ...x, name: from }, sizes), sizes, bias);
			return kit.bounded(kit.node('Add', [from, kit.linear(name, sizes.d, x.width)]));
		};
		return { ...x, name: layer(layer(x.name)) };
	},
};

/** torch.nn.MultiheadAttention: the sequence first, heads beside the batch on one axis. */
const threeDimensional: Block = {
	takes: ['sequence'],
	build: (kit, x) => {
		const { heads, width, d } = pickSizes(kit);
		const first = kit.transpose(x.name, 1, 0, 2);
		const [batch, length] = [kit.sizeAt(first, 1), kit.sizeAt(first, 0)];
		const rows = kit.node('Mul', [batch, kit.b.ints([heads])]);
		const target = kit.node('Concat', [length, rows, kit.b.ints([width])], { axis: 0 });
		const [q = '', k = '', v = ''] = kit
			.split(kit.linear(first, x.width, 3 * d), 2, d, d, d)
			.map((part) => kit.transpose(kit.node('Reshape', [part, target]), 1, 0, 2));
		const scores = kit.node('MatMul', [q, kit.transpose(k, 0, 2, 1)]);
		const weights = kit.exact ? kit.bounded(scores) : kit.node('Softmax', [scores], { axis: 2 });
		const flat = kit.bounded(kit.node('MatMul', [weights, v]));
		const context = kit.transpose(flat, 1, 0, 2);
		// BLOOM asks how many there are of the axis of both.
		const items = kit.draw.chance(0.5) ? kit.node('Div', [kit.sizeAt(flat, 0), kit.b.ints([heads])]) : batch;
		const shape = kit.node('Concat', [length, items, kit.b.ints([d])], { axis: 0 });
		const merged = kit.transpose(kit.node('Reshape', [context, shape]), 1, 0, 2);
		return { ...x, name: kit.linear(merged, d, x.width) };
	},
};

/** Queries on an axis beside that of their keys: broadcast, or by `Einsum` with the heads behind the sequence. */
const beside: Block = {
	takes: ['sequence'],
	build: (kit, x) => {
		const [pairs, each, width] = [kit.draw.from(2, 3), kit.draw.from(2, 3), kit.draw.pick([2, 4])];
		const part = (...sizes: readonly number[]): string => {
			const all = sizes.reduce((product, size) => product * size);
			return kit.reshape(kit.linear(x.name, x.width, all), 2, sizes);
		};
		const [q, k, v] = [part(pairs, each, width), part(pairs, width), part(pairs, width)];
		const weights = (scores: string): string =>
			kit.exact ? kit.bounded(scores) : kit.node('Softmax', [scores], { axis: -1 });
		const flat = pairs * each * width;
		const out = (context: string): Flow => {
			const name = kit.reshape(kit.bounded(context), 2, [flat]);
			return { ...x, name: kit.linear(name, flat, x.width) };
		};
		if (kit.draw.chance(0.5)) {
			const scores = weights(kit.node('Einsum', [q, k], { equation: 'btkgh,bskh->bkgts' }));
			return out(kit.node('Einsum', [scores, v], { equation: 'bkgts,bskh->btkgh' }));
		}
		const one = (value: string, ...perm: readonly number[]): string =>
			kit.node('Unsqueeze', [kit.transpose(value, ...perm), kit.b.ints([2])]);
		const keys = one(k, 0, 2, 3, 1);
		const scores = weights(kit.node('MatMul', [kit.transpose(q, 0, 2, 3, 1, 4), keys]));
		const context = kit.node('MatMul', [scores, one(v, 0, 2, 1, 3)]);
		return out(kit.transpose(context, 0, 3, 1, 2, 4));
	},
};

const ms = 'com.microsoft';

/** onnxruntime's operators for the whole of it. */
const fused: Readonly<Record<string, Block['build']>> = {
	fusedAttention: (kit, x) => {
		const { heads, d } = pickSizes(kit);
		const inputs = [x.name, kit.weight([x.width, 3 * d]), kit.weight([3 * d], 4)];
		const name = kit.node('Attention', inputs, { num_heads: heads }, ms);
		return { ...x, name: kit.linear(name, d, x.width) };
	},
	fusedMultiHead: (kit, x) => {
		const { heads, d } = pickSizes(kit);
		const part = (): string => kit.linear(x.name, x.width, d);
		const bias = kit.draw.chance(0.5) ? [kit.weight([3 * d], 4)] : [];
		const name = kit.node('MultiHeadAttention', [part(), part(), part(), ...bias], { num_heads: heads }, ms);
		return { ...x, name: kit.linear(name, d, x.width) };
	},
	fusedGrouped: (kit, x) => {
		const [heads, width] = [4, 8];
		const part = (count: number): string => kit.linear(x.name, x.width, count * width);
		const total = kit.node('Cast', [kit.sizeAt(x.name, 1)], { to: 6 });
		const last = kit.node('Cast', [kit.node('Sub', [kit.sizeAt(x.name, 1), kit.b.ints([1])])], { to: 6 });
		const lengths = kit.node('Expand', [last, kit.sizeAt(x.name, 0)]);
		const inputs = [part(heads), part(2), part(2), '', '', lengths, total];
		const name = kit.b.node('GroupQueryAttention', inputs, { num_heads: heads, kv_num_heads: 2 }, ms, 3);
		return { ...x, name: kit.linear(name, heads * width, x.width) };
	},
};

export const attentionBlocks: Readonly<Record<string, Block>> = {
	...Object.fromEntries(
		Object.entries(layouts).map(([name, layout]) => [`attention_${name}`, attention(layout)]),
	),
	attention_threeDimensional: threeDimensional,
	attention_beside: beside,
	attention_tied: tied,
	...Object.fromEntries(
		Object.entries(fused).map(([name, build]): [string, Block] => [
			name,
			{ takes: ['sequence'], only: 'float', build },
		]),
	),
};
