/** Orders of statements that lose what another keeps. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkText } from '../../../src/recipe-text/check-text.ts';

const test = suite('check/order');

/** What a recipe's notes about order say. */
function notes(recipe: string): string[] {
	const { diagnostics } = checkText(recipe);
	assert.equal(
		diagnostics.filter(({ severity }) => severity === 'error'),
		[],
	);
	return diagnostics.filter(({ code }) => code === 'check/order').map(({ message }) => message);
}

const loses: readonly (readonly [recipe: string, later: string, earlier: string])[] = [
	['factorize ffn rank 64; prune heads 25%', 'prune heads', 'factorize ffn'],
	['factorize attention rank 8; prune queries 25%', 'prune queries', 'factorize attention'],
	['factorize ffn rank 64; prune layers 1', 'prune layers', 'factorize ffn'],
	['factorize embeddings rank 64; prune vocab keep 50%', 'prune vocab', 'factorize embeddings'],
	['prune weights 2:4; prune units 25%', 'prune units', 'prune weights'],
	['prune weights 50%; prune ffn 50%', 'prune ffn', 'prune weights'],
	['prune heads 25%; prune layers 1', 'prune layers', 'prune heads'],
	['prune norms 25%; prune ffn 50%', 'prune ffn', 'prune norms'],
	['prune softmax with mean; prune heads 25%', 'prune heads', 'prune softmax'],
	['fuse layers 2..4; prune hidden 25%', 'prune hidden', 'fuse layers'],
	['exit after layer 2 when confidence > 0.9; prune ffn 50%', 'prune ffn', 'exit'],
];
for (const [recipe, later, earlier] of loses)
	test(`${recipe}: the other way round loses less`, () => {
		assert.equal(notes(recipe), [`\`${later}\` loses less before \`${earlier}\``]);
	});

test('nothing is said of orders that cost nothing', () => {
	for (const recipe of [
		'prune norms; prune norms with rms; prune layers 1; prune heads 25%; factorize ffn rank 64; fuse qkv; share',
		'prune heads [0, 1]; prune layers [3]',
		'factorize embeddings rank 64; prune layers 1',
		'factorize ffn rank 64; prune vocab keep 50%',
		'prune ffn 50%; prune norms; prune softmax; prune bias',
		'prune ffn 50%; prune norms 25%; prune weights 2:4',
	])
		assert.equal(notes(recipe), [], recipe);
});

test.run();
