/** Layers that read one basis, and matrices that read one first factor. */
import { Matrix, solve } from 'ml-matrix';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { applyPatch, type Edit } from '../../src/ir/graph/patch.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { matrix, type Matrix as Own } from '../../src/ir/matrix.ts';
import { countParameters } from '../../src/ir/cost.ts';
import { FLOAT } from '../../src/ir/graph/dtype.ts';
import { floats } from '../../src/ir/graph/tensor.ts';
import { stream } from '../../src/data/generate.ts';
import { sharedBasis } from '../../src/passes/low-rank/shared-basis.ts';
import { plainProduct, plainProducts } from '../../src/numerics/plain-products.ts';
import { accuracyOf, classifier, classifierRows, lm, proven } from '../fixtures/text/text.ts';
import { multiplyAdds, timedBy } from '../harness/clock.ts';
import { buildOf, reasons } from '../harness/exact.ts';
import { testFolder } from '../harness/folder.ts';
import { encoder, encoderLayer, modelBuilder } from '../harness/model.ts';

const test = suite('one basis for several matrices');
const folder = testFolder();
test.after(() => {
	folder.remove();
});
const sizes = { heads: 2, width: 8, hidden: 32 };

const next = stream(5);
const drawn = (rows: number, cols: number): Own =>
	matrix(
		rows,
		cols,
		Float64Array.from({ length: rows * cols }, () => next() - 0.5),
	);
const oracle = ({ rows, cols, data }: Own): Matrix => Matrix.from1DArray(rows, cols, Array.from(data));

/** The matrices that products multiply with, in the order of the graph. */
function matricesOf({ graph }: Model): { name: string; dims: readonly number[] }[] {
	return graph.nodes
		.filter(({ op: kind, inputs }) => kind === 'MatMul' && graph.initializers.has(inputs[1] ?? ''))
		.map(({ inputs }) => graph.initializers.get(inputs[1]!)!);
}

/** A model whose matrices of one place are a basis of `rank` columns times coefficients: the matrices at these places, by groups. */
function alike(model: Model, groups: readonly (readonly number[])[], rank: number): Model {
	const all = matricesOf(model);
	const edits = groups.flatMap((group): Edit[] => {
		const [rows = 0] = all[group[0]!]!.dims;
		const basis = drawn(rows, rank);
		return group.map((at) => {
			const { name, dims } = all[at]!;
			const { data } = plainProduct(basis, drawn(rank, dims[1]!));
			return { kind: 'constant', tensor: floats(name, dims, data) };
		});
	});
	return applyPatch(model, { label: 'alike', edits });
}

/** Of a layer: query, key, value, output, up, down. */
const perLayer = 6;

test('matrices that have a basis in common lose nothing, and store it once', async () => {
	const model = alike(
		encoder(3, sizes),
		[0, 1, 2, 3, 4, 5].map((role) => [role, role + perLayer]),
		4,
	);
	const {
		document,
		model: after,
		same,
	} = await buildOf(model, 'share ffn, attention across layers 0..2 with basis rank 4', { again: true });
	assert.ok(document.proof!.ok && !document.proof!.weak && same);
	assert.ok(document.drift!.relativeL2 < 1e-5, String(document.drift!.relativeL2));
	const [ffn, attention] = document.steps;
	// 16 × 32 and 32 × 16 twice; four of 16 × 16 twice: a basis of 4 columns once, 4 rows of coefficients twice.
	assert.is(ffn!.params[0] - ffn!.params[1], 4 * 512 - (4 * (16 + 2 * 32) + 4 * (32 + 2 * 16)));
	assert.is(attention!.params[0] - attention!.params[1], 8 * 256 - 4 * 4 * (16 + 2 * 16));
	const bases = matricesOf(after).filter(({ dims }) => dims[1] === 4);
	assert.equal([bases.length, new Set(bases.map(({ name }) => name)).size], [12, 6]);
	assert.match(ffn!.unit, /layers on 2 bases \(5888 bytes less to store, 38% of their multiply-adds\)/);
});

test('coefficients are the least squares of what each layer reads, and the means come back', async () => {
	const [rows, width, rank] = [60, 12, 5];
	const layers = [drawn(width, 9), drawn(width, 9), drawn(width, 9)];
	const reads = layers.map(() => {
		const scales = Float64Array.from({ length: width }, () => next() ** 3);
		const x = drawn(rows, width);
		return matrix(
			rows,
			width,
			x.data.map((value, at) => 0.3 + value * scales[at % width]!),
		);
	});
	const inputs = reads.map((x) => {
		const mean = matrix(1, width, Float64Array.from(oracle(x).mean('column')));
		const centred = oracle(x).subRowVector(Array.from(mean.data));
		const fit = centred.transpose().mmul(centred).div(rows);
		return { mean, fit: matrix(width, width, Float64Array.from(fit.to1DArray())), centred };
	});
	const found = await sharedBasis(layers, inputs, FLOAT, rank, plainProducts);
	for (const [at, { coefficients, shift }] of found.parts.entries()) {
		const { centred, mean } = inputs[at]!;
		const expected = solve(centred.mmul(oracle(found.basis)), centred.mmul(oracle(layers[at]!)), true);
		// Coefficients about 1, rounded to float32.
		assert.ok(Matrix.sub(expected, oracle(coefficients)).abs().max() < 1e-5);
		const lost = Matrix.sub(oracle(layers[at]!), oracle(found.basis).mmul(oracle(coefficients)));
		assert.ok(Matrix.sub(oracle(mean).mmul(lost), oracle(shift!)).abs().max() < 1e-6);
		const { says, expected: told, measured, tolerance } = found.certificates[at]!;
		const error = centred.mmul(lost).norm() / centred.mmul(oracle(layers[at]!)).norm();
		assert.is(says, 'least squares');
		assert.ok(Math.abs(measured - error) < 1e-9 && Math.abs(measured - told) <= tolerance);
	}
});

