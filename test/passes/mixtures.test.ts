/** Groups of grouped convolutions, and experts of mixtures: fused, and written in single operators. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { INT64, UINT8 } from '../../src/ir/graph/dtype.ts';
import { elementCount, type Model, type Tensor } from '../../src/ir/graph/graph.ts';
import { drawAt } from '../../src/ir/graph/random.ts';
import { tensorOf } from '../../src/ir/graph/tensor.ts';
import { buildOf, type Built } from '../harness/exact.ts';
import { modelBuilder, type Build } from '../harness/model.ts';

const test = suite('mixtures');

async function build(model: Model, recipe: string): Promise<Built> {
	const built = await buildOf(model, recipe, { again: true });
	const { proof } = built.document;
	assert.ok(proof?.ok && !proof.weak, `${recipe}: ${JSON.stringify(proof)}`);
	assert.ok(built.same, 'the plan makes the same bytes');
	return built;
}

/** Why a recipe does not build. */
async function refusalOf(model: Model, recipe: string): Promise<string> {
	const made = await build(model, recipe).catch((problem: unknown) => problem as Error);
	return made instanceof Error ? made.message : 'it builds';
}

/** What is said where a recipe builds and nothing goes. */
async function whyAllStay(model: Model, recipe: string): Promise<string> {
	const { document } = await buildOf(model, recipe);
	assert.equal(document.steps[0]!.removed, []);
	return JSON.stringify(document);
}

const said = ({ diagnostics }: Built['document']): string[] => diagnostics.map(({ code }) => code);
const removed = ({ document }: Built): number[] =>
	document.steps[0]!.removed.map(({ units }) => units.length);
const dimsOf = ({ model }: Built, name: string): readonly number[] | undefined =>
	model.graph.initializers.get(name)?.dims;

/** Narrow, grouped, wide: a block as ResNeXt has it. */
function resnext(): Model {
	const b = modelBuilder();
	const conv = (x: string, dims: readonly number[], attributes = {}, name?: string): string =>
		b.node('Conv', [x, b.weight(dims, name), b.weight([dims[0] ?? 1])], attributes);
	const x = b.node('Relu', [conv(b.input('x', ['batch', 3, 8, 8]), [16, 3, 1, 1])]);
	const narrow = b.node('Relu', [conv(x, [12, 16, 1, 1], {}, 'narrow')]);
	const middle = b.node('Relu', [conv(narrow, [12, 3, 3, 3], { group: 4, pads: [1, 1, 1, 1] }, 'grouped')]);
	const sum = b.node('Add', [x, conv(middle, [16, 12, 1, 1], {}, 'wide')]);
	const pooled = b.node('Flatten', [b.node('GlobalAveragePool', [sum])]);
	b.output(b.node('Gemm', [pooled, b.weight([16, 5])]), ['batch', 5]);
	return b.build();
}

test('removes whole groups of a grouped convolution with the channels in and out of them', async () => {
	const made = await build(resnext(), 'prune groups 50%');
	assert.equal(removed(made), [2]);
	assert.equal(dimsOf(made, 'narrow'), [6, 16, 1, 1]);
	assert.equal(dimsOf(made, 'grouped'), [6, 3, 3, 3]);
	assert.equal(dimsOf(made, 'wide'), [16, 6, 1, 1]);
});

test('half of 20 groups of 8 channels is 10, since any number of them leaves a multiple of 8', async () => {
	const b = modelBuilder();
	const conv = (x: string, dims: readonly number[], attributes = {}): string =>
		b.node('Conv', [x, b.weight(dims), b.weight([dims[0] ?? 1])], attributes);
	const narrow = b.node('Relu', [conv(b.input('x', ['batch', 3, 4, 4]), [160, 3, 1, 1])]);
	const middle = b.node('Relu', [conv(narrow, [160, 8, 1, 1], { group: 20 })]);
	b.output(b.node('ReduceMean', [conv(middle, [5, 160, 1, 1])], { axes: [2, 3], keepdims: 0 }));
	assert.equal(removed(await build(b.build(), 'prune groups 50%')), [10]);
	assert.equal(removed(await build(b.build(), 'prune channels 50%')), [10]);
});

const router = (b: Build, x: string, experts: number): string =>
	b.node('MatMul', [x, b.weight([8, experts], 'router')]);

