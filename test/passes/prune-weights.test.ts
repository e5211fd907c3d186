/** Single weights set to zero. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { constantsOf } from '../../src/ir/graph/constants.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { numbersOf } from '../../src/ir/graph/tensor.ts';
import { buildOf, reasons } from '../harness/exact.ts';
import { modelBuilder } from '../harness/model.ts';

const test = suite('prune weights');

/** A convolution and two products; the last one's matrix is tied to a table when asked. */
function network({ tied = false } = {}): Model {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 6, 5, 5]);
	const pooled = b.node('Flatten', [
		b.node('GlobalAveragePool', [b.node('Conv', [x, b.weight([10, 6, 3, 3])])]),
	]);
	const matrix = b.weight([10, 8], 'm');
	const first = b.node('MatMul', [pooled, matrix]);
	b.output(b.node('Gemm', [first, b.weight([5, 8]), b.weight([5])], { transB: 1 }), ['batch', 5]);
	if (tied) b.output(b.node('Gather', [matrix, b.ints([1, 2])]), [2, 8]);
	return b.build();
}

/** The weight of the first node of an operator. */
function weightOf({ graph }: Model, op: string): { dims: readonly number[]; values: number[] } {
	const tensor = constantsOf(graph).get(graph.nodes.find((node) => node.op === op)!.inputs[1]!)!;
	return { dims: tensor.dims, values: Array.from(numbersOf(tensor)) };
}
const zeros = (values: readonly number[]): number => values.filter((value) => value === 0).length;

test('the smallest weights of each tensor become zeros, all others stay to the bit', async () => {
	const before = network();
	const { document, model, same } = await buildOf(before, 'prune weights 30%', { again: true });
	assert.ok(document.proof?.ok === true && !document.proof.weak && same === true);
	assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [162 + 24 + 12, 540 + 80 + 40]);
	for (const op of ['Conv', 'MatMul', 'Gemm']) {
		const [old, now] = [weightOf(before, op).values, weightOf(model, op).values];
		const least = Math.min(...now.filter((value) => value !== 0).map(Math.abs));
		now.forEach((value, at) => {
			assert.ok(value === 0 ? Math.abs(old[at]!) <= least : value === old[at], op);
		});
	}
});

test('of every four neighbours along what is summed over two stay, of a shorter rest up to two', async () => {
	const { model, document } = await buildOf(network(), 'prune weights 2:4');
	assert.ok(document.proof?.ok === true && !document.proof.weak);
	const product = weightOf(model, 'MatMul');
	for (let col = 0; col < 8; col++) {
		const column = Array.from({ length: 10 }, (_, row) => product.values[row * 8 + col]!);
		assert.equal([zeros(column.slice(0, 4)), zeros(column.slice(4, 8)), zeros(column.slice(8))], [2, 2, 0]);
	}
	const turned = weightOf(model, 'Gemm').values;
	for (let row = 0; row < 5; row++)
		assert.equal(
			[0, 4].map((from) => zeros(turned.slice(row * 8 + from, row * 8 + from + 4))),
			[2, 2],
		);
});

test('weights that a table shares stay, and the plan says that nothing gets faster', async () => {
	const { document } = await buildOf(network({ tied: true }), 'prune weights 50%');
	assert.match(reasons(document).join(), "MatMul 'MatMul_3' stays: an operator that is no product reads");
	assert.match(document.steps[0]!.unit, 'not faster on a CPU');
});

test('matrices of recurrent layers and transposed convolutions have weights too', async () => {
	const b = modelBuilder();
	const x = b.input('x', [5, 'batch', 6]);
	const states = b.node('GRU', [x, b.weight([1, 24, 6]), b.weight([1, 24, 8])], { hidden_size: 8 }, '', 2);
	const maps = b.node('Reshape', [`${states}_1`, b.ints([-1, 8, 1, 1])]);
	b.output(b.node('ConvTranspose', [maps, b.weight([8, 3, 2, 2])]), ['batch', 3, 2, 2]);
	const { document, model } = await buildOf(b.build(), 'prune weights 2:4');
	assert.ok(document.proof?.ok === true && !document.proof.weak);
	assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [24 * (2 + 4) + 4 * 12, 144 + 192 + 96]);
	const { values } = weightOf(model, 'ConvTranspose');
	for (let at = 0; at < 12; at++) assert.is(zeros([0, 1, 2, 3].map((input) => values[input * 12 + at]!)), 2);
});

test('a model without weights in floating point says what is missing', async () => {
	const b = modelBuilder();
	b.output(b.node('Relu', [b.input('x', [2, 3])]), [2, 3]);
	const why = await buildOf(b.build(), 'prune weights 50%').then(() => 'built', String);
	assert.match(why, /no weights in floating point that prunec can find/);
});

test('weights that layers share under several names become sparse once', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 8]);
	const matrix = b.weight([8, 8], 'm');
	const shared = b.node('Identity', [matrix]);
	b.output(b.node('MatMul', [b.node('Relu', [b.node('MatMul', [x, matrix])]), shared]), ['batch', 8]);
	const { document, model } = await buildOf(b.build(), 'prune weights 50%');
	assert.ok(document.proof?.ok === true && !document.proof.weak);
	assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [32, 64]);
	assert.equal([reasons(document).join(), document.steps[0]!.params], ['', [64, 64]]);
	assert.is(zeros(weightOf(model, 'MatMul').values), 32);
});

test.run();
