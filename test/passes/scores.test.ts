/** Scores against plain computation from weights and from activations that onnxruntime puts out. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compile.ts';
import { type StepReport } from '../../src/document.ts';
import { distancesToMedian } from '../../src/numerics/median.ts';
import { classifier } from '../fixtures/text/text.ts';
import {
	data,
	dim,
	feeds,
	heads,
	hidden,
	indices,
	input,
	isClose,
	kinds,
	matrix,
	mean,
	nodeNamed,
	owned,
	range,
	readBy,
	rowsOf,
	scored,
	sum,
	weightsOf,
	type Kind,
} from '../harness/scoring.ts';

const test = suite('scores');

for (const [kind, place] of Object.entries(kinds) as ['attention' | 'ffn', Kind][]) {
	const units = range(place.count);
	test(`l1 and l2 sum all weights of a unit (${kind})`, async () => {
		for (const layer of [0, 5]) {
			const weights = units.map((unit) => weightsOf(place, layer, unit));
			isClose(
				await scored('l1', kind, layer),
				weights.map((own) => sum(own.map(Math.abs))),
				'l1',
			);
			isClose(
				await scored('l2', kind, layer),
				weights.map((own) => Math.hypot(...own)),
				'l2',
			);
		}
	});

	test(`activation is the root mean square of what a unit puts out (${kind})`, async () => {
		const read = input(1, place.reader);
		const rows = (await rowsOf([read], place.across)).get(read)!;
		const expected = units.map((unit) => {
			const own = rows.flatMap((row) => row.slice(unit * place.size, (unit + 1) * place.size));
			return Math.sqrt(sum(own.map((value) => value * value)) / own.length);
		});
		isClose(await scored('activation', kind, 1), expected, 'activation');
	});

	test(`wanda weighs every weight that reads a unit by the size of what it reads (${kind})`, async () => {
		const read = input(4, place.reader);
		const rows = (await rowsOf([read], place.across)).get(read)!;
		const weights = matrix(4, place.reader);
		const expected = units.map((unit) =>
			sum(
				range(place.size).map((at) => {
					const position = unit * place.size + at;
					const norm = Math.sqrt(sum(rows.map((row) => row[position]! ** 2)) / rows.length);
					return sum(range(dim).map((column) => Math.abs(weights[position * dim + column]!) * norm));
				}),
			),
		);
		isClose(await scored('wanda', kind, 4), expected, 'wanda');
	});
}

for (const [kind, place] of Object.entries(kinds) as ['attention' | 'ffn', Kind][]) {
	const units = range(place.count);

	test(`fluctuation weighs squared weights by the variance of what they read (${kind})`, async () => {
		const rows = await readBy(place, 3);
		const weights = matrix(3, place.reader);
		const expected = units.map((unit) =>
			sum(
				owned(place, unit).map((position) => {
					const values = rows.map((row) => row[position]!);
					const variance = mean(values.map((value) => (value - mean(values)) ** 2));
					return variance * sum(range(dim).map((column) => weights[position * dim + column]! ** 2));
				}),
			),
		);
		isClose(await scored('fluctuation', kind, 3), expected, 'fluctuation');
	});

	test(`entropy is that of a histogram in 32 bins (${kind})`, async () => {
		const rows = await readBy(place, 2);
		const entropy = (position: number): number => {
			const values = rows.map((row) => row[position]!);
			const [least, most] = [Math.min(...values), Math.max(...values)];
			const bins = values.map((value) => Math.min(31, Math.floor((32 * (value - least)) / (most - least))));
			const shares = range(32).map((bin) => bins.filter((one) => one === bin).length / bins.length);
			return -sum(shares.map((share) => (share > 0 ? share * Math.log2(share) : 0)));
		};
		const expected = units.map((unit) => mean(owned(place, unit).map(entropy)));
		isClose(await scored('entropy', kind, 2), expected, 'entropy');
	});

	test(`similarity is one less the largest RV coefficient with another unit (${kind})`, async () => {
		const all = await readBy(place, 1);
		// Every fifth example is kept for judging: 70 rows each.
		const rows = all.filter((_, at) => Math.floor(at / 70) % 5 !== 4);
		const means = range(place.across).map((position) => mean(rows.map((row) => row[position]!)));
		const some = units.slice(0, 24);
		const covariance = (a: number, b: number): number =>
			sum(rows.map((row) => (row[a]! - means[a]!) * (row[b]! - means[b]!)));
		const square = (one: number, other: number): number =>
			sum(owned(place, one).flatMap((a) => owned(place, other).map((b) => covariance(a, b) ** 2)));
		const own = units.map((unit) => square(unit, unit));
		const expected = some.map((unit) => {
			const others = units.filter((other) => other !== unit);
			return (
				1 - Math.max(...others.map((other) => square(unit, other) / Math.sqrt(own[unit]! * own[other]!)))
			);
		});
		const actual = (await scored('similarity', kind, 1)).slice(0, some.length);
		for (const [at, value] of expected.entries())
			assert.ok(Math.abs(value - actual[at]!) < 1e-6, `unit ${at}`);
	});

	test(`median is the distance to the point with the least sum of distances (${kind})`, async () => {
		const points = units.map((unit) => weightsOf(place, 0, unit));
		const distances = await scored('median', kind, 0);
		const least = geometricMedian(points);
		isClose(
			distances,
			points.map((point) => Math.hypot(...point.map((value, at) => value - least[at]!))),
			'median',
		);
	});
}

/** By plain steps, from the first point: until the pull of all points is nothing. */
function geometricMedian(points: readonly (readonly number[])[]): readonly number[] {
	let centre = points[0]!.map((value, at) => value + 1e-3 * (at % 2));
	for (let step = 0; step < 400; step++) {
		const pulls = points.map((point) => 1 / Math.hypot(...point.map((value, at) => value - centre[at]!)));
		centre = centre.map((_, at) => sum(points.map((point, one) => point[at]! * pulls[one]!)) / sum(pulls));
	}
	return centre;
}