/** onnxruntime's fused mixture: two of four experts a token. */
function fused(): Model {
	const b = modelBuilder();
	const x = b.node('MatMul', [b.input('x', ['tokens', 6]), b.weight([6, 8])]);
	const y = b.node(
		'MoE',
		[
			x,
			router(b, x, 4),
			b.weight([4, 12, 8], 'up'),
			b.weight([4, 12]),
			b.weight([4, 8, 12], 'down'),
			b.weight([4, 8]),
		],
		{ k: 2, activation_type: 'relu', normalize_routing_weights: 1 },
		'com.microsoft',
	);
	b.output(b.node('MatMul', [y, b.weight([8, 5])]), ['tokens', 5]);
	return b.build();
}

test('removes experts of a fused mixture; the router chooses among the others', async () => {
	const made = await build(fused(), 'prune experts 25%');
	assert.equal(removed(made), [1]);
	assert.equal(dimsOf(made, 'router'), [8, 3]);
	assert.equal(dimsOf(made, 'up'), [3, 12, 8]);
	assert.equal(dimsOf(made, 'down'), [3, 8, 12]);
});

/** The same quantized to bytes, up and gate side by side. */
function quantized(): Model {
	const b = modelBuilder();
	const x = b.node('MatMul', [b.input('x', ['tokens', 6]), b.weight([6, 16])]);
	const scores = b.node('MatMul', [x, b.weight([16, 4], 'router')]);
	const bytes = (dims: readonly number[]): string => {
		const data = Array.from({ length: elementCount(dims) }, (_, at) => Math.floor(drawAt(5, at) * 255));
		return b.constant({ type: UINT8, dims, data });
	};
	const scales = (dims: readonly number[]): string =>
		b.floats(
			Array.from({ length: elementCount(dims) }, (_, at) => 0.001 + 0.004 * drawAt(6, at)),
			dims,
		);
	const up = bytes([4, 64, 16]);
	const y = b.node(
		'QMoE',
		[x, scores, up, scales([4, 64]), '', bytes([4, 16, 32]), scales([4, 16])],
		{ k: 2, expert_weight_bits: 8, activation_type: 'swiglu', swiglu_fusion: 1 },
		'com.microsoft',
	);
	b.output(b.node('MatMul', [y, b.weight([16, 5])]), ['tokens', 5]);
	return b.build();
}

test('removes experts of a quantized mixture with their scales', async () => {
	const made = await build(quantized(), 'prune experts 25%');
	assert.equal(removed(made), [1]);
	assert.equal(dimsOf(made, 'router'), [16, 3]);
	assert.equal(
		[...made.model.graph.initializers.values()].filter(({ type }) => type === UINT8).map(({ dims }) => dims),
		[
			[3, 64, 16],
			[3, 16, 32],
		],
	);
});

test('sends a token to all experts that are left where it was sent to more', async () => {
	const made = await build(fused(), 'prune experts 3');
	assert.equal(removed(made), [3]);
	assert.equal(dimsOf(made, 'up'), [1, 12, 8]);
	const mixture = made.model.graph.nodes.find(({ op }) => op === 'MoE');
	const k = mixture?.attributes.get('k');
	assert.is(k?.kind === 'int' && k.value, 1);
	assert.match(JSON.stringify(made.document.diagnostics), /chose 2 it chooses 1 from now on/);
});

/** Every expert runs on every token; a softmax weighs them. */
function dense(): Model {
	const b = modelBuilder();
	const x = b.node('MatMul', [b.input('x', ['tokens', 6]), b.weight([6, 8])]);
	const gates = b.node('Softmax', [router(b, x, 4)], { axis: 1 });
	const up = b.node('Relu', [b.node('MatMul', [x, b.weight([4, 8, 12], 'up')])]);
	const each = b.node('MatMul', [up, b.weight([4, 12, 8], 'down')]);
	const weights = b.node('Unsqueeze', [b.node('Transpose', [gates], { perm: [1, 0] }), b.ints([2])]);
	const sum = b.node('ReduceSum', [b.node('Mul', [each, weights]), b.ints([0])], { keepdims: 0 });
	b.output(b.node('MatMul', [b.node('Add', [x, sum]), b.weight([8, 5])]), ['tokens', 5]);
	return b.build();
}

test('removes experts that a softmax weighs, which then weighs the others', async () => {
	const made = await build(dense(), 'prune experts 2');
	assert.equal(removed(made), [2]);
	assert.equal(dimsOf(made, 'router'), [8, 2]);
	assert.equal(dimsOf(made, 'up'), [2, 8, 12]);
});

