/** Transformers whose attentions read something by head together, as exporters write them. */
import { type Model } from '../../src/ir/graph/graph.ts';
import { modelBuilder, type Build } from './model.ts';

export const [heads, width, d] = [4, 8, 32];

/**
 * What ties the heads: `mask`, an input spread over them; `bias`, a table by head and distance (T5); `slopes`, numbers by head times
 * positions, with heads and batch on one axis (BLOOM); `table`, a constant by head and position, a stretch of which is read (MPT);
 * `product`, what a small network makes.
 */
export type TiedBy = 'mask' | 'bias' | 'slopes' | 'table' | 'product';

/**
 * Attentions over `x` of [batch, seq, 32], four heads each; of which none can go where `isRepeated`: queries are held against a vector
 * by head too, which is repeated as often as the batch is large (positions of DeBERTa).
 */
export function tiedHeads(by: TiedBy, layers = 2, isRepeated = false): Model {
	const b = modelBuilder();
	let x = b.input('x', ['batch', 'seq', d]);
	const isFlat = by === 'slopes';
	const given = sharedBy[by](b, x);
	for (let layer = 0; layer < layers; layer++) {
		const sizes = b.node('Slice', [b.node('Shape', [x]), b.ints([0]), b.ints([2])]);
		const split = b.node('Concat', [sizes, b.ints([heads, width])], { axis: 0 });
		const part = (perm: readonly number[]): string => {
			const one = b.node('Reshape', [b.node('MatMul', [x, b.weight([d, d])]), split]);
			return b.node('Transpose', [one], { perm });
		};
		const shared = by === 'table' ? stretchOf(b, given, x) : given;
		const [queries, keys, values] = [part([0, 2, 1, 3]), part([0, 2, 3, 1]), part([0, 2, 1, 3])];
		const plain = isRepeated ? repeatedScores(b, queries, keys, x) : b.node('MatMul', [queries, keys]);
		const sum = isFlat ? flatScores(b, queries, keys, shared) : plain;
		const scores = isFlat ? sum : b.node('Add', [sum, shared]);
		const weights = b.node('Softmax', [scores], { axis: -1 });
		const context = b.node('MatMul', [weights, values]);
		const merged = b.node('Reshape', [
			b.node('Transpose', [context], { perm: [0, 2, 1, 3] }),
			b.node('Concat', [sizes, b.ints([d])], { axis: 0 }),
		]);
		x = b.node('Add', [x, b.node('MatMul', [merged, b.weight([d, d])])]);
	}
	b.output(b.node('MatMul', [x, b.weight([d, 5])]), ['batch', 'seq', 5]);
	return b.build();
}

const sharedBy: Readonly<Record<TiedBy, (b: Build, x: string) => string>> = {
	mask: (b) => b.node('Expand', [b.input('mask', ['batch', 1, 1, 'seq']), b.ints([1, heads, 1, 1])]),
	bias: (b, x) => {
		const places = placesOf(b, x);
		const distances = b.node('Sub', [
			b.node('Unsqueeze', [places, b.ints([0])]),
			b.node('Unsqueeze', [places, b.ints([1])]),
		]);
		const rows = b.node('Min', [b.node('Abs', [distances]), b.ints([7], [])]);
		const bias = b.node('Transpose', [b.node('Gather', [b.weight([8, heads]), rows])], { perm: [2, 0, 1] });
		return b.node('Unsqueeze', [bias, b.ints([0])]);
	},
	slopes: (b, x) => {
		const slopes = b.floats([0.5, 0.25, 0.125, 0.0625], [heads, 1]);
		const ones = b.node('ReduceMax', [b.node('Abs', [x])], { axes: [2], keepdims: 0 });
		const places = b.node('CumSum', [ones, b.ints([1], [])]);
		const byHead = b.node('Mul', [slopes, b.node('Unsqueeze', [places, b.ints([1])])]);
		const length = b.node('Shape', [x], { start: 1, end: 2 });
		return b.node('Reshape', [byHead, b.node('Concat', [b.ints([-1, 1]), length], { axis: 0 })]);
	},
	table: (b) => b.weight([heads, 1, 16]),
	product: (b, x) => {
		const mean = b.node('ReduceMean', [x], { axes: [1], keepdims: 0 });
		const bias = b.node('MatMul', [b.node('MatMul', [mean, b.weight([d, d])]), b.weight([d, heads])]);
		const places = b.node('Unsqueeze', [b.node('Cast', [placesOf(b, x)], { to: 1 }), b.ints([0])]);
		const byKey = b.node('Mul', [b.node('Unsqueeze', [bias, b.ints([2])]), places]);
		return b.node('Unsqueeze', [byKey, b.ints([2])]);
	},
};

/** As much of a table of positions as there are. */
function stretchOf(b: Build, table: string, x: string): string {
	const length = b.node('Shape', [x], { start: 1, end: 2 });
	return b.node('Slice', [table, b.ints([0]), length, b.ints([2])]);
}

/** 0, 1, 2, … as many as there are positions. */
function placesOf(b: Build, x: string): string {
	const length = b.node('Squeeze', [b.node('Shape', [x], { start: 1, end: 2 }), b.ints([0])]);
	return b.node('Range', [b.ints([0], []), length, b.ints([1], [])]);
}

function repeatedScores(b: Build, queries: string, keys: string, x: string): string {
	const batch = b.node('Shape', [x], { start: 0, end: 1 });
	const repeats = b.node('Concat', [batch, b.ints([1, 1])], { axis: 0 });
	const places = b.node('Tile', [b.weight([heads, width, 1]), repeats]);
	return flatScores(b, queries, keys, b.node('MatMul', [flat(b, queries), places]));
}

function flat(b: Build, value: string): string {
	const rest = b.node('Shape', [value], { start: 2 });
	return b.node('Reshape', [value, b.node('Concat', [b.ints([-1]), rest], { axis: 0 })]);
}

/** Heads and batch become one axis, and two again: how many there are is asked of the graph. */
function flatScores(b: Build, queries: string, keys: string, shared: string): string {
	const sum = b.node('Add', [b.node('MatMul', [flat(b, queries), flat(b, keys)]), shared]);
	const all = b.node('Shape', [sum], { start: 0, end: 1 });
	const batch = b.node('Div', [all, b.ints([heads])]);
	const lengths = b.node('Shape', [sum], { start: 1 });
	return b.node('Reshape', [sum, b.node('Concat', [batch, b.ints([heads]), lengths], { axis: 0 })]);
}
