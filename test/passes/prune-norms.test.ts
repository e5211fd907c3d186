/** Norms folded into weights: what folds, what stays and why, and that nothing but rounding changes. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Attribute } from '../../src/ir/graph/graph.ts';
import { type Build, encoder, modelBuilder } from '../harness/model.ts';
import { buildOf, operators, reasons } from '../harness/exact.ts';

const test = suite('prune norms');

/** A batch normalization over `size` channels. */
function batch(b: Build, x: string, size: number): string {
	const spread = Array.from({ length: size }, (_, at) => 0.5 + at / size);
	const [scale, shift, mean] = [b.weight([size]), b.weight([size]), b.weight([size])];
	return b.node('BatchNormalization', [x, scale, shift, mean, b.floats(spread)]);
}

test('a batch normalization goes into the projection before it, whatever the operator and its bias', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 4, 6, 6]);
	const plain = batch(b, b.node('Conv', [x, b.weight([8, 4, 3, 3])], { pads: [1, 1, 1, 1] }), 8);
	const grouped = batch(
		b,
		b.node('Conv', [b.node('Relu', [plain]), b.weight([8, 2, 1, 1]), b.weight([8])], { group: 4 }),
		8,
	);
	const bias = b.weight([1, 8, 1, 1]);
	const added = batch(
		b,
		b.node('Add', [bias, b.node('Conv', [b.node('Relu', [grouped]), b.weight([8, 8, 1, 1])])]),
		8,
	);
	const up = b.node('ConvTranspose', [b.node('Relu', [added]), b.weight([8, 3, 2, 2]), b.weight([6])], {
		group: 2,
		strides: [2, 2],
	});
	const flat = b.node('Flatten', [b.node('GlobalAveragePool', [batch(b, up, 6)])]);
	const gemm = b.node('Gemm', [flat, b.weight([5, 6]), b.weight([5])], {
		transB: 1,
		alpha: { kind: 'float', value: 0.5 },
		beta: { kind: 'float', value: 2 },
	});
	const product = b.node('MatMul', [b.node('Relu', [batch(b, gemm, 5)]), b.weight([5, 7])]);
	const last = batch(b, b.node('Add', [product, b.weight([7])]), 7);
	b.output(batch(b, b.node('MatMul', [last, b.weight([7, 3])]), 3), ['batch', 3]);
	const { document, model } = await buildOf(b.build(), 'prune norms');
	assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [7, 7]);
	assert.ok(document.proof!.ok && !document.proof!.weak);
	assert.equal(operators(model), {
		...{ Conv: 3, Relu: 4, ConvTranspose: 1, GlobalAveragePool: 1, Flatten: 1, Gemm: 1, MatMul: 2, Add: 2 },
	});
	assert.equal(
		model.graph.outputs.map(({ name }) => name),
		b.build().graph.outputs.map(({ name }) => name),
	);
});

test('a norm over channels that come first stays, and the plan says where its scale lies', async () => {
	const b = modelBuilder();
	const x = b.node('Conv', [b.input('x', ['batch', 4, 6, 6]), b.weight([8, 4, 1, 1])]);
	const off = b.node('Sub', [x, b.node('ReduceMean', [x], { axes: [1] })]);
	const variance = b.node('ReduceMean', [b.node('Mul', [off, off])], { axes: [1] });
	const root = b.node('Sqrt', [b.node('Add', [variance, b.floats([1e-5], [])])]);
	const scaled = b.node('Mul', [b.node('Div', [off, root]), b.weight([8, 1, 1])]);
	b.output(b.node('Conv', [b.node('Add', [scaled, b.weight([8, 1, 1])]), b.weight([3, 8, 1, 1])]));
	const { document } = await buildOf(b.build(), 'prune norms');
	assert.match(reasons(document).join(' '), /its scale lies along another axis than the last/);
});

test('a batch normalization without a projection before it goes into those behind it', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 4, 6, 6]);
	const normal = batch(b, x, 4);
	const left = b.node('Conv', [normal, b.weight([6, 2, 3, 3])], { group: 2 });
	const right = b.node('Conv', [normal, b.weight([6, 4, 3, 3]), b.weight([6])]);
	b.output(b.node('Add', [left, right]), ['batch', 6, 4, 4]);
	const { document, model } = await buildOf(b.build(), 'prune norms');
	assert.ok(document.proof!.ok && !document.proof!.weak);
	assert.equal(operators(model), { Conv: 2, Add: 1 });
});

