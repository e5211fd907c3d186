/** What a proof takes for rounding, and what it does not. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { proveDrawn, proveStep } from '../../../src/backends/ort/prove.ts';
import { drawAt } from '../../../src/ir/graph/random.ts';
import { FLOAT } from '../../../src/ir/graph/dtype.ts';
import { type Model } from '../../../src/ir/graph/graph.ts';
import { type Proof } from '../../../src/ir/proof.ts';
import { modelBuilder } from '../../harness/model.ts';

const test = suite('proofs');

const [width, rank] = [64, 16];
const draws = (seed: number, length: number, factor = 1): number[] =>
	Array.from({ length }, (_, at) => factor * (drawAt(seed, at) - 0.5));
const [left, right] = [draws(1, width * rank), draws(2, rank * width)];
const product = Array.from({ length: width * width }, (_, at) => {
	const [row, column] = [Math.floor(at / width), at % width];
	return left
		.slice(row * rank, (row + 1) * rank)
		.reduce((sum, value, inner) => sum + value * right[inner * width + column]!, 0);
});

/** Products one after the other, and behind them what makes four thousand times as much of their rounding. */
function amplified(
	...weights: readonly (readonly [dims: readonly number[], values: readonly number[]])[]
): Model {
	const b = modelBuilder();
	const x = b.input('x', ['batch', width]);
	const y = weights.reduce((value, [dims, values]) => b.node('MatMul', [value, b.floats(values, dims)]), x);
	b.output(b.node('Sin', [b.node('Mul', [y, b.floats([4096])])]), ['batch', width]);
	const { graph, ...model } = b.build();
	const named = graph.nodes.map((node) => (node.op === 'Sin' ? { ...node, outputs: ['y'] } : node));
	return {
		...model,
		graph: { ...graph, nodes: named, outputs: graph.outputs.map((info) => ({ ...info, name: 'y' })) },
	};
}

const original = amplified([[width, width], draws(3, width * width)]);
const reference = amplified([[width, width], product]);
const feeds = [
	new Map([['x', { type: FLOAT, dims: [4, width], data: Float32Array.from(draws(4, 4 * width)) }]]),
];

const proofOf = (pruned: Model): Promise<Proof> =>
	proveStep(
		{
			...{ original, pruned, kept: new Map(), weights: 'own' },
			claims: [{ says: 'one product', reference, controls: [(): Model => original] }],
		},
		feeds,
		1,
	);

test('what stands behind may make much of rounding: what one unit in the last place comes to there is the measure', async () => {
	const { ok, weak, maxAbs, tolerance } = await proofOf(
		amplified([[width, rank], left], [[rank, width], right]),
	);
	assert.ok(maxAbs > 1e-5, 'more than rounding of what is put out');
	assert.ok(tolerance < 0.02, 'a hundredth of what a mistake comes to');
	assert.equal({ ok, weak }, { ok: true, weak: false });
});

/** The factors with one more pair of terms, as large as `size`, that cancel each other; the second one is off by a share. */
function cancelling(size: number, off: number): Model {
	const [big, small] = [draws(5, width, size), draws(6, width)];
	const wide = big.flatMap((value, row) => [...left.slice(row * rank, (row + 1) * rank), value, value]);
	const tall = [...right, ...small, ...small.map((value) => -(1 + off) * value)];
	return amplified([[width, rank + 2], wide], [[rank + 2, width], tall]);
}

test('terms that cancel each other carry the rounding of the large, and no more', async () => {
	const { ok, weak } = await proofOf(cancelling(64, 0));
	assert.equal({ ok, weak }, { ok: true, weak: false });
	assert.is((await proofOf(cancelling(64, 1e-3))).ok, false);
});

test('one number of a factor that is off by a hundredth is a mistake all the same', async () => {
	const wrong = right.map((value, at) => (at === 5 ? 1.01 * value : value));
	const { ok, maxAbs, tolerance } = await proofOf(amplified([[width, rank], left], [[rank, width], wrong]));
	assert.is(ok, false);
	assert.ok(maxAbs > 3 * tolerance);
});

