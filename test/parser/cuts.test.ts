/** Recipes with a piece missing: every beginning of a shipped recipe, and every one without one token. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { hasErrors } from '../../src/diagnostic.ts';
import { checkRecipe } from '../../src/ir/recipe/check.ts';
import { readRecipe } from '../../src/parser/read.ts';
import { lexer } from '../../src/parser/tokens.ts';
import { vocabulary } from '../../src/vocabulary.ts';
import { shipped } from '../harness/recipes.ts';

const test = suite('cuts');

/** A recipe, or an error with a code and a place inside the text. */
function holds(text: string): void {
	const { syntax, diagnostics } = readRecipe(text);
	const checked = checkRecipe(syntax, vocabulary);
	const all = [...diagnostics, ...checked.diagnostics];
	assert.ok(checked.recipe !== undefined || hasErrors(all), text);
	for (const { code, span } of all) {
		assert.match(code, /^[a-z]+\/[a-z0-9-]+$/);
		assert.ok(
			span !== undefined && span.start >= 0 && span.start <= span.end && span.end <= text.length,
			`${code} in ${text}`,
		);
	}
}

test('every beginning of every shipped recipe is read or rejected in words', () => {
	assert.ok(shipped.length > 20);
	for (const text of shipped) for (let end = 0; end <= text.length; end++) holds(text.slice(0, end));
});

test('so is every shipped recipe without one of its tokens', () => {
	for (const text of shipped)
		for (const { startOffset, image } of lexer.tokenize(text).tokens)
			holds(text.slice(0, startOffset) + text.slice(startOffset + image.length));
});

test.run();
