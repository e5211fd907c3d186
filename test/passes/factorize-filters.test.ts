/** Convolutions as chains of thinner ones. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Matrix, SingularValueDecomposition } from 'ml-matrix';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { applyPlan, compile } from '../../src/compile.ts';
import { drawAt } from '../../src/ir/graph/random.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { matrix } from '../../src/ir/matrix.ts';
import { kernelOfChain, type Kernel, type Scheme } from '../../src/numerics/conv-chain.ts';
import { factorKernel } from '../../src/numerics/conv-factors.ts';
import { plainProducts } from '../../src/numerics/plain-products.ts';
import { multiplyAdds, timedBy } from '../harness/clock.ts';
import { buildOf, operators, reasons } from '../harness/exact.ts';
import { modelBuilder } from '../harness/model.ts';

const test = suite('factorize filters');
const folder = mkdtempSync(join(tmpdir(), 'prunec-test-'));
test.after(() => {
	rmSync(folder, { recursive: true });
});

const drawn = (seed: number, size: number): Float64Array =>
	Float64Array.from({ length: size }, (_, at) => drawAt(seed, at) - 0.5);
function kernelOf(inputs: number, outputs: number, window: readonly number[], seed = 1): Kernel {
	const rows = inputs * window.reduce((product, size) => product * size, 1);
	return { matrix: matrix(rows, outputs, drawn(seed, rows * outputs)), inputs, outputs, window };
}
const norm = (data: Float64Array): number => Math.hypot(...data);
const apart = (a: Float64Array, b: Float64Array): number =>
	norm(a.map((value, at) => value - (b[at] ?? 0))) / norm(a);

const identity = (size: number): ReturnType<typeof matrix> =>
	matrix(
		size,
		size,
		Float64Array.from({ length: size * size }, (_, at) => (at % (size + 1) === 0 ? 1 : 0)),
	);

const whole: readonly (readonly [Scheme, readonly number[], readonly number[]])[] = [
	['channels', [3, 2], [7]],
	['channels', [5], [7]],
	['spatial', [3, 2], [12]],
	['tucker', [3, 2], [4, 7]],
	['tucker', [3], [4, 7]],
];
test('at full rank, a chain multiplies to the kernel it came from, with moments of data and without', async () => {
	for (const [scheme, window, ranks] of whole) {
		const kernel = kernelOf(4, 7, window);
		const size = kernel.matrix.rows;
		const root = matrix(2 * size, size, drawn(2, 2 * size * size));
		const moments = await plainProducts.multiply(root, root, 'tn');
		for (const given of [undefined, moments]) {
			const chain = await factorKernel(scheme, kernel, ranks, given, plainProducts);
			assert.ok(
				apart(kernel.matrix.data, (await kernelOfChain(chain.stages, plainProducts)).data) < 1e-7,
				scheme,
			);
			assert.ok(chain.tail < 1e-12, `${scheme}: ${chain.tail}`);
		}
	}
});

test('of pairs of ranks for Tucker the one that loses least is taken', async () => {
	const kernel = kernelOf(16, 4, [3]);
	// Only three inputs are heard, and no output is like another.
	const data = kernel.matrix.data.map((value, at) => (at < 3 * 3 * 4 ? value : 0));
	const narrow = { ...kernel, matrix: matrix(kernel.matrix.rows, 4, data) };
	const pairs = [
		[12, 2],
		[3, 4],
		[2, 4],
	] as const;
	for (const moments of [undefined, identity(kernel.matrix.rows)]) {
		const { ranks, tail } = await factorKernel('tucker', narrow, { pairs }, moments, plainProducts);
		assert.equal(ranks, [3, 4]);
		assert.ok(tail < 1e-12);
	}
});

test('a kernel that is a sum of few products is found by alternating least squares', async () => {
	const parts = [drawn(3, 3 * 6), drawn(4, 3 * 3), drawn(5, 3 * 3), drawn(6, 3 * 8)];
	const kernel = kernelOf(6, 8, [3, 3]);
	for (let at = 0; at < kernel.matrix.data.length; at++) {
		const places = [Math.floor(at / 72), Math.floor(at / 24) % 3, Math.floor(at / 8) % 3, at % 8];
		kernel.matrix.data[at] = [0, 1, 2].reduce(
			(sum, r) => sum + places.reduce((product, place, axis) => product * parts[axis]![3 * place + r]!, 1),
			0,
		);
	}
	const chain = await factorKernel('cp', kernel, [3], undefined, plainProducts);
	// The sweeps end when one gains less than 1e-6 of the energy.
	assert.ok(chain.tail < 1e-4, `${chain.tail}`);
});

test('what each way loses is what an independent decomposition says', async () => {
	const kernel = kernelOf(6, 8, [3, 3]);
	const singular = (rows: number, cols: number, data: Float64Array): number[] =>
		new SingularValueDecomposition(Matrix.from1DArray(rows, cols, Array.from(data)), {
			autoTranspose: true,
		}).diagonal.map((value) => value * value);
	const tail = (values: readonly number[], rank: number): number =>
		values.slice(rank).reduce((a, b) => a + b, 0) / values.reduce((a, b) => a + b, 0);
	const { data } = kernel.matrix;
	const loss = async (scheme: Scheme, ranks: readonly number[]): Promise<number> => {
		const chain = await factorKernel(scheme, kernel, ranks, undefined, plainProducts);
		const measured = apart(data, (await kernelOfChain(chain.stages, plainProducts)).data) ** 2;
		assert.ok(Math.abs(measured - chain.tail) < 1e-9, scheme);
		return measured;
	};
	assert.ok(Math.abs((await loss('channels', [3])) - tail(singular(54, 8, data), 3)) < 1e-9);
	assert.ok(Math.abs((await loss('spatial', [5])) - tail(singular(18, 24, data), 5)) < 1e-9);
	const alone = [tail(singular(6, 72, data), 3), tail(singular(54, 8, data), 4)];
	const both = await loss('tucker', [3, 4]);
	// The bounds of De Lathauwer et al.: worse than either truncation alone, better than their sum.
	assert.ok(both >= Math.max(...alone) && both <= alone[0]! + alone[1]!, `${both}`);
});

test('many inputs and few outputs are told apart from the smaller side, down to kernels of fewer directions', async () => {
	for (const heard of [24, 3]) {
		const kernel = kernelOf(24, 2, [3]);
		const data = kernel.matrix.data.map((value, at) => (Math.floor(at / 6) < heard ? value : 0));
		const sparse = { ...kernel, matrix: matrix(72, 2, data) };
		const { stages, tail } = await factorKernel('tucker', sparse, [4, 2], undefined, plainProducts);
		const [basis = new Float64Array()] = stages.map((stage) => stage.data);
		const unit = plainProducts.multiply(matrix(4, 24, basis), matrix(4, 24, basis), 'nt');
		assert.ok(apart(identity(4).data, (await unit).data) < 1e-9);
		const measured = apart(data, (await kernelOfChain(stages, plainProducts)).data) ** 2;
		assert.ok(Math.abs(measured - tail) < 1e-9, `${measured}, ${tail}`);
	}
});

test('with moments, no other chain of the ranks does better than the one that is found, by any small step', async () => {
	const kernel = kernelOf(4, 6, [3, 3]);
	const size = kernel.matrix.rows;
	const root = matrix(
		3 * size,
		size,
		drawn(7, 3 * size * size).map((value, at) => value / (1 + (at % size))),
	);
	const moments = await plainProducts.multiply(root, root, 'tn');
	const loss = async (data: Float64Array): Promise<number> => {
		const rest = matrix(
			size,
			6,
			kernel.matrix.data.map((value, at) => value - data[at]!),
		);
		const weighed = await plainProducts.multiply(moments, rest);
		return rest.data.reduce((sum, value, at) => sum + value * weighed.data[at]!, 0);
	};
	for (const [scheme, ranks] of [
		['channels', [2]],
		['spatial', [3]],
		['tucker', [2, 3]],
	] as const) {
		const chain = await factorKernel(scheme, kernel, ranks, moments, plainProducts);
		const best = await loss((await kernelOfChain(chain.stages, plainProducts)).data);
		// All but the first kernel of a chain, which data does not choose for `spatial` and only nearly for Tucker.
		for (let at = scheme === 'channels' ? 0 : 1; at < chain.stages.length; at++)
			for (const step of [1e-3, -1e-3]) {
				const stages = chain.stages.map((stage, index) =>
					index === at
						? { ...stage, data: stage.data.map((value, k) => value + (k % 5 === 0 ? step : 0)) }
						: stage,
				);
				assert.ok((await loss((await kernelOfChain(stages, plainProducts)).data)) > best, `${scheme} ${at}`);
			}
		const plain = await factorKernel(scheme, kernel, ranks, undefined, plainProducts);
		assert.ok(best < (await loss((await kernelOfChain(plain.stages, plainProducts)).data)), scheme);
	}
});

/** Convolutions that stride, dilate and pad differently along both axes, with and without bias. */
function network(): Model {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 8, 13, 17]);
	const first = b.node('Relu', [
		b.node('Conv', [x, b.weight([16, 8, 3, 3]), b.weight([16])], {
			pads: [1, 0, 2, 1],
			strides: [1, 2],
		}),
	]);
	const second = b.node('Relu', [
		b.node('Conv', [first, b.weight([16, 16, 3, 3])], { auto_pad: 'SAME_UPPER', strides: [2, 1] }),
	]);
	const third = b.node('Conv', [second, b.weight([12, 16, 2, 3]), b.weight([12])], { dilations: [2, 1] });
	b.output(b.node('Flatten', [b.node('GlobalAveragePool', [third])]), ['batch', 12]);
	return b.build();
}

