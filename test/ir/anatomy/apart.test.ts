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

test('heads that cannot go, since their keys are repeated, keep the projections of each attention apart', async () => {
	const model = tiedHeads('mask', 2, true);
	const { layers } = findAnatomy(buildNet(model, inferFacts(model)));
	const held = layers.map(({ blocks }) =>
		blocks.flatMap(({ family, linears }) => [family, ...linears.map(({ node }) => node.index)]),
	);
	assert.equal(
		held.map(([family, ...nodes]) => [family, nodes.length]),
		[
			[undefined, 4],
			[undefined, 4],
		],
	);
	assert.is(new Set(held.flat()).size, 9);
	const { document } = await buildOf(model, 'share attention across layers .. with mean');
	assert.equal([document.steps[0]!.selected, document.proof?.ok, document.proof?.weak], [2, true, false]);
});

test.run();
