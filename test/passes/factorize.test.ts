import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Matrix, SingularValueDecomposition } from 'ml-matrix';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadModel } from '../../src/backends/onnx/load.ts';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { openSession, type Feeds } from '../../src/backends/ort/session.ts';
import { applyPlan, compile } from '../../src/compile.ts';
import { holdOut } from '../../src/data/draw.ts';
import { type BuildDocument } from '../../src/document.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { numbersOf } from '../../src/ir/graph/tensor.ts';
import { classifier, classifierFeeds, classifierRows, withModel } from '../fixtures/text/text.ts';
import { modelBuilder, type Build } from '../harness/model.ts';

const test = suite('factorize');
const folder = mkdtempSync(join(tmpdir(), 'prunec-test-'));
test.after(() => {
	rmSync(folder, { recursive: true });
});

async function build(recipe: string, model: string, out: string, data?: string): Promise<BuildDocument> {
	const options = { recipe, model, out, force: true, threads: 1, samples: 2 };
	const document = await compile({ ...options, ...(data !== undefined && { data }) });
	assert.equal(document.diagnostics, [], recipe);
	assert.ok(document.proof?.ok && !document.proof.weak, recipe);
	return document;
}

/** The beginnings of passages, shorter than any: no padding. Some are held out for drift, every fifth of the rest from the fit. */
const all = Array.from({ length: 30 }, (_, row) => classifierFeeds(classifierRows(), row, row + 1, 70));
const fitted = holdOut(all).used.filter((_, at) => at % 5 !== 4);
const passages = join(folder, 'passages.jsonl');
writeFileSync(
	passages,
	all
		.map((feed) => {
			const nested = [...feed].map(([name, { data }]) => [name, [Array.from(data)]]);
			return `${JSON.stringify(Object.fromEntries(nested))}\n`;
		})
		.join(''),
);

/** A weight of a model as a matrix of ml-matrix, by the node that multiplies with it. */
function weightOf({ graph }: Model, node: string): Matrix {
	const name = graph.nodes.find((one) => one.name === node)!.inputs[1]!;
	const { dims, ...tensor } = graph.initializers.get(name)!;
	return Matrix.from1DArray(dims[0]!, dims[1]!, Array.from(numbersOf({ dims, ...tensor })));
}

/** What a node reads over these feeds, a row a position, and the mean of the rows. */
async function rowsRead(
	model: Model,
	node: string,
	of: readonly Feeds[],
): Promise<{ x: Matrix; mean: Matrix }> {
	const name = model.graph.nodes.find((one) => one.name === node)!.inputs[0]!;
	const session = await openSession(model, { which: 'given', threads: 1, extra: [name] });
	const rows: number[][] = [];
	for (const feed of of) {
		const { data, dims } = (await session.run(feed, [name])).get(name)!;
		const width = dims.at(-1)!;
		for (let at = 0; at < data.length; at += width)
			rows.push(Array.from({ length: width }, (_, col) => data[at + col]!));
	}
	await session.release();
	const x = new Matrix(rows);
	return { x, mean: Matrix.rowVector(x.mean('column')) };
}

const nodes = ['/layers.0/up/MatMul', '/layers.4/down/MatMul'];

test('without data, what the factors lose is what the singular values say', async () => {
	const out = join(folder, 'plain.onnx');
	const { steps } = await build('factorize ffn rank 24', classifier.model, out);
	const [before, after] = [loadModel(classifier.model), loadModel(out)];
	assert.is(steps[0]!.certificates!.length, 12);
	for (const node of nodes) {
		const { says, expected, measured, tolerance } = steps[0]!.certificates!.find(({ of }) => of === node)!;
		assert.is(says, 'singular values');
		const w = weightOf(before.model, node);
		const squares = new SingularValueDecomposition(w, { autoTranspose: true }).diagonal.map((s) => s * s);
		const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
		assert.ok(Math.abs(expected - Math.sqrt(sum(squares.slice(24)) / sum(squares))) < 1e-7);
		const kept = weightOf(after.model, `${node}_left`).mmul(weightOf(after.model, node));
		assert.ok(Math.abs(measured - Matrix.sub(w, kept).norm() / w.norm()) < 1e-9);
		assert.ok(Math.abs(measured - expected) <= tolerance && tolerance < 2e-6);
	}
	before.file.close();
	after.file.close();
});

