/** `require` held against models: of every kind, met and unmet. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkText } from '../../src/recipe-text/check-text.ts';
import { present } from '../../src/diagnostic.ts';
import { unmetRequirements } from '../../src/ir/requirements.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { renderDiagnostics } from '../../src/report/diagnostics.ts';
import { golden } from '../harness/golden.ts';
import { encoder, modelBuilder } from '../harness/model.ts';

const test = suite('requirements');

const transformer = encoder(2, { heads: 4, width: 8, hidden: 48 });

/** One operator over `x`, with weights as it needs them. */
function single(op: 'Conv' | 'GRU' | 'Relu'): Model {
	const b = modelBuilder();
	const x = b.input('x', op === 'Conv' ? [1, 3, 8, 8] : [4, 1, 8]);
	const made = {
		Conv: () => b.node('Conv', [x, b.weight([5, 3, 3, 3])]),
		GRU: () => b.node('GRU', [x, b.weight([1, 18, 8]), b.weight([1, 18, 6])], { hidden_size: 6 }),
		Relu: () => b.node('Relu', [x]),
	};
	b.output(made[op]());
	return b.build();
}

function unmet(text: string, model: Model): readonly string[] {
	const { recipe, diagnostics } = checkText(text);
	assert.equal(diagnostics, []);
	return unmetRequirements(present(recipe, text).require, model, new Map()).flatMap(({ code, notes }) => [
		code,
		...(notes ?? []),
	]);
}

const [code, other] = [
	'plan/unmet-requirement',
	'this model has no layer with attention, no convolution, no recurrent layer',
];

for (const [text, model, expected] of [
	['require transformer', transformer, []],
	['require transformer with layers >= 2 and heads == 4 and params < 1M', transformer, []],
	['require opset >= 13; require layers <= 2; require heads > 3', transformer, []],
	['require layers >= 6', transformer, [code, 'this model has 2 layers']],
	['require opset > 17', transformer, [code, 'this model is of opset 17']],
	[
		'require transformer with layers != 2 and heads >= 8',
		transformer,
		[code, 'this model has 2 layers', 'this model has 4 heads'],
	],
	['require convolutional', transformer, [code, 'this model is a transformer network']],
	['require convolutional', single('Conv'), []],
	['require transformer', single('Conv'), [code, 'this model is a convolutional network']],
	['require recurrent', single('GRU'), []],
	['require recurrent with heads >= 1', single('GRU'), [code, 'this model has 0 heads']],
	['require convolutional; require recurrent', single('GRU'), [code, 'this model is a recurrent network']],
	['require recurrent', single('Relu'), [code, other]],
	['prune heads 25%', single('Relu'), []],
] as const) {
	test(`\`${text}\` on a model of ${model.graph.nodes.length} nodes: ${expected.join(', ') || 'met'}`, () => {
		assert.equal(unmet(text, model), expected);
	});
}

test('says what is required, what was found and what to do', () => {
	const text = 'require transformer with layers >= 6\nrequire recurrent\nprune heads 25%\n';
	const problems = unmetRequirements(present(checkText(text).recipe, text).require, transformer, new Map());
	const rendered = renderDiagnostics(problems, { file: 'case.prune', text });
	golden('language/messages/plan-unmet-requirement.txt', `${rendered}\n`);
});

test.run();
