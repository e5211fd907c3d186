/** Biases that nothing sees: what goes, and every exception. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { attention, type Variation } from '../harness/one-attention.ts';
import { buildOf, operators, reasons } from '../harness/exact.ts';
import { type Build, modelBuilder } from '../harness/model.ts';

const test = suite('prune bias');

test('the key bias goes and the value bias moves into the output projection', async () => {
	const { document, model, same } = await buildOf(attention(), 'prune bias', { again: true });
	assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [2, 2]);
	assert.ok(document.proof!.ok && !document.proof!.weak);
	assert.is(operators(model)['Add'], 3, 'of the queries, of the output projection, and the residual sum');
	assert.ok(same);
});

test('their parts of a packed bias become zeros, and what is left goes with them when it is zero', async () => {
	const { document } = await buildOf(attention({ packed: true, scale: 'after' }), 'prune bias');
	assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [2, 2]);
	assert.ok(document.proof!.ok && !document.proof!.weak);
});

test('a bias behind a Reshape of its product is one, and any scale of whole rows leaves a shift of them one', async () => {
	const scores: Variation['scores'] = (b, s) =>
		b.node('Div', [s, b.node('Sqrt', [b.node('Cast', [b.node('Size', [s])], { to: 1 })])]);
	const { document, model } = await buildOf(attention({ rows: true, scores }), 'prune bias');
	assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [2, 2]);
	assert.ok(document.proof!.ok && !document.proof!.weak);
	assert.is(operators(model)['Add'], 3);
});

test('a scale of its own for each key is no scale of whole rows', async () => {
	const scores: Variation['scores'] = (b, s) =>
		b.node('Mul', [s, b.node('ReduceMean', [s], { axes: [2], keepdims: 1 })]);
	const { document } = await buildOf(attention({ scores }), 'prune bias');
	assert.is(document.steps[0]!.selected, 1);
	assert.match(reasons(document).join(), /Mul .* stands between|read by more/);
});

const masked: Variation['scores'] = (b, scores) =>
	b.node('Where', [b.node('Less', [scores, b.floats([-3], [])]), b.floats([-1e4], []), scores]);

/** A learned score a head that takes a share of every row. */
function sinkFor(b: Build, scores: string): string {
	const rows = b.node('Slice', [b.node('Shape', [scores]), b.ints([0]), b.ints([3])]);
	return b.node('Expand', [b.weight([1, 2, 1, 1]), b.node('Concat', [rows, b.ints([1])], { axis: 0 })]);
}

for (const [what, variation, selected, expected] of [
	[
		'keys turned by position',
		{ keys: (b, k) => b.node('Mul', [k, b.weight([4, 1])]) },
		1,
		/Mul .* reads|makes it/,
	],
	[
		'keys normalised',
		{ keys: (b, k) => b.node('LpNormalization', [k], { axis: 2 }) },
		1,
		/LpNormalization .* makes it/,
	],
	['keys that are an output', { keys: (b, k) => (b.output(k), k) }, 1, /seen outside/],
	['values that are an output', { values: (b, v) => (b.output(v), v) }, 1, /seen outside/],
	[
		'keys and values behind a cache',
		{
			keys: (b, k) => b.node('Concat', [b.input('past_keys', ['batch', 2, 4, 3]), k], { axis: 3 }),
			values: (b, v) => b.node('Concat', [b.input('past_values', ['batch', 2, 3, 4]), v], { axis: 2 }),
		},
		0,
		/Concat .* makes it/,
	],
	[
		'scores with a sink',
		{
			scores: (b, s) => b.node('Concat', [sinkFor(b, s), s], { axis: 3 }),
			weights: (b, w) => b.node('Slice', [w, b.ints([1]), b.ints([999]), b.ints([3])]),
		},
		0,
		/Concat .* stands between/,
	],
	[
		'keys with a norm of their own',
		{ keys: (b, k) => b.node('InstanceNormalization', [k, b.weight([2]), b.weight([2])]) },
		1,
		/InstanceNormalization .* makes it/,
	],
	['capped scores', { scores: (b, s) => b.node('Tanh', [s]) }, 1, /Tanh .* stands between/],
	[
		'rows that may be cleared',
		{ weights: (b, w) => b.node('Where', [b.node('IsNaN', [w]), b.floats([0], []), w]) },
		1,
		/changes the softmax's rows/,
	],
	[
		'values read twice',
		{ values: (b, v) => (b.output(b.node('ReduceSum', [v])), v) },
		1,
		/ReduceSum .* reads it too/,
	],
] as readonly (readonly [string, Variation, number, RegExp])[])
	test(`stays with a reason: ${what}`, async () => {
		const { document } = await buildOf(attention(variation), 'prune bias');
		assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [selected, 2]);
		assert.ok(
			reasons(document).some((text) => expected.test(text)),
			reasons(document).join('\n'),
		);
		assert.is(document.proof?.ok, selected > 0 ? true : undefined);
	});

