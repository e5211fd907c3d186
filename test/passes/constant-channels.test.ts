/** Feature maps that are the same number whatever the input: cut without data, and taken up exactly by what reads them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Model } from '../../src/ir/graph/graph.ts';
import { buildOf, operators, reasons } from '../harness/exact.ts';
import { modelBuilder, type Build } from '../harness/model.ts';

const test = suite('prune channels, bare');

/** A draw of [outputs, inputs, …] with zeros in place of some filters. */
function filters(b: Build, dims: readonly number[], dead: readonly number[], seed = 1): string {
	const each = dims.slice(1).reduce((product, size) => product * size, 1);
	const values = Array.from({ length: dims[0]! * each }, (_, at) =>
		dead.includes(Math.floor(at / each)) ? 0 : Math.sin(seed + at * 1.7) / 2,
	);
	return b.floats(values, dims);
}

const biases = [0.3, -0.2, 0.1, -0.4, 0.25, -0.1, 0.2, -0.3];

type Options = {
	/** Filters of zeros among the first convolution's eight. */
	readonly dead: readonly number[];
	readonly between?: (b: Build, x: string) => string;
	readonly pads?: readonly number[];
};

/** Two convolutions with something between them, and a classifier behind. */
function network({ dead, between = (b, x) => b.node('Relu', [x]), pads = [0, 0, 0, 0] }: Options): Model {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 3, 9, 9]);
	const first = b.node('Conv', [x, filters(b, [8, 3, 3, 3], dead), b.floats(biases)], { pads: [1, 1, 1, 1] });
	const second = b.node(
		'Conv',
		[between(b, first), filters(b, [4, 8, 3, 3], [], 5), b.floats([0.1, 0.2, 0.3, 0.4])],
		{
			pads,
		},
	);
	const flat = b.node('Flatten', [b.node('GlobalAveragePool', [b.node('Relu', [second])])]);
	b.output(b.node('Gemm', [flat, b.weight([4, 5]), b.floats([1, 2, 3, 4, 5])]), ['batch', 5]);
	return b.build();
}

const normalised = (b: Build, x: string): string => {
	const scale = b.floats([1, 0, 2, 0.5, 1, 0, 1.5, 1]);
	return b.node('BatchNormalization', [
		x,
		scale,
		b.floats(biases.toReversed()),
		b.floats(biases),
		b.positive(8),
	]);
};

type Case = readonly [what: string, options: Options, gone: readonly number[]];
const cases: readonly Case[] = [
	['filters of zeros, whose bias goes on', { dead: [0, 3, 5] }, [0, 3, 5]],
	[
		'through a norm with scales of zero',
		{ dead: [2], between: (b, x) => b.node('Relu', [normalised(b, x)]) },
		[1, 2, 5],
	],
	[
		'through sums, products and other activations',
		{
			dead: [1, 4],
			between: (b, x) => {
				const gate = b.node('Sigmoid', [x]);
				return b.node('HardSwish', [b.node('Add', [b.node('Mul', [x, gate]), b.floats(biases, [8, 1, 1])])]);
			},
		},
		[1, 4],
	],
	[
		'through pools, and depthwise filters without a border',
		{
			dead: [6],
			between: (b, x) => {
				const pooled = b.node('MaxPool', [x], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] });
				return b.node('Conv', [pooled, filters(b, [8, 1, 3, 3], [7], 3), b.floats(biases)], { group: 8 });
			},
		},
		[6, 7],
	],
	[
		'through slopes of their own, and bounds that are cast',
		{
			dead: [1, 4],
			between: (b, x) => {
				const [least, most] = [-0.5, 6].map((bound) => b.node('Cast', [b.floats([bound], [])], { to: 1 }));
				return b.node('Softplus', [
					b.node('Clip', [b.node('PRelu', [x, b.floats(biases.map(Math.abs), [8, 1, 1])]), least!, most!]),
				]);
			},
		},
		[1, 4],
	],
];
for (const [what, options, gone] of cases)
	test(`go ${what}`, async () => {
		const { document, model, same } = await buildOf(network(options), 'prune channels', { again: true });
		const [step] = document.steps;
		assert.equal(
			step!.removed.flatMap(({ units }) => units),
			gone,
		);
		assert.equal(
			[document.proof!.ok, document.proof!.weak, document.proof!.reference],
			[true, false, 'the model before'],
		);
		// Nothing but the order of sums is different.
		assert.ok(document.proof!.effect === 0 && document.proof!.maxRel < 1e-6, String(document.proof!.maxRel));
		assert.ok(document.drift!.cosine > 0.999999 && step!.exact === true && same === true);
		const wide = [...model.graph.initializers.values()].filter(({ dims }) => dims.includes(8));
		assert.equal(wide, [], 'nothing is left of the eight channels');
		assert.equal(operators(model), operators(network(options)));
	});

