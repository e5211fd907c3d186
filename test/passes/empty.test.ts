/** `min 0`: structures that go as a whole, and what is left of them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadModel } from '../../src/backends/onnx/load.ts';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { compile } from '../../src/compile.ts';
import { type BuildDocument } from '../../src/document.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { encoder, modelBuilder } from '../harness/model.ts';

const test = suite('whole structures');
const folder = mkdtempSync(join(tmpdir(), 'prunec-empty-'));
test.after(() => {
	rmSync(folder, { recursive: true });
});

let count = 0;
async function built(
	recipe: string,
	model: Model,
): Promise<{ readonly document: BuildDocument; readonly operators: string[] }> {
	const [path, out] = [join(folder, `${++count}.onnx`), join(folder, `${count}-small.onnx`)];
	saveModel(model, path);
	const document = await compile({ recipe, model: path, out, threads: 1, samples: 2 });
	if (!document.ok) return { document, operators: [] };
	const { model: small, file } = loadModel(out);
	file.close();
	return { document, operators: small.graph.nodes.map(({ op }) => op) };
}

const plain = encoder(3, { heads: 4, width: 8, hidden: 48 });
const all = [0, 1, 2, 3];

function problems({ diagnostics }: BuildDocument): readonly string[] {
	return diagnostics.filter(({ severity }) => severity !== 'note').map(({ code }) => code);
}

for (const [name, model] of [
	['norms before', plain],
	['norms after', encoder(3, { heads: 4, width: 8, hidden: 48, post: true })],
] as const) {
	test(`every head of a layer goes, with everything that made them, where there are ${name}`, async () => {
		const { document, operators } = await built('prune heads where layer == 1 min 0', model);
		assert.equal(problems(document), []);
		assert.equal(document.steps[0]?.removed, [{ layer: 1, units: all }]);
		assert.ok(document.proof?.ok && !document.proof.weak);
		assert.is(operators.filter((op) => op === 'Softmax').length, 2);
	});
}

test('all neurons of a block go by amount, list and condition alike', async () => {
	const recipes = [
		'prune ffn keep 0 in layers [0] min 0',
		'prune ffn 0..48 in layers [0] min 0',
		'prune ffn where layer < 1 min 0',
	];
	const params: number[] = [];
	for (const recipe of recipes) {
		const { document, operators } = await built(recipe, plain);
		assert.equal(problems(document), [], recipe);
		assert.is(operators.filter((op) => op === 'Relu').length, 2);
		params.push(document.output?.params ?? 0);
	}
	assert.is(new Set(params).size, 1);
});

test('numbers go on meaning what they meant, also when both halves of a layer have gone', async () => {
	const { document } = await built(
		'prune heads keep 0 in layers [0] min 0; prune ffn keep 0 in layers [0] min 0; prune heads [1] in layers [2]; prune layers [1]',
		plain,
	);
	assert.equal(problems(document), []);
	assert.equal(
		document.steps.map(({ removed }) => removed.map(({ layer }) => layer)),
		[[0], [0], [2], [1]],
	);
	const halves = await built(
		'prune layers [0] only ffn; prune layers [0] only attention; prune heads [1] in layers [2]',
		plain,
	);
	assert.equal(halves.document.steps[2]?.removed, [{ layer: 2, units: [1] }]);
});

test('one ranking across layers may empty a layer, and min 1 keeps one of each', async () => {
	const some = await built('prune heads 11 by random globally min 0', plain);
	assert.equal([problems(some.document), some.document.steps[0]?.selected], [[], 11]);
	const kept = await built('prune heads 11 by random globally', plain);
	assert.is(kept.document.steps[0]?.selected, 9);
});

test('without min 0, and where what is left would not have its shape, nothing is done', async () => {
	assert.equal(problems((await built('prune heads where layer == 1', plain)).document), [
		'plan/everything-selected',
	]);
	const b = modelBuilder();
	const first = b.node('Relu', [b.node('Conv', [b.input('x', [1, 3, 8, 8]), b.weight([8, 3, 3, 3])])]);
	b.output(b.node('Conv', [first, b.weight([4, 8, 3, 3])]));
	assert.equal(problems((await built('prune channels keep 0 min 0', b.build())).document), [
		'plan/cannot-empty',
	]);
});

test.run();
