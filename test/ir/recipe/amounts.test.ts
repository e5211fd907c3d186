import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { countToRemove, fewestAligned } from '../../../src/ir/recipe/amounts.ts';
import { shareOf } from '../../../src/ir/recipe/decimal.ts';
import { checkRecipe } from '../../../src/ir/recipe/check.ts';
import { namedPositions, rangesText, resolveRanges } from '../../../src/ir/recipe/ranges.ts';
import { readRecipe } from '../../../src/parser/read.ts';
import { vocabulary } from '../../harness/vocabulary.ts';

const test = suite('amounts');

/** How many of `total` heads go by an amount as it is written. */
function removed(amount: string, total: number, align = 1): number {
	const { syntax } = readRecipe(`prune heads ${amount}`);
	const { recipe } = checkRecipe(syntax, vocabulary);
	return countToRemove(recipe!.steps[0]!.amount!, total, { align, min: 1 }).remove;
}

test('rounds shares to the nearest whole number, halves up, exactly in decimals', () => {
	for (const [amount, total, count] of [
		['25%', 8, 2],
		['25%', 2, 1],
		['29%', 50, 15],
		['57%', 50, 29],
		['keep 71%', 50, 15],
		['0.5%', 100, 1],
		['0.4999999%', 100, 0],
		['99%', 8, 7],
		['keep 1', 8, 7],
	] as const)
		assert.is(removed(amount, total), count, `${amount} of ${total}`);
	// 100 p·N is a whole number here, so integers decide.
	for (let percent = 1; percent < 100; percent++)
		for (let total = 2; total < 130; total++)
			assert.is(shareOf(percent / 100, total), Math.floor((percent * total + 50) / 100));
});

test('aligns shares and takes counts as written', () => {
	assert.is(removed('30%', 64, 16), 16);
	assert.is(removed('20%', 64, 16), 0);
	assert.is(removed('13', 64, 16), 13);
	assert.equal([fewestAligned(64, 16), fewestAligned(70, 16), fewestAligned(16, 16)], [16, 6, undefined]);
});

test('ranges are written as they are read', () => {
	for (const text of [
		'6..12',
		'6..=11',
		'..4',
		'-2..',
		'50%..',
		'0..12 step 2',
		'[0, 3, 7]',
		'[0, 4..6]',
		'[3]',
	]) {
		const { syntax } = readRecipe(`prune layers ${text}`);
		const amount = checkRecipe(syntax, vocabulary).recipe!.steps[0]!.amount!;
		assert.is(amount.kind, 'set');
		if (amount.kind === 'set') assert.is(rangesText(amount.ranges), text);
	}
	const listed = [{ from: { index: -1 }, to: { index: -1 }, inclusive: true }, { from: { percent: 50 } }];
	assert.equal(namedPositions(listed, 6), [{ written: -1, at: 5 }]);
	assert.equal(resolveRanges(listed, 6), [3, 4, 5]);
});

test.run();
