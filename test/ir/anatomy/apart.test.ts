/** Which projections are whose, where the heads of several attentions go together. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { findAnatomy } from '../../../src/ir/anatomy/anatomy.ts';
import { buildNet } from '../../../src/ir/axes/net.ts';
import { inferFacts } from '../../../src/ir/graph/facts.ts';
import { type Model } from '../../../src/ir/graph/graph.ts';
import { buildOf } from '../../harness/exact.ts';
import { modelBuilder } from '../../harness/model.ts';

const test = suite('apart');

const [heads, width, d] = [4, 8, 32];

/** Two attentions that add one mask, laid out by head; sizes of the second are asked of what the first made. */
function masked(): Model {
	const b = modelBuilder();
	let x = b.input('x', ['batch', 'seq', d]);
	const mask = b.node('Expand', [b.input('mask', ['batch', 1, 1, 'seq']), b.ints([1, heads, 1, 1])]);
	for (let layer = 0; layer < 2; layer++) {
		const sizes = b.node('Slice', [b.node('Shape', [x]), b.ints([0]), b.ints([2])]);
		const split = b.node('Concat', [sizes, b.ints([heads, width])], { axis: 0 });
		const part = (perm: readonly number[]): string =>
			b.node('Transpose', [b.node('Reshape', [b.node('MatMul', [x, b.weight([d, d])]), split])], { perm });
		const scores = b.node('MatMul', [part([0, 2, 1, 3]), part([0, 2, 3, 1])]);
		const weights = b.node('Softmax', [b.node('Add', [scores, mask])], { axis: 3 });
		const context = b.node('Transpose', [b.node('MatMul', [weights, part([0, 2, 1, 3])])], {
			perm: [0, 2, 1, 3],
		});
		const merged = b.node('Reshape', [context, b.node('Concat', [sizes, b.ints([d])], { axis: 0 })]);
		x = b.node('Add', [x, b.node('MatMul', [merged, b.weight([d, d])])]);
	}
	b.output(b.node('MatMul', [x, b.weight([d, 5])]), ['batch', 'seq', 5]);
	return b.build();
}

test('a mask by head that two attentions add ties their heads, and gives neither the projections of the other', async () => {
	const { layers } = findAnatomy(buildNet(masked(), inferFacts(masked())));
	const held = layers.map(({ blocks }) =>
		blocks.flatMap(({ linears }) => linears.map(({ node }) => node.index)),
	);
	assert.equal(
		held.map((nodes) => nodes.length),
		[4, 4],
	);
	assert.is(new Set(held.flat()).size, 8);
	const { document } = await buildOf(masked(), 'prune heads 50%');
	assert.ok(document.proof?.ok && !document.proof.weak);
	const factored = await buildOf(masked(), 'factorize attention rank 8 in layers [1]');
	assert.is(factored.document.steps[0]!.selected, 4);
});

test.run();
