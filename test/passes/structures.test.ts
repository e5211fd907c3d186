/** Channels, filters, recurrent units and residual width, on graphs whose coupling is known. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import { INT64, INT8 } from '../../src/ir/graph/dtype.ts';
import * as assert from 'uvu/assert';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { compile } from '../../src/compile.ts';
import { type BuildDocument } from '../../src/document.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { floats } from '../../src/ir/graph/tensor.ts';
import { encoderLayer, modelBuilder, type Build } from '../harness/model.ts';

const test = suite('structures');
const folder = mkdtempSync(join(tmpdir(), 'prunec-structures-'));
test.after(() => {
	rmSync(folder, { recursive: true });
});

let count = 0;
async function build(model: Model, recipe: string): Promise<BuildDocument> {
	const path = join(folder, `${count++}.onnx`);
	saveModel(model, path);
	const document = await compile({ recipe, model: path, threads: 1, samples: 4 });
	assert.equal(
		document.diagnostics.filter(({ severity }) => severity === 'error'),
		[],
		recipe,
	);
	assert.ok(document.proof?.ok && !document.proof.weak, recipe);
	return document;
}

const conv = (b: Build, x: string, from: number, to: number, attributes = {}): string =>
	b.node('Conv', [x, b.weight([to, from, 3, 3]), b.weight([to])], { pads: [1, 1, 1, 1], ...attributes });
const norm = (b: Build, x: string, size: number): string =>
	b.node('BatchNormalization', [x, b.weight([size]), b.weight([size]), b.weight([size]), b.positive(size)]);
const head = (b: Build, x: string, width: number): Model => {
	const pooled = b.node('Flatten', [b.node('GlobalAveragePool', [x])]);
	b.output(b.node('Gemm', [pooled, b.weight([width, 5]), b.weight([5])]), ['batch', 5]);
	return b.build();
};

test('takes channels that a residual sum couples together, through batch norms', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 3, 8, 8]);
	const stem = b.node('Relu', [norm(b, conv(b, x, 3, 8), 8)]);
	const branch = conv(b, b.node('Relu', [norm(b, conv(b, stem, 8, 12), 12)]), 12, 8);
	const model = head(b, b.node('Relu', [b.node('Add', [stem, branch])]), 8);
	const { steps } = await build(model, 'prune channels 50% align 1');
	assert.equal(
		steps[0]!.removed.map(({ units }) => units.length),
		[4, 6],
	);
	const filters = await build(model, 'prune filters 50% align 1');
	assert.equal(
		filters.steps[0]!.removed.map(({ units }) => units.length),
		[6],
		'the coupled ones are no filters of their own',
	);
});

test('follows concatenation, depthwise and grouped convolutions, and squeeze-and-excite', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 3, 8, 8]);
	const left = conv(b, x, 3, 6);
	const right = conv(b, x, 3, 6);
	const wide = b.node('Concat', [left, right], { axis: 1 });
	const depth = b.node('Conv', [wide, b.weight([12, 1, 3, 3])], { group: 12, pads: [1, 1, 1, 1] });
	const squeeze = b.node('Sigmoid', [
		b.node('Conv', [
			b.node('Relu', [b.node('Conv', [b.node('GlobalAveragePool', [depth]), b.weight([4, 12, 1, 1])])]),
			b.weight([12, 4, 1, 1]),
		]),
	]);
	const excited = b.node('Mul', [depth, squeeze]);
	const grouped = b.node('Conv', [excited, b.weight([8, 6, 1, 1])], { group: 2 });
	const model = head(b, grouped, 8);
	const { steps, output, model: before } = await build(model, 'prune channels 50% align 1');
	assert.ok(steps[0]!.selected >= 7);
	assert.ok(output!.params! < 0.6 * before!.params);
});

test('takes the channels of a shuffle that stay together', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 3, 4, 4]);
	const wide = conv(b, x, 3, 8);
	const split = b.node('Reshape', [wide, b.ints([0, 2, 4, 4, 4])]);
	const shuffled = b.node('Reshape', [
		b.node('Transpose', [split], { perm: [0, 2, 1, 3, 4] }),
		b.ints([0, 8, 4, 4]),
	]);
	const model = head(b, b.node('Conv', [shuffled, b.weight([8, 4, 1, 1])], { group: 2 }), 8);
	const { steps } = await build(model, 'prune channels 50% align 1');
	assert.ok(steps[0]!.selected > 0);
});

test('takes any channels of a chain of halves that are shuffled, whatever the next block makes of them', async () => {
	const b = modelBuilder();
	let x = conv(b, b.input('x', ['batch', 3, 4, 4]), 3, 16);
	for (let block = 0; block < 3; block++) {
		const [left, right] = [
			[0, 8],
			[8, 16],
		].map(([from, to]) => b.node('Slice', [x, b.ints([from!]), b.ints([to!]), b.ints([1])])) as [
			string,
			string,
		];
		const whole = b.node('Concat', [left, conv(b, right, 8, 8)], { axis: 1 });
		const split = b.node('Reshape', [whole, b.ints([-1, 2, 8, 4, 4])]);
		const turned = b.node('Transpose', [split], { perm: [0, 2, 1, 3, 4] });
		x = b.node('Reshape', [turned, b.ints([-1, 16, 4, 4])]);
	}
	const { steps, output, model } = await build(head(b, x, 16), 'prune channels 50% align 1');
	assert.equal([steps[0]!.selected, steps[0]!.of], [20, 45], 'every filter goes by itself');
	assert.ok(output!.params! < 0.45 * model!.params);
});

test('takes features of rows that data choose, however many these are', async () => {
	const b = modelBuilder();
	const x = b.input('x', [12, 6]);
	const features = b.node('Relu', [b.node('MatMul', [x, b.weight([6, 16])])]);
	const isPositive = b.node('Greater', [
		b.node('ReduceSum', [x, b.ints([1])], { keepdims: 0 }),
		b.floats([0], []),
	]);
	const found = b.node('Squeeze', [b.node('NonZero', [isPositive]), b.ints([0])]);
	const chosen = b.node('Add', [
		b.node('Gather', [features, found], { axis: 0 }),
		b.node('Compress', [features, isPositive], { axis: 0 }),
	]);
	b.output(b.node('MatMul', [chosen, b.weight([16, 5])]), ['found', 5]);
	const { steps } = await build(b.build(), 'prune channels 50% align 1');
	assert.equal(steps[0]!.selected, 8);
});

test('takes channels through a mean that numbers lay out anew, as torch.export writes `as_strided`', async () => {
	const b = modelBuilder();
	const x = conv(b, b.input('x', ['batch', 3, 4, 4]), 3, 12);
	const mean = b.node('ReduceMean', [b.node('Relu', [x])], { axes: [0, 2, 3], keepdims: 1 });
	const flat = b.node('Reshape', [mean, b.ints([-1])]);
	const places = Array.from({ length: 12 }, (_, at) => at);
	const same = b.node('Gather', [flat, b.constant({ type: INT64, dims: [1, 12, 1, 1], data: places })]);
	const turned = places.map((at) => (at % 3) * 4 + Math.floor(at / 3));
	const strided = b.node('Gather', [flat, b.constant({ type: INT64, dims: [4, 3], data: turned })]);
	const first = b.node('MatMul', [b.node('Reshape', [same, b.ints([1, 12])]), b.weight([12, 5])]);
	const second = b.node('Einsum', [strided, b.weight([4, 3, 5])], { equation: 'ab,abc->c' });
	b.output(b.node('Add', [first, second]), [1, 5]);
	const { steps } = await build(b.build(), 'prune channels 50% align 1');
	assert.equal([steps[0]!.selected, steps[0]!.of], [2, 9], 'two of four rows, of three channels each');
});

test('keeps the statistic of a norm over the channels that stay', async () => {
	for (const post of [false, true]) {
		const b = modelBuilder();
		let x = b.node('MatMul', [b.input('x', ['batch', 'seq', 6]), b.weight([6, 16])]);
		for (let layer = 0; layer < 2; layer++) x = encoderLayer(b, x, { heads: 2, width: 8, hidden: 12, post });
		const centred = b.node('Sub', [x, b.node('ReduceMean', [x], { axes: [-1] })]);
		b.output(b.node('MatMul', [centred, b.weight([16, 5])]), ['batch', 'seq', 5]);
		const { steps } = await build(b.build(), 'prune hidden 25% align 4');
		assert.equal([steps[0]!.selected, steps[0]!.of], [4, 16]);
	}
});

test('removes hidden units of recurrent layers with their gates and states', async () => {
	for (const [op, gates] of [
		['LSTM', 4],
		['GRU', 3],
		['RNN', 1],
	] as const) {
		const b = modelBuilder();
		const x = b.input('x', [6, 'batch', 5]);
		const y = b.node(
			op,
			[x, b.weight([1, 8 * gates, 5]), b.weight([1, 8 * gates, 8]), b.weight([1, 16 * gates])],
			{
				hidden_size: 8,
			},
		);
		const flat = b.node('Squeeze', [y, b.ints([1])]);
		b.output(b.node('MatMul', [flat, b.weight([8, 3])]), [6, 'batch', 3]);
		const { steps } = await build(b.build(), 'prune units 50%');
		assert.equal(steps[0]!.selected, 4, op);
	}
});

test('removes hidden units of quantized layers in both directions, whose zero is another number in each', async () => {
	const b = modelBuilder();
	const matrix = (rows: number): string =>
		b.constant({
			...{ type: INT8, dims: [2, rows, 32] },
			data: Array.from({ length: 2 * rows * 32 }, (_, at) => ((at * 37) % 101) - 50),
		});
	const zeros = b.constant({ type: INT8, dims: [2], data: [3, -7] });
	const read = [b.input('x', [6, 'batch', 5]), matrix(5), matrix(8), b.weight([2, 64]), '', '', '', ''];
	const scales = b.floats([0.01, 0.02]);
	const y = b.node(
		'DynamicQuantizeLSTM',
		[...read, scales, zeros, scales, zeros],
		{ hidden_size: 8, direction: 'bidirectional' },
		'com.microsoft',
	);
	b.output(b.node('Einsum', [y, b.weight([2, 8, 3])], { equation: 'tdbh,dho->tbo' }), [6, 'batch', 3]);
	const { steps } = await build(b.build(), 'prune units 50%');
	assert.equal([steps[0]!.selected, steps[0]!.of], [4, 8]);
});

test('says which operator stands in the way', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 3, 4, 4]);
	const first = conv(b, x, 3, 8);
	const second = conv(b, b.node('Relu', [first]), 8, 6);
	b.output(b.node('Softmax', [second], { axis: 1 }), ['batch', 6, 4, 4]);
	const { diagnostics } = await build(b.build(), 'prune channels 50%');
	const [refused] = diagnostics.filter(({ code }) => code === 'plan/pinned-axis');
	assert.match(refused?.message ?? '', /Softmax 'Softmax_\d+' mixes every position/);
});

test('takes features of linear layers where there is neither attention nor convolution', async () => {
	const b = modelBuilder();
	const layer = (x: string, from: number, to: number): string =>
		b.node('Gemm', [x, b.weight([from, to]), b.weight([to])]);
	const hidden = b.node('Tanh', [layer(b.input('x', ['batch', 6]), 6, 12)]);
	b.output(layer(b.node('Relu', [layer(hidden, 12, 8)]), 8, 3), ['batch', 3]);
	const { steps } = await build(b.build(), 'prune features 50% align 1');
	assert.equal(
		steps[0]!.removed.map(({ units }) => units.length),
		[6, 4],
	);
});

test('shows a mistake where all weights are equal and made by the graph', async () => {
	const b = modelBuilder();
	const value = { kind: 'tensor', value: floats('', [1], [0.5]) } as const;
	const filled = (...dims: number[]): string => b.node('ConstantOfShape', [b.ints(dims)], { value });
	const x = b.node('Conv', [b.input('x', ['batch', 3, 5, 5]), filled(8, 3, 3, 3)]);
	const pooled = b.node('Flatten', [b.node('GlobalAveragePool', [b.node('Relu', [x])])]);
	const classes = b.node('Reshape', [filled(5, 8, 1, 1), b.ints([5, 8])]);
	const scores = b.node('Gemm', [pooled, classes, filled(5)], { transB: 1 });
	const likely = b.node('Softmax', [scores], { axis: 1 });
	b.output(likely, ['batch', 5]);
	const channels = await build(b.build(), 'prune channels 50% align 1');
	assert.equal([channels.proof?.weights, channels.proof?.weak], ['seeded', false]);
	const fewer = await build(b.build(), `prune vocab keep 60% align 1 may change "${likely}"`);
	assert.equal([fewer.steps[0]!.selected, fewer.proof?.weights, fewer.proof?.weak], [2, 'seeded', false]);
});

test('shows a mistake in front of a softmax that draws of usual size saturate', async () => {
	const b = modelBuilder();
	let x = b.input('x', ['batch', 3, 5, 5]);
	for (const [from, to] of [[3, 64], ...Array.from({ length: 18 }, () => [64, 64])] as const) {
		const weight = b.floats(new Array<number>(to * from).fill(1e-6), [to, from, 1, 1]);
		x = b.node('Relu', [b.node('Conv', [x, weight])]);
	}
	const pooled = b.node('Flatten', [b.node('GlobalAveragePool', [x])]);
	b.output(b.node('Softmax', [b.node('MatMul', [pooled, b.weight([64, 5])])], { axis: 1 }), ['batch', 5]);
	const { proof } = await build(b.build(), 'prune channels 50% align 1');
	assert.equal([proof?.weights, proof?.weak], ['seeded', false]);
});

test('takes a table of places for no width', async () => {
	const b = modelBuilder();
	const start = b.node('MatMul', [b.input('x', ['batch', 7, 6]), b.weight([6, 8])]);
	const x = encoderLayer(b, b.node('Add', [start, b.weight([7, 8])]), { heads: 2, width: 4, hidden: 16 });
	b.output(b.node('MatMul', [x, b.weight([8, 3])]), ['batch', 7, 3]);
	const { steps, diagnostics } = await build(b.build(), 'prune hidden 50% align 1');
	assert.equal([steps[0]!.selected, steps[0]!.of, diagnostics], [4, 8, []]);
});

test('leaves no norm with one feature, of which nothing can be told', async () => {
	const b = modelBuilder();
	let x = b.node('MatMul', [b.input('x', ['batch', 'seq', 6]), b.weight([6, 2])]);
	x = encoderLayer(b, x, { heads: 1, width: 2, hidden: 4 });
	b.output(b.node('MatMul', [x, b.weight([2, 3])]), ['batch', 'seq', 3]);
	const path = join(folder, 'two.onnx');
	saveModel(b.build(), path);
	const { steps, diagnostics } = await compile({
		recipe: 'prune hidden 50% align 1',
		model: path,
		threads: 1,
		samples: 2,
	});
	assert.is(steps[0]!.selected, 0);
	assert.match(diagnostics[0]!.message, /a norm over the one that is left/);
});

test.run();