test('a layer of other sizes stays, and an amount goes with a basis', async () => {
	const b = modelBuilder();
	let x = b.input('x', ['batch', 'seq', 16]);
	for (const hidden of [32, 48, 32]) x = encoderLayer(b, x, { ...sizes, hidden });
	b.output(b.node('MatMul', [x, b.weight([16, 2])]), ['batch', 'seq', 2]);
	const { document } = await buildOf(b.build(), 'share ffn across layers 0..3 with basis ratio 50%');
	assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [2, 3]);
	assert.match(reasons(document).join(), /layer 1 stays as it is: '.*' is of another size or type/);
	for (const [recipe, said] of [
		['share ffn across layers 0..3 with basis', /does not say how large/],
		['share ffn across layers 0..3 rank 4 with mean', /shares no basis/],
		['share ffn across layers 1..2 with basis rank 4', /sharing needs two layers/],
	] as const)
		assert.match(await buildOf(encoder(3, sizes), recipe).then(() => '', String), said);
	const { document: large } = await buildOf(
		encoder(3, sizes),
		'share ffn across layers 0..3 with basis rank 15',
	);
	assert.match(reasons(large).join(), /rank 15 saves nothing for/);
});

test('queries, keys and values read one first factor, made once', async () => {
	const model = alike(
		encoder(2, sizes),
		[
			[0, 1, 2],
			[6, 7, 8],
		],
		4,
	);
	const {
		document,
		model: after,
		same,
	} = await buildOf(model, 'factorize attention rank 4 with joint', { again: true });
	const [step] = document.steps;
	assert.ok(document.proof!.ok && !document.proof!.weak && same);
	assert.match(step!.unit, /2 first factors are read by several/);
	assert.equal(
		step!.certificates!.map(({ of }) => of.split(', ').length),
		[3, 1, 3, 1],
	);
	assert.ok(
		step!.certificates!.filter(({ of }) => of.includes(',')).every(({ measured }) => measured < 1e-6),
	);
	// Of each layer: one narrow product for three, one for the output projection.
	assert.is(matricesOf(after).filter(({ dims }) => dims[1] === 4).length, 4);
	assert.is(step!.params[0] - step!.params[1], 2 * (4 * 256 - 4 * (16 + 3 * 16) - 4 * 32));
});

test('auto factors together what is faster so', async () => {
	const wide = { heads: 4, width: 16, hidden: 32 };
	const auto = async (
		model: Model,
		timeOf: (part: Model) => number | undefined,
	): Promise<{ unit: string; gone: number; metric: string | undefined }> => {
		const { steps, model: after } = await timedBy(model, 'factorize attention auto', timeOf);
		const gone = countParameters(model.graph) - countParameters(after.graph);
		return { unit: steps[0]!.unit, metric: steps[0]!.metric, gone };
	};
	const together = alike(encoder(1, wide), [[0, 1, 2]], 8);
	const single = alike(encoder(1, wide), [[0], [1], [2]], 4);
	const joint = 'matrices (1 first factors are read by several of them)';
	const saved = 3 * 4096 - 8 * (64 + 3 * 64);
	const alone = 3 * (4096 - 4 * 128);
	const [metric, without] = ['time on this machine', 'multiply–adds'];
	assert.equal(await auto(together, multiplyAdds), { unit: joint, gone: saved, metric });
	assert.equal(await auto(together, () => undefined), { unit: joint, gone: saved, metric: without });
	// Of one rank of 12 together, of 4 each by itself.
	assert.equal(await auto(single, multiplyAdds), { unit: 'matrices', gone: alone, metric });
	assert.equal(await auto(single, () => undefined), { unit: 'matrices', gone: alone, metric: without });
	assert.equal(await auto(single, () => 1), { unit: 'matrices', gone: 0, metric });
});

test('on trained models a basis keeps more than a mean that stores as much', async () => {
	const build = async (recipe: string): Promise<{ right: number; bytes: number }> => {
		const out = folder.at('basis.onnx');
		const data = classifier.calibration;
		const { output } = await proven(`calibrate with "rows" take 24; ${recipe}`, { ...classifier, out, data });
		return { right: await accuracyOf(out, { ...classifierRows(), rows: 400 }), bytes: output!.bytes! };
	};
	const basis = await build('share ffn across layers 2..4 with basis ratio 50%');
	const mean = await build('share ffn across layers 2..4 with mean');
	assert.ok(basis.bytes < mean.bytes, `${basis.bytes}, ${mean.bytes}`);
	assert.ok(basis.right >= mean.right, `${basis.right}, ${mean.right}`);
	const packed = await proven('share attention across layers 1..3 with basis ratio 60%', {
		model: lm.model,
		out: folder.at('basis.onnx'),
	});
	assert.ok(packed.output!.params! < packed.model!.params);
});

test.run();
