/**
 * What the classifier of passages in the tests still names right when tokens leave, by what chooses them; nothing is trained again.
 *
 *     node --import tsx bench/tokens.ts [layer] [passages]      # behind layer 1, all 2,000
 */
import { loadModel } from '../src/backends/onnx/load.ts';
import { openSession } from '../src/backends/ort/session.ts';
import { checkText } from '../src/recipe-text/check-text.ts';
import { present } from '../src/diagnostic.ts';
import { type Model } from '../src/ir/graph/graph.ts';
import { runRecipe } from '../src/passes/run.ts';
import { bestOf } from '../src/quality/outputs.ts';
import { table } from '../src/report/tables.ts';
import { classifier, classifierFeeds, classifierRows } from '../test/fixtures/text/text.ts';

const [layer = '1', passages = '2000'] = process.argv.slice(2);
const shares = [75, 50, 25];
const ways: readonly (readonly [name: string, recipe: (share: number) => string])[] = [
	...(['attention', 'cls', 'value', 'norm', 'similarity', 'random'] as const).map(
		(by) =>
			[by, (share: number): string => `prune tokens keep ${share}% after layer ${layer} by ${by}`] as const,
	),
	['attention, fused', (share) => `prune tokens keep ${share}% after layer ${layer} with fused`],
	['merge', (share) => `merge tokens keep ${share}% after layer ${layer}`],
];
const rows = classifierRows();
const count = Math.min(rows.rows, Number(passages));

/** The class that each passage is given, `batch` at a time. */
async function named(model: Model, batch = 50): Promise<number[]> {
	const session = await openSession(model, { which: 'given', optimize: 'all', threads: 2 });
	const found: number[] = [];
	for (let from = 0; from < count; from += batch) {
		const outputs = await session.run(classifierFeeds(rows, from, Math.min(count, from + batch)));
		found.push(...bestOf(present([...outputs.values()][0], 'logits')));
	}
	await session.release();
	return found;
}

const { model, file } = loadModel(classifier.model);
const whole = await named(model);
const right = (classes: readonly number[]): number =>
	classes.filter((one, at) => one === rows.labels[at]).length / count;
const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;
const lines = [['', ...shares.flatMap((share) => [`right, ${share}% kept`, 'as the whole'])]];
for (const [name, recipe] of ways) {
	const cells: string[] = [name];
	for (const share of shares) {
		const { recipe: checked } = checkText(recipe(share));
		const { model: less } = await runRecipe(present(checked, 'recipe'), model, {
			shapes: new Map(),
			seed: 0,
		});
		const classes = await named(less);
		const same = classes.filter((one, at) => one === whole[at]).length / count;
		cells.push(percent(right(classes)), percent(same));
	}
	lines.push(cells);
}
file.close();
process.stdout.write(
	`${table(lines)}\nwhole: ${percent(right(whole))} right, ${count} passages, after layer ${layer}\n`,
);