for (const scheme of ['channels', 'spatial', 'tucker', 'cp']) {
	test(`a chain by ${scheme} takes strides, dilations and padding where they belong, and a plan makes it again`, async () => {
		const { document, model, same } = await buildOf(network(), `factorize filters rank 4 with ${scheme}`, {
			again: true,
		});
		assert.is(document.steps[0]!.selected, 3);
		assert.ok(document.proof?.ok === true && !document.proof.weak && same === true);
		const [length] = { channels: [2], spatial: [2], tucker: [3], cp: [4] }[scheme]!;
		assert.equal(operators(model), { Conv: 3 * length!, Relu: 2, GlobalAveragePool: 1, Flatten: 1 });
		assert.ok(document.output!.macs! < 0.7 * document.model!.macs);
	});
}

test('signals and images alike: a one-dimensional convolution has a chain too', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 8, 40]);
	b.output(b.node('Conv', [x, b.weight([16, 8, 5]), b.weight([16])], { pads: [2, 2], strides: [2] }));
	for (const [scheme, kernels] of [
		['channels', 2],
		['tucker', 3],
		['cp', 3],
	] as const) {
		const { document, model } = await buildOf(b.build(), `factorize filters rank 3 with ${scheme}`);
		assert.ok(document.proof?.ok === true && !document.proof.weak, scheme);
		assert.is(operators(model)['Conv'], kernels);
	}
});

