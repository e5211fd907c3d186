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
import { quantizedAsOperators, quantizedByRange, quantizedInPairs } from '../harness/quantize.ts';

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

test('loses heads, neurons, width and layers where sums and softmaxes are operators on bytes', async () => {
	const model = quantizedAsOperators(plain);
	const halves = ['prune heads 50%', 'prune ffn 50%', 'prune hidden 50% align 4 may change "x"'];
	const layers = [[0], [1]].map((at) => `prune layers [${String(at)}]`);
	const chosen = ['prune layers 1', 'prune layers 1 by ablation', 'prune layers [0] only ffn'];
	for (const recipe of [...halves, ...layers, ...chosen]) {
		const { proof, steps, diagnostics } = await build('operators', model, recipe);
		assert.equal([diagnostics, proof?.ok, proof?.weak], [[], true, false], recipe);
		assert.is(2 * steps[0]!.selected, steps[0]!.of, recipe);
	}
});

test('rounds what went into several layers of bytes to another scale once', async () => {
	const model = quantizedAsOperators(encoder(3, { heads: 4, width: 8, hidden: 64 }));
	const { proof, steps } = await build('three', model, 'prune layers [0, 1]');
	assert.equal([steps[0]!.selected, proof?.ok, proof?.weak], [2, true, false]);
	const [before, after] = steps[0]!.params;
	assert.ok(after < before / 2);
});

test('multiplies signed bytes without saturating', async () => {
	const b = modelBuilder();
	const byte = (value: number): string => b.constant({ type: INT8, dims: [], data: [value] });
	const [one, zero] = [b.floats([1], []), byte(0)];
	const matrix = b.constant({ type: INT8, dims: [16, 1], data: new Array<number>(16).fill(127) });
	const inputs = [b.input('x', [1, 16], INT8), one, zero, matrix, one, zero, b.floats([2580.64], []), zero];
	b.output(b.node('Cast', [b.node('QLinearMatMul', inputs)], { to: FLOAT }), [1, 1]);
	const feed = new Map([['x', { type: INT8, dims: [1, 16], data: new Float64Array(16).fill(127) }]]);
	const [run] = await runAll(unsignedMatrices(b.build()), 'signed', [feed], { threads: 1 });
	assert.equal(
		[...run!.values()].map(({ data }) => Array.from(data)),
		[[(16 * 127 * 127) / 2580.64]],
	);
});

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
