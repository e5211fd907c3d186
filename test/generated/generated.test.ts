/**
 * Models made of blocks at random, some of their units removed at random: what is left equals its masked reference, bit for
 * bit where integers make that possible, else to rounding.
 *
 *     PRUNEC_GENERATED=10000 npm test -- generated             # so many of each class, from seed 0
 *     PRUNEC_GENERATED=10000@5000 npm test -- generated        # from seed 5000
 *     PRUNEC_RECIPE='exact image 17 seed 3: conv~1 gemm~2' npm test -- generated
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Exactness } from './kit.ts';
import { drawRecipe, parseRecipe, printRecipe, type Recipe } from './recipe.ts';
import { shrink } from './shrink.ts';
import { tryRecipe, type Verdict } from './trial.ts';

const test = suite('generated');
const [count = 1000, first = 0] = (process.env['PRUNEC_GENERATED'] ?? '1000').split('@').map(Number);
const given = process.env['PRUNEC_RECIPE'];

/** A crash is as wrong as a difference. */
async function verdictOf(recipe: Recipe): Promise<Verdict> {
	return tryRecipe(recipe).catch((problem: unknown) => ({ is: 'wrong', why: String(problem) }));
}

async function check(recipe: Recipe): Promise<Verdict> {
	const verdict = await verdictOf(recipe);
	if (verdict.is !== 'wrong') return verdict;
	const least = await shrink(recipe, async (smaller) => (await verdictOf(smaller)).is === 'wrong');
	const why = await verdictOf(least);
	throw new Error(`${printRecipe(least)}\n  ${why.is === 'wrong' ? why.why : verdict.why}`);
}

/** Checks models until so many were equal; how often one more unit gone would have been seen, and how many could not be cut. */
async function checkAll(exactness: Exactness): Promise<{ shown: number; asked: number; refused: number }> {
	let [equal, shown, asked, refused] = [0, 0, 0, 0];
	for (let seed = first; equal < count; seed++) {
		const verdict = await check(drawRecipe(exactness, seed));
		if (verdict.is === 'refused') refused++;
		if (verdict.is !== 'equal') continue;
		equal++;
		if (verdict.shown !== undefined) asked++;
		if (verdict.shown === true) shown++;
	}
	return { shown, asked, refused };
}

if (given !== undefined)
	test('the given recipe', async () => {
		assert.not.equal((await check(parseRecipe(given))).is, 'wrong');
	});
else
	for (const exactness of ['exact', 'float'] as const) {
		const how = exactness === 'exact' ? 'bit for bit' : 'to rounding';
		test(`${count} ${exactness} models equal their references ${how}`, async () => {
			const { shown, asked, refused } = await checkAll(exactness);
			assert.ok(shown >= 0.8 * asked, `only ${shown} of ${asked} would have shown a mistake`);
			assert.ok(refused <= 0.01 * count, `${refused} were refused`);
		});
	}

test('recipes are read as they are printed', () => {
	for (let seed = 0; seed < 200; seed++) {
		const recipe = drawRecipe(seed % 2 === 0 ? 'exact' : 'float', seed);
		assert.equal(parseRecipe(printRecipe(recipe)), recipe);
	}
});

test.run();
