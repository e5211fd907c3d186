/** Early exits: proven open and shut, row by row in between, and refused where layers could not be left out. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { labOf } from '../../src/backends/ort/lab.ts';
import { type Graph, type Model } from '../../src/ir/graph/graph.ts';
import { type Lab } from '../../src/ir/lab.ts';
import { numbersOf } from '../../src/ir/graph/tensor.ts';
import { matrix } from '../../src/ir/matrix.ts';
import { confidenceFor } from '../../src/passes/exits/exit-agreement.ts';
import { type PlanRequest } from '../../src/passes/technique.ts';
import { upperBound } from '../../src/numerics/binomial.ts';
import { buildOf } from '../harness/exact.ts';
import {
	pooled,
	classes,
	classifier,
	feedsOf,
	scoresOf,
	measures,
	far,
	assertRefused,
	type Shape,
} from '../harness/exits.ts';
import { type Build } from '../harness/model.ts';

const test = suite('exit');
for (const [post, opset] of [
	[false, 17],
	[true, 21],
] as const)
	test(`norms ${post ? 'after' : 'before'} the sums, opset ${opset}: open and shut, the same again from a plan`, async () => {
		const { document, same } = await buildOf(
			classifier({ post, opset }),
			'exit after layers [0, 1] when confidence > 0.4',
			{ again: true },
		);
		assert.ok(document.proof!.ok && !document.proof!.weak);
		assert.equal([document.steps[0]!.selected, document.steps[0]!.of], [2, 3]);
		assert.ok(same);
	});

test('the map of an exit is fitted on the data that the statement names', async () => {
	const folder = mkdtempSync(join(tmpdir(), 'prunec-exit-'));
	try {
		const path = join(folder, 'rows.jsonl');
		const rows = Array.from({ length: 40 }, (_, at) => {
			const numbers = Array.from(feedsOf(at + 1, 1).get('x')!.data, Number);
			const tokens = Array.from({ length: 6 }, (_, token) => numbers.slice(8 * token, 8 * token + 8));
			return JSON.stringify({ x: tokens });
		});
		writeFileSync(path, rows.join('\n'));
		const exit = 'exit after layer 0 when confidence > 0.4';
		const { document } = await buildOf(classifier(), `${exit} fit from "${path}" take 30`);
		assert.ok(document.proof!.ok && !document.proof!.weak);
		assert.equal(
			document.steps[0]!.compensated?.map(({ layer, choice }) => [layer, choice]),
			[[0, 'affine']],
		);
		assert.is((await buildOf(classifier(), exit)).document.steps[0]!.compensated, undefined);
		await assertRefused(classifier(), `${exit} fit from "${join(folder, 'none.jsonl')}"`, /none\.jsonl/);
	} finally {
		rmSync(folder, { recursive: true });
	}
});

for (const [signal, op, threshold] of [
	['confidence', '>', 0.45],
	['margin', '>=', 0.2],
	['entropy', '<', 1.35],
	['entropy', '<=', 1.35],
] as const)
	test(`a batch leaves when ${signal} ${op} ${threshold} in every row, else runs on`, async () => {
		const model = classifier();
		const built = await buildOf(model, `exit after layer 0 when ${signal} ${op} ${threshold}`);
		// Confidence is never below 0: this one always leaves.
		const early = (await buildOf(model, 'exit after layer 0 when confidence > -1')).model;
		const feeds = Array.from({ length: 24 }, (_, at) => feedsOf(at + 1, 1 + (at % 3)));
		const [full, exits, found] = [
			await scoresOf(model, feeds),
			await scoresOf(early, feeds),
			await scoresOf(built.model, feeds),
		];
		let taken = 0;
		for (const [at, rows] of exits.entries()) {
			const meets = rows.every((row) => {
				const value = measures[signal]!(row);
				return op.startsWith('>') ? value > threshold : value < threshold;
			});
			if (meets) taken++;
			assert.ok(far(rows, full[at]!) > 1e-3, 'the two differ');
			assert.ok(far(found[at]!, meets ? rows : full[at]!) < 1e-5, `feeds ${at}`);
		}
		assert.ok(taken > 2 && taken < 22, `${taken} of 24 left`);
	});

for (const [opset, when] of [
	[8, 'confidence > 0.4 and entropy < 1.4'],
	[9, 'margin >= 0.1'],
	[10, 'margin > 0.1 or saturation > 0.9'],
] as const)
	test(`operators of opset ${opset} are enough: ${when}`, async () => {
		const { document, model } = await buildOf(classifier({ opset }), `exit after layers [0, 1] when ${when}`);
		assert.ok(document.proof!.ok && !document.proof!.weak);
		const late = await buildOf(classifier({ opset: 18 }), `exit after layers [0, 1] when ${when}`);
		const feeds = Array.from({ length: 16 }, (_, at) => feedsOf(at + 1, 1));
		assert.ok(far((await scoresOf(model, feeds)).flat(), (await scoresOf(late.model, feeds)).flat()) < 1e-5);
	});

test('the first of several exits whose condition holds is taken', async () => {
	const model = classifier({ layers: 4 });
	const at = async (layer: number): Promise<Model> =>
		(await buildOf(model, `exit after layer ${layer} when confidence > -1`)).model;
	const both = await buildOf(
		model,
		'exit after layers [0, 2] when 0.5 < confidence and not (entropy >= 1.3)',
	);
	const feeds = Array.from({ length: 40 }, (_, seed) => feedsOf(seed + 1, 1));
	const stages = [
		await scoresOf(await at(0), feeds),
		await scoresOf(await at(2), feeds),
		await scoresOf(model, feeds),
	];
	const found = await scoresOf(both.model, feeds);
	const taken = [0, 0, 0];
	for (const [seed, rows] of found.entries()) {
		const isSure = (stage: number): boolean => {
			const [row] = stages[stage]![seed]!;
			return measures['confidence']!(row!) > 0.5 && measures['entropy']!(row!) < 1.3;
		};
		const stage = isSure(0) ? 0 : isSure(1) ? 1 : 2;
		taken[stage]!++;
		assert.ok(far(rows, stages[stage]![seed]!) < 1e-5, `feeds ${seed}`);
	}
	assert.ok(
		taken.every((count) => count > 0),
		taken.join(' '),
	);
});

test('a protected layer is not left out', async () => {
	const { model } = await buildOf(classifier(), 'share');
	const [name] = model.graph.nodes
		.filter(({ op }) => op === 'Softmax')
		.map((node) => node.name)
		.slice(-1);
	assert.ok(name);
	const product = model.graph.nodes.filter(({ op }) => op === 'MatMul').slice(-3)[0]!.name;
	await assertRefused(
		model,
		`protect "${product}"\nexit after layer 0 when confidence > 0.9`,
		/layer 2, which it would leave out, is protected/,
	);
});

test('scores that are probabilities already are not put through a softmax again', async () => {
	const head = (b: Build, x: string): void => {
		b.output(b.node('Softmax', [classes(b, x)], { axis: 1 }), ['batch', 5]);
	};
	const { document, model } = await buildOf(classifier({ head }), 'exit after layer 1 when confidence > 0.4');
	assert.ok(document.proof!.ok && !document.proof!.weak);
	// Of the two layers that always run, and of the copied head.
	assert.is(model.graph.nodes.filter(({ op }) => op === 'Softmax').length, 3);
});

test('outputs beside the scores: classes come from the exit too, values of early layers stay', async () => {
	const head = (b: Build, x: string, all: readonly string[]): void => {
		const scores = classes(b, x);
		b.output(scores, ['batch', 5]);
		b.output(b.node('ReduceMax', [scores], { axes: [1], keepdims: 0 }), ['batch']);
		b.output(all[1]!, ['batch', 'seq', 8]);
	};
	const { document } = await buildOf(classifier({ head }), 'exit after layer 0 when confidence > 0.4');
	assert.ok(document.proof!.ok && !document.proof!.weak);
	assert.is(document.proof!.outputs.length, 3);
});

function namesIn({ nodes }: Graph): string[] {
	const bodies = nodes.flatMap(({ attributes }) =>
		[...attributes.values()].flatMap((one) => (one.kind === 'graph' ? namesIn(one.value) : [])),
	);
	return [...nodes.flatMap(({ outputs }) => outputs.filter((name) => name !== '')), ...bodies];
}

test('names are unique across scopes, and thresholds are constants with names', async () => {
	const { model } = await buildOf(classifier(), 'exit after layers [0, 1] when confidence > 0.75');
	const names = [...namesIn(model.graph), ...model.graph.initializers.keys(), 'x'];
	assert.is(new Set(names).size, names.length);
	const stored = ['exit_after_0_when_confidence', 'exit_after_1_when_confidence'].map((name) =>
		Array.from(numbersOf(model.graph.initializers.get(name)!)),
	);
	assert.equal(stored, [[0.75], [0.75]]);
});

test('multiply–adds are those of a run that takes no exit', async () => {
	const { document } = await buildOf(classifier(), 'exit after layer 0 when confidence > 0.75');
	const [before, after] = document.steps[0]!.macs;
	assert.ok(after > before && after < 1.2 * before, `${before} ${after}`);
});

for (const [what, recipe, shape, says] of [
	['an output that shows a later layer', 'after layer 0', 'hidden', /output '.*' shows a later layer/],
	['an output with a row for each token', 'after layer 0', 'tokens', /has a row for each token/],
	['two outputs of scores', 'after layer 0', 'two', /cannot be told/],
	['a head that reads a later layer', 'after layer 0', 'skip', /also reads what a later layer makes/],
	['an old opset', 'after layer 0', 'old', /an exit needs opset 8, and the model has 7/],
	['the last layer', 'after layer 2', 'plain', /no exit after layer 2: it is the last layer/],
	['a place that is not there', 'after layer 7', 'plain', /none of its layers/],
	['no layer', 'after last attention', 'plain', /none of its layers/],
] as const)
	test(`refused: ${what}`, async () => {
		const heads: Readonly<Record<string, Shape['head']>> = {
			hidden: (b, x, all) => {
				b.output(classes(b, x), ['batch', 5]);
				b.output(all[2]!, ['batch', 'seq', 8]);
			},
			tokens: (b, x) => {
				b.output(b.node('MatMul', [x, b.weight([8, 5])]), ['batch', 'seq', 5]);
			},
			two: (b, x) => {
				b.output(classes(b, x), ['batch', 5]);
				b.output(classes(b, x), ['batch', 5]);
			},
			skip: (b, x, all) => {
				const both = b.node('Add', [pooled(b, x), pooled(b, all[2]!)]);
				b.output(b.node('MatMul', [both, b.weight([8, 5])]), ['batch', 5]);
			},
		};
		const head = heads[shape];
		const model = classifier({ ...(head && { head }) });
		const given = shape === 'old' ? { ...model, opsets: new Map([...model.opsets, ['', 7]]) } : model;
		await assertRefused(given, `exit ${recipe} when confidence > 0.9`, says);
	});

test('a next-token model leaves by the scores of its last position', async () => {
	const head = (b: Build, x: string): void => {
		b.output(b.node('MatMul', [x, b.weight([8, 5])]), ['batch', 'seq', 5]);
	};
	const model = classifier({ head });
	const { name } = model.graph.outputs[0]!;
	const last = `prune tokens keep last after last attention may change "${name}"`;
	const { document } = await buildOf(model, `${last}; exit after layers [0, 1] when confidence > 0.4`);
	assert.ok(document.steps.every(({ proof }) => proof?.ok === true && !proof.weak));
	assert.equal(
		document.steps.map(({ selected }) => selected),
		[1, 2],
	);
});

test('agreement is not chosen without data', () =>
	assertRefused(classifier(), 'exit after layer 0 when agreement >= 99%', /'agreement' must be measured/));

test('agreement stands alone', async () => {
	for (const when of ['agreement > 0.9', 'agreement >= 99% and confidence > 0.5'])
		await assertRefused(classifier(), `exit after layer 0 when ${when}`, /compares signals with numbers/);
});

test('the bound on disagreement is that of Clopper and Pearson', () => {
	// No hit of n: 1 − alpha^(1/n). One of ten and two of twenty: tables of the one-sided 95 % interval.
	const close = (found: number, expected: number): void => {
		assert.ok(Math.abs(found - expected) < 5e-4, `${found} for ${expected}`);
	};
	close(upperBound(0, 299, 0.05), 1 - 0.05 ** (1 / 299));
	assert.ok(upperBound(0, 299, 0.05) <= 0.01 && upperBound(0, 298, 0.05) > 0.01);
	close(upperBound(1, 10, 0.05), 0.3942);
	close(upperBound(2, 20, 0.05), 0.2826);
	assert.is(upperBound(3, 3, 0.05), 1);
});

/** What a request for data gives: scores of two classes, by model. */
function judgedBy(model: Model, scores: ReadonlyMap<Model, readonly (readonly number[])[]>): PlanRequest {
	const lab = {
		calibrated: true,
		rows: (asked: Model) => {
			const rows = scores.get(asked)!;
			return Promise.resolve({ values: [matrix(rows.length, 2, Float64Array.from(rows.flat()))] });
		},
	};
	return { model, lab, step: { span: { start: 0, end: 1 }, spans: {} } } as unknown as PlanRequest;
}