test('says nothing of drawn weights that the original itself does not run with', async () => {
	const b = modelBuilder();
	b.output(b.node('Reshape', [b.input('x', ['batch', width]), b.ints([7, -1])]), [7, 'rest']);
	const broken = b.build();
	const models = {
		original: broken,
		pruned: broken,
		claims: [],
		kept: new Map(),
		weights: 'seeded',
	} as const;
	assert.equal(await proveDrawn(models, feeds, 1), undefined);
});

/** Scores with minus infinity, or what else, added in some columns. */
function ruling(columns: readonly number[], value = -Infinity): Model {
	const b = modelBuilder();
	const product = b.node('MatMul', [b.input('x', ['batch', width]), b.weight([width, width], 'w')]);
	const added = Array.from({ length: width }, (_, at) => (columns.includes(at) ? value : 0));
	b.output(b.node('Add', [product, b.floats(added)]));
	return b.build();
}

test('scores that are ruled out must be so in both, and the others are compared as closely as without', async () => {
	const proofBy = (original: Model, pruned: Model): Promise<Proof> =>
		proveStep(
			{
				...{ original, pruned, kept: new Map(), weights: 'own' },
				claims: [{ says: 'scores', reference: ruling([3, 9]), controls: [() => ruling([3, 9, 0], 1)] }],
			},
			feeds,
			1,
		);
	const verdictBy = async (...models: Parameters<typeof proofBy>): Promise<boolean> =>
		(await proofBy(...models)).ok;
	const [whole, out] = [ruling([]), ruling([3, 9])];
	const { ok, effect, tolerance } = await proofBy(whole, out);
	assert.equal([ok, effect], [true, 0]);
	assert.ok(tolerance > 0 && tolerance < 1e-3, `${tolerance}`);
	for (const original of [whole, out])
		for (const wrong of [whole, ruling([3]), ruling([3, 9, 10]), ruling([3, 9], -1e30)])
			assert.not(await verdictBy(original, wrong));
});

/** The products as a large output, and as a small one that makes much of their rounding. */
function twofold(
	...weights: readonly (readonly [dims: readonly number[], values: readonly number[]])[]
): Model {
	const b = modelBuilder();
	const x = b.input('x', ['batch', width]);
	const y = weights.reduce((value, [dims, values]) => b.node('MatMul', [value, b.floats(values, dims)]), x);
	const [large, small] = [b.floats([1e6]), b.floats([64])];
	b.output(b.node('Mul', [y, large]));
	b.output(b.node('Sin', [b.node('Mul', [y, small])]));
	const { graph, ...model } = b.build();
	const named = new Map(graph.outputs.map(({ name }, at) => [name, `y${at}`]));
	const renamed = (name: string): string => named.get(name) ?? name;
	return {
		...model,
		graph: {
			...graph,
			nodes: graph.nodes.map((node) => ({ ...node, outputs: node.outputs.map(renamed) })),
			outputs: graph.outputs.map((info) => ({ ...info, name: renamed(info.name) })),
		},
	};
}

test('error and tolerance are those of one output, the one that takes most of what it may', async () => {
	const whole = twofold([[width, width], product]);
	const step = { original: whole, pruned: twofold([[width, rank], left], [[rank, width], right]) };
	const claims = [{ says: 'one product', reference: whole, controls: [] }];
	const proof = await proveStep({ ...step, claims, kept: new Map(), weights: 'own' }, feeds, 1);
	const [large, small] = proof.outputs;
	assert.ok(large!.maxAbs > small!.maxAbs && large!.maxRel < small!.maxRel, 'neither is the worst in both');
	assert.ok(proof.ok && proof.maxAbs <= proof.tolerance);
	assert.ok(
		proof.outputs.some(({ maxAbs, tolerance }) => maxAbs === proof.maxAbs && tolerance === proof.tolerance),
	);
});

test.run();
