/**
 * What depends on the input, timed beside the model without it: the shape of BERT-base at length 128, one input at a time.
 *
 *     node --import tsx bench/adaptive.ts [threads] [pairs] [part of a row's name]      # 1 thread, 60 pairs, all rows
 *
 * Models take turns, so that the machine's moods hit all alike; figures are medians of the ratios within a turn, with the interval
 * that the median lies in with 95 % confidence (order statistics, no assumption on the distribution). Ratios are of time on the
 * clock, and of processor time, which others on the machine move less. Where the weights of a session come to lie moves it by some
 * percent for as long as it is open, so sessions are opened anew ten times; the first row is the model beside itself.
 */
import { loadavg } from 'node:os';
import { type Feeds } from '../src/backends/ort/session.ts';
import { checkText } from '../src/recipe-text/check-text.ts';
import { stream } from '../src/data/generate.ts';
import { type Model } from '../src/ir/graph/graph.ts';
import { applyPatch } from '../src/ir/graph/patch.ts';
import { floats } from '../src/ir/graph/tensor.ts';
import { runRecipe } from '../src/passes/run.ts';
import { table } from '../src/report/tables.ts';
import { base, largeEncoder } from './models.ts';
import { inTurns, interval, speedUp } from './turns.ts';

const [threads, pairs] = [Number(process.argv[2] ?? 1), Number(process.argv[3] ?? 60)];
const [only, openings] = [process.argv[4] ?? '', 10];
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

const model = largeEncoder(12, base, { classes: 2 });
const exits = await built(model, 'exit after layer 5 when confidence > 0.9');
const cases: readonly (readonly [name: string, aim: string, make: () => Model | Promise<Model>])[] = [
	['the model beside itself', '', () => model],
	[
		'prune tokens keep 50% after layer 3',
		'>= 1.4',
		() => built(model, 'prune tokens keep 50% after layer 3'),
	],
	['exit after layer 5, taken', '>= 1.9', () => held(exits, -1)],
	['exit after layer 5, not taken', '>= 0.97', () => held(exits, 2)],
];
const rows = [
	['', 'whole ms', 'ms', 'times as fast', '95 % interval', 'by processor time', '95 % interval', 'aim'],
];
for (const [name, aim, make] of cases.filter(([name]) => name.includes(only))) {
	const feeds = (turn: number): Feeds => feedsOf(turn + 10);
	const turns = await inTurns(model, await make(), { pairs, threads, openings, feeds });
	const median = (at: 0 | 1): string => interval(turns.map((turn) => turn[at].clock))[1].toFixed(1);
	rows.push([name, median(0), median(1), ...speedUp(turns, 'clock'), ...speedUp(turns, 'processor'), aim]);
}
const load = loadavg().map((one) => one.toFixed(1));
process.stdout.write(
	`${table(rows)}\n${pairs} pairs, ${threads} thread${threads === 1 ? '' : 's'}, load ${load.join(' ')}\n`,
);
