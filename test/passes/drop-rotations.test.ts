/** Queries and keys that are no longer turned by position. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compile.ts';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { loadModel } from '../../src/backends/onnx/load.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { npy } from '../harness/data.ts';
import { buildOf, operators, reasons } from '../harness/exact.ts';
import { testFolder } from '../harness/folder.ts';
import { modelBuilder, type Build } from '../harness/model.ts';

const test = suite('prune positions with none');
const folder = testFolder();
test.after(() => {
	folder.remove();
});
const [heads, width, d] = [2, 8, 16];

/** x·cos + turned(x)·sin of [batch, heads, seq, width], the angles of each position from a stored row of speeds. */
function written(b: Build, x: string, angles: string): string {
	const half = width / 2;
	const split = b.node('Split', [x, b.ints([half, half])], { axis: 3 }, '', 2);
	const turned = b.node('Concat', [b.node('Neg', [`${split}_1`]), split], { axis: 3 });
	const sides = [x, turned].map((side, at) =>
		b.node('Mul', [side, b.node(at === 0 ? 'Cos' : 'Sin', [angles])]),
	);
	return b.node('Add', sides);
}

/** Angles [seq, width] of an input. */
function anglesOf(b: Build, x: string): string {
	const length = b.node('Gather', [b.node('Shape', [x]), b.ints([1], [])]);
	const counted = b.node('Cast', [b.node('Range', [b.ints([0], []), length, b.ints([1], [])])], { to: 1 });
	const speeds = b.floats([1, 0.3, 0.1, 0.03, 1, 0.3, 0.1, 0.03], [1, width]);
	return b.node('MatMul', [b.node('Unsqueeze', [counted, b.ints([1])]), speeds]);
}

/** onnxruntime's operator over [batch, seq, heads · width]. */
function fusedRotation(b: Build, x: string, positions: string): string {
	const tables = [Math.cos, Math.sin].map((f) =>
		b.floats(
			Array.from({ length: 32 * 4 }, (_, at) => f(Math.floor(at / 4) * 10 ** (-(at % 4) / 2))),
			[32, 4],
		),
	);
	return b.node('RotaryEmbedding', [x, positions, ...tables], { num_heads: heads }, 'com.microsoft');
}

type Options = { readonly fused?: boolean; readonly shown?: boolean };

function layer(b: Build, x: string, place: string, { fused = false, shown = false }: Options): string {
	const linear = (value: string): string =>
		b.node('Add', [b.node('MatMul', [value, b.weight([d, d])]), b.weight([d])]);
	const split = (value: string): string =>
		b.node('Transpose', [b.node('Reshape', [value, b.ints([0, -1, heads, width])])], { perm: [0, 2, 1, 3] });
	const turned = (value: string): string =>
		fused ? split(fusedRotation(b, linear(value), place)) : written(b, split(linear(value)), place);
	const [queries, keys] = [turned(x), turned(x)];
	if (shown) b.output(keys);
	const scores = b.node('MatMul', [queries, b.node('Transpose', [keys], { perm: [0, 1, 3, 2] })]);
	const context = b.node('MatMul', [b.node('Softmax', [scores], { axis: 3 }), split(linear(x))]);
	const merged = b.node('Reshape', [
		b.node('Transpose', [context], { perm: [0, 2, 1, 3] }),
		b.ints([0, -1, d]),
	]);
	const middle = b.node('Add', [x, linear(merged)]);
	return b.node('Add', [middle, linear(b.node('Relu', [linear(middle)]))]);
}

function network(layers: readonly Options[]): Model {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 'seq', d]);
	const fused = layers.some((one) => one.fused === true);
	const place = fused ? b.input('position_ids', ['batch', 'seq'], 7) : anglesOf(b, x);
	const y = layers.reduce((value, options) => layer(b, value, place, options), x);
	b.output(b.node('MatMul', [y, b.weight([d, 4])]), ['batch', 'seq', 4]);
	return b.build();
}

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
	const b = modelBuilder();
	const x = b.input('x', [1, 3, d]);
	const past = ['past_key', 'past_value'].map((name) => b.input(name, [1, 1, 2, 16]));
	const [q, k, v] = [32, 16, 16].map((size) => b.node('MatMul', [x, b.weight([d, size])]));
	const lengths = b.constant({ type: 6, dims: [1], data: [4] });
	const total = b.constant({ type: 6, dims: [1], data: [5] });
	const tables = [Math.cos, Math.sin].map((f) =>
		b.floats(
			Array.from({ length: 64 }, (_, at) => f(at)),
			[8, 8],
		),
	);
	const attention = b.node(
		'GroupQueryAttention',
		[q!, k!, v!, ...past, lengths, total, ...tables],
		{ num_heads: heads, kv_num_heads: 1, do_rotary: 1 },
		'com.microsoft',
		3,
	);
	b.output(b.node('MatMul', [attention, b.weight([32, 4])]), [1, 3, 4]);
	for (const slot of [1, 2]) b.output(`${attention}_${slot}`);
	const model = b.build();
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

test('a model whose attentions turn nothing says so', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 4]);
	b.output(b.node('MatMul', [x, b.weight([4, 2])]), ['batch', 2]);
	const message = await buildOf(b.build(), 'prune positions with none').then(() => '', String);
	assert.match(message, /plan\/nothing-found/);
});

test.run();
