/** Refitted readers in whole builds: proven, better than without, carried by plans, in every form a reader's bias takes. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { applyPlan, compile } from '../../src/compile.ts';
import { stream } from '../../src/data/generate.ts';
import { type BuildDocument } from '../../src/document.ts';
import { buildReport } from '../../src/report/build.ts';
import { classifier } from '../fixtures/text/text.ts';
import { testFolder } from '../harness/folder.ts';
import { encoder, modelBuilder, type Build } from '../harness/model.ts';

const test = suite('compensation');
const folder = testFolder();
test.after(() => {
	folder.remove();
});

/** Inputs whose features, along the axis given, are mixtures of a few signals: what a network sees, unlike noise. */
function dataFor(width: number, dims: readonly number[] = [12, 8, width], axis = 2): string {
	const next = stream(5);
	const signals = 4;
	const mixing = Float32Array.from({ length: signals * width }, () => next() - 0.5);
	const count = dims.reduce((product, dim) => product * dim, 1);
	const inner = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
	const values = new Float32Array(count);
	for (let row = 0; row < count / width; row++) {
		const signal = Array.from({ length: signals }, () => 2 * next() - 0.7);
		const start = Math.floor(row / inner) * width * inner + (row % inner);
		for (let col = 0; col < width; col++)
			values[start + col * inner] = signal.reduce((sum, one, at) => sum + one * mixing[at * width + col]!, 0);
	}
	const head = `{'descr': '<f4', 'fortran_order': False, 'shape': (${dims.join(', ')}), }`;
	const padded = head.padEnd(118 - 1) + '\n';
	const start = Uint8Array.of(0x93, ...new TextEncoder().encode('NUMPY'), 1, 0, padded.length, 0);
	const content = Buffer.concat([start, new TextEncoder().encode(padded), new Uint8Array(values.buffer)]);
	return folder.file(`x${dims.join('-')}.npy`, content);
}

const run = (recipe: string, model: string, data?: string): Promise<BuildDocument> =>
	compile({ recipe, model, threads: 1, samples: 4, ...(data !== undefined && { data }) });

function isProven({ diagnostics, proof }: BuildDocument, what: string): void {
	assert.equal(
		diagnostics.filter(({ severity }) => severity === 'error'),
		[],
		what,
	);
	assert.ok(proof?.ok && !proof.weak, what);
}

/** A feed-forward block whose second product is made as told. */
function feedForward(down: (b: Build, hidden: string) => string): string {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 'seq', 16]);
	const flat = b.node('Reshape', [x, b.ints([-1, 16])]);
	const hidden = b.node('Relu', [
		b.node('Add', [b.node('MatMul', [flat, b.weight([16, 64])]), b.weight([64])]),
	]);
	b.output(b.node('Add', [flat, down(b, hidden)]), ['rows', 16]);
	const path = folder.at(`ffn-${String(down).length}.onnx`);
	saveModel(b.build(), path);
	return path;
}

const readers: Readonly<Record<string, (b: Build, hidden: string) => string>> = {
	'a product and an addition': (b, hidden) =>
		b.node('Add', [b.node('MatMul', [hidden, b.weight([64, 16])]), b.weight([16])]),
	'a product without bias': (b, hidden) => b.node('MatMul', [hidden, b.weight([64, 16])]),
	'a Gemm with scales': (b, hidden) =>
		b.node('Gemm', [hidden, b.weight([16, 64]), b.weight([16])], {
			transB: 1,
			alpha: { kind: 'float', value: 0.5 },
			beta: { kind: 'float', value: 2 },
		}),
	'a Gemm without bias': (b, hidden) => b.node('Gemm', [hidden, b.weight([64, 16])], { transB: 0 }),
};

for (const [name, down] of Object.entries(readers)) {
	test(`refits ${name}`, async () => {
		const [model, data] = [feedForward(down), dataFor(16)];
		const [refitted, plain] = [
			await run('prune ffn 50%', model, data),
			await run('prune ffn 50% without compensation', model, data),
		];
		isProven(refitted, name);
		isProven(plain, name);
		const reader = refitted.steps[0]!.compensated![0]!;
		assert.is(reader.choice, 'affine');
		assert.ok(reader.residual < 1e-9);
		assert.ok(reader.heldOut.affine < 0.5 * reader.heldOut.none);
		assert.is(plain.steps[0]!.compensated, undefined);
		assert.ok(refitted.drift!.relativeL2 < 0.7 * plain.drift!.relativeL2);
	});
}

for (const [op, gates, direction] of [
	['LSTM', 4, 'bidirectional'],
	['GRU', 3, 'forward'],
] as const) {
	test(`refits what the gates of a ${op} read`, async () => {
		const b = modelBuilder();
		const directions = direction === 'forward' ? 1 : 2;
		const x = b.input('x', ['batch', 'seq', 16]);
		const wide = b.node('Add', [b.node('MatMul', [x, b.weight([16, 64])]), b.weight([64])]);
		const turned = b.node('Transpose', [b.node('Relu', [wide])], { perm: [1, 0, 2] });
		const matrices = [64, 8].map((inputs) => b.weight([directions, 8 * gates, inputs]));
		const biases = b.weight([directions, 16 * gates]);
		const linear = op === 'GRU' ? { linear_before_reset: 1 } : {};
		b.output(b.node(op, [turned, ...matrices, biases], { hidden_size: 8, direction, ...linear }));
		const model = folder.at(`${op}.onnx`);
		saveModel(b.build(), model);
		const data = dataFor(16);
		const refitted = await run('prune channels 50%', model, data);
		const plain = await run('prune channels 50% without compensation', model, data);
		isProven(refitted, op);
		const [reader] = refitted.steps[0]!.compensated!;
		assert.is(reader!.choice, 'affine');
		assert.ok(reader!.heldOut.affine < 0.5 * reader!.heldOut.none, JSON.stringify(reader!.heldOut));
		assert.ok(refitted.drift!.relativeL2 < 0.7 * plain.drift!.relativeL2);
		isProven(await run('prune channels 50%; prune units 50%', model, data), `${op}, units too`);
	});
}

