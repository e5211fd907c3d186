/** Scores that are measured by leaving units out, against models whose weights are zero there. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openSession } from '../../src/backends/ort/session.ts';
import { compile } from '../../src/compile.ts';
import { applyPatch } from '../../src/ir/graph/patch.ts';
import { floats, numbersOf } from '../../src/ir/graph/tensor.ts';
import { layerScores } from '../../src/passes/layers/layer-scores.ts';
import { pruneLayers } from '../../src/passes/layers/prune-layers.ts';
import { drawnSets } from '../../src/passes/scores/score-effects.ts';
import { type PlanRequest } from '../../src/passes/technique.ts';
import { classifier } from '../fixtures/text/text.ts';
import {
	anatomy,
	data,
	dim,
	few,
	groupOf,
	kinds,
	lab,
	labOn,
	matrix,
	mean,
	model,
	net,
	nodeNamed,
	owned,
	range,
	readBy,
	scored,
	sum,
	type Kind,
} from '../harness/scoring.ts';

const test = suite('score-effects');

for (const [kind, place] of Object.entries(kinds) as ['attention' | 'ffn', Kind][]) {
	test(`ablation is what the outputs change when the weights that read a unit are zero (${kind})`, async () => {
		const some = range(4);
		const expected = [];
		for (const unit of some) expected.push(await changeWithout(place, 4, [unit]));
		const actual = (await scored('ablation', kind, 4, { lab: labOn(few) })).slice(0, some.length);
		for (const [at, value] of expected.entries())
			// Single precision in other orders: logits near 10 agree to 1e-5, so squares of changes of 0.01 to some thousandths.
			assert.ok(Math.abs(value - actual[at]!) <= 1e-2 * value, `unit ${at}: ${actual[at]}, ${value}`);
		assert.ok(expected.every((value) => value > 0));
	});

	test(`sensitivity scales what obs says by what an error there does to the outputs (${kind})`, async () => {
		const sets = drawnSets(groupOf(kind, 2), 0);
		const rows = (await readBy(place, 2)).filter((_, at) => Math.floor(at / 70) % 5 !== 4);
		const weights = matrix(2, place.reader);
		let [effect, error] = [0, 0];
		for (const set of sets) {
			effect += await changeWithout(place, 2, [...set]);
			const gone = [...set].flatMap((unit) => owned(place, unit));
			const lost = (row: readonly number[]): number =>
				sum(range(dim).map((column) => sum(gone.map((at) => row[at]! * weights[at * dim + column]!)) ** 2));
			error += mean(rows.map(lost));
		}
		const [actual, obs] = [
			await scored('sensitivity', kind, 2, { lab: { ...lab, changes: labOn(few).changes } }),
			await scored('obs', kind, 2),
		];
		for (const [unit, score] of actual.entries())
			// As above: the effect is measured in single precision.
			assert.ok(Math.abs(score - (obs[unit]! * effect) / error) <= 1e-2 * score, `unit ${unit}`);
	});
}

/** The change with the rows of units zero in the weight that reads them. */
async function changeWithout(place: Kind, layer: number, units: readonly number[]): Promise<number> {
	const name = nodeNamed(`/layers.${layer}/${place.reader}/MatMul`).inputs[1]!;
	const old = model.graph.initializers.get(name)!;
	const gone = new Set(units.flatMap((unit) => owned(place, unit)));
	const values = numbersOf(old).map((value, at) => (gone.has(Math.floor(at / dim)) ? 0 : value));
	const initializers = new Map([...model.graph.initializers, [name, floats(name, old.dims, values)]]);
	return changeOf({ ...model, graph: { ...model.graph, initializers } });
}

/** Squared change of the logits over their size on the first feeds. */
async function changeOf(other: typeof model): Promise<number> {
	const logits = async (one: typeof model): Promise<number[]> => {
		const session = await openSession(one, { which: 'given', threads: 1, optimize: 'all' });
		const all = [];
		for (const feed of few) all.push(...Array.from((await session.run(feed)).get('logits')!.data));
		await session.release();
		return all;
	};
	const [before, after] = [await logits(model), await logits(other)];
	return (
		sum(before.map((value, at) => (value - after[at]!) ** 2)) / sum(before.map((value) => value * value))
	);
}

test('layers are ablated one by one: what the outputs change when readers of a layer read what went in', async () => {
	const request = { net, anatomy, model, seed: 0, lab: labOn(few) } as unknown as PlanRequest;
	const candidates = anatomy.layers.map((layer, given) => ({ layer, given, steps: layer.residuals }));
	const scores = await layerScores(request, candidates, 'ablation');
	for (const layer of [0, 3, 5]) {
		const pairs = anatomy.layers[layer]!.residuals.map(({ before, after }) => ({ from: after, to: before }));
		const { patch } = pruneLayers.lower({
			...{ net, decision: { pairs: pairs.toReversed() }, tensors: new Map(), label: '' },
		});
		const expected = await changeOf(applyPatch(model, patch));
		assert.ok(Math.abs(scores[layer]! - expected) <= 1e-3 * expected, `layer ${layer}: ${scores[layer]}`);
	}
});

test('norms that run over the units keep them from being left out one by one', async () => {
	const recipe = 'prune hidden 25% by ablation';
	const document = await compile({ recipe, model: classifier.model, data, threads: 1 });
	assert.equal(
		document.diagnostics.map(({ code }) => code),
		['plan/cannot-ablate'],
	);
});

test.run();