test('a mask whose places weigh nothing is no exception', async () => {
	const constant: Variation['scores'] = (b, s) =>
		b.node('Where', [b.input('mask', ['seq', 'seq'], 9), s, b.floats([-1e9], [])]);
	assert.is((await buildOf(attention({ scores: constant }), 'prune bias')).document.steps[0]!.selected, 2);
	assert.is((await buildOf(attention({ scores: masked }), 'prune bias')).document.steps[0]!.selected, 1);
});

test('Casts between floating types and a floor that masked scores alone meet are no exception', async () => {
	const variation: Variation = {
		keys: (b, k) => b.node('Cast', [k], { to: 1 }),
		scores: (b, s) => {
			const masked = b.node('Add', [s, b.input('mask', ['seq', 'seq'])]);
			return b.node('Cast', [b.node('Max', [masked, b.floats([-3.4e38], [])])], { to: 11 });
		},
		weights: (b, w) => b.node('Cast', [w], { to: 1 }),
	};
	const { document } = await buildOf(attention(variation), 'prune bias');
	assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [2, 2]);
	assert.ok(document.proof!.ok && !document.proof!.weak);
	const near: Variation['scores'] = (b, s) => b.node('Max', [s, b.floats([-1e4], [])]);
	assert.is((await buildOf(attention({ scores: near }), 'prune bias')).document.steps[0]!.selected, 1);
});

test('heads that share keys and values have one bias of each, which goes', async () => {
	const b = modelBuilder({ seed: 3 });
	const x = b.input('x', ['batch', 'seq', 8]);
	const linear = (size: number): string =>
		b.node('Add', [b.node('MatMul', [x, b.weight([8, size])]), b.weight([size])]);
	const q = b.node('Transpose', [b.node('Reshape', [linear(8), b.ints([0, -1, 2, 4])])], {
		perm: [0, 2, 1, 3],
	});
	const [k, v] = [linear(4), linear(4)].map((one) => b.node('Unsqueeze', [one, b.ints([1])]));
	const keys = b.node('Transpose', [k!], { perm: [0, 1, 3, 2] });
	const weights = b.node('Softmax', [b.node('MatMul', [q, keys])], { axis: 3 });
	const context = b.node('Transpose', [b.node('MatMul', [weights, v!])], { perm: [0, 2, 1, 3] });
	const merged = b.node('Reshape', [context, b.ints([0, -1, 8])]);
	b.output(b.node('Add', [b.node('MatMul', [merged, b.weight([8, 8])]), b.weight([8])]), ['batch', 'seq', 8]);
	const { document } = await buildOf(b.build(), 'prune bias');
	assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [2, 2]);
	assert.ok(document.proof!.ok && !document.proof!.weak);
});