test('a batch normalization goes through operators that only move its channels, as behind products over tokens', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 'seq', 5]);
	const linear = (from: string, inputs: number, outputs: number): string =>
		b.node('Add', [b.node('MatMul', [from, b.weight([inputs, outputs])]), b.weight([outputs])]);
	const turned = b.node('Transpose', [linear(x, 5, 6)], { perm: [0, 2, 1] });
	const back = b.node('Transpose', [b.node('Relu', [batch(b, turned, 6)])], { perm: [0, 2, 1] });
	const flat = b.node('Flatten', [b.node('MatMul', [back, b.weight([6, 4])])], { axis: 2 });
	b.output(b.node('Relu', [batch(b, flat, 4)]), ['rows', 4]);
	const { document, model } = await buildOf(b.build(), 'prune norms');
	assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [2, 2]);
	assert.ok(document.proof!.ok && !document.proof!.weak);
	assert.equal(operators(model), { MatMul: 2, Add: 2, Transpose: 2, Relu: 2, Flatten: 1 });
});

test('channels that are moved to another axis than the one that is normalized stay', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 6, 5]);
	b.output(b.node('Relu', [batch(b, b.node('MatMul', [x, b.weight([5, 6])]), 6)]), ['batch', 6, 6]);
	const { document } = await buildOf(b.build(), 'prune norms');
	assert.is(document.steps[0]!.selected, 0);
	assert.match(reasons(document).join(), /writes another axis/);
});

test('what stands in the way of a batch normalization is said', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 4, 6, 6]);
	const [first, second] = [b.weight([4, 4, 1, 1]), b.weight([4, 4, 3, 3])];
	const read = b.node('Conv', [x, first]);
	const twice = b.node('Relu', [batch(b, read, 4)]);
	const tied = [x, twice].map((value) =>
		b.node('Relu', [batch(b, b.node('Conv', [value, second], { pads: [1, 1, 1, 1] }), 4)]),
	);
	const padded = b.node('Conv', [batch(b, b.node('Relu', [x]), 4), b.weight([4, 4, 3, 3])], {
		pads: [1, 1, 1, 1],
	});
	b.output(b.node('Sum', [read, twice, ...tied, padded]), ['batch', 4, 6, 6]);
	const { document } = await buildOf(b.build(), 'prune norms');
	assert.is(document.steps[0]!.selected, 0);
	const found = reasons(document);
	for (const expected of [
		/Sum .* reads the same value; behind, Relu/,
		/shares the weight of Conv/,
		/pads with zeros/,
		/none of the 4 norms/,
	])
		assert.ok(
			found.some((text) => expected.test(text)),
			`${String(expected)} in\n${found.join('\n')}`,
		);
});

test('scale and shift of norms before projections go into the projections; behind a sum they stay', async () => {
	const before = await buildOf(encoder(2, { heads: 2, width: 4, hidden: 16 }), 'prune norms');
	assert.equal([before.document.steps[0]!.selected, before.document.steps[0]!.of], [4, 4]);
	assert.ok(before.document.proof!.ok && !before.document.proof!.weak);
	const [was, is] = before.document.steps[0]!.params;
	assert.is(was - is, 4 * 2 * 8 - 8, 'all shifts are gone, and one row of ones serves all scales');
	const behind = await buildOf(encoder(1, { heads: 2, width: 4, hidden: 16, post: true }), 'prune norms');
	assert.is(behind.document.steps[0]!.selected, 0);
	assert.ok(reasons(behind.document).some((text) => /Add .* has no weight to fold into/.test(text)));
});

test('scale and shift go into the matrix and bias of a fused attention, which keeps a bias of zeros', async () => {
	const b = modelBuilder();
	const attended = (x: string, bias: string): string =>
		b.node('Attention', [x, b.weight([8, 24]), bias], { num_heads: 2 }, 'com.microsoft');
	const norm = (x: string, shift: string): string => b.node('LayerNormalization', [x, b.positive(8), shift]);
	const first = attended(norm(b.input('x', ['batch', 'seq', 8]), b.weight([8])), b.weight([24]));
	const zeros = (size: number): string => b.floats(new Array<number>(size).fill(0));
	b.output(attended(norm(first, zeros(8)), zeros(24)), ['batch', 'seq', 8]);
	const { document, model } = await buildOf(b.build(), 'prune norms');
	assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [2, 2]);
	assert.ok(document.proof!.ok && !document.proof!.weak);
	const fused = model.graph.nodes.filter(({ op }) => op === 'Attention');
	assert.ok(fused.every(({ inputs }) => inputs[2] !== undefined && inputs[2] !== ''));
});

