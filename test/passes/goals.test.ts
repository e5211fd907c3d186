/** Goals: costs that are reached exactly or refused with the best there is, by the least harm for what is saved. */
import { existsSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { compile } from '../../src/compile.ts';
import { matrix } from '../../src/ir/matrix.ts';
import { eliminate } from '../../src/numerics/elimination.ts';
import { plainProducts } from '../../src/numerics/plain-products.ts';
import { countsAfter, pathOf, type CostModel } from '../../src/passes/goal-path.ts';
import { type Offered } from '../../src/passes/technique.ts';
import { classifier, lm, proven } from '../fixtures/text/text.ts';
import { testFolder } from '../harness/folder.ts';
import { modelBuilder } from '../harness/model.ts';

const test = suite('goals');
const folder = testFolder();
test.after(() => {
	folder.remove();
});

test('reaches a number of parameters, as predicted without cutting anything', async () => {
	const out = folder.at('params.onnx');
	const recipe = `calibrate with "${classifier.calibration}" take 64\nprune heads, ffn until params <= 80%`;
	const { steps, model, output } = await proven(recipe, { model: classifier.model, out });
	const [goal] = steps.at(-1)!.reached!;
	assert.is(goal!.goal, 'params <= 80%');
	assert.is(goal!.measured, output!.params! / model!.params);
	assert.ok(goal!.measured <= 0.8 && goal!.measured > 0.78, String(goal!.measured));
	// Refits may add biases that were not there.
	assert.ok(Math.abs(goal!.predicted! - goal!.measured) < 1e-3);
	assert.equal(
		steps.map(({ technique, selected }) => [technique, selected > 0]),
		[
			['prune-heads', true],
			['prune-ffn', true],
		],
	);
});

test('reaches multiply-adds and bytes together, without data by the size of weights', async () => {
	const recipe = 'prune ffn until macs <= 85% and size <= 80%';
	const { steps } = await proven(recipe, { model: lm.model, out: folder.at('both.onnx') });
	const reached = steps[0]!.reached!;
	assert.equal(
		reached.map(({ goal }) => goal),
		['macs <= 85%', 'size <= 80%'],
	);
	for (const { asked, measured } of reached) assert.ok(measured <= asked);
});

test('predicts coupled channels exactly: what two cuts save of one filter is their product', async () => {
	const b = modelBuilder();
	const conv = (x: string, from: number, to: number): string =>
		b.node('Relu', [b.node('Conv', [x, b.weight([to, from, 3, 3]), b.weight([to])], { pads: [1, 1, 1, 1] })]);
	const x = b.input('x', ['batch', 3, 16, 16]);
	b.output(conv(conv(conv(conv(x, 3, 32), 32, 64), 64, 64), 64, 4), ['batch', 4, 16, 16]);
	const path = folder.at('convolutions.onnx');
	saveModel(b.build(), path);
	const { steps, proof } = await compile({
		recipe: 'prune channels until macs <= 50%',
		model: path,
		threads: 1,
	});
	assert.ok(proof?.ok && !proof.weak);
	const [goal] = steps[0]!.reached!;
	assert.ok(goal!.measured <= 0.5);
	assert.is(goal!.predicted, goal!.measured);
});

test('a goal out of reach is an error with the best there is, and nothing is written', async () => {
	const out = folder.at('never.onnx');
	const recipe = 'prune heads until params <= 10%';
	const { ok, diagnostics } = await compile({ recipe, model: classifier.model, out });
	assert.not(ok);
	assert.equal(
		diagnostics.map(({ code, message }) => `${code}: ${message.replace(/[\d.]+%$/, '…')}`),
		['plan/goal-not-reached: `params <= 10%` cannot be reached: the best is …'],
	);
	assert.not(existsSync(out));
});

test('one factor gives what is lost at every width', async () => {
	// Three inputs of covariance Σ; the third is the sum of the others, so that nothing is lost when it goes first.
	const gram = matrix(3, 3, Float64Array.of(4, 0, 4, 0, 1, 1, 4, 1, 5));
	const weight = matrix(3, 1, Float64Array.of(1, 1, 1));
	const sums = { count: 1, sum: new Float64Array(3), gram };
	const { losses, variance } = await eliminate(sums, weight, [2, 1, 0], 'x', plainProducts);
	assert.is(variance, 20);
	// y = 2a + 2b once the third is gone: then 4·Var(b), then 4·Var(a); damping adds about a thousandth of a variance.
	for (const [at, expected] of [0, 4, 16].entries()) assert.ok(Math.abs(losses[at]! - expected) < 0.02);
});

const offered = (label: string, damage: readonly number[]): Offered => ({
	...{ keys: [label], label, families: [], counts: damage.map((_, at) => at), damage },
});
/** What is saved is a unit's price times how many are gone. */
const linear = (prices: readonly number[]): CostModel => ({
	saving: (removed, offer, count) => prices[offer]! * (count - removed[offer]!),
	near: (offer) => [offer],
});

test('goes the way of the least harm for what is saved', () => {
	const offers = [offered('a', [0, 1, 3, 9]), offered('b', [0, 4, 4.5, 30])];
	const moves = pathOf(offers, linear([1, 1]));
	assert.equal(
		moves.map(({ offer, count }) => `${offers[offer]!.label}${count}`),
		['a1', 'a2', 'b1', 'b2', 'a3', 'b3'],
	);
	assert.equal(countsAfter(moves, 4, 2), [2, 2]);
});

test('leaves alone what saves nothing', () => {
	assert.equal(pathOf([offered('a', [0, 1]), offered('b', [0, 1])], linear([0, 2])), [
		{ offer: 1, count: 1 },
	]);
});

test.run();
