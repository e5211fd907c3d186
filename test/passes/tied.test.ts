/** One matrix in two layers stays one matrix. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { compile } from '../../src/compile.ts';
import { modelBuilder } from '../harness/model.ts';

const test = suite('tied');
const folder = mkdtempSync(join(tmpdir(), 'prunec-tied-'));
test.after(() => {
	rmSync(folder, { recursive: true });
});

test('removes the same neurons wherever one matrix is used', async () => {
	const b = modelBuilder();
	let x = b.node('MatMul', [b.input('x', ['batch', 'seq', 6]), b.weight([6, 8])]);
	const [up, down] = [b.weight([8, 12]), b.weight([12, 8])];
	for (let layer = 0; layer < 2; layer++) {
		const hidden = b.node('Relu', [b.node('Add', [b.node('MatMul', [x, up]), b.weight([12])])]);
		x = b.node('Add', [x, b.node('MatMul', [hidden, down])]);
	}
	b.output(b.node('MatMul', [x, b.weight([8, 3])]), ['batch', 'seq', 3]);
	const model = join(folder, 'tied.onnx');
	saveModel(b.build(), model);
	const { steps, proof } = await compile({ recipe: 'prune ffn 50% align 1', model, threads: 1, samples: 4 });
	const [first, second] = steps[0]!.removed;
	assert.equal(first!.units, second!.units);
	const [before, after] = steps[0]!.params;
	assert.is(before - after, 6 * (8 + 8) + 2 * 6, 'each matrix once, each bias');
	assert.ok(proof?.ok && !proof.weak);
});

test('keeps a table and a head tied that read the width at either side of a projection', async () => {
	const b = modelBuilder();
	const table = b.weight([20, 8], 'table');
	let x = b.node('Gather', [table, b.input('ids', ['batch', 'seq'], 7)]);
	const hidden = b.node('Relu', [b.node('MatMul', [x, b.weight([8, 12])])]);
	x = b.node('Add', [x, b.node('MatMul', [hidden, b.weight([12, 8])])]);
	const turned = b.node('Tanh', [b.node('MatMul', [x, b.weight([8, 8])])]);
	b.output(b.node('MatMul', [turned, b.node('Transpose', [table], { perm: [1, 0] })]), ['batch', 'seq', 20]);
	const model = join(folder, 'transform.onnx');
	saveModel(b.build(), model);
	const { steps, proof } = await compile({
		recipe: 'prune hidden 25% align 1',
		model,
		threads: 1,
		samples: 4,
	});
	const [stream, read] = steps[0]!.removed;
	assert.equal(stream!.units, read!.units);
	const [before, after] = steps[0]!.params;
	assert.is(before - after, 2 * (20 + 12 + 12) + (8 * 8 - 6 * 6), 'the table once');
	assert.ok(proof?.ok && !proof.weak);
});

test('lets an output change its shape where the recipe says so', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 4]);
	const hidden = b.node('Relu', [
		b.node('Conv', [b.node('Reshape', [x, b.ints([0, 1, 2, 2])]), b.weight([8, 1, 1, 1])]),
	]);
	b.output(hidden, ['batch', 8, 2, 2]);
	b.output(b.node('Conv', [hidden, b.weight([3, 8, 1, 1])]), ['batch', 3, 2, 2]);
	const model = join(folder, 'consent.onnx');
	saveModel(b.build(), model);
	const refused = await compile({ recipe: 'prune channels 50%', model, threads: 1, samples: 4 });
	assert.is(refused.steps[0]!.selected, 0);
	assert.match(refused.diagnostics[0]!.message, new RegExp(`frozen without \`may change "${hidden}"\``));
	for (const recipe of [
		`may change "${hidden}"; prune channels 50%`,
		`prune channels 50% may change "${hidden.slice(0, -1)}*"`,
	]) {
		const allowed = await compile({ recipe, model, threads: 1, samples: 4 });
		assert.equal([allowed.steps[0]!.selected, allowed.proof?.ok, allowed.proof?.weak], [4, true, false]);
	}
});

test.run();
