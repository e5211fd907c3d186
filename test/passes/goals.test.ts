/** Goals: costs that are reached exactly or refused with the best there is, by the least harm for what is saved. */
import { existsSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { labOf } from '../../src/backends/ort/lab.ts';
import { openSession } from '../../src/backends/ort/session.ts';
import { checkText } from '../../src/recipe-text/check-text.ts';
import { compile } from '../../src/compile.ts';
import { type Fault } from '../../src/diagnostic.ts';
import { costOf } from '../../src/ir/cost.ts';
import { inferFacts } from '../../src/ir/graph/facts.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { partOf } from '../../src/ir/graph/part.ts';
import { type Lab } from '../../src/ir/lab.ts';
import { matrix } from '../../src/ir/matrix.ts';
import { eliminate } from '../../src/numerics/elimination.ts';
import { plainProducts } from '../../src/numerics/plain-products.ts';
import { countsAfter, pathOf, type CostModel } from '../../src/passes/goals/goal-path.ts';
import { runRecipe, type RunResult } from '../../src/passes/run.ts';
import { type Offered } from '../../src/passes/technique.ts';
import { classifier, lm, proven } from '../fixtures/text/text.ts';
import { testFolder } from '../harness/folder.ts';
import { encoder, modelBuilder } from '../harness/model.ts';

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

/** Prunes a small encoder with times that are counts of multiply-adds, so that no clock is in the test. */
async function timed(
	statement: string,
	ratio = 1,
	noise = (): number => 1,
	{ hidden = 64, pace = (_: Model): number => 1 } = {},
): Promise<RunResult> {
	const { recipe } = checkText(statement, {});
	const model = encoder(2, { heads: 4, width: 8, hidden });
	const partMacs = (one: Model): number => costOf(one, inferFacts(one)).macs;
	const macs = (one: Model): number => costOf(one, inferFacts(one, new Map([['x', [1, 128, 32]]]))).macs;
	const plain = labOf([], 'none', false, 1);
	const lab: Lab = {
		...plain,
		timeParts: (parts) =>
			Promise.resolve(parts.map((part) => 1 + 1e-3 * partMacs(part.model) * pace(part.model))),
		compareTimes: (before, after) => {
			const saved = 1 - macs(after) / macs(before);
			return Promise.resolve({ ms: 1e-3 * macs(before), ratio: (1 - ratio * saved) * noise() });
		},
	};
	return runRecipe(recipe!, model, { shapes: new Map(), seed: 0, lab });
}

test('reaches a latency by times of the parts, and corrects them by the time of the whole', async () => {
	for (const ratio of [1, 0.7]) {
		const { steps } = await timed('prune heads, ffn until latency <= 75%', ratio);
		const [goal] = steps.at(-1)!.reached!;
		assert.ok(goal!.measured <= 0.75 && goal!.measured > 0.7, `${goal!.measured}`);
		// The issue's own bound is a tenth; without noise whole models put the parts right to a fiftieth.
		assert.ok(Math.abs(goal!.predicted! - goal!.measured) < 0.02, `${goal!.predicted}`);
	}
});

test('a clock that is off by a tenth now and then does not send the search too far', async () => {
	let turn = 0;
	const noise = (): number => [1, 1.1, 1, 0.95][turn++ % 4]!;
	const { steps } = await timed('prune heads, ffn until latency <= 75%', 1, noise);
	const [goal] = steps.at(-1)!.reached!;
	assert.ok(goal!.measured <= 0.75 && goal!.measured > 0.6, `${goal!.measured}`);
	assert.ok(Math.abs(goal!.predicted! - goal!.measured) < 0.1, `${goal!.predicted}`);
});

test('leaves the least multiple of neurons that is as fast as any, unless the statement says one', async () => {
	const widths = async (statement: string, fast: number): Promise<number[]> => {
		const pace = ({ graph }: Model): number =>
			[...graph.initializers.values()].every(({ dims }) => dims.every((dim) => dim % fast === 0)) ? 1 : 1.5;
		const { steps } = await timed(statement, 1, () => 1, { hidden: 512, pace });
		return steps[0]!.removed.map(({ units }) => 512 - units.length);
	};
	for (const fast of [4, 32]) {
		const kept = await widths('prune ffn until latency <= 71%', fast);
		assert.ok(kept.length > 0);
		assert.ok(
			kept.every((width) => width % fast === 0),
			kept.join(),
		);
		assert.is(
			kept.some((width) => width % 32 !== 0),
			fast === 4,
			kept.join(),
		);
	}
	const said = await widths('prune ffn align 8 until latency <= 71%', 32);
	assert.ok(said.every((width) => width % 8 === 0) && said.some((width) => width % 32 !== 0), said.join());
});

test('says how fast it gets at best', async () => {
	try {
		await timed('prune heads until latency <= 20%');
		assert.unreachable();
	} catch (problem) {
		assert.match((problem as Fault).message, /`latency <= 20%` cannot be reached: the best is \d\d/);
	}
});

test('a part of a graph runs by itself, and parts that take the same time have one key', async () => {
	const model = encoder(2, { heads: 2, width: 4, hidden: 16 });
	const facts = inferFacts(model, new Map([['x', [1, 6, 8]]]));
	const half = (model.graph.nodes.length - 1) / 2; // the last is the head
	const parts = [0, half].map((from) => {
		const ids = new Set(model.graph.nodes.slice(from, from + half).map(({ id }) => id));
		return partOf(model, facts, ids)!;
	});
	assert.is(parts[0]!.key, parts[1]!.key);
	const [{ graph }] = parts.map((part) => part.model) as [Model];
	assert.equal(
		graph.inputs.map(({ dims }) => dims),
		[[1, 6, 8]],
	);
	const session = await openSession(parts[0]!.model, { which: 'part', threads: 1 });
	const feeds = new Map([['x', { type: 1, dims: [1, 6, 8], data: new Float32Array(48).fill(1) }]]);
	assert.equal(
		[...(await session.run(feeds)).values()].map(({ dims }) => dims),
		[[1, 6, 8]],
	);
	await session.release();
});

test('layers and ranks are turned up until a cost is reached, and no further', async () => {
	const options = { model: lm.model, threads: 1, samples: 2, verify: false };
	for (const [recipe, costly] of [
		['prune layers until params <= 80%', 'prune layers 1'],
		['factorize ffn until params <= 90%', 'factorize ffn ratio 75%'],
	] as const) {
		const { steps, model, output, diagnostics } = await compile({ ...options, recipe });
		assert.equal(
			diagnostics.filter(({ severity }) => severity === 'error'),
			[],
		);
		const [goal] = steps[0]!.reached!;
		assert.is(goal!.measured, output!.params! / model!.params);
		assert.ok(goal!.measured <= goal!.asked, recipe);
		const plain = await compile({ ...options, recipe: costly });
		assert.is(plain.output!.params, output!.params, `${recipe}: ${plain.output!.params! / model!.params}`);
	}
});

test('out of reach of layers is said with the best there is', async () => {
	const { ok, diagnostics } = await compile({ recipe: 'prune layers until params <= 5%', model: lm.model });
	assert.not(ok);
	assert.match(diagnostics[0]!.message, /^`params <= 5%` cannot be reached: the best is [\d.]+%$/);
});

test('layers go with heads and neurons where that keeps more', async () => {
	const recipe = 'prune heads, ffn, layers until params <= 60%';
	const { steps } = await proven(recipe, { model: lm.model, out: folder.at('mixed.onnx') });
	const { measured } = steps.at(-1)!.reached![0]!;
	assert.ok(measured <= 0.6, String(measured));
	assert.ok(steps.some(({ technique, selected }) => technique !== 'prune-layers' && selected > 0));
});

test('ranks fall as far as quality allows', async () => {
	const recipe = `calibrate with "${classifier.calibration}" take 10\nfactorize ffn until kl <= 0.02`;
	const { steps, drift } = await compile({ recipe, model: classifier.model, threads: 1, samples: 2 });
	const [goal] = steps[0]!.reached!;
	assert.is(goal!.measured, drift!.kl);
	assert.ok(drift!.kl! <= 0.02 && steps[0]!.selected > 0, String(drift!.kl));
});

const floor = (goal: string): string =>
	`calibrate with "${classifier.calibration}" take 20\nprune ffn ${goal}`;

test('goes as far as quality allows, and no further than where it was seen to hold', async () => {
	const recipe = floor('while kl <= 0.002');
	const { steps, drift } = await compile({ recipe, model: classifier.model, threads: 1, samples: 2 });
	const [reached] = steps[0]!.reached!;
	assert.is(reached!.goal, 'kl <= 0.002');
	assert.is(reached!.measured, drift!.kl);
	assert.ok(drift!.kl! <= 0.002 && steps[0]!.selected > 100, `${drift!.kl} ${steps[0]!.selected}`);
});

test('`until` with a quality is how far to go, as `while` is', () => {
	const goalsOf = (goal: string): unknown => {
		const { recipe } = checkText(`prune ffn ${goal}`, {}, { hasData: true });
		return recipe!.steps.map((step) => [step.until.length, step.while.map(({ subject }) => subject)]);
	};
	assert.equal(goalsOf('until kl <= 0.002'), [[0, ['kl']]]);
	assert.equal(goalsOf('until params <= 50% and kl <= 0.002'), [[1, ['kl']]]);
});

test('a cost that quality does not allow is an error that says what it allows', async () => {
	const messages = async (goal: string): Promise<string[]> => {
		const { diagnostics } = await compile({ recipe: floor(goal), model: classifier.model, threads: 1 });
		return diagnostics.map(({ code, message }) => `${code}: ${message.replace(/[\d.]+%$/, '…')}`);
	};
	assert.equal(await messages('until params <= 70% while kl <= 0.001'), [
		'plan/goal-not-reached: `params <= 70%` cannot be reached with `kl <= 0.001`: the best is …',
	]);
	assert.equal(await messages('while cosine >= 0.9999999'), [
		'plan/floor-too-high: nothing can go while `cosine >= 1`',
	]);
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
	...{
		keys: [label],
		label,
		unit: 'units',
		families: [],
		order: damage.map((_, at) => at),
		counts: damage.map((_, at) => at),
		damage,
	},
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