test('layers that share a weight lose their key biases; values stay, whose weight would be read for another', async () => {
	const b = modelBuilder({ seed: 4 });
	const [wq, wk, wv, wo] = [0, 0, 0, 0].map(() => b.weight([8, 8]));
	const [bq, bk, bv, bo] = [0, 0, 0, 0].map(() => b.weight([8]));
	let x = b.input('x', ['batch', 'seq', 8]);
	for (let layer = 0; layer < 2; layer++) {
		const linear = (from: string, w: string, bias: string): string =>
			b.node('Add', [b.node('MatMul', [from, w]), bias]);
		const keys = b.node('Transpose', [linear(x, wk!, bk!)], { perm: [0, 2, 1] });
		const weights = b.node('Softmax', [b.node('MatMul', [linear(x, wq!, bq!), keys])], { axis: 2 });
		x = b.node('Add', [x, linear(b.node('MatMul', [weights, linear(x, wv!, bv!)]), wo!, bo!)]);
	}
	b.output(x, ['batch', 'seq', 8]);
	const { document } = await buildOf(b.build(), 'prune bias');
	assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [2, 4]);
	assert.ok(document.proof!.ok && !document.proof!.weak);
	assert.match(reasons(document).join(), /shares the weight of/);
});

test('keys that are turned, and have no bias, are none to speak of', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 'seq', 8]);
	const turned = (): string => {
		const product = b.node('MatMul', [x, b.weight([8, 8])]);
		const cosines = b.node('Cos', [b.node('Slice', [x, b.ints([0]), b.ints([1]), b.ints([2])])]);
		return b.node('Add', [b.node('Mul', [product, cosines]), b.node('Neg', [product])]);
	};
	const scores = b.node('MatMul', [turned(), b.node('Transpose', [turned()], { perm: [0, 2, 1] })]);
	b.output(b.node('MatMul', [b.node('Softmax', [scores], { axis: 2 }), x]), ['batch', 'seq', 8]);
	const { document } = await buildOf(b.build(), 'prune bias');
	assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [0, 0]);
});

test('zeros at an output, and before a softmax of any length, are shown too', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 'seq', 4]);
	const scores = b.node('Add', [
		b.node('MatMul', [x, b.node('Transpose', [x], { perm: [0, 2, 1] })]),
		b.floats([0], []),
	]);
	const context = b.node('MatMul', [b.node('Softmax', [scores], { axis: 2 }), x]);
	b.output(b.node('MatMul', [context, b.weight([4, 3])]), ['batch', 'seq', 3]);
	b.output(b.node('Add', [b.node('MatMul', [x, b.weight([4, 3])]), b.floats([0, 0, 0])]), [
		'batch',
		'seq',
		3,
	]);
	const { document } = await buildOf(b.build(), 'prune bias');
	assert.equal([document.steps[0]!.selected, document.proof!.weak], [2, false]);
});

test('zeros go wherever they are added, unless they enlarge the value', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 4, 6, 6]);
	const zeros = b.floats([0, 0, 0, 0]);
	const conv = b.node('Conv', [x, b.weight([4, 4, 1, 1]), zeros]);
	const flat = b.node('Flatten', [
		b.node('GlobalAveragePool', [
			b.node('InstanceNormalization', [
				b.node('Conv', [conv, b.weight([4, 4, 3, 3]), b.weight([4])]),
				b.weight([4]),
				b.weight([4]),
			]),
		]),
	]);
	const square = b.node('Mul', [flat, flat]);
	const gemm = b.node('Gemm', [
		b.node('Add', [square, b.floats([0, 0, 0, 0], [1, 4])]),
		b.weight([4, 4]),
		zeros,
	]);
	b.output(b.node('Add', [gemm, b.floats(new Array<number>(12).fill(0), [3, 1, 4])]), [3, 'batch', 4]);
	const { document, model } = await buildOf(b.build(), 'prune bias');
	assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [4, 5]);
	assert.ok(document.proof!.ok && !document.proof!.weak);
	assert.is(operators(model)['Add'], 1);
	assert.ok(reasons(document).some((text) => text.includes('another size')));
});

test('zeros before norms alone are shown by what norms do see', async () => {
	const b = modelBuilder();
	const sum = b.node('Add', [b.input('x', ['batch', 6]), b.floats([0, 0, 0, 0, 0, 0])]);
	b.output(b.node('LayerNormalization', [sum, b.weight([6]), b.weight([6])]), ['batch', 6]);
	const { document } = await buildOf({ ...b.build(), opsets: new Map([['', 17]]) }, 'prune bias');
	assert.equal(
		[document.steps[0]!.selected, document.proof!.weights, document.proof!.weak],
		[1, 'own', false],
	);
});

test.run();