/** A layer normalization in single operators, as exporters before opset 17 write it. */
function written(b: Build, x: string, size: number): string {
	const centred = b.node('Sub', [x, b.node('ReduceMean', [x], { axes: [-1] })]);
	const variance = b.node('ReduceMean', [b.node('Pow', [centred, b.floats([2], [])])], { axes: [-1] });
	const spread = b.node('Sqrt', [b.node('Add', [variance, b.floats([1e-5], [])])]);
	return b.node('Add', [
		b.weight([size]),
		b.node('Mul', [b.node('Div', [centred, spread]), b.weight([size])]),
	]);
}

test('a norm in single operators and an RMS norm fold as native ones do, through reshapes and gathers', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 'seq', 8]);
	const flat = b.node('Reshape', [written(b, x, 8), b.ints([-1, 8])]);
	const gemm = b.node('Gemm', [flat, b.weight([8, 6]), b.weight([6])]);
	const first = b.node(
		'Gather',
		[b.node('SimplifiedLayerNormalization', [x, b.weight([8])]), b.ints([0], [])],
		{ axis: 1 },
	);
	b.output(b.node('ReduceSum', [gemm]));
	b.output(b.node('MatMul', [first, b.weight([8, 3])]), ['batch', 3]);
	const { document } = await buildOf(b.build(), 'prune norms');
	assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [2, 2]);
	assert.ok(document.proof!.ok && !document.proof!.weak);
});

test('a norm of a norm is one norm, whatever their epsilons and the scale between them', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 'seq', 8]);
	const same = (value: number): string => b.floats(new Array<number>(8).fill(value));
	const epsilon = (value: number): Record<string, Attribute> => ({ epsilon: { kind: 'float', value } });
	const half = b.node('LayerNormalization', [x, same(-0.5), same(0.25)], epsilon(0.1));
	const whole = b.node('LayerNormalization', [half, b.weight([8]), b.weight([8])], epsilon(0.2));
	const root = b.node('SimplifiedLayerNormalization', [x, same(2)], epsilon(0.3));
	const spread = b.node('Add', [
		b.node('ReduceMean', [b.node('Pow', [root, b.floats([2], [])])], { axes: [-1] }),
		b.floats([0.4], []),
	]);
	const single = b.node('Mul', [b.node('Div', [root, b.node('Sqrt', [spread])]), b.weight([8])]);
	b.output(b.node('Add', [whole, single]), ['batch', 'seq', 8]);
	const { document, model } = await buildOf(b.build(), 'prune norms');
	assert.is(document.steps[0]!.selected, 2);
	assert.ok(document.proof!.ok && !document.proof!.weak);
	const { LayerNormalization, SimplifiedLayerNormalization, Sqrt } = operators(model);
	assert.equal([LayerNormalization, SimplifiedLayerNormalization, Sqrt], [1, undefined, 1]);
});

test('norms of norms that differ by channel, leave a mean or are read elsewhere stay two', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 'seq', 8]);
	const same = b.floats(new Array<number>(8).fill(1));
	const by = b.node('LayerNormalization', [b.node('LayerNormalization', [x, b.weight([8])]), same]);
	const mean = b.node('LayerNormalization', [b.node('SimplifiedLayerNormalization', [x, same]), same]);
	const first = b.node('LayerNormalization', [x, same]);
	const read = b.node('Add', [b.node('LayerNormalization', [first, same]), first]);
	b.output(b.node('Sum', [by, mean, read]), ['batch', 'seq', 8]);
	const { document } = await buildOf(b.build(), 'prune norms');
	assert.is(document.steps[0]!.selected, 0);
	const found = reasons(document).join('\n');
	for (const expected of [/its scale differs/, /it leaves the mean/, /Add '.*' reads it too/])
		assert.match(found, expected);
});

test('a scope and protected names are kept to', async () => {
	const model = encoder(2, { heads: 2, width: 4, hidden: 16 });
	const count = async (recipe: string): Promise<number> =>
		(await buildOf(model, recipe)).document.steps[0]!.selected;
	assert.is(await count('prune norms in layers [1]'), 2);
	assert.is(await count('prune norms except layers [1]'), 2);
	assert.is(await count('protect "LayerNormalization_0"; prune norms'), 3);
});

test('a plan gives the bytes of the build', async () => {
	const { same } = await buildOf(encoder(1, { heads: 2, width: 4, hidden: 16 }), 'prune norms', {
		again: true,
	});
	assert.ok(same);
});

test.run();