/** Two of four experts a token, chosen by their scores; `apply` is what the chosen do: [tokens, 8] of the weights and numbers [tokens, 2]. */
function routed(apply: (b: Build, x: string, weights: string, chosen: string) => string): Model {
	const b = modelBuilder();
	const x = b.node('MatMul', [b.input('x', ['tokens', 6]), b.weight([6, 8])]);
	const top = b.node('TopK', [router(b, x, 4), b.ints([2])], { axis: -1 }, '', 2);
	const y = apply(b, x, b.node('Softmax', [top], { axis: 1 }), `${top}_1`);
	b.output(b.node('MatMul', [b.node('Add', [x, y]), b.weight([8, 5])]), ['tokens', 5]);
	return b.build();
}

/** The matrices of the chosen experts, picked by their numbers. */
const pickedExperts = routed((b, x, weights, chosen) => {
	const pick = (name: string, ...dims: readonly number[]): string =>
		b.node('Gather', [b.weight(dims, name), chosen]);
	const each = b.node('Unsqueeze', [x, b.ints([1, 2])]);
	const up = b.node('Relu', [b.node('MatMul', [each, pick('up', 4, 8, 12)])]);
	const down = b.node('Squeeze', [b.node('MatMul', [up, pick('down', 4, 12, 8)]), b.ints([2])]);
	const weighed = b.node('Mul', [down, b.node('Unsqueeze', [weights, b.ints([2])])]);
	return b.node('ReduceSum', [weighed, b.ints([1])], { keepdims: 0 });
});

/** Every expert on every token, with weights of zero where it is not among the chosen. */
const scattered = routed((b, x, weights, chosen) => {
	const rows = b.node('Gather', [b.node('Shape', [x]), b.ints([0])]);
	const none = b.node('ConstantOfShape', [b.node('Concat', [rows, b.ints([4])], { axis: 0 })]);
	const all = b.node('ScatterElements', [none, b.node('Cast', [chosen], { to: 7 }), weights], { axis: 1 });
	const up = b.node('Relu', [b.node('MatMul', [x, b.weight([4, 8, 12], 'up')])]);
	const each = b.node('MatMul', [up, b.weight([4, 12, 8], 'down')]);
	const byExpert = b.node('Unsqueeze', [b.node('Transpose', [all], { perm: [1, 0] }), b.ints([2])]);
	return b.node('ReduceSum', [b.node('Mul', [each, byExpert]), b.ints([0])], { keepdims: 0 });
});

for (const [name, model] of Object.entries({ 'picked by number': pickedExperts, scattered: scattered })) {
	test(`removes experts behind TopK: ${name}`, async () => {
		const made = await build(model, 'prune experts 25%');
		assert.equal(removed(made), [1]);
		assert.equal(dimsOf(made, 'router'), [8, 3]);
		assert.equal(dimsOf(made, 'up'), [3, 8, 12]);
		assert.equal(dimsOf(made, 'down'), [3, 12, 8]);
	});

	test(`keeps as many experts as TopK asks for: ${name}`, async () => {
		const { document } = await build(model, 'prune experts 3');
		assert.equal([document.steps[0]!.selected, said(document)], [2, ['plan/kept-to-choose']]);
		assert.match(
			await refusalOf(model, 'prune experts [0, 1, 3]'),
			/of the experts of .* 1 would be left, and TopK .* chooses 2/,
		);
		assert.equal(said((await build(model, 'prune experts 2')).document), []);
	});
}

/** An expert with matrices of its own, called by its number. */
function expert(b: Build, x: string, number: number): string {
	const up = b.node('Relu', [b.node('MatMul', [x, b.weight([8, 12], `up${number}`)])]);
	return b.node('MatMul', [up, b.weight([12, 8], `down${number}`)]);
}

const experts = [0, 1, 2, 3];
const integer = (b: Build, value: number): string => b.constant({ type: INT64, dims: [], data: [value] });

/** What every expert makes of every token, weighed by `part` of how much it is chosen. */
const weighedBy = (part: (b: Build, weight: string) => string): Model =>
	routed((b, x, weights, chosen) =>
		experts
			.map((number) => {
				const isIt = b.node('Cast', [b.node('Equal', [chosen, integer(b, number)])], { to: 1 });
				const weight = b.node('ReduceSum', [b.node('Mul', [weights, isIt]), b.ints([1])], { keepdims: 1 });
				return b.node('Mul', [expert(b, x, number), part(b, weight)]);
			})
			.reduce((sum, one) => b.node('Add', [sum, one])),
	);

