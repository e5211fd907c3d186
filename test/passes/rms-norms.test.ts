/** Layer norms as RMS norms: whoever writes to the residual stream is centred, in a weight or while running; what stands in the way is said. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Build, encoderLayer, modelBuilder } from '../harness/model.ts';
import { type Built, buildOf, operators, reasons } from '../harness/exact.ts';

const test = suite('prune norms with rms');

const d = 8;
const shape = { heads: 2, width: 4, hidden: 16 };
const native = (b: Build, x: string): string =>
	b.node('LayerNormalization', [x, b.weight([d]), b.weight([d])]);

/** In single operators, as exporters before opset 17 write it; `pair` subtracts the mean twice, as early ones do. */
function written(b: Build, x: string, pair = false): string {
	const centred = (): string => b.node('Sub', [x, b.node('ReduceMean', [x], { axes: [-1] })]);
	const first = centred();
	const variance = b.node('ReduceMean', [b.node('Pow', [first, b.floats([2], [])])], { axes: [-1] });
	const spread = b.node('Sqrt', [b.node('Add', [variance, b.floats([1e-5], [])])]);
	const normed = b.node('Div', [pair ? centred() : first, spread]);
	return b.node('Add', [b.node('Mul', [normed, b.weight([d])]), b.weight([d])]);
}

function ffn(b: Build, x: string, norm: (b: Build, x: string) => string): string {
	const up = b.node('Gemm', [
		b.node('Reshape', [norm(b, x), b.ints([-1, d])]),
		b.weight([d, 12]),
		b.weight([12]),
	]);
	const down = b.node('Gemm', [b.node('Relu', [up]), b.weight([d, 12]), b.weight([d])], { transB: 1 });
	return b.node('Add', [b.node('Reshape', [down, b.node('Shape', [x])]), x]);
}

/** Tokens and positions, blocks with norms before them, a norm at the end and a head. */
function decoder(
	options: Parameters<typeof modelBuilder>[0],
	blocks: (b: Build, x: string) => string,
): Build {
	const b = modelBuilder(options);
	const ids = b.input('ids', ['batch', 6], 7);
	const tokens = b.node('Gather', [b.weight([11, d], 'tokens'), ids]);
	const x = b.node('Add', [tokens, b.weight([1, 6, d])]);
	const head = b.node('MatMul', [native(b, blocks(b, x)), b.weight([d, 5])]);
	b.output(b.node('Add', [head, b.weight([5])]), ['batch', 6, 5]);
	return b;
}

const two = (b: Build, x: string): string => encoderLayer(b, encoderLayer(b, x, shape), shape);
const rms = (b: Build): Promise<Built> => buildOf(b.build(), 'prune norms with rms');
const counted = ({ document }: Built): unknown => [document.steps[0]!.selected, document.steps[0]!.of];

function proven({ document }: Built): void {
	assert.ok(document.proof!.ok && !document.proof!.weak);
}

test('norms before their blocks lose their mean: tables, projections and biases are centred', async () => {
	for (const opset of [17, 18]) {
		const built = await rms(decoder({ opset }, two));
		proven(built);
		assert.equal(counted(built), [5, 5]);
		const { LayerNormalization, ReduceMean, Pow, Sqrt, Sub, ...rest } = operators(built.model);
		assert.equal([LayerNormalization, ReduceMean, Pow, Sqrt, Sub], [undefined, 5, 5, 5, undefined]);
		assert.is(rest['Add'], 18 + 5, 'sums, biases and what is added to the means: no shift is left to add');
	}
});

test('norms in single operators lose what subtracts the mean', async () => {
	const blocks = (b: Build, x: string): string =>
		ffn(
			b,
			ffn(
				b,
				ffn(b, x, (c, y) => written(c, y, true)),
				written,
			),
			native,
		);
	const built = await rms(decoder({}, blocks));
	proven(built);
	assert.equal(counted(built), [4, 4]);
	const { Sub, ReduceMean, Sqrt } = operators(built.model);
	assert.equal([Sub, ReduceMean, Sqrt], [undefined, 4, 4]);
});

test('norms fused with their sums become the fused RMS norms', async () => {
	const blocks = (b: Build, x: string): string => {
		let [stream, normed] = [x, native(b, x)];
		for (let block = 0; block < 4; block++) {
			const up = b.node('Add', [b.node('MatMul', [normed, b.weight([d, 12])]), b.weight([12])]);
			const down = b.node('MatMul', [b.node('Relu', [up]), b.weight([12, d])]);
			const inputs = [stream, down, b.weight([d]), b.weight([d]), b.weight([d])];
			normed = b.node('SkipLayerNormalization', inputs, {}, 'com.microsoft', 4);
			stream = `${normed}_3`;
		}
		const last = b.node('Add', [b.node('MatMul', [normed, b.weight([d, d])]), b.weight([d])]);
		return b.node('Add', [stream, last]);
	};
	const built = await rms(decoder({}, blocks));
	assert.equal(reasons(built.document), []);
	proven(built);
	assert.equal(counted(built), [6, 6]);
	const { SkipSimplifiedLayerNormalization, SimplifiedLayerNormalization, LayerNormalization } = operators(
		built.model,
	);
	assert.equal(
		[SkipSimplifiedLayerNormalization, SimplifiedLayerNormalization, LayerNormalization],
		[4, 2, undefined],
	);
});