test('with data, what the outputs lose of their variance is what their spectrum says, and their mean stays', async () => {
	const out = join(folder, 'data.onnx');
	const { steps } = await build('factorize ffn rank 24', classifier.model, out, passages);
	const [before, after] = [loadModel(classifier.model), loadModel(out)];
	for (const node of nodes) {
		const { says, expected, measured, tolerance } = steps[0]!.certificates!.find(({ of }) => of === node)!;
		assert.is(says, 'output variance');
		assert.ok(Math.abs(measured - expected) <= tolerance && tolerance < 2e-6);
		const { x, mean } = await rowsRead(before.model, node, fitted);
		const w = weightOf(before.model, node);
		const kept = weightOf(after.model, `${node}_left`).mmul(weightOf(after.model, node));
		const centred = x.clone().subRowVector(mean.getRow(0));
		const lost = centred.mmul(Matrix.sub(w, kept)).norm() / centred.mmul(w).norm();
		assert.ok(Math.abs(measured - lost) < 1e-6, `${node}: ${measured}, ${lost}`);
		const bias = (model: Model): Matrix => {
			const add = model.graph.nodes.find(({ name }) => name === node.replace('MatMul', 'Add'))!;
			const tensor = add.inputs.flatMap((name) => model.graph.initializers.get(name) ?? [])[0]!;
			return Matrix.rowVector(Array.from(numbersOf(tensor)));
		};
		const outputs = Matrix.add(mean.mmul(w), bias(before.model));
		const left = Matrix.add(mean.mmul(kept), bias(after.model));
		// Sums of some hundred float32 numbers about 1.
		assert.ok(Matrix.sub(outputs, left).abs().max() < 1e-5);
	}
	before.file.close();
	after.file.close();
});

test('at equal rank, outputs on data drift a quarter less than with singular values', async () => {
	const rows = classifierRows();
	const logits = (path: string): Promise<Matrix> =>
		withModel(path, async (run) => {
			const { data } = await run(classifierFeeds(rows, 1000, 1200));
			return Matrix.from1DArray(200, 8, Array.from(data));
		});
	const original = await logits(classifier.model);
	for (const recipe of ['factorize ffn rank 16', 'factorize attention rank 16']) {
		const [plain, data] = [join(folder, 'plain.onnx'), join(folder, 'data.onnx')];
		await build(recipe, classifier.model, plain);
		await build(recipe, classifier.model, data, classifier.calibration);
		const drift = async (path: string): Promise<number> =>
			Matrix.sub(await logits(path), original).norm() / original.norm();
		const [without, withData] = [await drift(plain), await drift(data)];
		assert.ok(withData < 0.75 * without, `${recipe}: ${withData}, ${without}`);
	}
});

test('ratio is a bound on what is stored, and auto leaves alone what would not be faster', async () => {
	const out = join(folder, 'ratio.onnx');
	const { steps, output, model } = await build('factorize ffn ratio 40%', classifier.model, out);
	// 12 matrices of 64 × 192: rank 19 by the ratio, 16 by alignment.
	assert.is(steps[0]!.selected, 12);
	assert.is(model!.params - output!.params!, 12 * (64 * 192 - 16 * (64 + 192)));
	const { diagnostics } = await compile({
		recipe: 'factorize ffn auto',
		model: classifier.model,
		verify: false,
	});
	assert.is(diagnostics.filter(({ code }) => code === 'plan/rank-saves-nothing').length, 12);
});

