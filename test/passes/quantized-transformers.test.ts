/** Transformers in 8 bits: their parts are found through what quantizes, and go with scales and zero points. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { runAll } from '../../src/backends/ort/runs.ts';
import { compile } from '../../src/compile.ts';
import { type BuildDocument } from '../../src/document.ts';
import { FLOAT, INT8, UINT8 } from '../../src/ir/graph/dtype.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { unsignedMatrices } from '../../src/ir/graph/unsigned.ts';
import { encoder, modelBuilder } from '../harness/model.ts';
import { quantizedByRange, quantizedInPairs } from '../harness/quantize.ts';

const test = suite('quantized transformers');
const folder = mkdtempSync(join(tmpdir(), 'prunec-quantized-'));
test.after(() => {
	rmSync(folder, { recursive: true });
});

const plain = encoder(2, { heads: 4, width: 8, hidden: 64 });
const forms: readonly (readonly [name: string, model: Model])[] = [
	['by range', quantizedByRange(plain)],
	['in pairs', quantizedInPairs(plain)],
];

async function build(name: string, model: Model, recipe: string): Promise<BuildDocument> {
	const path = join(folder, `${name.replace(' ', '-')}.onnx`);
	saveModel(model, path, { force: true });
	return compile({ recipe, model: path, threads: 1, samples: 4 });
}

for (const [name, model] of forms) {
	test(`loses heads, neurons, width and layers, quantized ${name}`, async () => {
		const recipes = [
			'prune heads 50%',
			'prune ffn 50%',
			'prune hidden 50% align 4 may change "x"',
			'prune layers [1]',
		];
		for (const recipe of recipes) {
			const { proof, steps, diagnostics } = await build(name, model, recipe);
			const errors = diagnostics.filter(({ severity }) => severity === 'error');
			assert.equal([errors, proof?.ok, proof?.weak], [[], true, false], recipe);
			assert.ok(steps[0]!.selected > 0, recipe);
		}
	});

	test(`keeps matrices in one piece and says why, quantized ${name}`, async () => {
		const { steps, diagnostics } = await build(name, model, 'factorize ffn rank 4');
		assert.is(steps[0]!.selected, 0);
		const why = diagnostics.filter(({ code }) => code === 'plan/pinned-axis').map(({ message }) => message);
		assert.is(why.length, 4);
		assert.match(
			why[0] ?? '',
			name === 'by range' ? /its numbers are quantized/ : /computed from other constants/,
		);
	});
}

test('multiplies bytes without saturating, whatever the processor', async () => {
	const b = modelBuilder();
	const size = 16;
	const matrix = b.constant({ type: INT8, dims: [size, 1], data: new Array<number>(size).fill(127) });
	const product = b.node('MatMulInteger', [b.input('x', [1, size], UINT8), matrix]);
	b.output(b.node('Cast', [product], { to: FLOAT }), [1, 1]);
	const feed = new Map([['x', { type: UINT8, dims: [1, size], data: new Float64Array(size).fill(255) }]]);
	const [run] = await runAll(unsignedMatrices(b.build()), 'bytes', [feed], { threads: 1 });
	assert.equal(
		[...run!.values()].map(({ data }) => Array.from(data)),
		[[size * 127 * 255]],
	);
});

test.run();
