/** Recipes in YAML and JSON say the same as in the language, and what is wrong in them is shown where it stands. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { stringify } from 'yaml';
import { checkRecipe } from '../src/ir/recipe/check.ts';
import { type Recipe } from '../src/ir/recipe/recipe.ts';
import { readRecipe } from '../src/parser/read.ts';
import { respell, spell } from '../src/recipe-text/spellings.ts';
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
	assert.is(lineOf(placeOf(problem!.span!).start), 6);
	const wrong = yaml.with(6, '    amount: { kind: keep-cuont, count: 8 }').join('\n');
	const [refused] = respell(wrong, 'yaml').diagnostics;
	assert.is(refused!.code, 'check/schema');
	assert.is(lineOf(refused!.span!.start), 7);
});

test('what the checker refuses stands at the field that says it, in YAML and in JSON', () => {
	const heads = { technique: 'prune-heads', verb: 'prune', target: 'heads' };
	const share = { kind: 'remove-share', share: 0.25 };
	const layers = (from: number, to: number): object => ({
		kind: 'layers',
		ranges: [{ from: { index: from }, to: { index: to } }],
		span: { start: 0, end: 0 },
	});
	for (const [field, code, recipe] of [
		['verb', 'check/unknown-verb', { steps: [{ ...heads, verb: 'prun', amount: share }] }],
		['target', 'check/unknown-target', { steps: [{ ...heads, target: 'hads', amount: share }] }],
		['amount', 'check/unsupported-amount', { steps: [{ ...heads, amount: { kind: 'rank', rank: 8 } }] }],
		['amount', 'check/removes-all', { steps: [{ ...heads, amount: { kind: 'keep-count', count: 0 } }] }],
		['by', 'check/unknown-metric', { steps: [{ ...heads, amount: share, by: 'l3' }] }],
		['in', 'check/empty-range', { steps: [{ ...heads, amount: share, in: [layers(6, 4)] }] }],
		[
			'where',
			'check/unknown-field',
			{
				steps: [
					{
						...heads,
						where: {
							kind: 'compare',
							op: '<',
							left: { kind: 'field', name: 'importanse' },
							right: { kind: 'number', value: 0.1 },
						},
					},
				],
			},
		],
		['only', 'check/unsupported-clause', { steps: [{ ...heads, amount: share, only: 'ffn' }] }],
	] as const) {
		const value = { schema: 'prunec/recipe@1', ...recipe };
		for (const [spelling, text] of [
			['yaml', stringify(value)],
			['json', JSON.stringify(value, undefined, 1)],
		] as const) {
			const { text: made, placeOf, diagnostics } = respell(text, spelling);
			assert.equal(diagnostics, []);
			const { syntax } = readRecipe(made!);
			const found = checkRecipe(syntax, vocabulary).diagnostics.find((one) => one.code === code);
			assert.ok(found, `${code} of ${made!}`);
			const { start } = placeOf(found.span!);
			const line = text.slice(text.lastIndexOf('\n', start) + 1).split('\n')[0];
			assert.match(line!, new RegExp(`["\\s]${field}\\b|^ *- ${field}`), `${code} at ${line!}`);
		}
	}
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
