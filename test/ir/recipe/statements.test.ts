/** What the statements of the language mean, clause by clause. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkRecipe } from '../../../src/ir/recipe/check.ts';
import { type Recipe, type Step } from '../../../src/ir/recipe/recipe.ts';
import { readRecipe } from '../../../src/parser/read.ts';
import { samples } from '../../harness/recipes.ts';
import { vocabulary } from '../../harness/vocabulary.ts';

const test = suite('statements');

function meaning(text: string): Recipe {
	const { syntax, diagnostics } = readRecipe(text);
	const checked = checkRecipe(syntax, vocabulary);
	const errors = [...diagnostics, ...checked.diagnostics].filter(({ severity }) => severity === 'error');
	assert.equal(errors, [], text);
	return checked.recipe!;
}
function step(text: string): Step {
	return meaning(text).steps[0]!;
}
/** The named parts of a step, without spans. */
function parts(text: string, ...names: readonly (keyof Step)[]): unknown {
	const found = step(text);
	const chosen = Object.fromEntries(names.map((name) => [name, found[name]]));
	return JSON.parse(
		JSON.stringify(chosen, (key, value: unknown) => (key === 'span' ? undefined : value)),
	) as unknown;
}
const layers = (...indices: readonly number[]): object => ({
	kind: 'layers',
	ranges: indices.map((index) => ({ from: { index }, to: { index }, inclusive: true })),
});

test('every statement of the language arrives typed', () => {
	assert.equal(parts('prune bias', 'technique', 'amount'), { technique: 'prune-bias' });
	assert.equal(parts('prune embeddings dims 10%', 'technique', 'target', 'amount'), {
		...{ technique: 'prune-hidden', target: 'hidden' },
		amount: { kind: 'remove-share', share: 0.1 },
	});
	assert.equal(parts('prune vocab keep "tokens.txt" may change "logits"', 'amount', 'mayChange'), {
		...{ amount: { kind: 'keep-file', path: 'tokens.txt' }, mayChange: ['logits'] },
	});
	assert.equal(parts('prune vocab keep seen 2 times in "corpus.txt"', 'amount'), {
		amount: { kind: 'keep-seen', times: 2, path: 'corpus.txt' },
	});
	assert.equal(parts('prune norms in layers [3, 4] with static', 'in', 'with'), {
		in: [layers(3, 4)],
		with: 'static',
	});
	assert.equal(parts('prune softmax at output', 'at'), { at: 'output' });
	assert.equal(parts('prune weights 2:4', 'amount'), { amount: { kind: 'pattern', keep: 2, of: 4 } });
	assert.equal(parts('share', 'technique', 'target', 'across'), { technique: 'share', across: [] });
	assert.equal(parts('share ffn across layers [6, 7] with mean', 'target', 'across', 'with'), {
		...{ target: 'ffn', across: [layers(6, 7)], with: 'mean' },
	});
	assert.equal(parts('factorize ffn auto', 'amount'), { amount: { kind: 'auto' } });
	assert.equal(parts('factorize ffn ratio 50%', 'amount'), { amount: { kind: 'ratio', share: 0.5 } });
	assert.equal(parts('prune layers [0, 3]', 'amount'), {
		amount: { ...layers(0, 3), kind: 'set' },
	});
	assert.equal(parts('prune heads 25% without compensation', 'without'), { without: ['compensation'] });
});

test('tokens and exits have their points, schedules and signals', () => {
	assert.equal(parts('merge tokens 30% after layer 3', 'after', 'amount'), {
		after: [layers(3)],
		amount: { kind: 'remove-share', share: 0.3 },
	});
	assert.equal(parts('prune tokens keep last after last attention', 'after', 'amount'), {
		after: [{ kind: 'last-attention' }],
		amount: { kind: 'keep-word', word: 'last' },
	});
	assert.equal(parts('prune tokens keep [100%, 70%] after layers [0, 4]', 'after', 'amount'), {
		after: [layers(0, 4)],
		amount: { kind: 'schedule', shares: [1, 0.7] },
	});
	assert.equal(
		parts('exit after layers [3, 5] when entropy < 0.3 fit from "a.jsonl" take 9', 'when', 'fit'),
		{
			when: {
				...{ kind: 'compare', op: '<' },
				left: { kind: 'field', name: 'entropy' },
				right: { kind: 'number', value: 0.3 },
			},
			fit: { path: 'a.jsonl', take: 9 },
		},
	);
});

test('goals are costs to reach and quality to keep, for each target', () => {
	const { steps } = meaning(
		'calibrate with "a.npz"; prune heads, ffn until latency <= 60% and params <= 1.2M while cosine >= 0.98',
	);
	assert.equal(
		steps.map(({ text }) => text),
		[
			'prune heads until latency <= 60% and params <= 1.2M while cosine >= 0.98',
			'prune ffn until latency <= 60% and params <= 1.2M while cosine >= 0.98',
		],
	);
	assert.equal(
		steps[1]!.until.map(({ subject, op, value, unit }) => [subject, op, value, unit]),
		[
			['latency', '<=', 0.6, 'share'],
			['params', '<=', 1_200_000, 'count'],
		],
	);
	assert.equal(
		steps[0]!.while.map(({ subject, value }) => [subject, value]),
		[['cosine', 0.98]],
	);
});

test('`may change` is a clause behind a transform and a statement elsewhere', () => {
	const { mayChange, steps, protect } = meaning(
		'protect "a"\nmay change "x"\nprune vocab keep 50%\nmay change "y"\nprune heads 25%',
	);
	assert.equal([mayChange, protect], [['x'], ['a']]);
	assert.equal(
		steps.map((one) => one.mayChange),
		[['x', 'y'], ['x']],
	);
});

test('what a recipe is for, and what it is judged on', () => {
	const { require, evaluate, calibrate } = meaning(
		'require transformer with layers >= 6; require opset >= 13\nevaluate with "d" metric accuracy\ncalibrate with "c" tokens 64',
	);
	assert.equal(
		require.map(({ text, family, conditions }) => [text, family, conditions.length]),
		[
			['require transformer with layers >= 6', 'transformer', 1],
			['require opset >= 13', undefined, 1],
		],
	);
	assert.equal([evaluate?.metric, calibrate?.tokens], ['accuracy', 64]);
});

test('every sample without imports means something', () => {
	for (const sample of samples.filter((text) => !text.includes('use '))) meaning(sample);
});

test.run();