test('what has no chain stays, with the reason', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 8, 9, 9]);
	const grouped = b.node('Conv', [x, b.weight([8, 1, 3, 3])], { group: 8 });
	const point = b.node('Conv', [grouped, b.weight([8, 8, 1, 1])]);
	const up = b.node('ConvTranspose', [point, b.weight([8, 4, 3, 3])]);
	b.output(b.node('Conv', [up, b.weight([8, 4, 3, 3])]));
	const { document } = await buildOf(b.build(), 'factorize filters rank 40 with spatial');
	assert.is(document.steps[0]!.selected, 0);
	assert.equal(reasons(document).toSorted(), [
		"Conv 'Conv_0' stays: it has groups, which hold few numbers already",
		"Conv 'Conv_1' stays: its window has no two axes to take apart",
		"Conv 'Conv_3' stays: rank 40 saves nothing there; ranks up to 7 do",
		"ConvTranspose 'ConvTranspose_2' stays: ConvTranspose has no chain of plain convolutions that means the same",
	]);
});

test('ratio bounds what is stored, energy has no meaning for cp', async () => {
	const { document } = await buildOf(network(), 'factorize filters ratio 40% with tucker align 1');
	assert.is(document.steps[0]!.selected, 3);
	const biases = 16 + 12;
	assert.ok(document.output!.params! - biases <= 0.4 * (document.model!.params - biases));
	let refusal = '';
	await buildOf(network(), 'factorize filters energy 90% with cp').catch((problem: unknown) => {
		refusal = String(problem);
	});
	assert.match(refusal, 'plan/no-spectrum');
});

/** One convolution whose kernel is an outer product: every scheme takes it at rank 1. */
function outerProduct(channels = 16, size = 8): Model {
	const b = modelBuilder();
	const x = b.input('x', [1, channels, size, size]);
	const weights = Array.from({ length: channels * channels * 9 }, (_, at) => {
		const [position, input, output] = [at % 9, Math.floor(at / 9) % channels, Math.floor(at / 9 / channels)];
		return (
			(1 + output) * (1 + (input % 5)) * [1, 2, 1][Math.floor(position / 3)]! * [1, 0, -1][position % 3]!
		);
	});
	b.output(b.node('Conv', [x, b.floats(weights, [channels, channels, 3, 3])], { pads: [1, 1, 1, 1] }));
	return b.build();
}