async function thresholdFor(early: readonly Model[], request: PlanRequest): Promise<number> {
	const leaving = { early, scores: 'scores', areProbabilities: true };
	const chosen = await confidenceFor(0.99, leaving, request);
	assert.ok(chosen.kind === 'compare' && chosen.op === '>' && chosen.right.kind === 'number');
	return chosen.right.value;
}

test('the loosest confidence is chosen at which the bound holds, over all exits together', async () => {
	// Of 400 rows as sure as 0.5 to 1, those under 0.55 disagree.
	const sure = Array.from({ length: 400 }, (_, row) => 0.5 + (row + 0.5) / 800);
	const [model, first, second] = [classifier(), classifier(), classifier()];
	const rows = sure.map((one) => [one, 1 - one]);
	const whole = sure.map((one) => (one < 0.55 ? [0, 1] : [1, 0]));
	const alone = judgedBy(
		model,
		new Map([
			[model, whole],
			[first, rows],
		]),
	);
	assert.ok(Math.abs((await thresholdFor([first], alone)) - 0.55) < 1e-9);
	// A second exit is sure of the rows that the first is least sure of, up to 0.7, and wrong: it decides.
	const late = sure.map((one) => (one < 0.6 ? [0.3, 0.7] : [0.5, 0.5]));
	const right = sure.map(() => [1, 0]);
	const both = judgedBy(
		model,
		new Map([
			[model, right],
			[first, rows],
			[second, late],
		]),
	);
	assert.ok((await thresholdFor([first], both)) < 0.02);
	const strict = await thresholdFor([first, second], both).catch((problem: unknown) => String(problem));
	assert.match(String(strict), /plan\/no-agreement/);
});