test('the median of points on a line, and of a triangle, are the known ones', () => {
	const line = [1, 2, 4, 8, 16].flatMap((at) => [at, 2 * at]);
	const root = Math.sqrt(5);
	const expected = [3, 2, 0, 4, 12].map((at) => at * root);
	distancesToMedian({ rows: 5, cols: 2, data: Float64Array.from(line) }).forEach((distance, at) =>
		assert.ok(Math.abs(distance - expected[at]!) < 1e-6, `point ${at}: ${distance}`),
	);
	// With an angle above 120°, the corner itself; in an equilateral triangle, its centre.
	const flat = distancesToMedian({ rows: 3, cols: 2, data: Float64Array.of(-2, 0, 0, 0.5, 2, 0) });
	assert.ok(flat[1]! < 1e-6 && Math.abs(flat[0]! - Math.hypot(2, 0.5)) < 1e-6, String(flat));
	const even = distancesToMedian({ rows: 3, cols: 2, data: Float64Array.of(0, 0, 2, 0, 1, Math.sqrt(3)) });
	assert.ok(
		even.every((distance) => Math.abs(distance - 2 / Math.sqrt(3)) < 1e-6),
		String(even),
	);
});

test('random draws depend on the seed and the place alone', async () => {
	const drawn = await scored('random', 'ffn', 2, { seed: 7 });
	assert.equal(await scored('random', 'ffn', 2, { seed: 7 }), drawn);
	assert.not.equal(await scored('random', 'ffn', 2, { seed: 8 }), drawn);
	assert.not.equal(await scored('random', 'ffn', 3, { seed: 7 }), drawn);
	assert.is(new Set(drawn).size, hidden);
	assert.ok(drawn.every((score) => score >= 0 && score < 1));
	// 192 uniform draws have a mean of 0.5 ± 0.021: five deviations.
	assert.ok(Math.abs(sum(drawn) / hidden - 0.5) < 0.104);
});

/** What a statement removes, by layer. */
async function removed(recipe: string): Promise<StepReport['removed']> {
	const document = await compile({ recipe, model: classifier.model, data, threads: 1, verify: false });
	const grave = document.diagnostics.filter(({ severity }) => severity !== 'note');
	assert.equal(grave, [], recipe);
	return document.steps[0]!.removed;
}

