/** What is fitted for exits: matrices of their own, and temperatures. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { stream } from '../../src/data/generate.ts';
import { numbersOf } from '../../src/ir/graph/tensor.ts';
import { matrix, type Matrix } from '../../src/ir/matrix.ts';
import { fitToClasses, fitToTeacher } from '../../src/numerics/class-head.ts';
import { logistic } from '../../src/numerics/logistic.ts';
import { plainProducts } from '../../src/numerics/plain-products.ts';
import { softmaxed, temperatureOf } from '../../src/numerics/temperature.ts';
import { buildOf } from '../harness/exact.ts';
import { assertRefused, classes, classifier, far, feedsOf, measures, scoresOf } from '../harness/exits.ts';

const test = suite('heads of exits');

function drawn(rows: number, cols: number, seed: number): Matrix {
	const next = stream(seed);
	return matrix(
		rows,
		cols,
		Float64Array.from({ length: rows * cols }, () => 2 * next() - 1),
	);
}

/** One 1 in each row, drawn from the probabilities. */
function drawnLabels(probabilities: Matrix, seed: number): Matrix {
	const next = stream(seed);
	const result = matrix(probabilities.rows, probabilities.cols);
	for (let row = 0; row < result.rows; row++) {
		let left = next();
		let label = 0;
		while (label < result.cols - 1 && (left -= probabilities.data[row * result.cols + label]!) > 0) label++;
		result.data[row * result.cols + label] = 1;
	}
	return result;
}

test('a temperature undoes a scale', () => {
	const scores = drawn(200, 4, 1);
	for (const scale of [0.25, 1, 3]) {
		const wanted = softmaxed(
			matrix(
				200,
				4,
				scores.data.map((score) => score / scale),
			),
		);
		assert.ok(Math.abs(temperatureOf(scores, wanted) - scale) < 1e-9 * scale);
	}
});

test('a logistic regression ends where its gradient vanishes', async () => {
	const features = drawn(300, 5, 2);
	const truth = matrix(
		5,
		3,
		drawn(5, 3, 3).data.map((value) => 4 * value),
	);
	const wanted = drawnLabels(softmaxed(await plainProducts.multiply(features, truth)), 4);
	const start = matrix(5, 3);
	const weight = await logistic({ features, wanted, start }, 1e-2, plainProducts);
	const shares = softmaxed(await plainProducts.multiply(features, weight));
	const wrong = matrix(
		300,
		3,
		wanted.data.map((value, at) => value - shares.data[at]!),
	);
	const pull = await plainProducts.multiply(features, wrong, 'tn');
	const squares = (await plainProducts.multiply(features, features, 'tn')).data;
	pull.data.forEach((value, at) => {
		const row = Math.floor(at / 3);
		const held = 1e-2 * 0.5 * squares[row * 5 + row]! * weight.data[at]!;
		// The first gradient has terms of some 30, and each step leaves a constant share of it.
		assert.ok(Math.abs(value - held) < 1e-3, `${value} ${held}`);
	});
});

test('a matrix is taken where it is better than the head as it stands, on rows it was not fitted to', async () => {
	const features = drawn(100, 4, 5);
	const weight = drawn(4, 3, 6);
	const teacher = await plainProducts.multiply(features, weight);
	const heldOut = Array.from({ length: 100 }, (_, at) => at % 5 === 4);
	const wrong = drawn(100, 3, 7);
	const fitted = await fitToTeacher({ features, scores: wrong, teacher, heldOut }, plainProducts);
	assert.is(fitted.choice, 'affine');
	// The least damping is 1e-5 of the variance, which costs its square.
	assert.ok(fitted.heldOut.affine < 1e-8 && fitted.heldOut.none > 0.5);
	const kept = await fitToTeacher({ features, scores: teacher, teacher, heldOut }, plainProducts);
	assert.is(kept.choice, 'none');
	assert.is(kept.heldOut.none, 0);
});

test('labels say more than a teacher that is wrong', async () => {
	const features = drawn(400, 4, 8);
	const truth = await plainProducts.multiply(
		features,
		matrix(
			4,
			3,
			drawn(4, 3, 9).data.map((value) => 8 * value),
		),
	);
	const labels = drawnLabels(softmaxed(truth), 10);
	const heldOut = Array.from({ length: 400 }, (_, at) => at % 5 === 4);
	const teacher = drawn(400, 3, 11);
	const { choice, heldOut: errors } = await fitToClasses(
		{ features, scores: teacher, teacher, heldOut },
		labels,
		plainProducts,
	);
	assert.is(choice, 'affine');
	assert.ok(errors.affine < 0.8 * errors.bias && errors.affine < errors.none, JSON.stringify(errors));
});

