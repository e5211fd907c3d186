/** Attentions that become one linear map of what they read. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadModel } from '../../src/backends/onnx/load.ts';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { applyPlan, compile } from '../../src/compile.ts';
import { type BuildDocument } from '../../src/document.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { classifier, proven } from '../fixtures/text/text.ts';
import { npy } from '../harness/data.ts';
import { operators, reasons } from '../harness/exact.ts';
import { testFolder } from '../harness/folder.ts';
import { encoder, modelBuilder, type Build } from '../harness/model.ts';

const test = suite('prune softmax with linear');
const folder = testFolder();
test.after(folder.remove);

const [d, heads] = [8, 2];
const sizes = { heads, width: d / heads, hidden: 16 };

/** Rows of `x` [examples, length, d] that repeat nothing. */
function rows(examples: number, length: number): string {
	const values = Array.from(
		{ length: examples * length * d },
		(_, at) => Math.sin(at * 1.7) + Math.cos(at * at),
	);
	return folder.file(`x-${length}.npy`, npy([examples, length, d], values, 'f4'));
}

type Result = { readonly document: BuildDocument; readonly model: Model };

async function build(name: string, model: Model, recipe: string, data?: string): Promise<Result> {
	const [path, out] = [folder.at(`${name}.onnx`), folder.at(`${name}-out.onnx`)];
	saveModel(model, path, { force: true });
	const document = await compile({
		...{ recipe, model: path, out, threads: 1, samples: 2, planPath: folder.at(`${name}.json`), force: true },
		...(data !== undefined && { data }),
	});
	if (!document.ok) return { document, model };
	const { model: made, file } = loadModel(out);
	file.close();
	return { document, model: made };
}

function isProven({ proof }: BuildDocument): void {
	assert.equal([proof?.ok, proof?.weak], [true, false]);
}

for (const post of [false, true])
	test(`the output projection of ${post ? 'norms after' : 'norms before'} becomes the map, and a plan makes the same bytes`, async () => {
		const name = `encoder-${post ? 'post' : 'pre'}`;
		const before = encoder(2, { ...sizes, post });
		const { document, model } = await build(
			name,
			before,
			'prune softmax in layers [1] with linear',
			rows(40, 5),
		);
		isProven(document);
		assert.equal(document.diagnostics, []);
		const [step] = document.steps;
		// Three matrices of 8 × 8 and their biases: queries, keys, values. The projection is another matrix of its size.
		assert.is(step!.params[0] - step!.params[1], 3 * 72);
		assert.equal(
			[operators(model)['Softmax'], operators(model)['MatMul']],
			[1, operators(before)['MatMul']! - 5],
		);
		assert.ok(step!.macs[1] < step!.macs[0]);
		const [{ choice, heldOut } = present()] = step!.compensated ?? [];
		assert.is(choice, 'affine');
		assert.ok(heldOut.affine < heldOut.bias, JSON.stringify(heldOut));
		const again = await applyPlan(folder.at(`${name}.json`), {
			...{ model: folder.at(`${name}.onnx`), out: folder.at(`${name}-again.onnx`), verify: false },
		});
		assert.is(again.output!.sha256, document.output!.sha256);
	});

function present(): never {
	throw new Error('nothing was fitted');
}

test('over one position an attention is a linear map, and nothing is lost', async () => {
	const { document } = await build('alone', encoder(2, sizes), 'prune softmax with linear', rows(60, 1));
	isProven(document);
	const [step] = document.steps;
	assert.equal([step!.selected, step!.compensated!.map(({ choice }) => choice)], [2, ['affine', 'affine']]);
	// The smallest damping is 1e-5 of each variance, and leaves the square of about as much.
	for (const { heldOut } of step!.compensated!) assert.ok(heldOut.affine < 1e-6, String(heldOut.affine));
	assert.ok(document.drift!.cosine > 0.9999, String(document.drift!.cosine));
});