test('what is constant but not zero stays where zeros are read around it, with the reason; what is zero goes', async () => {
	// Relu makes nothing of the biases −0.2 and −0.4, and leaves 0.3.
	const { document } = await buildOf(network({ dead: [0, 1, 3], pads: [1, 1, 1, 1] }), 'prune filters');
	assert.equal(
		document.steps[0]!.removed.flatMap(({ units }) => units),
		[1, 3],
	);
	assert.match(
		reasons(document).join(),
		/1 of the filters of '.*' stays: they are constant, but Conv '.*' reads zeros around them/,
	);
	assert.ok(document.proof!.ok && !document.proof!.weak);
});

test('filters of zeros of a transposed convolution go, through a mean over places', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 3, 6, 6]);
	const values = Array.from({ length: 3 * 8 * 4 }, (_, at) =>
		Math.floor(at / 4) % 8 === 2 ? 0 : Math.sin(at) / 2,
	);
	const up = b.node('ConvTranspose', [x, b.floats(values, [3, 8, 2, 2]), b.floats(biases)], {
		strides: [2, 2],
	});
	const mean = b.node('ReduceMean', [b.node('Relu', [up])], { axes: [2, 3], keepdims: 0 });
	b.output(b.node('Gemm', [mean, b.weight([8, 5]), b.floats([1, 2, 3, 4, 5])]), ['batch', 5]);
	const { document } = await buildOf(b.build(), 'prune channels');
	assert.equal(
		document.steps[0]!.removed.flatMap(({ units }) => units),
		[2],
	);
	assert.ok(document.proof!.ok && !document.proof!.weak);
});

test('where residual sums couple channels all that is added must be constant, and norms over channels keep them', async () => {
	const residual = (kept: readonly number[], norm: boolean): Model => {
		const b = modelBuilder();
		const x = b.input('x', ['batch', 3, 6, 6]);
		const stem = b.node('Conv', [x, filters(b, [8, 3, 1, 1], [2, 4]), b.floats(biases)]);
		const inner = b.node('Relu', [b.node('Conv', [stem, filters(b, [8, 8, 1, 1], [], 9)])]);
		const sum = b.node('Add', [
			stem,
			b.node('Conv', [inner, filters(b, [8, 8, 1, 1], kept, 7), b.floats(biases)]),
		]);
		const mean = b.node('Flatten', [b.node('GlobalAveragePool', [sum])]);
		const read = norm ? b.node('LayerNormalization', [mean, b.positive(8), b.floats(biases)]) : mean;
		b.output(b.node('MatMul', [read, b.weight([8, 5])]), ['batch', 5]);
		return b.build();
	};
	const { document } = await buildOf(residual([4, 6], false), 'prune channels');
	assert.equal(
		document.steps[0]!.removed.flatMap(({ units }) => units),
		[4],
	);
	assert.ok(document.proof!.ok && !document.proof!.weak);
	const normed = await buildOf(residual([4, 6], true), 'prune channels');
	assert.equal(normed.document.steps[0]!.selected, 0);
});

test('a model without such maps says so, and one map of each group stays', async () => {
	const none = await buildOf(network({ dead: [] }), 'prune channels');
	assert.equal(
		[none.document.steps[0]!.unchanged, none.document.diagnostics.map(({ code }) => code)],
		[true, ['plan/pinned-axis', 'plan/nothing-to-fold']],
	);
	const all = await buildOf(network({ dead: [0, 1, 2, 3, 4, 5, 6, 7] }), 'prune channels');
	assert.is(all.document.steps[0]!.selected, 7);
});

/** Two products, and no feature maps. */
function plain(): Model {
	const b = modelBuilder();
	b.output(
		b.node('Softmax', [b.node('MatMul', [b.input('x', [2, 6]), b.weight([6, 4])])], { axis: 1 }),
		[2, 4],
	);
	return b.build();
}

test('where there are none it says so, as other exact statements do, and only a scope without any is an error', async () => {
	for (const target of ['channels', 'filters']) {
		const { document } = await buildOf(plain(), `prune ${target}`);
		assert.equal([document.ok, document.steps[0]!.selected], [true, 0]);
		assert.ok(document.diagnostics.some(({ code }) => code === 'plan/nothing-to-fold'));
	}
	const refused = await buildOf(plain(), 'prune filters in "x*"').then(() => 'built', String);
	assert.match(refused, /plan\/nothing-found: there are no filters in this scope/);
});

test.run();
