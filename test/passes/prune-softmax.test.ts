/** Scales of scores, softmaxes that only rank, and the one at the end. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { attention } from '../harness/one-attention.ts';
import { buildOf, operators, reasons } from '../harness/exact.ts';
import { type Build, modelBuilder } from '../harness/model.ts';

const test = suite('prune softmax');

for (const [what, variation, count] of [
	['behind the scores', { scale: 'after' }, 1],
	['behind the scores of packed projections', { scale: 'after', packed: true }, 1],
	['on queries and keys', { scale: 'before' }, 2],
] as const)
	test(`a scale ${what} goes into the projections`, async () => {
		const { document, model } = await buildOf(attention(variation), 'prune softmax');
		assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [count, count]);
		assert.ok(document.proof!.ok && !document.proof!.weak);
		assert.equal([operators(model)['Mul'], operators(model)['Div']], [undefined, undefined]);
	});

function classifier(read: (b: Build, probabilities: string) => void): ReturnType<Build['build']> {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 8]);
	read(b, b.node('Softmax', [b.node('Gemm', [x, b.weight([8, 6]), b.weight([6])])], { axis: 1 }));
	return b.build();
}

test('a softmax whose every reader asks for the order goes', async () => {
	const ranked = classifier((b, p) => {
		b.output(b.node('ArgMax', [p], { axis: -1 }));
		b.output(`${b.node('TopK', [p, b.ints([2])], { axis: 1 }, '', 2)}_1`);
	});
	ranked.graph.outputs.forEach((info) => Object.assign(info, { type: 7 }));
	const { document, model } = await buildOf(ranked, 'prune softmax');
	assert.equal(document.steps[0]!.selected, 1);
	assert.ok(document.proof!.ok && !document.proof!.weak);
	assert.is(operators(model)['Softmax'], undefined);
});

test('it goes along whatever axis it ranks, and stays where others rank along another', async () => {
	for (const [axis, selected] of [
		[1, 1],
		[3, 0],
	] as const) {
		const b = modelBuilder();
		const scores = b.node('Conv', [b.input('x', ['batch', 3, 5, 4]), b.weight([6, 3, 1, 1])]);
		b.output(b.node('ArgMax', [b.node('Softmax', [scores], { axis: 1 })], { axis }));
		const model = b.build();
		model.graph.outputs.forEach((info) => Object.assign(info, { type: 7 }));
		const { document } = await buildOf(model, 'prune softmax');
		assert.is(document.steps[0]!.selected, selected);
		if (selected === 1) assert.ok(document.proof!.ok && !document.proof!.weak);
		else assert.match(reasons(document).join(), /ArgMax .* reads its numbers/);
	}
});

test('it stays when somebody reads its numbers', async () => {
	const mixed = classifier((b, p) => b.output(b.node('TopK', [p, b.ints([2])], { axis: 1 }, '', 2)));
	const { document } = await buildOf(mixed, 'prune softmax');
	assert.is(document.steps[0]!.selected, 0);
	assert.ok(reasons(document).some((text) => /TopK .* reads its numbers/.test(text)));
});

test('at the output it goes on request, and the output is logits whose softmax is the old output', async () => {
	const model = classifier((b, p) => b.output(p, ['batch', 6]));
	assert.is((await buildOf(model, 'prune softmax')).document.steps[0]!.selected, 0);
	const { document, model: pruned } = await buildOf(model, 'prune softmax at output');
	assert.is(document.steps[0]!.selected, 1);
	assert.ok(document.proof!.ok && !document.proof!.weak);
	assert.ok(document.drift!.cosine < 0.999, 'the output means something else');
	assert.equal(operators(pruned), { Gemm: 1 });
	assert.equal(
		pruned.graph.outputs.map(({ name }) => name),
		model.graph.outputs.map(({ name }) => name),
	);
});

test('at the output it goes from before operators that only move numbers, as converted models have them', async () => {
	const model = classifier((b, p) => {
		const turned = b.node('Transpose', [b.node('Unsqueeze', [p, b.ints([2])])], { perm: [0, 2, 1] });
		b.output(turned, ['batch', 1, 6]);
	});
	const { document, model: pruned } = await buildOf(model, 'prune softmax at output', { again: true });
	assert.is(document.steps[0]!.selected, 1);
	assert.ok(document.proof!.ok && !document.proof!.weak);
	assert.equal(operators(pruned), { Gemm: 1, Unsqueeze: 1, Transpose: 1 });
});

test.run();
