/** Other functions of the scores in the place of softmax. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compile.ts';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { classifier, lm, proven } from '../fixtures/text/text.ts';
import { buildOf, operators, reasons } from '../harness/exact.ts';
import { testFolder } from '../harness/folder.ts';
import { encoder } from '../harness/model.ts';
import { attention, type Variation } from '../harness/one-attention.ts';

const test = suite('prune softmax with relu, sigmoid, topk');
const folder = testFolder();
test.after(() => {
	folder.remove();
});
const sizes = { heads: 2, width: 4, hidden: 16 };

for (const [by, made] of [
	['with relu', 'Relu'],
	['with sigmoid', 'Sigmoid'],
	['keep 2 with topk', 'TopK'],
	['keep 60% with topk', 'TopK'],
] as const)
	test(`${by}: the function stands in the softmax's place, and a plan makes it again`, async () => {
		for (const opset of [13, 18]) {
			const recipe = `prune softmax ${by} in layers [1]`;
			const { document, model, same } = await buildOf(encoder(2, sizes, { opset }), recipe, { again: true });
			assert.is(operators(model)['Softmax'], by.endsWith('topk') ? 2 : 1);
			assert.ok((operators(model)[made] ?? 0) > 0);
			assert.ok(document.proof!.ok && !document.proof!.weak && same);
			assert.match(
				document.steps[0]!.unit,
				by.endsWith('topk') ? /slower on a CPU/ : /nothing saved on a CPU/,
			);
		}
	});

test('heads go before', async () => {
	for (const by of ['with relu', 'with sigmoid', 'keep 50% with topk']) {
		const { document } = await buildOf(encoder(2, sizes), `prune heads [0]; prune softmax ${by}`);
		assert.equal(reasons(document), []);
		assert.ok(document.proof!.ok && document.steps[1]!.selected > 0);
	}
});

test('masks go on deciding what is seen; with an amount those go that matter least', async () => {
	const out = folder.at('other.onnx');
	for (const { model, calibration: data } of [classifier, lm])
		for (const statement of ['prune softmax 1 with relu', 'prune softmax keep 8 with topk']) {
			const recipe = `calibrate with "rows" take 12; ${statement}`;
			const document = await proven(recipe, { model, out, data });
			const all = document.steps[0]!.of;
			assert.is(document.steps[0]!.selected, statement.endsWith('relu') ? 1 : all);
			assert.ok(document.drift!.cosine > 0.9, `${statement}: ${document.drift!.cosine}`);
		}
});

test('how many weights stay is said with topk, and with nothing else', async () => {
	const model = folder.at('model.onnx');
	saveModel(encoder(1, sizes), model);
	const codes: string[] = [];
	for (const said of ['with topk', '2 with topk', 'keep 2', 'keep 2 with relu'])
		codes.push(
			...(await compile({ recipe: `prune softmax ${said}`, model })).diagnostics.map(({ code }) => code),
		);
	assert.equal(
		codes,
		Array.from({ length: 4 }, () => 'plan/keep-and-topk'),
	);
});

test('weights that are cast before they weigh values, as decoders of transformers write them, are weights all the same', async () => {
	const cast: Variation['weights'] = (b, weights) => b.node('Cast', [weights], { to: 1 });
	for (const by of ['with relu', 'keep 2 with topk']) {
		const { document } = await buildOf(attention({ weights: cast }), `prune softmax ${by}`);
		assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [1, 1]);
		assert.ok(document.proof!.ok && !document.proof!.weak);
	}
});

test.run();
