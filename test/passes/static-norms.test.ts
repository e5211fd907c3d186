/** Norms that become constants. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compile.ts';
import { loadModel } from '../../src/backends/onnx/load.ts';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { classifier, lm } from '../fixtures/text/text.ts';
import { npy } from '../harness/data.ts';
import { buildOf, operators } from '../harness/exact.ts';
import { testFolder } from '../harness/folder.ts';
import { encoder, modelBuilder } from '../harness/model.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { type BuildDocument } from '../../src/document.ts';

const test = suite('prune norms with static');
const folder = testFolder();
test.after(() => {
	folder.remove();
});
const sizes = { heads: 2, width: 4, hidden: 16 };
const out = folder.at('out.onnx');

async function build(model: string, recipe: string, data: string): Promise<BuildDocument & { made: Model }> {
	const document = await compile({ recipe, model, data, out, force: true, threads: 1, samples: 2 });
	const errors = document.diagnostics.filter(({ severity }) => severity === 'error');
	assert.equal(errors, []);
	assert.ok(document.proof!.ok && !document.proof!.weak, recipe);
	const { model: made, file } = loadModel(out);
	file.close();
	return { ...document, made };
}

const rows = folder.file(
	'x.npy',
	npy(
		[20, 6, 8],
		Array.from({ length: 960 }, (_, at) => Math.sin(at * 1.7) + 0.3 * Math.cos(at / 8)),
		'f4',
	),
);

test('products read what the norm read, refitted; the first and the last norm stay', async () => {
	const path = folder.at('pre.onnx');
	saveModel(encoder(3, sizes), path);
	const { made, steps, diagnostics } = await build(path, 'prune norms with static', rows);
	assert.equal([steps[0]!.selected, steps[0]!.of], [4, 4]);
	assert.is(operators(made)['LayerNormalization'], 2);
	// The attention norm of two layers is read by three products, the other by one.
	assert.is(steps[0]!.compensated!.length, 2 * 3 + 2);
	assert.match(diagnostics.map(({ message }) => message).join(), /first and the last norm go only where/);
});

test('where a residual sum reads the norm, a scale and a shift stand in its place', async () => {
	const path = folder.at('post.onnx');
	saveModel(encoder(3, { ...sizes, post: true }), path);
	const { made, steps } = await build(path, 'prune norms in layers [1] with static', rows);
	assert.is(steps[0]!.selected, 2);
	assert.equal([operators(made)['LayerNormalization'], steps[0]!.compensated!.length], [4, 0]);
});

test('without data it is refused', async () => {
	const message = await buildOf(encoder(2, sizes), 'prune norms with static').then(() => '', String);
	assert.match(message, /plan\/needs-data: 'static' must be measured on calibration data/);
});

test('a model without norms is said to have none, with or without data', async () => {
	const b = modelBuilder();
	b.output(b.node('MatMul', [b.input('x', [2, 6]), b.weight([6, 4])]), [2, 4]);
	const message = await buildOf(b.build(), 'prune norms 25%').then(() => '', String);
	assert.match(message, /this model has no norms along the last axis/);
});

test('an amount takes those of trained models that constants replace best, and outputs stay near', async () => {
	const letters = await build(lm.model, 'calibrate with "x" take 24; prune norms 2', lm.calibration);
	assert.ok(letters.drift!.cosine > 0.99, String(letters.drift!.cosine));
	for (const { heldOut } of letters.steps[0]!.compensated!) assert.ok(heldOut.affine <= heldOut.bias);
	const passages = await build(
		classifier.model,
		'calibrate with "x" take 16; prune norms 1 in layers 2..5',
		classifier.calibration,
	);
	assert.ok(
		passages.drift!.cosine > 0.99 &&
			passages.made.graph.nodes.filter(({ op }) => op === 'Sqrt').length === 12,
	);
});

test.run();
