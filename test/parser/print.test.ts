import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatRecipe } from '../../src/parser/print.ts';
import { readRecipe } from '../../src/parser/read.ts';
import { meaning, recipe, samples } from '../harness/recipes.ts';

const test = suite('print');

function comments(text: string): readonly string[] {
	return readRecipe(text)
		.syntax.comments.map((one) => one.text)
		.toSorted();
}

function holds(text: string): void {
	const once = formatRecipe(text).text;
	assert.equal(meaning(once), meaning(text), text);
	assert.equal(comments(once), comments(text), text);
	assert.is(formatRecipe(once).text, once, text);
}

test('says the same as the text, keeps its comments, and changes nothing the second time', () => {
	for (const sample of samples) holds(sample);
});

/** More of them are tried with PRUNEC_RECIPES=20000. */
const runs = Number(process.env['PRUNEC_RECIPES'] ?? 200);

test(`does so for ${String(runs)} arbitrary recipes`, () => {
	fc.assert(fc.property(recipe, holds), { numRuns: runs, seed: 1 });
});

test('puts clauses into one order and a statement on each line', () => {
	const { text } = formatRecipe(
		'prune heads in layers 6..12 globally   by l2 lowest 3 ;factorize ffn rank 64 # why\n',
	);
	assert.is(text, 'prune heads lowest 3 by l2 globally in layers 6..12\nfactorize ffn rank 64  # why\n');
});

test('leaves out parentheses that change nothing, and no others', () => {
	const { text } = formatRecipe(
		'prune heads where ((layer - (1 - index)) > 0 and (not (size < 3) or macs > 1))',
	);
	assert.is(text, 'prune heads where layer - (1 - index) > 0 and (not size < 3 or macs > 1)\n');
});

test('moves comments inside a statement above it', () => {
	const { text } = formatRecipe('prune heads [ # these\n 1, # and\n 2 ]');
	assert.is(text, '# these\n# and\nprune heads [1, 2]\n');
});

test('returns a text with mistakes as it is', () => {
	const text = 'prune   heads where\nprune ffn 3';
	const result = formatRecipe(text);
	assert.is(result.text, text);
	assert.is(result.diagnostics.length, 1);
});

test.run();
