/** Biases that go although something sees them, and what takes up their mean. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compile.ts';
import { type BuildDocument } from '../../src/document.ts';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { classifier } from '../fixtures/text/text.ts';
import { npy } from '../harness/data.ts';
import { buildOf, operators, reasons } from '../harness/exact.ts';
import { testFolder } from '../harness/folder.ts';
import { modelBuilder, type Build } from '../harness/model.ts';

const test = suite('prune bias with an amount');
const folder = testFolder();
test.after(() => {
	folder.remove();
});

/** A bias of `size` numbers, each the same. */
const same = (b: Build, size: number, value: number): string => b.floats(new Array<number>(size).fill(value));

/** A convolution, a matrix whose result may be seen too, and a product at the end: biases of 0.1, 0.01 and 1. */
function network(isSeen = false): ReturnType<Build['build']> {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 2, 4, 4]);
	const filtered = b.node('Relu', [b.node('Conv', [x, b.weight([3, 2, 3, 3]), same(b, 3, 0.1)])]);
	const flat = b.node('Flatten', [filtered]);
	const hidden = b.node('Add', [b.node('MatMul', [flat, b.weight([12, 6])]), same(b, 6, 0.01)]);
	const last = b.node('Gemm', [b.node('Relu', [hidden]), b.weight([5, 6]), same(b, 5, 1)], { transB: 1 });
	if (isSeen) b.output(hidden, ['batch', 6]);
	b.output(last, ['batch', 5]);
	return b.build();
}

async function build(model: string, recipe: string, data: string): Promise<BuildDocument> {
	const out = folder.at('out.onnx');
	const document = await compile({ recipe, model, data, out, force: true, threads: 1, samples: 2 });
	assert.equal(
		document.diagnostics.filter(({ severity }) => severity === 'error'),
		[],
	);
	assert.ok(document.proof!.ok && !document.proof!.weak, recipe);
	return document;
}

const rows = folder.file(
	'x.npy',
	npy(
		[20, 2, 4, 4],
		Array.from({ length: 640 }, (_, at) => Math.sin(at * 1.7) + 0.3),
		'f4',
	),
);

test('those go that say least beside their weights, in whatever operator', async () => {
	const { document, model, same: again } = await buildOf(network(true), 'prune bias 2', { again: true });
	assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [2, 3]);
	assert.ok(document.proof!.ok && !document.proof!.weak && again === true);
	assert.is(document.steps[0]!.params[0] - document.steps[0]!.params[1], 9);
	assert.equal([operators(model)['Add'], document.steps[0]!.unit], [undefined, 'biases']);
	const outputs = ({ graph }: typeof model): string[] => graph.outputs.map(({ name }) => name);
	assert.equal(outputs(model), outputs(network(true)), 'an output keeps its name');
});

test('with data the next bias takes up the mean, and outputs are nearer for it', async () => {
	const path = folder.at('in.onnx');
	saveModel(network(), path);
	const made = await build(path, 'prune bias 1 in "Conv_*"', rows);
	assert.match(made.steps[0]!.unit, /taken up by 1 others/);
	const alone = await build(path, 'prune bias 1 in "Conv_*" without compensation', rows);
	const [near, far] = [made.drift!.relativeL2, alone.drift!.relativeL2];
	assert.ok(near < far, `${near} beside ${far}`);
});

/** A convolution of sequences written in two dimensions, and a matrix whose result is turned and parted before its bias. */
function moved(): ReturnType<Build['build']> {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 2, 9]);
	const wide = b.node('Conv', [b.node('Unsqueeze', [x, b.ints([2])]), b.weight([3, 2, 1, 3])]);
	const narrow = b.node('Squeeze', [wide, b.ints([2])]);
	const filtered = b.node('Add', [narrow, b.floats([0.1, 0.2, 0.3], [3, 1])]);
	const rows = b.node('Reshape', [b.node('Relu', [filtered]), b.ints([-1, 7])]);
	const turned = b.node('Transpose', [b.node('MatMul', [rows, b.weight([7, 4])])], { perm: [1, 0] });
	b.output(b.node('Add', [turned, b.floats([1, 2, 3, 4], [4, 1])]), [4, 'rows']);
	return b.build();
}

test('a bias may stand behind operators that only move what it is added to', async () => {
	const { document, model, same: again } = await buildOf(moved(), 'prune bias 1', { again: true });
	assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [1, 2]);
	assert.ok(document.proof!.ok && !document.proof!.weak && again === true);
	assert.equal(
		[operators(model)['Add'], document.steps[0]!.params[1]],
		[1, document.steps[0]!.params[0] - 3],
	);
	const path = folder.at('moved.onnx');
	saveModel(moved(), path);
	const numbers = Array.from({ length: 360 }, (_, at) => Math.sin(at * 1.7) + 0.3);
	const data = folder.file('moved.npy', npy([20, 2, 9], numbers, 'f4'));
	const taken = await build(path, 'prune bias 1', data);
	assert.match(taken.steps[0]!.unit, /taken up by 1 others/);
	const alone = await build(path, 'prune bias 1 without compensation', data);
	assert.ok(taken.drift!.relativeL2 < alone.drift!.relativeL2);
});

test('a third of the biases of the trained classifier', async () => {
	const document = await build(
		classifier.model,
		'calibrate with "x" take 4; prune bias 30%',
		classifier.calibration,
	);
	const [step] = document.steps;
	assert.is(step!.selected, Math.round(0.3 * step!.of));
	assert.ok(document.drift!.cosine > 0.99, String(document.drift!.cosine));
});

test('a model without biases says so', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 4]);
	b.output(b.node('MatMul', [x, b.weight([4, 2])]), ['batch', 2]);
	const message = await buildOf(b.build(), 'prune bias 50%').then(() => '', String);
	assert.match(message, /plan\/nothing-found/);
});

test('biases that are zero are not weighed: the bare statement takes them out', async () => {
	const b = modelBuilder();
	const products = [0, 0].reduce(
		(x, value) => b.node('Gemm', [x, b.weight([4, 4]), same(b, 4, value)], { transB: 1 }),
		b.input('x', ['batch', 4]),
	);
	b.output(products, ['batch', 4]);
	const { document } = await buildOf(b.build(), 'prune bias 30%');
	assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [0, 0]);
	assert.match(
		reasons(document).join(),
		/2 biases stay: they are zeros, which a bare `prune bias` takes out/,
	);
});

test.run();
