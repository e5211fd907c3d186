/** A misspelt word anywhere gets a message with the mend in it: in all recipes that are shipped, and all that pages show. */
import { tokenMatcher, type IToken } from 'chevrotain';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { hasErrors, type Diagnostic } from '../../src/diagnostic.ts';
import { checkRecipe } from '../../src/ir/recipe/check.ts';
import { clausePages, openerPages, operatorPages } from '../../src/ir/recipe/word-pages.ts';
import { subjects } from '../../src/ir/recipe/subjects.ts';
import { readRecipe } from '../../src/parser/read.ts';
import { targetNames } from '../../src/ir/recipe/vocabulary.ts';
import { clauseWords, openers, operatorWords } from '../../src/parser/words.ts';
import { Clause, lexer, operatorWord, Parameter, Word } from '../../src/parser/tokens.ts';
import { vocabulary } from '../../src/vocabulary.ts';
import { shipped } from '../harness/recipes.ts';

const test = suite('typos');

function problemsOf(text: string): readonly Diagnostic[] {
	const { syntax, diagnostics } = readRecipe(text);
	return [...diagnostics, ...checkRecipe(syntax, vocabulary, {}, { hasData: true }).diagnostics];
}

const pages = [
	...Object.values({ ...openerPages, ...clausePages, ...operatorPages }),
	...vocabulary.techniques,
];
/** Without those that import, or use words that no technique has. */
const recipes = [
	...shipped,
	...pages.map(({ example }) => example),
	...Object.values(subjects).map(
		({ example }) => `evaluate with "dev.jsonl" metric accuracy\nexpect ${example}`,
	),
	...vocabulary.metrics.map(({ name }) => `prune heads 25% by ${name}`),
	'param floor = 0.1 from 0 to 1\nprune heads where importance < $floor and not layer < 3 or index == 0',
	'prune ffn where size > 3 and params > 1K and macs > 1K and name matches "*.q"',
].filter((text) => !hasErrors(problemsOf(text)));

/** Two neighbours swapped, a letter left out, a letter twice. */
function typosOf(word: string): readonly string[] {
	const all = [...word].flatMap((letter, at) => [
		word.slice(0, at) + (word[at + 1] ?? '') + letter + word.slice(at + 2),
		word.slice(0, at) + word.slice(at + 1),
		word.slice(0, at) + letter + word.slice(at),
	]);
	return [...new Set(all)].filter((typo) => typo !== word && /^[A-Za-z_]/.test(typo));
}

type Wrong = { readonly text: string; readonly word: string; readonly typo: string };

/** Every word of a recipe misspelt, one at a time; names that its author chose are not words of the language. */
function wrongOnes(text: string): readonly Wrong[] {
	const { statements } = readRecipe(text).syntax;
	const chosen = new Set(
		statements.flatMap((one) =>
			one.kind === 'param' || one.kind === 'recipe' || one.kind === 'input' ? [one.name.span.start] : [],
		),
	);
	const isWord = (token: IToken): boolean =>
		[Word, Clause, Parameter, ...Object.values(operatorWord)].some((type) => tokenMatcher(token, type));
	const words = lexer.tokenize(text).tokens.filter((one) => isWord(one) && !chosen.has(one.startOffset));
	return words.flatMap(({ image, startOffset }) => {
		const [word, end] = [image.replace('$', ''), startOffset + image.length];
		const before = text.slice(0, end - word.length);
		return typosOf(word).map((typo) => ({ text: before + typo + text.slice(end), word, typo }));
	});
}

/** Whether a message names the word, or what it says to write makes the recipe right. */
function isMended({ text, word }: Wrong, problems: readonly Diagnostic[]): boolean {
	return problems.some(({ message, hint = '', fix, span }) => {
		if (new RegExp(`\\b${word}\\b`).test(hint) || message.includes(`\`${word}\``)) return true;
		if (fix === undefined || span === undefined) return false;
		return !hasErrors(problemsOf(text.slice(0, span.start) + fix + text.slice(span.end)));
	});
}

test('every misspelt word gets a message with the word that was meant, unless it is another word', () => {
	const words = new Set([
		...[...openers, ...clauseWords, ...operatorWords],
		...vocabulary.techniques.flatMap((one) => [one.verb, ...targetNames(one)]),
	]);
	let tried = 0;
	const unmended = new Set<string>();
	const seen = new Set<string>();
	for (const wrong of recipes.flatMap(wrongOnes)) {
		const line = wrong.text.split('\n').find((one) => one.includes(wrong.typo)) ?? '';
		if (seen.has(line) || words.has(wrong.typo)) continue;
		seen.add(line);
		tried++;
		const problems = problemsOf(wrong.text);
		if (!isMended(wrong, problems)) unmended.add(`${wrong.typo}, ${wrong.word}`);
	}
	// As near to `as`, `at` and `by`, to `in`, to every word of two letters, and to `fuse`.
	assert.equal([...unmended], ['t, at', 'it, fit', 'ay, may', 'nfuse, unfuse']);
	assert.ok(tried > 4000, String(tried));
});

test.run();
