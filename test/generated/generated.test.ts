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
const isLong = process.env['PRUNEC_GENERATED'] !== undefined;
const given = process.env['PRUNEC_RECIPE'];

/** A crash is as wrong as a difference. */
async function verdictOf(recipe: Recipe): Promise<Verdict> {
	return tryRecipe(recipe).catch((problem: unknown) => ({ is: 'wrong', why: String(problem) }));
}

/** What is wrong with a recipe's model, told on the least recipe that fails; undefined where nothing is. */
async function mistakeIn(recipe: Recipe, verdict: Verdict): Promise<string | undefined> {
	if (verdict.is !== 'wrong') return undefined;
	const least = await shrink(recipe, async (smaller) => (await verdictOf(smaller)).is === 'wrong');
	const why = await verdictOf(least);
	return `${printRecipe(least)}\n  ${why.is === 'wrong' ? why.why : verdict.why}`;
}

type Tally = {
	readonly mistakes: readonly string[];
	/** How often one more unit gone would have been seen, of how often that was asked. */
	readonly shown: number;
	readonly asked: number;
	readonly refused: number;
};

/** After so many mistakes it is not worth looking for more. */
const enough = 20;

/** Checks models until so many were equal, past what is wrong. */
async function checkAll(exactness: Exactness): Promise<Tally> {
	const mistakes: string[] = [];
	let [equal, shown, asked, refused] = [0, 0, 0, 0];
	for (let seed = first; equal < count && mistakes.length < enough; seed++) {
		const recipe = drawRecipe(exactness, seed);
		const verdict = await verdictOf(recipe);
		const mistake = await mistakeIn(recipe, verdict);
		if (mistake !== undefined) mistakes.push(`seed ${seed}: ${mistake}`);
		if (verdict.is === 'refused') refused++;
		if (verdict.is !== 'equal') continue;
		equal++;
		if (verdict.shown !== undefined) asked++;
		if (verdict.shown === true) shown++;
	}
	return { mistakes, shown, asked, refused };
}

/** The least of `tries` that a share of at least `share` shows in all but one of 700 runs: three standard deviations below it. */
const leastOf = (tries: number, share: number): number =>
	share * tries - 3 * Math.sqrt(tries * share * (1 - share));

if (given !== undefined)
	test('the given recipe', async () => {
		const recipe = parseRecipe(given);
		assert.is(await mistakeIn(recipe, await verdictOf(recipe)), undefined);
	});
else
	for (const exactness of ['exact', 'float'] as const) {
		const how = exactness === 'exact' ? 'bit for bit' : 'to rounding';
		test(`${count} ${exactness} models equal their references ${how}`, async () => {
			const { mistakes, shown, asked, refused } = await checkAll(exactness);
			assert.is(mistakes.join('\n'), '');
			assert.ok(shown >= leastOf(asked, 0.8), `only ${shown} of ${asked} would have shown a mistake`);
			assert.ok(count - refused >= leastOf(count, 0.99), `${refused} were refused`);
			if (isLong) process.stdout.write(`  ${exactness}: ${shown} of ${asked} controls, ${refused} refused\n`);
		});
	}

test('recipes are read as they are printed', () => {
	for (let seed = 0; seed < 200; seed++) {
		const recipe = drawRecipe(seed % 2 === 0 ? 'exact' : 'float', seed);
		assert.equal(parseRecipe(printRecipe(recipe)), recipe);
	}
});

test.run();