test('a plan whose numbers do not hold is not carried out', async () => {
	const plan = join(folder, 'plan.json');
	await compile({ recipe: 'factorize ffn rank 24', model: classifier.model, planPath: plan, verify: false });
	const { sha256: _, ...document } = JSON.parse(readFileSync(plan, 'utf8')) as {
		sha256: string;
		steps: { certificates: { measured: number; of: string }[] }[];
	};
	document.steps[0]!.certificates[3]!.measured += 1e-4;
	const sha256 = createHash('sha256').update(JSON.stringify(document)).digest('hex');
	writeFileSync(plan, JSON.stringify({ ...document, sha256 }));
	const { ok, diagnostics } = await applyPlan(plan, { model: classifier.model, verify: false });
	assert.is(ok, false);
	assert.equal(
		diagnostics.map(({ code }) => code),
		['verify/certificate-failed'],
	);
});

/** A feed-forward block of 24 over 48; `up` and `down` write the products. */
function block(up: (b: Build, x: string) => string, down: (b: Build, x: string) => string): Model {
	const b = modelBuilder();
	const x = b.input('x', ['rows', 24]);
	b.output(b.node('Add', [x, down(b, b.node('Relu', [up(b, x)]))]), ['rows', 24]);
	return b.build();
}
const product = (b: Build, x: string, from: number, to: number): string =>
	b.node('MatMul', [x, b.weight([from, to])]);
const scale = (value: number): { kind: 'float'; value: number } => ({ kind: 'float', value });

const places: Readonly<Record<string, { model: () => Model; adds: number }>> = {
	'no bias: an Add behind each product': {
		model: () =>
			block(
				(b, x) => product(b, x, 24, 48),
				(b, x) => product(b, x, 48, 24),
			),
		adds: 3,
	},
	'a bias added next': {
		model: () =>
			block(
				(b, x) => b.node('Add', [b.weight([48]), product(b, x, 24, 48)]),
				(b, x) => b.node('Add', [product(b, x, 48, 24), b.weight([24])]),
			),
		adds: 3,
	},
	'the bias of a Gemm, scaled and turned': {
		model: () =>
			block(
				(b, x) =>
					b.node('Gemm', [x, b.weight([48, 24]), b.weight([48])], {
						transB: 1,
						alpha: scale(0.5),
						beta: scale(2),
					}),
				(b, x) => b.node('Gemm', [x, b.weight([48, 24])], { alpha: scale(3) }),
			),
		adds: 1,
	},
};
for (const [name, { model, adds }] of Object.entries(places)) {
	test(`the mean that is lost comes back through ${name}`, async () => {
		const [path, out, data] = ['place.onnx', 'place-out.onnx', 'place.jsonl'].map((file) =>
			join(folder, file),
		);
		saveModel(model(), path!, { force: true });
		const rows = (from: number): number[][] =>
			Array.from({ length: 40 }, (_, row) =>
				Array.from({ length: 24 }, (_, col) => 1 + Math.sin(1 + from + 7 * row + col * col)),
			);
		writeFileSync(data!, [0, 1, 2].map((from) => `${JSON.stringify({ x: rows(from) })}\n`).join(''));
		const { steps } = await build('factorize ffn rank 8', path!, out!, data);
		assert.is(steps[0]!.selected, 2);
		const { model: after, file } = loadModel(out!);
		assert.is(after.graph.nodes.filter(({ op }) => op === 'Add').length, adds);
		file.close();
	});
}

test('layers that share a matrix share its factors', async () => {
	const b = modelBuilder();
	const [up, down] = [b.weight([24, 48]), b.weight([48, 24])];
	let x = b.input('x', ['batch', 5, 24]);
	for (let layer = 0; layer < 2; layer++) {
		const inner = b.node('Relu', [b.node('MatMul', [b.node('LpNormalization', [x]), up])]);
		x = b.node('Add', [x, b.node('MatMul', [inner, down])]);
	}
	b.output(x, ['batch', 5, 24]);
	const [path, out] = [join(folder, 'shared.onnx'), join(folder, 'shared-out.onnx')];
	saveModel(b.build(), path);
	const { steps } = await build('factorize ffn rank 4', path, out);
	assert.equal([steps[0]!.selected, steps[0]!.params], [4, [2 * 24 * 48, 2 * 4 * (24 + 48)]]);
});

test.run();
