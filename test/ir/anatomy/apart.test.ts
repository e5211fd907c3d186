/** Which projections are whose, where the heads of several attentions go together. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { findAnatomy } from '../../../src/ir/anatomy/anatomy.ts';
import { buildNet } from '../../../src/ir/axes/net.ts';
import { inferFacts } from '../../../src/ir/graph/facts.ts';
import { buildOf } from '../../harness/exact.ts';
import { tiedHeads } from '../../harness/tied-heads.ts';

const test = suite('apart');

test('a mask by head that two attentions add ties their heads, and gives neither the projections of the other', async () => {
	const { layers } = findAnatomy(buildNet(tiedHeads('mask'), inferFacts(tiedHeads('mask'))));
	const held = layers.map(({ blocks }) =>
		blocks.flatMap(({ linears }) => linears.map(({ node }) => node.index)),
	);
	assert.equal(
		held.map((nodes) => nodes.length),
		[4, 4],
	);
	assert.is(new Set(held.flat()).size, 8);
	const { document } = await buildOf(tiedHeads('mask'), 'prune heads 50%');
	assert.ok(document.proof?.ok && !document.proof.weak);
	const factored = await buildOf(tiedHeads('mask'), 'factorize attention rank 8 in layers [1]');
	assert.is(factored.document.steps[0]!.selected, 4);
});

test.run();
