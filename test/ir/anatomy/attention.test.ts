import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadModel } from '../../../src/backends/onnx/load.ts';
import { saveModel } from '../../../src/backends/onnx/save.ts';
import { compile } from '../../../src/compile.ts';
import { inspectModel } from '../../../src/tasks/examine.ts';
import { type Model } from '../../../src/ir/graph/graph.ts';
import { attentionForms } from '../../harness/attention.ts';
import { batchOfQueries, decoderFile, fusedAttention } from '../../harness/seq2seq.ts';

const test = suite('forms of attention');
const folder = mkdtempSync(join(tmpdir(), 'prunec-test-'));
test.after(() => {
	rmSync(folder, { recursive: true });
});

for (const [name, { model, units, width, fused }] of Object.entries(attentionForms)) {
	const path = join(folder, `${name.replaceAll(/\W+/g, '-')}.onnx`);

	test(`finds the heads: ${name}`, () => {
		saveModel(model(), path);
		const loaded = loadModel(path);
		const { layers } = inspectModel(loaded);
		loaded.file.close();
		const attention = { kind: 'attention', units, width, removable: true, reasons: [], gated: false };
		const ffn = { kind: 'ffn', units: 48, width: 1, removable: true, reasons: [], gated: false };
		const expected = [{ ...attention, ...(fused !== undefined && { fused }) }, ffn];
		assert.equal(
			layers.map(({ blocks }) => blocks),
			[expected, expected],
		);
	});

	test(`prunes half of them: ${name}`, async () => {
		const document = await compile({
			recipe: 'prune heads 50%',
			model: path,
			out: join(folder, 'out.onnx'),
			force: true,
			threads: 1,
			samples: 2,
		});
		assert.equal(document.diagnostics, []);
		assert.is(document.steps[0]?.selected, units);
		assert.ok(document.proof?.ok && !document.proof.weak);
		assert.ok(document.output!.params! < document.model!.params);
	});
}

test('attention across two sequences joins the layer of its decoder, also behind the first and where it is fused', () => {
	const kinds = (model: Model): string[][] => {
		saveModel(model, join(folder, 'decoder.onnx'), { force: true });
		const loaded = loadModel(join(folder, 'decoder.onnx'));
		const { anatomy } = inspectModel(loaded);
		loaded.file.close();
		return anatomy.layers.map(({ blocks }) =>
			blocks.map(({ kind, cross }) => (cross ? `cross ${kind}` : kind)),
		);
	};
	const layer = ['attention', 'cross attention', 'ffn'];
	assert.equal(kinds(decoderFile({ layers: 3 })), [layer, layer, layer]);
	assert.equal(kinds(decoderFile({ past: true })), [layer, layer]);
	assert.equal(kinds(decoderFile({ cross: fusedAttention })), [layer, layer]);
	assert.equal(kinds(decoderFile({ cross: batchOfQueries })), [layer, layer]);
});

test.run();
