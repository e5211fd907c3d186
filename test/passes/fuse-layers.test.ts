/** Neighbouring layers that become one. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { classifier, lm, proven } from '../fixtures/text/text.ts';
import { buildOf, operators } from '../harness/exact.ts';
import { testFolder } from '../harness/folder.ts';
import { encoder, encoderLayer, modelBuilder } from '../harness/model.ts';

const test = suite('fuse layers');
const folder = testFolder();
test.after(() => {
	folder.remove();
});
const sizes = { heads: 2, width: 4, hidden: 16 };

for (const post of [false, true])
	test(`norms ${post ? 'after' : 'before'} the sums: two layers become one by their differences`, async () => {
		const { document, model, same } = await buildOf(encoder(4, { ...sizes, post }), 'fuse layers 1..3', {
			again: true,
		});
		const [step] = document.steps;
		assert.equal([step!.selected, step!.of, step!.removed], [2, 4, [{ layer: 2, units: [] }]]);
		assert.is(operators(model)['Softmax'], 3);
		// The norm that follows the last sum stays with it, so all norms but those inside the layer that went.
		assert.is(operators(model)['LayerNormalization'], 6);
		assert.ok(document.proof!.ok && !document.proof!.weak && same);
	});

test('two groups in one statement, and layers keep the numbers they had', async () => {
	const { document } = await buildOf(
		encoder(6, sizes),
		'fuse layers [0, 1, 3, 4, 5]; prune heads [0] in layers [3]',
	);
	assert.equal(
		document.steps.map(({ removed }) => removed.map(({ layer }) => layer)),
		[[1, 4, 5], [3]],
	);
	assert.ok(document.steps.every(({ proof }) => proof!.ok && !proof!.weak));
});

const refusal = (model: Parameters<typeof buildOf>[0], recipe: string): Promise<string> =>
	buildOf(model, recipe).then(() => '', String);

test('what cannot become one is refused with the reason', async () => {
	assert.match(await refusal(encoder(4, sizes), 'fuse layers [0, 2]'), /plan\/one-layer: fusing .* layer 0/);
	const b = modelBuilder();
	let x = b.input('x', ['batch', 'seq', 8]);
	for (const hidden of [16, 24]) x = encoderLayer(b, x, { ...sizes, hidden });
	b.output(b.node('MatMul', [x, b.weight([8, 2])]), ['batch', 'seq', 2]);
	assert.match(await refusal(b.build(), 'fuse layers 0..2'), /layer 0 cannot be fused: .* another size/);
});

test('the last matrix absorbs what the others did: closer on trained models than without them', async () => {
	const out = folder.at('fused.onnx');
	for (const [fixture, range] of [
		[classifier, '2..4'],
		[lm, '1..3'],
	] as const) {
		const { model, calibration: data } = fixture;
		const rows = 'calibrate with "rows" take 24';
		const fused = await proven(`${rows}; fuse layers ${range}`, { model, out, data });
		const { heldOut, choice } = fused.steps[0]!.compensated![0]!;
		assert.is(choice, 'affine');
		assert.ok(heldOut.affine < 0.75 * heldOut.none, JSON.stringify(heldOut));
		const second = Number(range[0]) + 1;
		const pruned = await proven(`${rows}; prune layers [${second}] without compensation`, {
			model,
			out,
			data,
		});
		assert.ok(fused.drift!.cosine > pruned.drift!.cosine);
		assert.equal(fused.output!.macs, pruned.output!.macs);
	}
});

test.run();
