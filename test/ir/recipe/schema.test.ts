import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkRecipe } from '../../../src/ir/recipe/check.ts';
import { assertValid } from '../../../src/ir/recipe/schema.ts';
import { respell } from '../../../src/spellings.ts';
import { readRecipe } from '../../../src/parser/read.ts';
import { recipe as recipes, samples } from '../../harness/recipes.ts';
import { vocabulary } from '../../harness/vocabulary.ts';

const test = suite('schema');

test('accepts every recipe that the checker makes', () => {
	const texts = [...samples, ...fc.sample(recipes, { numRuns: 300, seed: 1 })];
	const made = texts.flatMap((text) => checkRecipe(readRecipe(text).syntax, vocabulary).recipe ?? []);
	assert.ok(made.filter(({ steps }) => steps.length > 0).length > 20, String(made.length));
	for (const recipe of made) assert.equal(assertValid(recipe), recipe);
});

test('refuses what is no recipe, at its place in the text', () => {
	const { recipe } = checkRecipe(readRecipe('factorize ffn rank 64').syntax, vocabulary);
	const text = JSON.stringify(recipe).replace('"rank":64', '"rank":0.5');
	const [problem] = respell(text, 'json').diagnostics;
	assert.is(problem!.code, 'check/schema');
	assert.is(problem!.span && text.slice(problem!.span.start, problem!.span.end), '"rank":0.5');
});

test.run();
