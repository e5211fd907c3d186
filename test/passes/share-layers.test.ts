/** Several layers that read one set of tensors. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { classifier, lm, proven } from '../fixtures/text/text.ts';
import { buildOf, reasons } from '../harness/exact.ts';
import { testFolder } from '../harness/folder.ts';
import { encoder, encoderLayer, modelBuilder } from '../harness/model.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { attentionForms } from '../harness/attention.ts';

const test = suite('share across layers');
const folder = testFolder();
test.after(() => {
	folder.remove();
});
const sizes = { heads: 2, width: 4, hidden: 16 };

/** The names of the constants that the Relu of each feed-forward block comes from. */
function blocksRead({ graph }: Model): (string | undefined)[] {
	const maker = (value: string) => graph.nodes.find(({ outputs }) => outputs.includes(value))!;
	const relus = graph.nodes.filter(({ op }) => op === 'Relu');
	return relus.map(({ inputs }) => maker(maker(inputs[0]!).inputs[0]!).inputs[1]);
}

test('layers read the block of one of them, and the others keep theirs', async () => {
	const { document, model, same } = await buildOf(encoder(4, sizes), 'share ffn across layers 1..3', {
		again: true,
	});
	const [first, second, third, last] = blocksRead(model);
	assert.is(second, third);
	assert.is(new Set([first, second, last]).size, 3);
	const [step] = document.steps;
	// Two matrices of 8 × 16 and biases of 16 and 8.
	assert.equal([step!.selected, step!.params[0] - step!.params[1], step!.metric], [2, 280, 'l2']);
	assert.is(step!.macs[0], step!.macs[1]);
	assert.match(step!.unit, /1120 bytes less to store, the same time to run/);
	assert.ok(document.proof!.ok && !document.proof!.weak && same);
});

test('the mean stands for all in halves and in whole layers', async () => {
	const { document, same } = await buildOf(
		encoder(3, { ...sizes, post: true }),
		'share ffn, attention across layers 0..3 with mean',
		{ again: true },
	);
	assert.equal(
		document.steps.map(({ params: [before, after] }) => before - after),
		[2 * 280, 2 * 4 * 72],
	);
	assert.ok(document.steps.every(({ proof }) => proof!.ok && !proof!.weak) && same);
});

for (const name of ['packed, Split', 'Attention, fused', 'keys repeated for groups of queries'])
	test(`attention is shared where it is ${name}`, async () => {
		const { document } = await buildOf(attentionForms[name]!.model(), 'share attention across layers 0..2');
		const [before, after] = document.steps[0]!.params;
		assert.ok(after < before && document.proof!.ok && !document.proof!.weak, name);
	});

test('a layer of other sizes stays, and is named', async () => {
	const b = modelBuilder();
	let x = b.input('x', ['batch', 'seq', 8]);
	for (const hidden of [16, 24, 16]) x = encoderLayer(b, x, { ...sizes, hidden });
	b.output(b.node('MatMul', [x, b.weight([8, 2])]), ['batch', 'seq', 2]);
	const { document } = await buildOf(b.build(), 'share ffn across layers 0..3');
	assert.is(document.steps[0]!.selected, 2);
	assert.match(reasons(document).join(), /layer 1 stays as it is: '.*' \[8, 24\] is of another size/);
});

test('one layer is refused with what the range means', async () => {
	const build = buildOf(encoder(3, sizes), 'share ffn across layers 1..2');
	const message = await build.then(() => '', String);
	assert.match(message, /plan\/one-layer: sharing needs two layers, and this selects layer 1/);
});

test('on trained models the layer that serves all best is found on data, and the rest stays proven', async () => {
	const out = folder.at('shared.onnx');
	const shared = await proven('calibrate with "rows" take 24; share ffn across layers 2..4', {
		...classifier,
		out,
		data: classifier.calibration,
	});
	assert.is(shared.steps[0]!.metric, 'drift');
	assert.ok(shared.drift!.cosine > 0.97, String(shared.drift!.cosine));
	const packed = await proven('share attention across layers 1..3 by l2', { model: lm.model, out });
	assert.ok(packed.output!.params! < packed.model!.params);
});

test.run();
