/** Ways to a goal: with data what is estimated is held against equal shares, and the best on held-out inputs stays. */
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compile.ts';
import { Fault } from '../../src/diagnostic.ts';
import { type Family } from '../../src/ir/axes/families.ts';
import { type Goal } from '../../src/ir/recipe/recipe.ts';
import { type GoalTask } from '../../src/passes/goals/goals.ts';
import { type Qualities } from '../../src/passes/goals/goal-words.ts';
import { reachBest } from '../../src/passes/goals/ways.ts';
import { type Allotment, type Offered } from '../../src/passes/technique.ts';
import { countRight, lines, readLines, recognizer } from '../../examples/read-lines.ts';
import { testFolder } from '../harness/folder.ts';

const test = suite('ways to a goal');
const folder = testFolder();
test.after(() => {
	folder.remove();
});

const place = { start: 0, end: 1 };
const until: Goal = { subject: 'macs', op: '<=', value: 0.5, unit: 'share', span: place };
const units = 10;
/** A path only counts its families. */
const family = { units } as Family;
/** A group of ten units that are said to harm little or much. */
const offered = (label: string, harm: number): Offered => ({
	...{ keys: [label], label, unit: 'units', families: [family] },
	order: Array.from({ length: units }, (_, at) => at),
	counts: Array.from({ length: units }, (_, at) => at),
	damage: Array.from({ length: units }, (_, at) => at * harm),
});

type Judge = (gone: Allotment) => Qualities;

/** Two groups, each half of the work; `judged` is called with what was taken. */
function task(judged: Judge, floors: readonly Goal[] = []): GoalTask<Allotment> {
	const saved = (removed: readonly number[]): number => removed.reduce((sum, count) => sum + count, 0);
	const all = 2 * units;
	return {
		...{ until: [until], while: floors, original: { macs: all }, before: { macs: all } },
		offers: [offered('cheap', 1e-3), offered('dear', 1)],
		savings: {
			macs: {
				saved,
				savedBy: (removed, own) => saved(own.map((at) => removed[at] ?? 0)),
				near: (own) => own,
			},
		},
		attempt: (allotted) =>
			Promise.resolve({ result: allotted, costs: { macs: all - saved([...allotted.values()]) } }),
		judge: (result) => Promise.resolve(judged(result)),
	};
}

const [concentrated, even] = [
	{ cheap: 9, dear: 1 },
	{ cheap: 5, dear: 5 },
];
/** What harms is how much the group that loses most does. */
const byMost: Judge = (gone) => ({ kl: Math.max(...gone.values()) });

test('takes equal shares where estimates are wrong', async () => {
	const { result, reached } = await reachBest(task(byMost), true);
	assert.equal(Object.fromEntries(result), even);
	assert.is(reached[0]!.by, 'equal shares');
});

test('keeps to the least harm where it is right, or right within bounds', async () => {
	const right = await reachBest(
		task((gone) => ({ kl: gone.get('dear')! })),
		true,
	);
	assert.equal(Object.fromEntries(right.result), concentrated);
	assert.is(right.reached[0]!.by, 'harm');
	const near = await reachBest(
		task((gone) => ({ cosine: 1 - Math.abs(gone.get('cheap')! - 7) })),
		true,
	);
	assert.equal(Object.fromEntries(near.result), { cheap: 7, dear: 3 });
	assert.is(near.reached[0]!.by, 'bounded harm');
});

test('goes by estimates alone where nothing can be held against them', async () => {
	const judged: Allotment[] = [];
	const { result, reached } = await reachBest(
		task((gone) => {
			judged.push(gone);
			return {};
		}),
		false,
	);
	assert.equal(Object.fromEntries(result), concentrated);
	assert.is(reached[0]!.by, undefined);
	assert.is(judged.length, 0);
});

test('meets a floor by another way where the first does not, and says so where none does', async () => {
	const floor = (value: number): Goal => ({ subject: 'kl', op: '<=', value, unit: 'plain', span: place });
	const { result } = await reachBest(task(byMost, [floor(6)]), true);
	assert.equal(Object.fromEntries(result), even);
	try {
		await reachBest(task(byMost, [floor(1)]), true);
		assert.unreachable();
	} catch (problem) {
		assert.instance(problem, Fault);
	}
});

// Seven calibration lines are fewer rows than some layers have channels: by estimates alone 16 of 60 lines are read right.
test('a recognizer whose work is cut to a goal on seven lines still reads', async () => {
	const out = folder.at('recognizer.onnx');
	const data = join(lines, 'calibration');
	const recipe = 'prune channels until macs <= 87%';
	const { ok, steps } = await compile({ recipe, model: recognizer, data, out, verify: false });
	assert.ok(ok);
	assert.ok(steps[0]!.reached![0]!.measured <= 0.87);
	assert.ok(countRight(await readLines(out)) >= 54);
});

test.run();