test('auto takes the chain that is fastest, and none where none is', async () => {
	const windows = async (timeOf: (part: Model) => number | undefined): Promise<number[][]> => {
		const { model, steps } = await timedBy(outerProduct(), 'factorize filters auto', timeOf);
		assert.is(steps[0]!.metric, 'time on this machine');
		return model.graph.nodes.map(({ inputs }) => [...model.graph.initializers.get(inputs[1]!)!.dims]);
	};
	const convolutions = ({ graph }: Model): number => graph.nodes.length;
	assert.equal(await windows(multiplyAdds), [
		[1, 16, 1, 1],
		[1, 1, 3, 3],
		[16, 1, 1, 1],
	]);
	assert.equal(await windows((part) => multiplyAdds(part) * (convolutions(part) === 3 ? 9 : 1)), [
		[1, 16, 3, 1],
		[16, 1, 1, 3],
	]);
	assert.equal(await windows(convolutions), [[16, 16, 3, 3]]);
	// A fifteenth is less than what clocks tell apart.
	assert.equal(await windows((part) => 15 - Number(convolutions(part) > 1)), [[16, 16, 3, 3]]);
});

test('auto goes by multiply–adds where nothing runs', async () => {
	const { model, steps } = await timedBy(outerProduct(), 'factorize filters auto', () => undefined);
	assert.is(steps[0]!.metric, 'multiply–adds');
	assert.is(model.graph.nodes.length, 3);
	const none = await timedBy(network(), 'factorize filters auto', () => undefined);
	const said = none.steps[0]!.refused.map(({ message }) => message).join();
	assert.match(said, 'keeping that much saves nothing there');
});

test('without a scheme, a ratio takes the one that loses least of each kernel, an energy the one that costs least', async () => {
	const model = join(folder, 'chosen.onnx');
	saveModel(network(), model);
	const least = async (amount: string): Promise<{ errors: number[]; macs: number }> => {
		const document = await compile({
			recipe: `factorize filters ${amount}`,
			model,
			threads: 1,
			verify: false,
		});
		const errors = (document.steps[0]!.certificates ?? []).map(({ measured }) => measured);
		return { errors, macs: document.steps[0]!.macs[1] };
	};
	const schemes = ['channels', 'spatial', 'tucker'];
	const given = await least('ratio 50% align 1');
	const named = await Promise.all(schemes.map((scheme) => least(`ratio 50% align 1 with ${scheme}`)));
	assert.equal(
		given.errors,
		given.errors.map((_, at) => Math.min(...named.map(({ errors }) => errors[at]!))),
	);
	assert.ok(new Set(named.map(({ errors }) => errors[0])).size === schemes.length);
	const cheapest = await least('energy 60%');
	for (const scheme of schemes) assert.ok(cheapest.macs <= (await least(`energy 60% with ${scheme}`)).macs);
});

/** Inputs of few directions with a mean, as features are. */
function features(path: string): void {
	const base = Array.from({ length: 3 }, (_, k) => drawn(20 + k, 8));
	const image = (n: number): number[][][] =>
		Array.from({ length: 8 }, (_, c) =>
			Array.from({ length: 13 }, (_, y) =>
				Array.from({ length: 17 }, (_, x) =>
					base.reduce((sum, v, k) => sum + v[c]! * (2 + 3 * drawAt(n, k, y, x)), 0.05 * drawAt(n, c, y, x)),
				),
			),
		);
	writeFileSync(
		path,
		Array.from({ length: 10 }, (_, n) => `${JSON.stringify({ x: [image(n)] })}\n`).join(''),
	);
}

test('with data, outputs move less than half as far at the same ranks, and certificates speak of their variance', async () => {
	const [model, data, plan] = ['model.onnx', 'data.jsonl', 'plan.json'].map((name) => join(folder, name));
	saveModel(network(), model!);
	features(data!);
	for (const recipe of ['rank 6', 'rank 6 with tucker', 'rank 6 with spatial', 'rank 6 with cp']) {
		const options = { recipe: `factorize filters ${recipe}`, model: model!, threads: 1 };
		const fitted = await compile({ ...options, data: data! });
		assert.equal(fitted.diagnostics, [], recipe);
		assert.ok(fitted.proof?.ok === true && !fitted.proof.weak, recipe);
		assert.ok(
			fitted.steps[0]!.certificates!.every(({ says }) => says === 'output variance'),
			recipe,
		);
		await compile({ ...options, planPath: plan!, force: true, verify: false });
		const plain = await applyPlan(plan!, { model: model!, threads: 1, data: data! });
		const [less, more] = [fitted.drift!.relativeL2, plain.drift!.relativeL2];
		assert.ok(less < 0.5 * more, `${recipe}: ${less}, ${more}`);
	}
});

test.run();
