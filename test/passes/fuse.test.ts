/** Chains of projections, and projections of one value. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { buildOf, operators, reasons } from '../harness/exact.ts';
import { encoder, modelBuilder } from '../harness/model.ts';

const test = suite('fuse');

test('a chain becomes one product where that is smaller, biases and layouts included', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 8]);
	const wide = b.node('Add', [b.node('MatMul', [x, b.weight([8, 20])]), b.weight([20])]);
	const narrow = b.node('Gemm', [wide, b.weight([6, 20]), b.weight([6])], { transB: 1 });
	const down = b.node('MatMul', [b.node('Relu', [narrow]), b.weight([6, 2])]);
	b.output(b.node('MatMul', [down, b.weight([2, 6])]), ['batch', 6]);
	const { document, model } = await buildOf(b.build(), 'fuse linears');
	assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [1, 2]);
	assert.ok(document.proof!.ok && !document.proof!.weak);
	assert.equal(operators(model), { Gemm: 1, Relu: 1, MatMul: 2 });
	assert.ok(reasons(document).some((text) => text.includes('6 × 6 is no smaller than 6 × 2 and 2 × 6')));
});

for (const opset of [11, 17])
	test(`queries, keys and values become one product and a split, opset ${opset}`, async () => {
		const build = { opset };
		const before = encoder(2, { heads: 2, width: 4, hidden: 16 }, build);
		const { document, model, same } = await buildOf(before, 'fuse qkv', { again: true });
		assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [2, 2]);
		assert.ok(document.proof!.ok && !document.proof!.weak);
		assert.is(operators(before)['MatMul']! - operators(model)['MatMul']!, 4);
		assert.is(operators(model)['Split'], 2);
		assert.equal(document.steps[0]!.params[0], document.steps[0]!.params[1]);
		assert.ok(same);
	});

test('gate and up become one product and a split', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 'seq', 8]);
	const [gate, up] = [b.node('MatMul', [x, b.weight([8, 12])]), b.node('MatMul', [x, b.weight([8, 12])])];
	const hidden = b.node('Mul', [b.node('Mul', [gate, b.node('Sigmoid', [gate])]), up]);
	b.output(b.node('Add', [x, b.node('MatMul', [hidden, b.weight([12, 8])])]), ['batch', 'seq', 8]);
	const { document, model } = await buildOf(b.build(), 'fuse gates');
	assert.is(document.steps[0]!.selected, 1);
	assert.ok(document.proof!.ok && !document.proof!.weak);
	assert.equal(operators(model), { MatMul: 2, Split: 1, Mul: 2, Sigmoid: 1, Add: 1 });
});

test.run();
