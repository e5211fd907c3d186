/** Recipes in YAML and JSON say the same as in the language, and what is wrong in them is shown where it stands. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkRecipe } from '../src/ir/recipe/check.ts';
import { type Recipe } from '../src/ir/recipe/recipe.ts';
import { readRecipe } from '../src/parser/read.ts';
import { respell, spell } from '../src/spellings.ts';
import { recipe as recipes, samples } from './harness/recipes.ts';
import { vocabulary } from './harness/vocabulary.ts';

const test = suite('spellings');

const checked = (text: string): Recipe | undefined => {
	const { syntax } = readRecipe(text);
	return checkRecipe(syntax, vocabulary, {}, { hasData: true }).recipe;
};
/** What a recipe means, without where and how it says so. */
function meaning(recipe: Recipe | undefined): unknown {
	const drop = ['span', 'spans', 'line', 'text', 'params'];
	return JSON.parse(
		JSON.stringify(recipe ?? null, (key, value: unknown) => (drop.includes(key) ? undefined : value)),
	) as unknown;
}

test('a recipe means the same through YAML, through JSON, and written anew', () => {
	const texts = [...samples, ...fc.sample(recipes, { numRuns: 60, seed: 2 })];
	const made = texts.flatMap((text) => checked(text) ?? []);
	assert.ok(made.length > 20);
	for (const one of made) {
		for (const spelling of ['yaml', 'json'] as const) {
			const again = respell(spell(one, spelling), spelling);
			assert.equal(again.diagnostics, []);
			assert.equal(meaning(checked(again.text!)), meaning(one), again.text);
		}
		assert.equal(meaning(checked(spell(one, 'prune'))), meaning(one));
	}
});

test('shows what the schema refuses and what the checker refuses on the line of the YAML', () => {
	const yaml = [
		'schema: prunec/recipe@1',
		'steps:',
		'  - { technique: prune-heads, verb: prune, target: heads, amount: { kind: remove-share, share: 0.25 } }',
		'  - technique: prune-ffn',
		'    verb: prune',
		'    target: fnn',
		'    amount: { kind: keep-count, count: 8 }',
	];
	const { text, placeOf } = respell(yaml.join('\n'), 'yaml');
	assert.is(text, 'prune heads 25%\nprune fnn keep 8');
	const [problem] = checkRecipe(readRecipe(text!).syntax, vocabulary).diagnostics;
	assert.is(problem!.code, 'check/unknown-target');
	const lineOf = (at: number): number => yaml.join('\n').slice(0, at).split('\n').length;
	assert.is(lineOf(placeOf(problem!.span!).start), 4);
	const wrong = yaml.with(6, '    amount: { kind: keep-cuont, count: 8 }').join('\n');
	const [refused] = respell(wrong, 'yaml').diagnostics;
	assert.is(refused!.code, 'check/schema');
	assert.is(lineOf(refused!.span!.start), 7);
});

test('says what is no YAML and no JSON', () => {
	assert.is(respell('steps: [', 'yaml').diagnostics[0]!.code, 'check/not-json');
	assert.is(respell('{', 'json').diagnostics[0]!.code, 'check/not-json');
	const aliases = ['a: &a [x]', ...'bcdefghi'].map((name, at, all) =>
		at === 0 ? name : `${name}: &${name} [${`*${all[at - 1]![0]!}, `.repeat(9)}]`,
	);
	assert.is(respell(aliases.join('\n'), 'yaml').diagnostics[0]!.code, 'check/not-json');
});

test.run();
