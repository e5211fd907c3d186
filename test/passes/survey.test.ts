/** What `inspect` lists beside the layers: groups that can go, with their members, and what stays with its reason. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { findAnatomy } from '../../src/ir/anatomy/anatomy.ts';
import { buildNet } from '../../src/ir/axes/net.ts';
import { inferFacts } from '../../src/ir/graph/facts.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { survey } from '../../src/passes/survey.ts';
import { type Survey } from '../../src/ir/anatomy/groups.ts';
import { encoder, modelBuilder } from '../harness/model.ts';

const test = suite('survey');

const surveyed = (model: Model): Survey => survey(findAnatomy(buildNet(model, inferFacts(model, new Map()))));

/** conv 3 → 8, relu, conv 8 → 8 added to it, conv 8 → 4 as the output. */
function residual(): Model {
	const b = modelBuilder();
	const x = b.input('x', [1, 3, 6, 6]);
	const pads = { pads: [1, 1, 1, 1] };
	const first = b.node('Relu', [b.node('Conv', [x, b.weight([8, 3, 3, 3])], pads)]);
	const sum = b.node('Add', [first, b.node('Conv', [first, b.weight([8, 8, 3, 3])], pads)]);
	b.output(b.node('Conv', [sum, b.weight([4, 8, 1, 1])]), [1, 4, 6, 6]);
	return b.build();
}

test('coupled convolutions are one group, and what the output freezes is named', () => {
	const { groups, stuck, removable } = surveyed(residual());
	assert.equal(
		groups.map(({ target, units, pinned, params }) => ({ target, units, pinned, params })),
		[{ target: 'channels', units: 8, pinned: 0, params: 8 * 27 + 8 * 72 + 4 * 8 }],
	);
	assert.is(groups[0]!.members.filter((name) => name.startsWith('Conv')).length, 3);
	assert.is(removable, 8 * 27 + 8 * 72 + 4 * 8);
	assert.is(stuck.length, 1);
	assert.match(stuck[0]!.why, /graph output '\w+' is frozen/);
});

test('where the width of a transformer is that of its input, its layers alone can lose something, and a weight counts once', () => {
	const { groups, removable } = surveyed(encoder(2, { heads: 4, width: 8, hidden: 48 }));
	assert.equal(groups, []);
	const weights = 2 * (4 * 32 * 32 + 2 * 32 * 48);
	assert.ok(removable >= weights && removable < weights * 1.05, String(removable));
});

test.run();
