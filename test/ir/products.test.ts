/** Multiply–adds of operators that make several products, and of those whose operands do not say them all. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { costOf } from '../../src/ir/cost.ts';
import { inferFacts } from '../../src/ir/graph/facts.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { attentionForms } from '../harness/attention.ts';
import { buildOf } from '../harness/exact.ts';
import { modelBuilder } from '../harness/model.ts';

const test = suite('products');

const macsOf = (model: Model, sizes: readonly number[]): number =>
	costOf(model, inferFacts(model, new Map([['x', sizes]]))).macs;

/** Two directions of LSTM over [seq, batch, 6] with 8 hidden units, then 4 numbers of a Gemm of the last step. */
function recurrent(): Model {
	const b = modelBuilder();
	const x = b.input('x', ['seq', 'batch', 6]);
	const weights = [b.weight([2, 32, 6]), b.weight([2, 32, 8]), b.weight([2, 64])];
	const states = b.node('LSTM', [x, ...weights], { hidden_size: 8, direction: 'bidirectional' }, '', 2);
	const last = b.node('Reshape', [
		b.node('Transpose', [`${states}_1`], { perm: [1, 0, 2] }),
		b.ints([0, 16]),
	]);
	b.output(b.node('Gemm', [last, b.weight([16, 4])]), ['batch', 4]);
	return b.build();
}

test('recurrent layers multiply what comes in and what they remember at every step', () => {
	assert.is(macsOf(recurrent(), [7, 3, 6]), 2 * 7 * 3 * 32 * (6 + 8) + 3 * 16 * 4);
});

test('what a goal saves of recurrent layers is what the result saves', async () => {
	const { document } = await buildOf(recurrent(), 'prune units until macs <= 60%');
	const [goal] = document.steps[0]?.reached ?? [];
	assert.ok(goal !== undefined && goal.measured <= 0.6);
	assert.is(goal.predicted, goal.measured);
});

test('transposed convolutions use every position of their input once, however far apart they put them', () => {
	const b = modelBuilder();
	const x = b.input('x', [1, 5, 6, 6]);
	const strides = { strides: [2, 2], kernel_shape: [2, 2] };
	b.output(b.node('ConvTranspose', [x, b.weight([5, 3, 2, 2])], strides), [1, 3, 12, 12]);
	assert.is(macsOf(b.build(), [1, 5, 6, 6]), 5 * 3 * 4 * 36);
});

const formMacs = (name: string): number => {
	const form = attentionForms[name];
	if (form === undefined) throw new Error(`no form '${name}'`);
	return macsOf(form.model(), [2, 9, 32]);
};
const plain = 'separate query, key, value, literal Reshape';
const shared = 'keys repeated for groups of queries';
for (const [fused, reference] of [
	['Attention, fused', plain],
	['MultiHeadAttention, fused', plain],
	['Attention of opset 23', plain],
	['GroupQueryAttention, fused', shared],
	['Attention of opset 23, keys for groups of queries', shared],
] as const)
	test(`${fused}: as many as in single operators`, () => {
		assert.is(formMacs(fused), formMacs(reference));
	});

test.run();
