/** Queries and keys that are no longer turned by position. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compile.ts';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { loadModel } from '../../src/backends/onnx/load.ts';
import { npy } from '../harness/data.ts';
import { buildOf, operators, reasons } from '../harness/exact.ts';
import { testFolder } from '../harness/folder.ts';
import { modelBuilder } from '../harness/model.ts';
import { d, groupedQueries, network } from '../harness/rotary.ts';

const test = suite('prune positions with none');
const folder = testFolder();
test.after(() => {
	folder.remove();
});
test('rotations in single operators go, in the layers that a statement names', async () => {
	const built = await buildOf(network([{}, {}]), 'prune positions with none in layers [1]', { again: true });
	assert.equal([built.document.steps[0]!.selected, built.document.steps[0]!.of], [1, 1]);
	assert.ok(built.document.proof!.ok && !built.document.proof!.weak && built.same === true);
	assert.equal([operators(built.model)['Neg'], operators(built.model)['Cos']], [2, 2]);
	const all = await buildOf(network([{}]), 'prune positions with none');
	assert.equal([operators(all.model)['Neg'], operators(all.model)['Cos']], [undefined, undefined]);
});

test("onnxruntime's rotations go", async () => {
	const { document, model } = await buildOf(network([{ fused: true }]), 'prune positions with none');
	assert.is(document.steps[0]!.selected, 1);
	assert.ok(document.proof!.ok && !document.proof!.weak);
	assert.is(operators(model)['RotaryEmbedding'], undefined);
});

test('a grouped attention with a cache stops turning its keys, with consent for the cache', async () => {
	const model = groupedQueries((f, at) => f(at));
	const stayed = await buildOf(model, 'prune positions with none');
	assert.match(reasons(stayed.document).join(), /its turned keys are the output 'GroupQueryAttention_\d+_1'/);
	const { document, model: made } = await buildOf(model, 'prune positions with none may change "*_1"');
	assert.ok(document.proof!.ok && !document.proof!.weak);
	const node = made.graph.nodes.find(({ op }) => op === 'GroupQueryAttention')!;
	const turns = node.attributes.get('do_rotary');
	assert.equal([node.inputs.length, turns?.kind === 'int' && turns.value], [7, 0]);
});

test('with an amount the attention goes whose loss the outputs feel least, on data', async () => {
	const path = folder.at('in.onnx');
	saveModel(network([{}, {}, {}]), path);
	const data = folder.file(
		'x.npy',
		npy(
			[10, 5, d],
			Array.from({ length: 800 }, (_, at) => Math.sin(at * 1.7)),
			'f4',
		),
	);
	const out = folder.at('out.onnx');
	const document = await compile({
		recipe: 'prune positions 1',
		model: path,
		data,
		out,
		threads: 1,
		samples: 2,
	});
	assert.ok(document.ok && document.proof!.ok && !document.proof!.weak);
	assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [1, 3]);
	const { model, file } = loadModel(out);
	file.close();
	assert.is(operators(model)['Neg'], 4);
	const bare = await compile({ recipe: 'prune positions 1', model: path, threads: 1, samples: 2 });
	assert.is(bare.diagnostics.at(-1)!.code, 'plan/needs-data');
	const keys = await buildOf(network([{ shown: true }]), 'prune positions with none');
	assert.match(reasons(keys.document).join(), /stays without `may change/);
});

test('attentions stop turning one after another, as long as the outputs stay near enough', async () => {
	const path = folder.at('guarded.onnx');
	saveModel(network([{}, {}, {}]), path);
	const values = Array.from({ length: 1600 }, (_, at) => Math.sin(at * 1.7));
	const data = folder.file('guarded.npy', npy([20, 5, d], values, 'f4'));
	const build = (recipe: string): ReturnType<typeof compile> =>
		compile({ recipe, model: path, data, threads: 1, samples: 2 });
	const counts: number[] = [];
	for (const kl of [0.1, 0.25, 10]) {
		const document = await build(`prune positions while kl <= ${kl}`);
		const [step] = document.steps;
		if (step === undefined) {
			assert.is(document.diagnostics.at(-1)!.code, 'plan/floor-too-high');
			counts.push(0);
			continue;
		}
		assert.ok(document.proof!.ok && !document.proof!.weak);
		const [goal] = step.reached!;
		// What the goal was held against is what the report measures behind it.
		assert.equal([goal!.asked, goal!.measured], [kl, document.drift!.kl]);
		assert.ok(goal!.measured <= kl);
		counts.push(step.selected);
	}
	assert.equal(counts, [0, 1, 3]);
	const { steps } = await build('prune positions with none in layers 1.. until kl <= 10');
	assert.equal([steps[0]!.selected, steps[0]!.of], [2, 2]);
	const sums = await build('prune positions with sums while kl <= 1');
	assert.match(sums.diagnostics.at(-1)!.message, 'a goal beside `with sums`');
});

test('where none may go whatever the quality, a guarded statement says what stands in the way', async () => {
	const path = folder.at('shown.onnx');
	saveModel(network([{ shown: true }, { shown: true }]), path);
	const values = Array.from({ length: 800 }, (_, at) => Math.sin(at * 1.7));
	const data = folder.file('shown.npy', npy([10, 5, d], values, 'f4'));
	const { diagnostics } = await compile({
		recipe: 'prune positions while kl <= 10',
		model: path,
		data,
		threads: 1,
	});
	assert.equal(
		diagnostics.map(({ code }) => code),
		['plan/floor-too-high', 'plan/stays', 'plan/stays'],
	);
	assert.match(diagnostics[0]!.hint ?? '', 'whatever the quality');
	assert.match(diagnostics[1]!.message, /its turned keys are the output/);
});

test('a model whose attentions turn nothing says so', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 4]);
	b.output(b.node('MatMul', [x, b.weight([4, 2])]), ['batch', 2]);
	const message = await buildOf(b.build(), 'prune positions with none').then(() => '', String);
	assert.match(message, /plan\/nothing-found/);
});

test.run();