/** As torch exports Mixtral: one-hot choices; each expert is given its tokens alone, and what it makes is added where they are. */
const sent = routed((b, x, weights, chosen) => {
	const off = b.constant({ type: INT64, dims: [2], data: [0, 1] });
	const hot = b.node('OneHot', [chosen, integer(b, 4), off], { axis: -1 });
	const byExpert = b.node('Transpose', [hot], { perm: [2, 1, 0] });
	const byChoice = b.node('Transpose', [weights], { perm: [1, 0] });
	const zeros = b.node('ConstantOfShape', [b.node('Shape', [x])]);
	return experts.reduce((sum, number) => {
		const isIt = b.node('NonZero', [b.node('Gather', [byExpert, integer(b, number)], { axis: 0 })]);
		const places = b.node('Transpose', [isIt], { perm: [1, 0] });
		const tokens = b.node('Slice', [places, b.ints([1]), b.ints([2]), b.ints([1])]);
		const made = expert(b, b.node('GatherND', [x, tokens]), number);
		const part = b.node('Unsqueeze', [b.node('GatherND', [byChoice, places]), b.ints([1])]);
		return b.node('ScatterND', [sum, tokens, b.node('Mul', [made, part])], { reduction: 'add' });
	}, zeros);
});

/** Parts of a softmax, one column an expert; what all make is stacked. */
function joined(): Model {
	const b = modelBuilder();
	const x = b.node('MatMul', [b.input('x', ['tokens', 6]), b.weight([6, 8])]);
	const gates = b.node('Softmax', [router(b, x, 4)], { axis: 1 });
	const each = experts.map((number) => b.node('Unsqueeze', [expert(b, x, number), b.ints([1])]));
	const parts = b.node('Unsqueeze', [gates, b.ints([2])]);
	const all = b.node('Mul', [b.node('Concat', each, { axis: 1 }), parts]);
	const sum = b.node('ReduceSum', [all, b.ints([1])], { keepdims: 0 });
	b.output(b.node('MatMul', [b.node('Add', [x, sum]), b.weight([8, 5])]), ['tokens', 5]);
	return b.build();
}

const weighed = weighedBy((_, weight) => weight);

for (const [name, model] of Object.entries({ weighed, 'given their tokens': sent, joined: joined() })) {
	test(`removes experts with operators of their own: ${name}`, async () => {
		const made = await build(model, 'prune experts [1, 2]');
		assert.equal(removed(made), [2]);
		assert.equal(dimsOf(made, 'router'), [8, 2]);
		assert.equal(
			experts.map((number) => dimsOf(made, `up${number}`)),
			[[8, 12], undefined, undefined, [8, 12]],
		);
	});
}

test('ranks experts with operators of their own by all of their weights', async () => {
	const { graph } = weighed;
	const silent = ['up2', 'down2'].map((name): [string, Tensor] => {
		const tensor = graph.initializers.get(name)!;
		return [name, tensorOf(name, tensor.type, tensor.dims, new Array<number>(96).fill(0))];
	});
	const model = {
		...weighed,
		graph: { ...graph, initializers: new Map([...graph.initializers, ...silent]) },
	};
	const made = await buildOf(model, 'prune experts 1');
	assert.equal(made.document.steps[0]!.removed[0]!.units, [2]);
});

test('experts that speak also where they are not chosen stay', async () => {
	const model = weighedBy((b, weight) => b.node('Exp', [weight]));
	assert.match(
		await whyAllStay(model, 'prune experts 25%'),
		/Exp .*may make something of an expert that is not chosen/,
	);
});

test('experts whose numbers are used otherwise stay', async () => {
	const model = routed((b, x, weights, chosen) => {
		const numbers = b.node('Cast', [chosen], { to: 1 });
		const picked = b.node('Gather', [b.weight([4, 8, 8], 'up'), chosen]);
		const each = b.node('Squeeze', [
			b.node('MatMul', [b.node('Unsqueeze', [x, b.ints([1, 2])]), picked]),
			b.ints([2]),
		]);
		const weighed = b.node('Mul', [
			each,
			b.node('Unsqueeze', [b.node('Mul', [weights, numbers]), b.ints([2])]),
		]);
		return b.node('ReduceSum', [weighed, b.ints([1])], { keepdims: 0 });
	});
	assert.match(await whyAllStay(model, 'prune experts 25%'), /Mul/);
});

test('classes that share a softmax are no experts', async () => {
	const b = modelBuilder();
	const maps = b.node('Relu', [b.node('Conv', [b.input('x', ['batch', 3, 4, 4]), b.weight([6, 3, 1, 1])])]);
	const scores = b.node('Transpose', [b.node('Conv', [maps, b.weight([2, 6, 1, 1])])], {
		perm: [0, 2, 3, 1],
	});
	b.output(b.node('Softmax', [scores], { axis: 3 }), ['batch', 4, 4, 2]);
	assert.match(await refusalOf(b.build(), 'prune experts 50%'), /no experts that prunec can find/);
});

test.run();
