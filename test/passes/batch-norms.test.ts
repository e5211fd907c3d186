/** Statistics of batch normalizations that are left in the graph, re-estimated behind what is pruned. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { applyPlan, compile } from '../../src/compile.ts';
import { stream } from '../../src/data/generate.ts';
import { type BuildDocument } from '../../src/document.ts';
import { buildReport } from '../../src/report/build.ts';
import { npy } from '../harness/data.ts';
import { testFolder } from '../harness/folder.ts';
import { modelBuilder } from '../harness/model.ts';

const test = suite('batch norms');
const folder = testFolder();
test.after(() => {
	folder.remove();
});

/** Images of six channels that are all far from zero. */
function images(): string {
	const next = stream(5);
	const values = Array.from({ length: 20 * 6 * 64 }, () => 1 + next());
	return folder.file('x.npy', npy([20, 6, 8, 8], values, 'f4'));
}

/** Channels read by an operator that is never refitted, its result normed; the norm's own statistics are off, as on data of another kind. */
function model(reader: 'ConvTranspose' | 'Conv'): string {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 6, 8, 8]);
	const norm = (value: string, size: number): string =>
		b.node('BatchNormalization', [
			value,
			b.positive(size),
			b.weight([size]),
			b.weight([size]),
			b.positive(size),
		]);
	const pads = [1, 1, 1, 1];
	const first = b.node('Relu', [norm(b.node('Conv', [x, b.weight([32, 6, 3, 3])], { pads }), 32)]);
	const [dims, group] = reader === 'Conv' ? [[16, 8, 3, 3], 4] : [[32, 16, 3, 3], 1];
	const second = b.node(reader, [first, b.weight(dims)], { pads, group });
	const out = b.node('Relu', [norm(second, 16)]);
	b.output(b.node('Conv', [out, b.weight([4, 16, 1, 1])]), ['batch', 4, 8, 8]);
	const path = folder.at(`${reader}.onnx`);
	saveModel(b.build(), path);
	return path;
}

const run = (recipe: string, path: string, more: { planPath?: string } = {}): Promise<BuildDocument> =>
	compile({ recipe, model: path, data: images(), threads: 1, samples: 4, cache: false, ...more });

for (const reader of ['ConvTranspose', 'Conv'] as const) {
	test(`norms behind a ${reader} that is not refitted get the statistics of what they read`, async () => {
		const path = model(reader);
		const planPath = folder.at(`${reader}.plan.json`);
		const made = await run('prune channels 50%', path, { planPath });
		const plain = await run('prune channels 50% without compensation', path);
		assert.ok(made.ok && made.proof?.ok && !made.proof.weak, JSON.stringify(made.diagnostics));
		assert.match(made.proof.reference, /new means and variances of batch normalizations/);
		const norms = made.steps[0]!.compensated!.filter(({ norm }) => norm !== undefined);
		assert.ok(norms.some(({ choice }) => choice !== 'none'));
		for (const { choice, heldOut } of norms)
			assert.ok(heldOut[choice] <= Math.min(heldOut.affine, heldOut.bias, heldOut.none));
		assert.ok(made.drift!.relativeL2 < 0.8 * plain.drift!.relativeL2, `${made.drift!.relativeL2}`);
		assert.match(buildReport(made), /norms {4}\d of \d batch normalizations/);
		const applied = await applyPlan(planPath, { model: path, threads: 1, samples: 4 });
		assert.ok(applied.ok && applied.proof?.ok);
		assert.is(applied.steps[0]!.params[1], made.steps[0]!.params[1]);
		assert.is(plain.steps[0]!.compensated, undefined);
		assert.not.match(plain.proof!.reference, /batch/);
	});
}

test.run();
