import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkRecipe } from '../../../src/ir/recipe/check.ts';
import { assertValid } from '../../../src/ir/recipe/schema.ts';
import { respell, spell } from '../../../src/recipe-text/spellings.ts';
import { vocabulary as real } from '../../../src/vocabulary.ts';
import { readRecipe } from '../../../src/parser/read.ts';
import { recipe as recipes, samples, shipped } from '../../harness/recipes.ts';
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

test('what editors get lists every technique, target and metric, says what each field means, and accepts all recipes', () => {
	const published = JSON.parse(readFileSync('grammar/recipe.schema.json', 'utf8')) as {
		properties: Record<string, { description?: string; $ref?: string; const?: string }>;
		definitions: {
			step: { properties: Record<string, { description?: string; $ref?: string; enum?: string[] }> };
		};
	};
	const { step } = published.definitions;
	for (const [field, { description, $ref }] of Object.entries({
		...published.properties,
		...step.properties,
	}))
		if (!['schema', 'line', 'spans'].includes(field)) assert.ok(description ?? $ref, field);
	assert.equal(
		step.properties['technique']?.enum,
		real.techniques.map(({ name }) => name),
	);
	assert.equal(
		step.properties['by']?.enum,
		real.metrics.map(({ name }) => name),
	);
	const validate = new Ajv({ strict: false, discriminator: true, allowUnionTypes: true }).compile(published);
	for (const text of [...shipped, ...real.techniques.map(({ example }) => example)]) {
		const { recipe } = checkRecipe(readRecipe(text).syntax, real, {}, { hasData: true });
		assert.ok(recipe, text);
		assert.ok(validate(JSON.parse(spell(recipe, 'json'))), JSON.stringify(validate.errors));
	}
});

test.run();