/** Three convolutions, the one in the middle cut on both sides; 3 × 3 and 1 × 1, with a bias and without. */
function convolutions(kernel: number, bias: boolean): string {
	const b = modelBuilder();
	const conv = (x: string, from: number, to: number): string => {
		const pads = new Array<number>(4).fill((kernel - 1) / 2);
		const vectors = bias ? [b.weight([to])] : [];
		return b.node('Conv', [x, b.weight([to, from, kernel, kernel]), ...vectors], { pads });
	};
	const x = b.input('x', ['batch', 6, 8, 8]);
	const first = b.node('Relu', [conv(x, 6, 32)]);
	const second = b.node('Relu', [conv(first, 32, 32)]);
	b.output(conv(second, 32, 4), ['batch', 4, 8, 8]);
	const path = folder.at(`conv-${kernel}-${String(bias)}.onnx`);
	saveModel(b.build(), path);
	return path;
}

test('refits convolutions, also where their own filters go in the same step', async () => {
	const data = dataFor(6, [12, 6, 8, 8], 1);
	for (const [kernel, bias] of [
		[3, true],
		[1, false],
	] as const) {
		const model = convolutions(kernel, bias);
		const [refitted, plain] = [
			await run('prune channels 50%', model, data),
			await run('prune channels 50% without compensation', model, data),
		];
		for (const document of [refitted, plain]) assert.ok(document.proof?.ok && !document.proof.weak);
		assert.equal(refitted.steps[0]!.selected, 32);
		assert.equal(
			refitted.steps[0]!.compensated!.map(({ choice }) => choice),
			['affine', 'affine'],
		);
		assert.ok(
			refitted.drift!.relativeL2 < plain.drift!.relativeL2,
			`${refitted.drift!.relativeL2} ${plain.drift!.relativeL2}`,
		);
	}
});

test('refits heads and neurons of layers with norms before and after, and says what it did', async () => {
	for (const post of [false, true]) {
		const model = folder.at(`encoder-${String(post)}.onnx`);
		saveModel(encoder(2, { heads: 4, width: 8, hidden: 48, post }), model);
		const document = await run('prune heads 25%; prune ffn 50%', model, dataFor(32));
		isProven(document, 'an encoder');
		assert.equal(
			document.steps.map(({ metric, compensated }) => [metric, compensated?.length]),
			[
				['obs', 2],
				['obs', 2],
			],
		);
		assert.match(
			buildReport(document),
			/^refit {4}2 of 2 readers: held-out error .+% of their outputs' variance/m,
		);
	}
});

test('the classifier keeps more of itself with refits than without, for heads and for neurons', async () => {
	for (const recipe of ['prune heads 25%', 'prune ffn 50%']) {
		const { model, calibration } = classifier;
		const some = `calibrate with "${calibration}" take 10\n`;
		const [refitted, plain] = [
			await run(`${some}${recipe}`, model),
			await run(`${some}${recipe} without compensation`, model),
		];
		isProven(refitted, recipe);
		assert.ok(refitted.drift!.kl! < plain.drift!.kl!, `${refitted.drift!.kl!} against ${plain.drift!.kl!}`);
	}
});

test('each reader makes up for those before it: with what it reads by now, and for the residual value', async () => {
	const model = folder.at('blocks.onnx');
	saveModel(encoder(3, { heads: 2, width: 8, hidden: 64 }), model);
	const data = dataFor(16, [48, 8, 16]);
	const together = await run('prune ffn 50%', model, data);
	isProven(together, 'together');
	// From behind, each statement refits its readers to inputs that nothing has changed yet.
	const backwards = [2, 1, 0].map((layer) => `prune ffn 50% in layers [${layer}]`).join('; ');
	const apart = await run(backwards, model, data);
	assert.ok(
		together.drift!.relativeL2 < 0.95 * apart.drift!.relativeL2,
		`${together.drift!.relativeL2} against ${apart.drift!.relativeL2}`,
	);
});

test('`with bias` gives readers new biases alone, which is less than a refit', async () => {
	const [model, data] = [folder.at('blocks.onnx'), dataFor(16, [48, 8, 16])];
	const [biased, refitted] = [
		await run('prune ffn 50% by fluctuation with bias', model, data),
		await run('prune ffn 50% by fluctuation', model, data),
	];
	isProven(biased, 'new biases');
	assert.equal(new Set(biased.steps[0]!.compensated!.map(({ choice }) => choice)), new Set(['bias']));
	assert.ok(refitted.drift!.relativeL2 < biased.drift!.relativeL2);
});

test('a plan carries the refits: applied, it gives the bytes of the build', async () => {
	const model = folder.at('encoder-false.onnx');
	const [out, again, planPath] = [folder.at('built.onnx'), folder.at('applied.onnx'), folder.at('plan.json')];
	const options = { model, threads: 1, verify: false };
	assert.ok((await compile({ ...options, recipe: 'prune ffn 50%', data: dataFor(32), out, planPath })).ok);
	assert.ok((await applyPlan(planPath, { ...options, out: again })).ok);
	assert.is(Buffer.compare(readFileSync(out), readFileSync(again)), 0);
});

test.run();
