/** The reference is true: what it shows is read and checked. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkRecipe } from '../../src/ir/recipe/check.ts';
import { clausePages, openerPages, operatorPages, type WordPage } from '../../src/ir/recipe/word-pages.ts';
import { formatRecipe } from '../../src/parser/print.ts';
import { readRecipe } from '../../src/parser/read.ts';
import { clauseWords, openers, operatorWords } from '../../src/parser/words.ts';
import { vocabulary } from '../../src/vocabulary.ts';

const test = suite('reference');
const page = readFileSync('grammar/README.md', 'utf8') + readFileSync('docs/sharing.md', 'utf8');
const blocks = [...page.matchAll(/^```(\w+)\n([^]*?)^```$/gm)].map(([, kind = '', text = '']) => ({
	kind,
	text,
}));

test('every recipe of the reference means something to the techniques there are', () => {
	const recipes = blocks.filter(({ kind }) => kind === 'prune');
	assert.ok(recipes.length >= 8);
	for (const { text } of recipes) {
		const { syntax, diagnostics } = readRecipe(text);
		const checked = checkRecipe(syntax, vocabulary);
		// Lists of forms are no recipes: their order has no meaning.
		const own = checked.diagnostics.filter(({ code }) => code !== 'check/order');
		assert.equal([...diagnostics, ...own], [], text);
	}
});

test('every clause that the reference shows is read, and printed as it stands', () => {
	const shown = blocks.filter(({ kind }) => kind === 'syntax').flatMap(({ text }) => text.trim().split('\n'));
	assert.ok(shown.length >= 15);
	for (const line of shown) {
		const { text, diagnostics } = formatRecipe(line);
		assert.equal(diagnostics, [], line);
		assert.is(text.trim(), line.replace(/ +#/, '  #'));
	}
});

test('the line that shows a word of the language is read, means what it says and stays as it is', () => {
	const own = Object.values({ ...openerPages, ...clausePages, ...operatorPages });
	for (const { example } of own) {
		const { text, diagnostics } = formatRecipe(example);
		assert.equal([diagnostics, text], [[], `${example}\n`]);
	}
	for (const word of [...clauseWords, ...openers, ...operatorWords]) {
		const page: WordPage | undefined = { ...openerPages, ...clausePages, ...operatorPages }[word];
		assert.match(page.example, new RegExp(`\\b${word}\\b`));
	}
});

test('every fence is of a kind that is tested, and every statement of the tables means something', () => {
	assert.equal(
		blocks.filter(({ kind }) => kind !== 'prune' && kind !== 'syntax'),
		[],
	);
	for (const { example } of vocabulary.techniques) {
		const { syntax, diagnostics } = readRecipe(example);
		assert.equal([...diagnostics, ...checkRecipe(syntax, vocabulary).diagnostics], [], example);
	}
});

test.run();