test('patches of an image and a class token are centred where they are written', async () => {
	const b = modelBuilder();
	const image = b.input('image', ['batch', 3, 8, 8]);
	const patches = b.node('Conv', [image, b.weight([d, 3, 4, 4]), b.weight([d])], { strides: [4, 4] });
	const flat = b.node('Transpose', [b.node('Reshape', [patches, b.ints([0, d, -1])])], { perm: [0, 2, 1] });
	const batch = b.node('Gather', [b.node('Shape', [image]), b.ints([0])]);
	const sizes = b.node('Concat', [batch, b.ints([1]), b.ints([d])], { axis: 0 });
	const tokens = b.node('Concat', [b.node('Expand', [b.weight([1, 1, d]), sizes]), flat], { axis: 1 });
	const x = two(b, b.node('Add', [tokens, b.weight([1, 5, d])]));
	const first = b.node('Gather', [x, b.ints([0], [])], { axis: 1 });
	b.output(b.node('Gemm', [native(b, first), b.weight([d, 4]), b.weight([4])]), ['batch', 4]);
	const built = await rms(b);
	proven(built);
	assert.equal(counted(built), [5, 5]);
});

test('a table that a head reads too is centred while running', async () => {
	const b = modelBuilder();
	const ids = b.input('ids', ['batch', 'seq'], 7);
	const table = b.weight([11, d], 'tokens');
	const x = two(b, b.node('Gather', [table, ids]));
	const last = b.node('Add', [b.node('MatMul', [native(b, x), b.weight([d, d])]), b.weight([d])]);
	b.output(b.node('MatMul', [last, b.node('Transpose', [table], { perm: [1, 0] })]), ['batch', 'seq', 11]);
	const built = await rms(b);
	proven(built);
	assert.equal(counted(built), [5, 5]);
	assert.is(operators(built.model)['Sub'], 1);
	assert.ok(built.model.graph.initializers.has('tokens'));
});

test('who else reads the residual stream is named, and nothing changes', async () => {
	const refused = async (b: Build): Promise<string> => {
		const built = await rms(b);
		assert.is(built.document.steps[0]!.selected, 0);
		return reasons(built.document).join('\n');
	};
	const seen = decoder({}, (b, x) => {
		const y = two(b, x);
		b.output(y, ['batch', 6, d]);
		return y;
	});
	assert.match(await refused(seen), /5 layer norms stay: 'Add_\d+' is a model output/);
	const read = decoder({}, (b, x) => {
		const y = two(b, x);
		return b.node('Add', [y, b.node('MatMul', [y, b.weight([d, d])])]);
	});
	assert.match(await refused(read), /5 layer norms stay: MatMul 'MatMul_\d+' reads the residual stream/);
	const other = decoder({}, (b, x) => b.node('Add', [two(b, x), b.node('Relu', [b.weight([6, d])])]));
	assert.match(await refused(decoder({}, (b, x) => native(b, x))), /writes to the residual stream/);
	const root = decoder({}, (b, x) => {
		const scaled = b.node('SimplifiedLayerNormalization', [x, b.weight([d])]);
		return two(b, b.node('Add', [x, b.node('MatMul', [scaled, b.weight([d, d])])]));
	});
	assert.match(await refused(root), /SimplifiedLayerNormalization '.*' reads the residual stream/);
	proven(await rms(other));
	const behind = modelBuilder();
	const x = behind.input('x', ['batch', 'seq', d]);
	const y = encoderLayer(behind, encoderLayer(behind, x, { ...shape, post: true }), { ...shape, post: true });
	behind.output(behind.node('MatMul', [y, behind.weight([d, 3])]), ['batch', 'seq', 3]);
	assert.match(await refused(behind), /stays: MatMul 'MatMul_\d+' reads the residual stream/);
});

test('a norm whose shift nobody can take stays as it is, and the others do not', async () => {
	const b = decoder({}, (c, x) => {
		const y = two(c, x);
		const gate = c.node('Sigmoid', [native(c, y)]);
		return c.node('Add', [y, c.node('MatMul', [gate, c.weight([d, d])])]);
	});
	const built = await rms(b);
	proven(built);
	assert.equal(counted(built), [5, 6]);
	assert.match(reasons(built.document).join('\n'), /its shift stays: Sigmoid/);
});

test('a plan gives the bytes of the build, and an amount is no word of it', async () => {
	const { same } = await buildOf(decoder({}, two).build(), 'prune norms with rms', { again: true });
	assert.ok(same);
	let said = '';
	await buildOf(decoder({}, two).build(), 'prune norms 25% with rms').catch((error: unknown) => {
		said = String(error);
	});
	assert.match(said, /check\/unsupported-amount/);
});

test.run();
