/** Attentions that no longer depend on their input. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadModel } from '../../src/backends/onnx/load.ts';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { compile } from '../../src/compile.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { classifier, lm, proven } from '../fixtures/text/text.ts';
import { npy } from '../harness/data.ts';
import { buildOf, operators, reasons } from '../harness/exact.ts';
import { testFolder } from '../harness/folder.ts';
import { encoder } from '../harness/model.ts';
import { decoderFile } from '../harness/seq2seq.ts';
import { attention, type Variation } from '../harness/one-attention.ts';

const test = suite('prune softmax with mean');
const folder = testFolder();
test.after(() => {
	folder.remove();
});
const sizes = { heads: 2, width: 4, hidden: 16 };

for (const opset of [17, 18])
	test(`without a mask every position takes the mean of all values, in opset ${opset}`, async () => {
		const { document, model, same } = await buildOf(
			encoder(2, sizes, { opset }),
			'prune softmax in layers [1] with mean',
			{ again: true },
		);
		assert.equal([operators(model)['Softmax'], operators(model)['ReduceMean']], [1, 1]);
		// Two matrices of 8 × 8 and their biases: queries and keys.
		const [before, after] = document.steps[0]!.params;
		assert.is(before - after, 2 * 72);
		assert.ok(document.steps[0]!.macs[1] < document.steps[0]!.macs[0]);
		assert.ok(document.proof!.ok && !document.proof!.weak && same);
	});

/** One layer at a fixed length of 6. */
function fixed(): Model {
	const model = encoder(2, sizes);
	const dims = ['batch', 6, 8];
	return { ...model, graph: { ...model.graph, inputs: [{ name: 'x', type: 1, dims }] } };
}

test('at a fixed length the mean of the weights on data stands in their place', async () => {
	saveModel(fixed(), folder.at('fixed.onnx'));
	const values = Array.from({ length: 960 }, (_, at) => Math.sin(at * 1.7) + 0.3 * Math.cos(at / 8));
	const data = folder.file('x.npy', npy([20, 6, 8], values, 'f4'));
	const options = {
		model: folder.at('fixed.onnx'),
		out: folder.at('out.onnx'),
		data,
		threads: 1,
		samples: 2,
	};
	const document = await compile({ recipe: 'prune softmax in layers [0] with constant', ...options });
	assert.equal(document.diagnostics, []);
	assert.ok(document.proof!.ok && !document.proof!.weak);
	const { model, file } = loadModel(folder.at('out.onnx'));
	file.close();
	const weights = [...model.graph.initializers.values()].find(({ dims }) => dims.length === 4)!;
	assert.equal([weights.dims, operators(model)['Softmax']], [[1, 2, 6, 6], 1]);
});

test('constants are refused where the length depends on the input', async () => {
	const message = await buildOf(encoder(2, sizes), 'prune softmax with constant').then(
		({ document }) => reasons(document).join(),
		String,
	);
	assert.match(message, /its length depends on the input: `with mean` needs none/);
});

test('attentions over more positions than ask stay, for one reason said once', async () => {
	const { document } = await buildOf(decoderFile({ past: true }), 'prune softmax with mean');
	const [said, ...more] = reasons(document);
	assert.equal([document.steps[0]!.of, document.proof!.ok, document.proof!.weak, more], [4, true, false, []]);
	assert.match(said ?? '', 'attentions stay: it sees more or fewer positions than ask');
});

test('masks go on deciding what is seen: padding and causal models, those that matter least first', async () => {
	const out = folder.at('still.onnx');
	for (const { model, calibration: data } of [classifier, lm]) {
		const document = await proven('calibrate with "rows" take 12; prune softmax 1', { model, out, data });
		assert.equal([document.steps[0]!.selected, document.steps[0]!.metric], [1, 'drift']);
		assert.ok(document.drift!.cosine > 0.98, String(document.drift!.cosine));
	}
});

test('weights that are cast before they weigh values, as decoders of transformers write them, are weights all the same', async () => {
	const cast: Variation['weights'] = (b, weights) => b.node('Cast', [weights], { to: 1 });
	const { document, model } = await buildOf(attention({ weights: cast }), 'prune softmax with mean');
	assert.equal([document.steps[0]!.selected, operators(model)['Softmax']], [1, undefined]);
	assert.ok(document.proof!.ok && !document.proof!.weak);
});

test.run();
