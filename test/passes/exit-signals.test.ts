/** Signals of exits that look beyond the scores of one. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openSession, type Feeds } from '../../src/backends/ort/session.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { buildOf } from '../harness/exact.ts';
import { classifier, feedsOf, scoresOf, far } from '../harness/exits.ts';

const test = suite('signals of exits');

test('patience counts exits in a row that name the same class, and the exit that has enough is taken', async () => {
	const model = classifier({ layers: 4 });
	const alone = async (layer: number): Promise<Model> =>
		(await buildOf(model, `exit after layer ${layer} when confidence > -1`)).model;
	const { document, model: built } = await buildOf(model, 'exit after layers [0, 1, 2] when patience >= 1');
	assert.ok(document.proof!.ok && !document.proof!.weak);
	const feeds = Array.from({ length: 16 }, (_, seed) => feedsOf(seed + 1, 1));
	const exits = [];
	for (const layer of [0, 1, 2]) exits.push(await scoresOf(await alone(layer), feeds));
	const [whole, found] = [await scoresOf(model, feeds), await scoresOf(built, feeds)];
	const named = (row: readonly number[]): number => row.indexOf(Math.max(...row));
	const taken = [0, 0, 0, 0];
	for (const [seed, rows] of found.entries()) {
		const said = exits.map((exit) => named(exit[seed]![0]!));
		const stage = said[1] === said[0] ? 1 : said[2] === said[1] ? 2 : 3;
		taken[stage]!++;
		assert.ok(far(rows, stage === 3 ? whole[seed]! : exits[stage]![seed]!) < 1e-5, `feeds ${seed}`);
	}
	assert.ok(taken[1]! > 0 && taken[2]! + taken[3]! > 0, taken.join(' '));
});

test('saturation is the cosine between what the layer begins and ends with', async () => {
	const model = classifier();
	const early = (await buildOf(model, 'exit after layer 1 when confidence > -1')).model;
	const values = [...model.graph.nodes.map(({ outputs }) => outputs[0]!)].filter((name) =>
		name.startsWith('Add'),
	);
	const feeds = Array.from({ length: 12 }, (_, at) => feedsOf(at + 1, 1));
	// The sums that end the feed-forward blocks of layers 0 and 1.
	const ends = await residualsOf(model, values, feeds);
	const cosines = ends.map(([from, to]) => meanCosine(from, to));
	const middle = cosines.toSorted((a, b) => a - b)[6]! + 1e-4;
	const { document, model: built } = await buildOf(
		model,
		`exit after layer 1 when saturation > ${middle.toFixed(6)}`,
	);
	assert.ok(document.proof!.ok && !document.proof!.weak);
	const [full, exits, found] = [
		await scoresOf(model, feeds),
		await scoresOf(early, feeds),
		await scoresOf(built, feeds),
	];
	const wrong = cosines.filter((cosine, at) => far(found[at]!, (cosine > middle ? exits : full)[at]!) > 1e-5);
	assert.equal(wrong, []);
	assert.ok(cosines.some((cosine) => cosine > middle) && cosines.some((cosine) => cosine < middle));
});

/** What layers 0 and 1 end with, [6 positions, 8 features] each. */
async function residualsOf(
	model: Model,
	sums: readonly string[],
	feeds: readonly Feeds[],
): Promise<Float64Array[][]> {
	// A layer adds four times to weights' products and twice to the residual path; the last sum of each is its result.
	const per = sums.length / 3;
	const extra = [sums[per - 1]!, sums[2 * per - 1]!];
	const session = await openSession(model, { which: 'given', optimize: 'disabled', threads: 1, extra });
	const found: Float64Array[][] = [];
	for (const own of feeds) {
		const run = await session.run(own, extra);
		found.push(extra.map((name) => Float64Array.from(run.get(name)!.data, Number)));
	}
	await session.release();
	return found;
}

function meanCosine(from: Float64Array = new Float64Array(), to: Float64Array = new Float64Array()): number {
	let sum = 0;
	for (let at = 0; at < from.length; at += 8) {
		let [dot, left, right] = [0, 0, 0];
		for (let feature = at; feature < at + 8; feature++) {
			dot += from[feature]! * to[feature]!;
			left += from[feature]! ** 2;
			right += to[feature]! ** 2;
		}
		sum += dot / Math.sqrt(left * right);
	}
	return sum / (from.length / 8);
}

test.run();
