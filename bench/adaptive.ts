/**
 * What depends on the input, timed beside the model without it: the shape of BERT-base at length 128, one input at a time.
 *
 *     node --import tsx bench/adaptive.ts [threads] [pairs]      # 1 thread, 60 pairs
 *
 * Models take turns, so that the machine's moods hit all alike; figures are medians of the ratios within a turn, with the interval
 * that the median lies in with 95 % confidence (order statistics, no assumption on the distribution).
 */
import { openSession, type Feeds } from '../src/backends/ort/session.ts';
import { checkText } from '../src/check-text.ts';
import { stream } from '../src/data/generate.ts';
import { type Model } from '../src/ir/graph/graph.ts';
import { applyPatch } from '../src/ir/graph/patch.ts';
import { floats } from '../src/ir/graph/tensor.ts';
import { runRecipe } from '../src/passes/run.ts';
import { table } from '../src/report/tables.ts';
import { base, largeEncoder } from './models.ts';

const [threads, pairs] = [Number(process.argv[2] ?? 1), Number(process.argv[3] ?? 60)];
const length = 128;
const shapes = new Map([['x', [1, length, base.heads * base.width]]]);

async function built(model: Model, text: string): Promise<Model> {
	const { recipe } = checkText(text);
	if (recipe === undefined) throw new Error(`the recipe is wrong: ${text}`);
	return (await runRecipe(recipe, model, { shapes, seed: 0 })).model;
}

/** With the threshold of the exit at a number that always or never is met. */
function held(model: Model, threshold: number): Model {
	const tensor = floats('exit_after_5_when_confidence', [], [threshold]);
	return applyPatch(model, { label: 'threshold', edits: [{ kind: 'constant', tensor }] });
}

function feedsOf(seed: number): Feeds {
	const next = stream(seed);
	const dims = [1, length, base.heads * base.width];
	const data = Float32Array.from({ length: length * base.heads * base.width }, () => 2 * next() - 1);
	return new Map([['x', { type: 1, dims, data }]]);
}

/** Times of both models in turns, in milliseconds; who begins changes from turn to turn. */
async function inTurns(left: Model, right: Model): Promise<readonly (readonly [number, number])[]> {
	const sessions = [
		await openSession(left, { which: 'first', optimize: 'all', threads }),
		await openSession(right, { which: 'second', optimize: 'all', threads }),
	];
	const found: [number, number][] = [];
	for (let turn = -3; turn < pairs; turn++) {
		const [feeds, times] = [feedsOf(turn + 10), [0, 0] as [number, number]];
		for (const at of turn % 2 === 0 ? [0, 1] : [1, 0]) {
			const start = performance.now();
			await sessions[at]?.run(feeds);
			times[at] = performance.now() - start;
		}
		if (turn >= 0) found.push(times);
	}
	for (const session of sessions) await session.release();
	return found;
}

/** The median, and the order statistics that hold it with 95 % confidence (normal approximation of the binomial). */
function interval(values: readonly number[]): readonly [low: number, median: number, high: number] {
	const sorted = values.toSorted((a, b) => a - b);
	const [half, reach] = [sorted.length / 2, 0.98 * Math.sqrt(sorted.length)];
	const at = (place: number): number =>
		sorted[Math.min(sorted.length - 1, Math.max(0, Math.floor(place)))] ?? NaN;
	return [at(half - reach), at(half), at(half + reach)];
}

const model = largeEncoder(12, base, { classes: 2 });
const exits = await built(model, 'exit after layer 5 when confidence > 0.9');
const cases: readonly (readonly [name: string, aim: string, make: () => Model | Promise<Model>])[] = [
	[
		'prune tokens keep 50% after layer 3',
		'>= 1.4',
		() => built(model, 'prune tokens keep 50% after layer 3'),
	],
	['exit after layer 5, taken', '>= 1.9', () => held(exits, -1)],
	['exit after layer 5, not taken', '>= 0.97', () => held(exits, 2)],
];
const rows = [['', 'whole ms', 'ms', 'times as fast', '95 % interval', 'aim']];
for (const [name, aim, make] of cases) {
	const times = await inTurns(model, await make());
	const [low, middle, high] = interval(times.map(([whole, own]) => whole / own));
	const median = (at: 0 | 1): string => interval(times.map((pair) => pair[at]))[1].toFixed(1);
	rows.push([name, median(0), median(1), middle.toFixed(3), `${low.toFixed(3)} to ${high.toFixed(3)}`, aim]);
}
process.stdout.write(`${table(rows)}\n${pairs} pairs, ${threads} thread${threads === 1 ? '' : 's'}\n`);
