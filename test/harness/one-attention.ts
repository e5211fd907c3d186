/** One attention in single operators with the variations that exact statements must tell apart. */
import { type Model } from '../../src/ir/graph/graph.ts';
import { type Build, modelBuilder } from './model.ts';

export type Variation = {
	/** Queries, keys and values in one product, then a Split. */
	readonly packed?: boolean;
	/** Products of rows without a batch, which a Reshape gives back before the bias, as TensorFlow writes them. */
	readonly rows?: boolean;
	/** `after` the scores, or `before` on queries and keys. */
	readonly scale?: 'after' | 'before';
	/** What is done to keys, values or scores on the way. */
	readonly keys?: (b: Build, keys: string) => string;
	readonly values?: (b: Build, values: string) => string;
	readonly scores?: (b: Build, scores: string) => string;
	readonly weights?: (b: Build, weights: string) => string;
};

const [heads, width, d] = [2, 4, 8];

function projections(b: Build, x: string, { packed = false, rows = false }: Variation): readonly string[] {
	const product = (size: number): string =>
		rows
			? b.node('Reshape', [
					b.node('MatMul', [b.node('Reshape', [x, b.ints([-1, d])]), b.weight([d, size])]),
					b.node('Shape', [x]),
				])
			: b.node('MatMul', [x, b.weight([d, size])]);
	const linear = (size: number): string => b.node('Add', [b.weight([size]), product(size)]);
	if (!packed) return [linear(d), linear(d), linear(d)];
	const all = linear(3 * d);
	const split = b.node('Split', [all, b.ints([d, d, d])], { axis: 2 }, '', 3);
	return [split, `${split}_1`, `${split}_2`];
}

/** x plus its attention, projected to five numbers. */
export function attention(variation: Variation = {}): Model {
	const { scale, keys, values, scores, weights } = variation;
	const b = modelBuilder({ seed: 5 });
	const x = b.input('x', ['batch', 'seq', d]);
	const half = b.floats([0.5], []);
	const [q = '', k = '', v = ''] = projections(b, x, variation);
	const scaled = (value: string): string => (scale === 'before' ? b.node('Mul', [value, half]) : value);
	const split = (value: string, perm: readonly number[]): string =>
		b.node('Transpose', [b.node('Reshape', [value, b.ints([0, -1, heads, width])])], { perm });
	const keyed = scaled(split(k, [0, 2, 3, 1]));
	const product = b.node('MatMul', [scaled(split(q, [0, 2, 1, 3])), keys?.(b, keyed) ?? keyed]);
	const sized = scale === 'after' ? b.node('Div', [product, b.floats([2], [])]) : product;
	const soft = b.node('Softmax', [scores?.(b, sized) ?? sized], { axis: 3 });
	const valued = split(v, [0, 2, 1, 3]);
	const context = b.node('MatMul', [weights?.(b, soft) ?? soft, values?.(b, valued) ?? valued]);
	const merged = b.node('Reshape', [
		b.node('Transpose', [context], { perm: [0, 2, 1, 3] }),
		b.ints([0, -1, d]),
	]);
	const out = b.node('Add', [b.node('MatMul', [merged, b.weight([d, d])]), b.weight([d])]);
	b.output(b.node('MatMul', [b.node('Add', [x, out]), b.weight([d, 5])]), ['batch', 'seq', 5]);
	return b.build();
}
