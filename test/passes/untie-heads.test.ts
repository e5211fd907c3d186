/** Heads that several attentions share something by: what is shared is copied, and each attention loses heads of its own. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { buildOf, operators, reasons } from '../harness/exact.ts';
import { tiedHeads, type TiedBy } from '../harness/tied-heads.ts';

const test = suite('untie heads');

for (const by of ['mask', 'bias', 'slopes'] as const satisfies readonly TiedBy[])
	test(`prune heads unties them first where a ${by} is by head`, async () => {
		const { document, same } = await buildOf(tiedHeads(by, 3), 'prune heads 25% in layers [1]', {
			again: true,
		});
		const [untied, pruned] = document.steps;
		assert.equal([untied?.selected, untied?.of, untied?.exact], [1, 1, true]);
		assert.equal(
			pruned?.removed.map(({ layer, units }) => [layer, units.length]),
			[[1, 1]],
		);
		assert.equal(
			document.steps.map(({ proof }) => [proof?.ok, proof?.weak]),
			[
				[true, false],
				[true, false],
			],
		);
		// A quarter of the four matrices of one layer; a table of its own adds at most 8 rows of the 3 heads that stay.
		const [before = 0, after = 0] = pruned?.params ?? [];
		assert.ok(before - after >= 32 * 32 - 8 * 3 && before - after <= 32 * 32, `${before} -> ${after}`);
		assert.ok(same);
	});

test('a constant that is small beside the matrices is split, without a copy of operators', async () => {
	const { document } = await buildOf(tiedHeads('table'), 'prune heads 50% in layers [0]');
	assert.equal(
		document.steps.map(({ statement, selected, proof }) => [statement, selected, proof?.ok, proof?.weak]),
		[['prune heads 50% in layers [0]', 2, true, false]],
	);
});

test('every attention loses heads of its own, by their own weights, and goals choose among all', async () => {
	const { document } = await buildOf(tiedHeads('bias', 3), 'prune heads until params <= 85%');
	assert.is(document.steps[0]?.statement, 'untie heads');
	assert.ok((document.steps[1]?.reached?.[0]?.measured ?? 1) <= 0.85);
	const { document: half } = await buildOf(tiedHeads('bias', 3), 'prune heads 50%');
	const gone = (half.steps[1]?.removed ?? []).map(({ units }) => units.join());
	assert.is(gone.length, 3);
	assert.ok(new Set(gone).size > 1, gone.join(' | '));
});

test('as a statement of its own it copies and nothing else', async () => {
	const before = operators(tiedHeads('bias'));
	const { document, model } = await buildOf(tiedHeads('bias'), 'untie heads');
	assert.equal([document.steps[0]?.selected, document.steps[0]?.of], [2, 2]);
	assert.is(operators(model)['Gather'], (before['Gather'] ?? 0) + 1);
	assert.is(operators(model)['Range'], before['Range']);
});

test('what a network makes for all of them is not copied: those heads go together, and the plan says why', async () => {
	const { document } = await buildOf(tiedHeads('product'), 'untie heads');
	assert.is(document.steps[0]?.selected, 0);
	assert.match(reasons(document).join(' '), /which several attentions read by head, is no mere bias or mask/);
	const { document: pruned } = await buildOf(tiedHeads('product'), 'prune heads 50%');
	const [first, second] = pruned.steps[0]?.removed ?? [];
	assert.equal(first?.units, second?.units);
	assert.equal([pruned.proof?.ok, pruned.proof?.weak], [true, false]);
	const { document: one } = await buildOf(tiedHeads('product', 3), 'prune heads 50% in layers [0]');
	assert.is(one.steps[0]?.selected, 0);
	assert.match(
		reasons(one).join(' '),
		/they go together with those of layers 1, 2, which the statement leaves out/,
	);
});

test.run();