/** The `count` least important units by layer, and a threshold between them and the others. */
function least(
	count: number,
	importance: readonly (readonly number[])[],
): { expected: unknown; threshold: number } {
	const order = importance.flat().sort((a, b) => a - b);
	const threshold = (order[count - 1]! + order[count]!) / 2;
	const expected = importance.flatMap((own, layer) => {
		const units = own.flatMap((score, unit) => (score < threshold ? [unit] : []));
		return units.length > 0 ? [{ layer, units }] : [];
	});
	return { expected, threshold };
}

test('importance is the score over the largest of the layer', async () => {
	const importance = indices.map((layer) => {
		const scores = range(heads).map((head) => Math.hypot(...weightsOf(kinds.attention, layer, head)));
		return scores.map((score) => score / Math.max(...scores));
	});
	for (const count of [1, 4, 7]) {
		const { expected, threshold } = least(count, importance);
		assert.equal(await removed(`prune heads where importance < ${threshold.toFixed(9)} by l2`), expected);
	}
});

test('under globally, importance is over the largest of all layers, each in units of its mean', async () => {
	const scores = indices.map((layer) => {
		const own = range(heads).map((head) => sum(weightsOf(kinds.attention, layer, head).map(Math.abs)));
		return own.map((score) => (score * heads) / sum(own));
	});
	const largest = Math.max(...scores.flat());
	const importance = scores.map((own) => own.map((score) => score / largest));
	for (const count of [1, 4, 7]) {
		const { expected, threshold } = least(count, importance);
		assert.equal(
			await removed(`prune heads where importance < ${threshold.toFixed(9)} by l1 globally`),
			expected,
		);
	}
});

/** What goes into the first layer, and what comes out of each. */
async function layerRows(): Promise<number[][][]> {
	const after = indices.map((layer) => nodeNamed(`/layers.${layer}/output_norm/Add_1`).outputs[0]!);
	const values = [nodeNamed('/norm/Add_1').outputs[0]!, ...after];
	const rows = await rowsOf(values, dim);
	return values.map((value) => rows.get(value)!);
}

function cosine(a: readonly number[], b: readonly number[]): number {
	const dot = (one: readonly number[], other: readonly number[]): number =>
		sum(one.map((value, at) => value * other[at]!));
	return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

const asRemoved = (layers: readonly number[]): StepReport['removed'] =>
	layers.toSorted((a, b) => a - b).map((layer) => ({ layer, units: [] }));

test('angular is the mean angle at the last position between what goes into a layer and what comes out', async () => {
	const rows = await layerRows();
	const angles = indices.map((layer) => {
		const ends = feeds.map((_, at) => 70 * at + 69);
		return mean(ends.map((at) => Math.acos(cosine(rows[layer]![at]!, rows[layer + 1]![at]!)) / Math.PI));
	});
	const order = indices.toSorted((a, b) => angles[a]! - angles[b]!);
	for (const count of [2, 4])
		assert.equal(await removed(`prune layers ${count} by angular`), asRemoved(order.slice(0, count)));
	const threshold = (angles[order[2]!]! + angles[order[3]!]!) / 2;
	assert.equal(
		await removed(`prune layers where angular < ${threshold.toFixed(8)} by angular`),
		asRemoved(order.slice(0, 3)),
	);
});

test('block influence is one minus the mean cosine between what goes into a layer and what comes out', async () => {
	const rows = await layerRows();
	const influence = indices.map((layer) => {
		const behind = rows[layer + 1]!;
		return 1 - mean(rows[layer]!.map((row, at) => cosine(row, behind[at]!)));
	});
	const order = indices.toSorted((a, b) => influence[a]! - influence[b]!);
	for (const count of [1, 2, 3, 4, 5])
		assert.equal(await removed(`prune layers ${count} by block_influence`), asRemoved(order.slice(0, count)));
	const threshold = (influence[order[2]!]! + influence[order[3]!]!) / 2 / Math.max(...influence);
	assert.equal(
		await removed(`prune layers where importance < ${threshold.toFixed(6)} by block_influence`),
		asRemoved(order.slice(0, 3)),
	);
});

test.run();
