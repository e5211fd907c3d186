import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadModel } from '../../src/backends/onnx/load.ts';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { compile } from '../../src/compile.ts';
import { constantsOf } from '../../src/ir/graph/constants.ts';
import { numbersOf } from '../../src/ir/graph/tensor.ts';
import { attentionForms } from '../harness/attention.ts';

const test = suite('prune queries');
const folder = mkdtempSync(join(tmpdir(), 'prunec-test-'));
test.after(() => {
	rmSync(folder, { recursive: true });
});
let made = 0;
const out = join(folder, 'out.onnx');

function written(form: string): Omit<Parameters<typeof compile>[0], 'recipe'> {
	const model = join(folder, `${++made}.onnx`);
	saveModel(attentionForms[form]!.model(), model);
	return { model, out, force: true, threads: 1, samples: 2 };
}

/** What a recipe takes from each layer, and the parameters that go; fails unless it is proven. */
async function removal(
	form: string,
	recipe: string,
): Promise<{ units: (readonly number[])[]; gone: number }> {
	const { steps, proof, diagnostics, output, model: before } = await compile({ recipe, ...written(form) });
	assert.equal(diagnostics, []);
	assert.ok(proof?.ok && !proof.weak);
	return {
		units: steps[0]?.removed.map(({ units }) => units) ?? [],
		gone: before!.params - output!.params!,
	};
}

/** By which numbers the queries of what was written pick their heads of keys and values, one list an operand. */
function headMaps(): number[][] {
	const { model, file } = loadModel(out);
	const constants = constantsOf(model.graph);
	const maps = model.graph.nodes.flatMap(({ op, inputs, attributes }) => {
		const picked = op === 'Gather' && attributes.has('axis') ? constants.get(inputs[1] ?? '') : undefined;
		return picked === undefined ? [] : [[...numbersOf(picked)]];
	});
	file.close();
	return maps;
}

/** Numbers that a query head of 8 has in a model of width 32, and that a head of keys and values has. */
const [query, key] = [32 * 8 + 8 + 8 * 32, 2 * (32 * 8 + 8)];

for (const form of [
	'keys repeated for groups of queries',
	'keys picked for groups of queries',
	'keys tiled for groups of queries',
]) {
	test(`a query goes by itself: ${form}`, async () => {
		const { units, gone } = await removal(form, 'prune queries [2] in layers [0]');
		assert.equal(units, [[2]]);
		assert.equal(headMaps().slice(0, 2), [
			[0, 0, 1],
			[0, 0, 1],
		]);
		assert.is(gone, query);
	});

	test(`keys go with the last query that reads them: ${form}`, async () => {
		const { gone } = await removal(form, 'prune queries [0, 1, 2] in layers [0]');
		assert.equal(headMaps().slice(0, 2), [[0], [0]]);
		assert.is(gone, 3 * query + key);
	});
}

for (const form of [
	'GroupQueryAttention, fused',
	'Attention of opset 23, keys for groups of queries',
	'queries on an axis beside their keys',
	'queries beside their keys, by Einsum',
])
	test(`as many go from every group: ${form}`, async () => {
		const { units } = await removal(form, 'prune queries 50%');
		assert.equal(
			units.map(({ length }) => length),
			[1, 1],
		);
	});

test('a model whose heads have keys of their own has no queries to prune', async () => {
	const { diagnostics } = await compile({ recipe: 'prune queries 50%', ...written('rotary positions') });
	assert.equal(
		diagnostics.map(({ code }) => code),
		['plan/nothing-found'],
	);
});

test.run();
