/** Parameters of every kind, their defaults and what is set from outside. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkText } from '../../../src/recipe-text/check-text.ts';
import { type Settings } from '../../../src/ir/recipe/params.ts';
import { type Recipe } from '../../../src/ir/recipe/recipe.ts';
import { renderDiagnostics } from '../../../src/report/diagnostics.ts';
import { golden } from '../../harness/golden.ts';

const test = suite('parameters');

function recipeOf(text: string, settings: Settings = {}): Recipe {
	const { recipe, diagnostics } = checkText(text, settings);
	assert.equal(diagnostics, [], text);
	assert.ok(recipe, text);
	return recipe;
}

/** What a recipe means, without where and how it is written. */
function meaning(text: string, settings?: Settings): unknown {
	const plain = JSON.stringify(recipeOf(text, settings), (key, value: unknown) =>
		['span', 'spans', 'line', 'text', 'params'].includes(key) ? undefined : value,
	);
	return JSON.parse(plain);
}

const declared = [
	'param corpus = "calib.jsonl"; param measure = l2; param upper = 50%..; param gone = [0, 3]',
	'param share = 25%; param score = accuracy; param words = "tokens.txt"; param whole = "*.pooler.*"',
].join('\n');
const used = [
	'calibrate with $corpus take 8',
	'evaluate with $corpus metric $score',
	'protect $whole',
	'prune layers $gone',
	'prune heads $share by $measure in layers $upper except $whole',
	'prune vocab keep $words may change $corpus',
	'prune ffn [$gone, 7] in layers [6]',
].join('\n');
const written = (values: Readonly<Record<string, string>>): string =>
	used
		.replace(/\$(\w+)/g, (_, name: string) => values[name] ?? '')
		.replace('[[', '[')
		.replace('[[', '[')
		.replace('], 7]', ', 7]')
		.replace(']]', ']');
const defaults = {
	...{ corpus: '"calib.jsonl"', measure: 'l2', upper: '50%..', gone: '[0, 3]', share: '25%' },
	...{ score: 'accuracy', words: '"tokens.txt"', whole: '"*.pooler.*"' },
};

test('what a parameter holds means the same as if it stood in its place', () => {
	assert.equal(meaning(`${declared}\n${used}`), meaning(written(defaults)));
});

test('-p sets each kind, spelt as behind `=`, strings with or without quotes', () => {
	const settings = {
		...{ corpus: 'dev set.jsonl', measure: 'l1', upper: '..4', gone: '2', share: '30%' },
		...{ score: 'f1', words: '"a.txt"', whole: '*.q' },
	};
	const values = {
		...{ corpus: '"dev set.jsonl"', measure: 'l1', upper: '..4', gone: '[2]', share: '30%' },
		...{ score: 'f1', words: '"a.txt"', whole: '"*.q"' },
	};
	assert.equal(recipeOf(`${declared}\n${used}`, { ...settings, gone: '[2]' }).params, {
		corpus: 'dev set.jsonl',
		measure: 'l1',
		upper: '..4',
		gone: '[2]',
		share: 0.3,
		score: 'f1',
		words: 'a.txt',
		whole: '*.q',
	});
	assert.equal(meaning(`${declared}\n${used}`, { ...settings, gone: '[2]' }), meaning(written(values)));
});

test('a number from a caller is in the base unit, one from the command line in any unit of its kind', () => {
	const text = 'param share = 25% from 0% to 50%\nprune heads $share';
	for (const share of [0.3, '0.3', '30%']) assert.is(recipeOf(text, { share }).params['share'], 0.3);
	const size = 'param most = 40MB\nexpect size <= $most';
	assert.is(recipeOf(size, { most: '1GiB' }).params['most'], 2 ** 30);
});

for (const [name, text, settings] of [
	['a word for a number', 'param share = 25%\nprune heads $share', { share: 'many' }],
	['a time for a share', 'param share = 25%\nprune heads $share', { share: '12ms' }],
	['more than the limit', 'param share = 25% from 0% to 50%\nprune heads $share', { share: '60%' }],
	['a string for a word', 'param by_what = l2\nprune heads 25% by $by_what', { by_what: '"l2"' }],
	['a share for positions', 'param which = 6..12\nprune heads 25% in layers $which', { which: 'upper' }],
	['two statements for a number', 'param share = 25%\nprune heads $share', { share: '1; prune ffn 50%' }],
	['a name that is not there', 'param share = 25%\nprune heads $share', { shre: '10%' }],
] as const) {
	test(`refuses ${name}`, () => {
		const { recipe, diagnostics } = checkText(text, settings);
		assert.is(recipe, undefined);
		const rendered = renderDiagnostics(diagnostics, { file: 'case.prune', text });
		golden(`language/params/${name.replaceAll(' ', '-')}.txt`, `${rendered}\n`);
	});
}

for (const [text, codes] of [
	['param a = "x"\nprune heads $a', ['check/param-misplaced']],
	['param a = "x"\nprune heads 25% by $a', ['check/param-misplaced']],
	['param a = l2\nprotect $a', ['check/param-misplaced']],
	['param a = 6..12\nprune heads where layer > $a', ['check/param-misplaced']],
	['param a = 3\nprune heads 25% by $a', ['check/param-misplaced']],
	['param a = 3\nprune heads 25% in $a', ['check/param-misplaced']],
	['param a = [1, 2]\nprune heads 25% in layers [-$a]', ['check/param-misplaced']],
	['prune heads 25% by $a', ['check/unknown-param']],
	['protect $a\nprune heads 25%', ['check/unknown-param']],
	['param a = l3\nprune heads 25% by $a', ['check/unknown-metric']],
	['param a = 12..6\nprune heads 25% in layers $a', ['check/empty-range']],
	['param a = "x" from 0 to 1\nprotect $a', ['check/param-limits']],
	['param a = l2', ['check/unused-param']],
	['param a =\nprune heads 25% by $a', ['parse/unexpected']],
] as const) {
	test(`says ${codes.join(', ')} of ${text.replaceAll('\n', '; ')}`, () => {
		assert.equal(
			checkText(text).diagnostics.map(({ code }) => code),
			codes,
		);
	});
}

test.run();