async function withRows(labelled: boolean, work: (path: string) => Promise<void>): Promise<void> {
	const folder = mkdtempSync(join(tmpdir(), 'prunec-heads-'));
	try {
		const path = join(folder, 'rows.jsonl');
		const rows = Array.from({ length: 140 }, (_, at) => {
			const numbers = Array.from(feedsOf(at + 1, 1).get('x')!.data, Number);
			const tokens = Array.from({ length: 6 }, (_, token) => numbers.slice(8 * token, 8 * token + 8));
			return JSON.stringify({ x: tokens, ...(labelled && { label: numbers[0]! > 0 ? 1 : 3 }) });
		});
		writeFileSync(path, rows.join('\n'));
		await work(path);
	} finally {
		rmSync(folder, { recursive: true });
	}
}

test('an exit has a matrix of its own and a temperature: proven open and shut, by row in between, the same from a plan', () =>
	withRows(false, async (path) => {
		const model = classifier();
		const recipe = (threshold: number): string =>
			`exit after layer 0 with ridge when confidence > ${threshold} fit from "${path}"`;
		const built = await buildOf(model, recipe(0.45), { again: true });
		const { document, same } = built;
		assert.ok(document.proof!.ok && !document.proof!.weak && same);
		const [told] = document.steps[0]!.compensated!;
		assert.is(told!.choice, 'affine');
		const { initializers } = built.model.graph;
		assert.equal(initializers.get('exit_after_0_head')!.dims, [8, 5]);
		const stored = numbersOf(initializers.get('exit_after_0_temperature')!)[0]!;
		assert.ok(Math.abs(stored - told!.temperature!) < 1e-6 * stored && Math.abs(stored - 1) > 0.01);
		const early = (await buildOf(model, recipe(-1))).model;
		const feeds = Array.from({ length: 16 }, (_, at) => feedsOf(at + 1, 1 + (at % 2)));
		const [full, exits, found] = [
			await scoresOf(model, feeds),
			await scoresOf(early, feeds),
			await scoresOf(built.model, feeds),
		];
		const meets = exits.map((rows) => rows.every((row) => measures['confidence']!(row) > 0.45));
		found.forEach((rows, at) => {
			assert.ok(far(rows, (meets[at] === true ? exits : full)[at]!) < 1e-5, `feeds ${at}`);
		});
		assert.ok(meets.includes(true) && meets.includes(false));
	}));

test('distilled: nearer to the probabilities of the whole model than what is fitted to its scores', async () => {
	const features = drawn(400, 4, 12);
	// Scores that no matrix of these features gives: large where the teacher is sure, which squares of logits weigh most.
	const teacher = matrix(
		400,
		3,
		(await plainProducts.multiply(features, drawn(4, 3, 13))).data.map((score) => 12 * score ** 3),
	);
	const heldOut = Array.from({ length: 400 }, (_, at) => at % 5 === 4);
	const data = { features, scores: drawn(400, 3, 14), teacher, heldOut };
	const { choice, heldOut: errors } = await fitToClasses(data, softmaxed(teacher), plainProducts);
	assert.is(choice, 'affine');
	// Of the three, `bias` is the ridge regression that it begins with.
	assert.ok(errors.affine < 0.9 * errors.bias, JSON.stringify(errors));
	await withRows(false, async (path) => {
		const recipe = `exit after layers [0, 1] with distilled when confidence > 0.4 fit from "${path}"`;
		const { document } = await buildOf(classifier(), recipe);
		assert.ok(document.proof!.ok && !document.proof!.weak);
		assert.equal(
			document.steps[0]!.compensated?.map((told) => told.choice),
			['affine', 'affine'],
		);
	});
});

test('labels are fitted to where there are some', () =>
	withRows(true, async (path) => {
		const recipe = `exit after layer 0 with labels when margin > 0.2 fit from "${path}"`;
		const { document } = await buildOf(classifier(), recipe);
		assert.ok(document.proof!.ok && !document.proof!.weak);
		const [told] = document.steps[0]!.compensated!;
		assert.is(told!.choice, 'affine');
		assert.ok(told!.heldOut.affine < 0.9 * told!.heldOut.none);
	}));

test('refused: no data, no labels, no matrix to stand in the place of', async () => {
	const exit = 'exit after layer 0 with';
	await assertRefused(classifier(), `${exit} ridge when confidence > 0.5`, /none is given, and it takes 10/);
	await withRows(false, async (path) => {
		const from = `fit from "${path}"`;
		await assertRefused(
			classifier(),
			`${exit} labels when confidence > 0.5 ${from}`,
			/0 of 112 examples have a label from 0 to 4/,
		);
		await assertRefused(
			classifier(),
			`${exit} ridge when confidence > 0.5 ${from} take 10`,
			/8 examples are given, and it takes 10/,
		);
	});
	const twice = classifier({
		head: (b, x) => b.output(b.node('Max', [classes(b, x), classes(b, x)]), ['batch', 5]),
	});
	await assertRefused(twice, `${exit} ridge when confidence > 0.5`, /no single matrix makes/);
});

test.run();