/** One attention over `x`, whose keys and values come out of `memory`, with what else it needs. */
function attention({
	memory,
	cache = false,
	packed = false,
}: {
	memory?: string;
	cache?: boolean;
	packed?: boolean;
}): Model {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 'seq', d]);
	const other = memory === undefined ? x : b.input(memory, ['batch', 'others', d]);
	const [read, from] = [normed(b, x), memory === undefined ? undefined : other];
	const linear = (value: string): string =>
		b.node('Add', [b.node('MatMul', [value, b.weight([d, d])]), b.weight([d])]);
	const split = (value: string, perm: readonly number[]): string =>
		b.node('Transpose', [b.node('Reshape', [value, b.ints([0, -1, heads, d / heads])])], { perm });
	const key = split(linear(from ?? read), [0, 2, 3, 1]);
	if (cache) b.output(key, ['batch', heads, d / heads, 'seq']);
	const scores = b.node('MatMul', [split(linear(read), [0, 2, 1, 3]), key]);
	const context = b.node('MatMul', [
		b.node('Softmax', [scores], { axis: 3 }),
		split(linear(from ?? read), [0, 2, 1, 3]),
	]);
	const turned = b.node('Transpose', [context], { perm: [0, 2, 1, 3] });
	// As exports of `nn.MultiheadAttention` have it: rows of all examples in one matrix.
	const merged = b.node('Reshape', [turned, b.ints(packed ? [-1, d] : [0, -1, d])]);
	const projected = packed
		? b.node('Reshape', [b.node('Gemm', [merged, b.weight([d, d]), b.weight([d])]), b.node('Shape', [x])])
		: linear(merged);
	const sum = b.node('Add', [x, projected]);
	const f = normed(b, sum);
	const hidden = b.node('Relu', [b.node('MatMul', [f, b.weight([d, 16])])]);
	b.output(b.node('Add', [sum, b.node('MatMul', [hidden, b.weight([16, d])])]), ['batch', 'seq', d]);
	return b.build();
}

const normed = (b: Build, value: string): string =>
	b.node('LayerNormalization', [value, b.weight([d]), b.weight([d])]);

test('where the projection lies in another layout the map stands before the residual sum', async () => {
	const before = attention({ packed: true });
	const { document, model } = await build('packed', before, 'prune softmax with linear', rows(40, 5));
	isProven(document);
	assert.equal(
		[document.diagnostics, operators(model)['Softmax'], operators(model)['Gemm']],
		[[], undefined, undefined],
	);
	assert.is(document.steps[0]!.params[0] - document.steps[0]!.params[1], 3 * 72);
});

for (const [what, options, why] of [
	['between two sequences', { memory: 'encoder_hidden_states' }, /it attends to another sequence/],
	[
		'whose keys come out as a cache',
		{ cache: true },
		/the model puts out 'Transpose_\d+', which is made in it/,
	],
] as const)
	test(`an attention ${what} stays, with the reason`, async () => {
		const model = attention(options);
		const inputs = {
			x: [[[...Array(d).keys()], [...Array(d).keys()]]],
			encoder_hidden_states: [[[...Array(d).keys()]]],
		};
		const data = folder.file('two.jsonl', `${JSON.stringify(inputs)}\n`.repeat(10));
		const { document } = await build('stays', model, 'prune softmax with linear', data);
		assert.equal([document.steps[0]!.selected, document.steps[0]!.unchanged], [0, true]);
		assert.match(reasons(document).join(), why);
	});

test('a map needs data, and stays away where a constant does as well', async () => {
	const { document } = await build('none', encoder(1, sizes), 'prune softmax with linear');
	assert.equal(
		document.diagnostics.map(({ code }) => code),
		['plan/needs-data'],
	);
	const same = folder.file('same.npy', npy([20, 3, d], new Array<number>(20 * 3 * d).fill(0.5), 'f4'));
	const still = await build('still', encoder(1, sizes), 'prune softmax with linear', same);
	assert.match(reasons(still.document).join(), /on held-out rows no linear map does better than a constant/);
});

test('attentions change one after another as long as the outputs stay near, in every way', async () => {
	const model = encoder(3, sizes);
	for (const way of ['with linear', 'with mean', '']) {
		const all = await build('far', model, `prune softmax ${way} while kl <= 100`, rows(40, 5));
		assert.equal([all.document.steps[0]!.selected, all.document.steps[0]!.of], [3, 3], way);
		isProven(all.document);
		const [goal] = all.document.steps[0]!.reached!;
		assert.is(goal!.measured, all.document.drift!.kl);
	}
	const near = await build('near', model, 'prune softmax with linear while kl <= 1e-9', rows(40, 5));
	assert.equal(
		near.document.diagnostics.map(({ code }) => code),
		['plan/floor-too-high'],
	);
	const topk = await build('topk', model, 'prune softmax with topk while kl <= 1', rows(40, 5));
	assert.match(reasons(topk.document).join(), /a goal beside `with topk`/);
});

test('in a trained model a map of what is read says half of what an attention did', async () => {
	const document = await proven('prune softmax in layers [2] with linear', {
		...{ model: classifier.model, out: folder.at('trained.onnx'), data: classifier.calibration },
	});
	const [step] = document.steps;
	assert.equal([step!.selected, step!.of], [1, 1]);
	// 55 % of the variance was missed when this was written, 102 % by a constant.
	const [{ heldOut } = present()] = step!.compensated ?? [];
	assert.ok(heldOut.affine < 0.65 && heldOut.bias > 0.95, JSON.stringify(heldOut));
	assert.ok(document.drift!.cosine > 0.98, String(document.drift!.cosine));
});

test.run();
