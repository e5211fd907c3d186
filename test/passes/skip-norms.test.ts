/** Layers whose residual sums stand inside onnxruntime's fused norms, before their branches and behind them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadModel } from '../../src/backends/onnx/load.ts';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { compile } from '../../src/compile.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { modelBuilder } from '../harness/model.ts';

const test = suite('sums in norms');
const folder = mkdtempSync(join(tmpdir(), 'prunec-skip-'));
test.after(() => {
	rmSync(folder, { recursive: true });
});

const ms = 'com.microsoft';
const [heads, d, hidden] = [2, 8, 12];

/** Three layers of fused attention and feed-forward; `pre`: the sum goes on unnormed, as in GPT-2. */
function fusedModel(pre: boolean): Model {
	const b = modelBuilder();
	const epsilon = { kind: 'float', value: 0.1 } as const;
	const add = (branch: string, skip: string): { norm: string; sum: string } => {
		const inputs = [branch, skip, b.positive(d), b.weight([d]), b.weight([d])];
		const norm = b.node('SkipLayerNormalization', inputs, { epsilon }, ms, 4);
		return { norm, sum: pre ? `${norm}_3` : norm };
	};
	const x = b.node('MatMul', [b.input('x', ['batch', 'seq', 6]), b.weight([6, d])]);
	const first = b.node('LayerNormalization', [x, b.positive(d), b.weight([d])], { epsilon });
	let at = { norm: first, sum: pre ? x : first };
	for (let layer = 0; layer < 3; layer++) {
		const packed = [at.norm, b.weight([d, 3 * d]), b.weight([3 * d])];
		const attended = b.node('Attention', packed, { num_heads: heads }, ms);
		at = add(b.node('MatMul', [attended, b.weight([d, d])]), at.sum);
		const inner = b.node(
			'FastGelu',
			[b.node('MatMul', [at.norm, b.weight([d, hidden])]), b.weight([hidden])],
			{},
			ms,
		);
		at = add(b.node('MatMul', [inner, b.weight([hidden, d])]), at.sum);
	}
	b.output(b.node('MatMul', [at.norm, b.weight([d, 5])]), ['batch', 'seq', 5]);
	return b.build();
}

/** Operators that are left, by how often. */
async function without(model: Model, recipe: string): Promise<Record<string, number>> {
	const [path, out] = [join(folder, 'model.onnx'), join(folder, 'small.onnx')];
	saveModel(model, path, { force: true });
	const {
		ok,
		proof,
		output,
		model: before,
	} = await compile({ recipe, model: path, out, force: true, samples: 4 });
	assert.equal([ok, proof?.ok, proof?.weak], [true, true, false], recipe);
	assert.ok((output?.params ?? Infinity) < (before?.params ?? 0), recipe);
	const { model: small, file } = loadModel(out);
	file.close();
	const counts: Record<string, number> = {};
	for (const { op } of small.graph.nodes) counts[op] = (counts[op] ?? 0) + 1;
	return counts;
}

test('lose a layer and keep the norm of the next one, where norms stand before branches', async () => {
	const { Attention, FastGelu, LayerNormalization } = await without(fusedModel(true), 'prune layers [1]');
	assert.equal([Attention, FastGelu, LayerNormalization], [2, 2, 2]);
});

test('lose the last layer and keep the last norm', async () => {
	const { Attention, SkipLayerNormalization } = await without(fusedModel(true), 'prune layers [2]');
	assert.equal([Attention, SkipLayerNormalization], [2, 4]);
});

test('lose layers that follow each other', async () => {
	const { Attention, FastGelu } = await without(fusedModel(true), 'prune layers [0, 1]');
	assert.equal([Attention, FastGelu], [1, 1]);
});

test('lose a layer with its norms, where norms stand behind sums', async () => {
	const { Attention, LayerNormalization } = await without(fusedModel(false), 'prune layers [1]');
	assert.equal([Attention, LayerNormalization], [2, 1]);
});

test.run();
