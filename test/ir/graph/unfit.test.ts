/** Sizes at which a model runs, where not all of those that its inputs allow do. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { inferFacts } from '../../../src/ir/graph/facts.ts';
import { type Model } from '../../../src/ir/graph/graph.ts';
import { buildOf } from '../../harness/exact.ts';
import { modelBuilder } from '../../harness/model.ts';

const test = suite('unfit');

/** A feed-forward block over [batch, seq, 8]; on the way a Reshape says how many items there are, as an export of one item does. */
function traced(items: number): Model {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 'seq', 8]);
	const seq = b.node('Slice', [b.node('Shape', [x]), b.ints([1]), b.ints([2])]);
	const target = b.node('Concat', [b.ints([items]), seq, b.ints([2, 4])], { axis: 0 });
	const parts = b.node('Reshape', [x, target]);
	const back = b.node('Reshape', [parts, b.ints([0, 0, 8])]);
	const inner = b.node('Relu', [b.node('MatMul', [back, b.weight([8, 64])])]);
	b.output(b.node('Add', [back, b.node('MatMul', [inner, b.weight([64, 8])])]), [items, 'seq', 8]);
	return b.build();
}

test('a model whose number of items was written down is understood, proven and measured at one item', async () => {
	const model = traced(1);
	assert.equal(
		inferFacts(model).shapes.map((shapes) => shapes.get('x')),
		[
			[1, 5, 8],
			[1, 3, 8],
		],
	);
	const { document } = await buildOf(model, 'prune ffn 50%');
	assert.ok(document.proof?.ok && !document.proof.weak);
	assert.is(document.steps[0]?.selected, 32);
});

test('sizes stay those that were tried where one item does not fit either', () => {
	assert.equal(inferFacts(traced(7)).shapes[0].get('x'), [2, 5, 8]);
});

test.run();
