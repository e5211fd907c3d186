/** Times on data: what models with exits did is told without changing what is timed. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { present } from '../src/diagnostic.ts';
import { withTaken } from '../src/passes/exits/exit-taken.ts';
import { timeOnData } from '../src/tasks/time-data.ts';
import { npy } from './harness/data.ts';
import { buildOf } from './harness/exact.ts';
import { classifier, feedsOf, measures, scoresOf } from './harness/exits.ts';

const test = suite('times on data');
const folder = mkdtempSync(join(tmpdir(), 'prunec-time-'));
test.after(() => {
	rmSync(folder, { recursive: true });
});

const count = 20;
const examples = Array.from({ length: count }, (_, at) => feedsOf(at + 1, 1));
const path = join(folder, 'x.npy');
const values = examples.flatMap((feeds) => Array.from(present(feeds.get('x'), 'x').data, Number));
writeFileSync(path, npy([count, 6, 8], values, 'f4'));

test('shares of examples per exit are those that meet its condition, one behind the other', async () => {
	const model = classifier({ layers: 4 });
	const exits = (await buildOf(model, 'exit after layers [0, 2] when confidence > 0.55')).model;
	const sure: boolean[][] = [];
	for (const layer of [0, 2]) {
		const alone = await buildOf(model, `exit after layer ${layer} when confidence > -1`);
		const scores = await scoresOf(alone.model, examples);
		sure.push(scores.map(([row]) => (measures['confidence']?.(row ?? []) ?? 0) > 0.55));
	}
	const first = sure[0]?.filter(Boolean).length ?? 0;
	const second = sure[1]?.filter((one, at) => one && sure[0]?.[at] !== true).length ?? 0;
	assert.ok(first > 0 && second > 0 && first + second < count, `${first} ${second}`);
	const timed = await timeOnData([model, exits], { path, modelPath: path, threads: 1 });
	assert.is(timed.examples, count);
	const [whole, early] = timed.models;
	assert.equal([whole?.speedUp, whole?.agreement, whole?.exits], [1, 1, undefined]);
	assert.equal(early?.exits, [
		{ layer: 0, share: first / count },
		{ layer: 2, share: second / count },
	]);
	const [full, found] = [await scoresOf(model, examples), await scoresOf(exits, examples)];
	const named = (row: readonly number[] = []): number => row.indexOf(Math.max(...row));
	const same = full.filter(([row], at) => named(row) === named(found[at]?.[0])).length;
	assert.is(early?.agreement, same / count);
});

test('a model without exits tells nothing more', () => {
	assert.is(withTaken(classifier()), undefined);
});

test.run();
