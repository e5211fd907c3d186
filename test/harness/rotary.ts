/** Small decoders whose queries and keys are turned by position, in single operators or onnxruntime's. */
import { type Model } from '../../src/ir/graph/graph.ts';
import { modelBuilder, type Build } from './model.ts';

export const [heads, width, d] = [2, 8, 16];

/** x·cos + turned(x)·sin of [batch, heads, seq, width], the angles of each position from a stored row of speeds. */
function written(b: Build, x: string, angles: string): string {
	const half = width / 2;
	const split = b.node('Split', [x, b.ints([half, half])], { axis: 3 }, '', 2);
	const turned = b.node('Concat', [b.node('Neg', [`${split}_1`]), split], { axis: 3 });
	const sides = [x, turned].map((side, at) =>
		b.node('Mul', [side, b.node(at === 0 ? 'Cos' : 'Sin', [angles])]),
	);
	return b.node('Add', sides);
}

/** Angles [seq, width] of an input. */
function anglesOf(b: Build, x: string): string {
	const length = b.node('Gather', [b.node('Shape', [x]), b.ints([1], [])]);
	const counted = b.node('Cast', [b.node('Range', [b.ints([0], []), length, b.ints([1], [])])], { to: 1 });
	const speeds = b.floats([1, 0.3, 0.1, 0.03, 1, 0.3, 0.1, 0.03], [1, width]);
	return b.node('MatMul', [b.node('Unsqueeze', [counted, b.ints([1])]), speeds]);
}

/** onnxruntime's operator over [batch, seq, heads · width]. */
function fusedRotation(b: Build, x: string, positions: string): string {
	const tables = [Math.cos, Math.sin].map((f) =>
		b.floats(
			Array.from({ length: 32 * 4 }, (_, at) => f(Math.floor(at / 4) * 10 ** (-(at % 4) / 2))),
			[32, 4],
		),
	);
	return b.node('RotaryEmbedding', [x, positions, ...tables], { num_heads: heads }, 'com.microsoft');
}

type Options = { readonly fused?: boolean; readonly shown?: boolean };

function layer(b: Build, x: string, place: string, { fused = false, shown = false }: Options): string {
	const linear = (value: string): string =>
		b.node('Add', [b.node('MatMul', [value, b.weight([d, d])]), b.weight([d])]);
	const split = (value: string): string =>
		b.node('Transpose', [b.node('Reshape', [value, b.ints([0, -1, heads, width])])], { perm: [0, 2, 1, 3] });
	const turned = (value: string): string =>
		fused ? split(fusedRotation(b, linear(value), place)) : written(b, split(linear(value)), place);
	const [queries, keys] = [turned(x), turned(x)];
	if (shown) b.output(keys);
	const scores = b.node('MatMul', [queries, b.node('Transpose', [keys], { perm: [0, 1, 3, 2] })]);
	const context = b.node('MatMul', [b.node('Softmax', [scores], { axis: 3 }), split(linear(x))]);
	const merged = b.node('Reshape', [
		b.node('Transpose', [context], { perm: [0, 2, 1, 3] }),
		b.ints([0, -1, d]),
	]);
	const middle = b.node('Add', [x, linear(merged)]);
	return b.node('Add', [middle, linear(b.node('Relu', [linear(middle)]))]);
}

export function network(layers: readonly Options[]): Model {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 'seq', d]);
	const fused = layers.some((one) => one.fused === true);
	const place = fused ? b.input('position_ids', ['batch', 'seq'], 7) : anglesOf(b, x);
	const y = layers.reduce((value, options) => layer(b, value, place, options), x);
	b.output(b.node('MatMul', [y, b.weight([d, 4])]), ['batch', 'seq', 4]);
	return b.build();
}

/** One grouped-query attention with a cache, over two query heads of 16; `table` makes element `at` of the [8, 8] cosines and sines. */
export function groupedQueries(table: (f: (angle: number) => number, at: number) => number): Model {
	const b = modelBuilder();
	const x = b.input('x', [1, 3, d]);
	const past = ['past_key', 'past_value'].map((name) => b.input(name, [1, 1, 2, 16]));
	const [q, k, v] = [32, 16, 16].map((size) => b.node('MatMul', [x, b.weight([d, size])]));
	const lengths = b.constant({ type: 6, dims: [1], data: [4] });
	const total = b.constant({ type: 6, dims: [1], data: [5] });
	const tables = [Math.cos, Math.sin].map((f) =>
		b.floats(
			Array.from({ length: 64 }, (_, at) => table(f, at)),
			[8, 8],
		),
	);
	const attention = b.node(
		'GroupQueryAttention',
		[q!, k!, v!, ...past, lengths, total, ...tables],
		{ num_heads: heads, kv_num_heads: 1, do_rotary: 1 },
		'com.microsoft',
		3,
	);
	b.output(b.node('MatMul', [attention, b.weight([32, 4])]), [1, 3, 4]);
	for (const slot of [1, 2]) b.output(`${attention}_${slot}`);
	return b.build();
}