test('what judges an agreement had no part in what is fitted', async () => {
	const examples = Array.from({ length: 7 }, (_, at) => ({ feeds: feedsOf(at + 1, 1), at: `${at}` }));
	const model = classifier();
	const { name } = model.graph.outputs[0]!;
	const rowsOn = async (lab: Lab): Promise<number[][]> => {
		const [found] = (await lab.rows(model, [name], 'all')).values;
		return Array.from({ length: found!.rows }, (_, row) =>
			Array.from(found!.data.slice(5 * row, 5 * row + 5)),
		);
	};
	const lab = labOf(examples, 'test', true, 1);
	const [fitting, judging] = lab.halves();
	const all = await rowsOn(lab);
	assert.equal(
		await rowsOn(fitting),
		all.filter((_, at) => at % 2 === 0),
	);
	assert.equal(
		await rowsOn(judging),
		all.filter((_, at) => at % 2 === 1),
	);
});

for (const when of ['confidence > margin', 'confidence == 0.5', 'confidence + margin > 1'])
	test(`refused: no threshold in '${when}'`, () =>
		assertRefused(classifier(), `exit after layer 0 when ${when}`, /compares signals with numbers/));

test('numbers are those of the model as given; what is gone is refused', async () => {
	const recipe = (layer: number): string =>
		`prune layers [1]\nexit after layer ${layer} when confidence > 0.4`;
	const { document } = await buildOf(classifier({ layers: 4 }), recipe(2));
	assert.ok(document.proof!.ok && !document.proof!.weak);
	await assertRefused(classifier({ layers: 4 }), recipe(1), /layer 1 is removed already/);
});

test('refused: a second statement, which would have to look into a branch', () =>
	assertRefused(
		classifier({ layers: 4 }),
		'exit after layer 1 when confidence > 0.9\nexit after layer 0 when confidence > 0.9',
		/several exits go into one statement|this model can have no exits/,
	));

test.run();
