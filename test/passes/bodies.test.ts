/** Structures inside bodies of control flow and in model-local functions, and across their borders. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadModel } from '../../src/backends/onnx/load.ts';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { compile } from '../../src/compile.ts';
import { type BuildDocument } from '../../src/document.ts';
import { BOOL, INT32, INT64 } from '../../src/ir/graph/dtype.ts';
import { subgraphs, type Graph, type LocalFunction, type Model } from '../../src/ir/graph/graph.ts';
import { encoderLayer, modelBuilder, type Build } from '../harness/model.ts';

const test = suite('bodies');
const folder = mkdtempSync(join(tmpdir(), 'prunec-bodies-'));
test.after(() => {
	rmSync(folder, { recursive: true });
});

let count = 0;
type Built = { readonly document: BuildDocument; readonly model: Model };
async function build(model: Model, recipe: string): Promise<Built> {
	const [path, out] = [join(folder, `${count++}.onnx`), join(folder, `${count++}.onnx`)];
	saveModel(model, path);
	const document = await compile({ recipe, model: path, out, threads: 1, samples: 4 });
	assert.equal(
		document.diagnostics.filter(({ severity }) => severity === 'error'),
		[],
		recipe,
	);
	assert.ok(document.proof?.ok && !document.proof.weak, `${recipe}: ${JSON.stringify(document.proof)}`);
	const loaded = loadModel(out);
	loaded.file.close();
	return { document, model: loaded.model };
}

const removed = ({ document }: Built): number[] =>
	document.steps[0]!.removed.map(({ units }) => units.length);

/** A body: what it reads of the graph around it, it captures. */
let bodies = 0;
function body(fill: (b: Build) => readonly (readonly [name: string, type?: number])[]): Graph {
	const at = ++bodies;
	const b = modelBuilder({ seed: at, prefix: `b${at}/`, firstId: at * 1000 });
	const outputs = fill(b).map(([name, type = 1]) => ({ name, type }));
	return { ...b.build().graph, outputs };
}

const graphOf = (value: Graph): { readonly kind: 'graph'; readonly value: Graph } => ({
	kind: 'graph',
	value,
});

/** Whether a value's sum is positive: what a caller feeds decides. */
function isPositive(b: Build, x: string): string {
	const sum = b.node('ReduceSum', [x, ...[]], { keepdims: 0 });
	return b.node('Greater', [sum, b.floats([0], [])]);
}

const linear = (b: Build, x: string, from: number, to: number): string =>
	b.node('Add', [b.node('MatMul', [x, b.weight([from, to])]), b.weight([to])]);

/** y = down(act(up(x))) + x, with the middle made in one of two branches. */
function branching(): Model {
	const b = modelBuilder();
	const x = linear(b, b.input('x', ['batch', 'seq', 6]), 6, 16);
	const branch = (op: string): Graph => body((inner) => [[inner.node(op, [linear(inner, x, 16, 24)])]]);
	const middle = b.node('If', [isPositive(b, x)], {
		then_branch: graphOf(branch('Relu')),
		else_branch: graphOf(branch('Tanh')),
	});
	const sum = b.node('Add', [x, linear(b, middle, 24, 16)]);
	b.output(linear(b, sum, 16, 5), ['batch', 'seq', 5]);
	return b.build();
}

test('removes neurons that either branch of an If makes, and the width that both capture', async () => {
	const ffn = await build(branching(), 'prune ffn 50% align 1');
	assert.equal(removed(ffn), [12]);
	const [owner] = ffn.model.graph.nodes.filter(({ op }) => op === 'If');
	assert.equal(
		subgraphs(owner!).map(({ initializers }) => [...initializers.values()].map(({ dims }) => dims)),
		[
			[[16, 12], [12]],
			[[16, 12], [12]],
		],
	);
	const hidden = await build(branching(), 'prune hidden 25% align 1');
	assert.equal(removed(hidden), [4]);
});

/** Encoder layers inside a branch; the other branch is the identity. */
test('removes heads, neurons and width of layers inside a branch', async () => {
	const make = (): Model => {
		const b = modelBuilder();
		const x = linear(b, b.input('x', ['batch', 'seq', 6]), 6, 16);
		const layers = body((inner) => {
			const first = encoderLayer(inner, x, { heads: 4, width: 4, hidden: 12 });
			return [[encoderLayer(inner, first, { heads: 4, width: 4, hidden: 12 })]];
		});
		const y = b.node('If', [isPositive(b, x)], {
			then_branch: graphOf(layers),
			else_branch: graphOf(body((inner) => [[inner.node('Identity', [x])]])),
		});
		b.output(linear(b, y, 16, 5), ['batch', 'seq', 5]);
		return b.build();
	};
	assert.equal(removed(await build(make(), 'prune heads 50%')), [2, 2]);
	assert.equal(removed(await build(make(), 'prune ffn 50% align 1')), [6, 6]);
	assert.equal(removed(await build(make(), 'prune hidden 25% align 1')), [4]);
	assert.is((await build(make(), 'prune layers [1]')).document.steps[0]!.selected, 1);
});

/** A cell over a sequence in a Loop: state h, one row of x a turn; the states are stacked. */
function looping(): Model {
	const b = modelBuilder();
	const x = b.input('x', ['seq', 'batch', 6]);
	const [hx, hh] = [b.weight([6, 10], 'wx'), b.weight([10, 10], 'wh')];
	const start = b.node('Mul', [
		b.node('MatMul', [b.node('Gather', [x, b.ints([0], [])]), b.weight([6, 10])]),
		b.floats([0.1], []),
	]);
	const turns = b.node('Gather', [b.node('Shape', [x]), b.ints([0], [])]);
	const cell = body((inner) => {
		const i = inner.input(`${bodies}/i`, [], INT64);
		const go = inner.input(`${bodies}/go`, [], BOOL);
		const h = inner.input(`${bodies}/h`, ['batch', 10]);
		const row = inner.node('Gather', [x, i]);
		const next = inner.node('Tanh', [
			inner.node('Add', [inner.node('MatMul', [row, hx]), inner.node('MatMul', [h, hh])]),
		]);
		const copy = inner.node('Identity', [next]);
		return [[inner.node('Identity', [go]), BOOL], [next], [copy]];
	});
	const last = b.node('Loop', [turns, '', start], { body: graphOf(cell) }, '', 2);
	b.output(linear(b, last, 10, 4), ['batch', 4]);
	b.output(linear(b, `${last}_1`, 10, 3), ['seq', 'batch', 3]);
	return b.build();
}

test('removes units of a state that a Loop carries, from captured weights and from all who read it', async () => {
	const made = await build(looping(), 'prune units 50% align 1');
	assert.equal(removed(made), [5]);
	assert.equal(
		['wx', 'wh'].map((name) => made.model.graph.initializers.get(name)?.dims),
		[
			[6, 5],
			[5, 5],
		],
	);
	const [cell] = made.model.graph.nodes.flatMap(subgraphs);
	assert.equal(cell!.inputs[2]!.dims, [null, 5], 'the body says what it is given');
});

/** Two such cells that count by themselves up to the length, as a `while` of TensorFlow does; their states are added, turn by turn. */
function counting(): Model {
	const b = modelBuilder();
	const x = b.input('x', ['seq', 'batch', 6]);
	const length = b.node('Cast', [b.node('Gather', [b.node('Shape', [x]), b.ints([0], [])])], { to: 6 });
	const zero = b.constant({ type: INT32, dims: [], data: [0] });
	const first = b.node('Gather', [x, b.ints([0], [])]);
	const going = b.node('Less', [zero, length]);
	const run = (): string => {
		const [hx, hh] = [b.weight([6, 10]), b.weight([10, 10])];
		const cell = body((inner) => {
			inner.input(`${bodies}/turn`, [], INT64);
			inner.input(`${bodies}/go`, [], BOOL);
			const at = inner.input(`${bodies}/at`, [], INT32);
			const h = inner.input(`${bodies}/h`, ['batch', 10]);
			const end = inner.input(`${bodies}/end`, [], INT32);
			const row = inner.node('Gather', [x, at]);
			const next = inner.node('Tanh', [
				inner.node('Add', [inner.node('MatMul', [row, hx]), inner.node('MatMul', [h, hh])]),
			]);
			const after = inner.node('Add', [at, inner.constant({ type: INT32, dims: [], data: [1] })]);
			const float = (value: string): string => inner.node('Cast', [value], { to: 1 });
			const goes = inner.node('Less', [float(after), float(end)]);
			return [[goes, BOOL], [after, INT32], [next], [end, INT32], [inner.node('Identity', [next])]];
		});
		const start = b.node('Mul', [b.node('MatMul', [first, b.weight([6, 10])]), b.floats([0.1], [])]);
		return `${b.node('Loop', ['', going, zero, start, length], { body: graphOf(cell) }, '', 4)}_3`;
	};
	const both = b.node('Add', [run(), run()]);
	b.output(linear(b, b.node('Mul', [both, linear(b, x, 6, 10)]), 10, 4), ['seq', 'batch', 4]);
	return b.build();
}

test('removes units of loops that count their turns, which are as many as the input is long', async () => {
	const made = await build(counting(), 'prune units 50% align 1');
	assert.equal(removed(made), [5]);
});

/** The same in a Scan, with weights of its own. */
function scanning(): Model {
	const b = modelBuilder();
	const x = b.input('x', ['seq', 'batch', 6]);
	const start = b.node('Mul', [
		b.node('MatMul', [b.node('Gather', [x, b.ints([0], [])]), b.weight([6, 8])]),
		b.floats([0.1], []),
	]);
	const cell = body((inner) => {
		const h = inner.input(`${bodies}/h`, ['batch', 8]);
		const row = inner.input(`${bodies}/row`, ['batch', 6]);
		const middle = inner.node('Relu', [linear(inner, row, 6, 12)]);
		const next = inner.node('Tanh', [
			inner.node('Add', [linear(inner, middle, 12, 8), inner.node('MatMul', [h, inner.weight([8, 8])])]),
		]);
		return [[next], [linear(inner, next, 8, 7)]];
	});
	const last = b.node('Scan', [start, x], { body: graphOf(cell), num_scan_inputs: 1 }, '', 2);
	b.output(linear(b, last, 8, 4), ['batch', 4]);
	b.output(linear(b, `${last}_1`, 7, 3), ['seq', 'batch', 3]);
	return b.build();
}

test('removes units of a state that a Scan carries', async () => {
	assert.equal(removed(await build(scanning(), 'prune units 50% align 1')), [4]);
});

/** Convolutions before, in and behind a branch. */
test('removes channels across a branch', async () => {
	const b = modelBuilder();
	const conv = (inner: Build, x: string, from: number, to: number): string =>
		inner.node('Conv', [x, inner.weight([to, from, 3, 3]), inner.weight([to])], { pads: [1, 1, 1, 1] });
	const x = b.node('Relu', [conv(b, b.input('x', ['batch', 3, 8, 8]), 3, 8)]);
	const y = b.node('If', [isPositive(b, x)], {
		then_branch: graphOf(
			body((inner) => [
				[inner.node('Relu', [conv(inner, inner.node('Relu', [conv(inner, x, 8, 12)]), 12, 8)])],
			]),
		),
		else_branch: graphOf(body((inner) => [[inner.node('Relu', [conv(inner, x, 8, 8)])]])),
	});
	const pooled = b.node('Flatten', [b.node('GlobalAveragePool', [b.node('Add', [x, y])])]);
	b.output(b.node('Gemm', [pooled, b.weight([8, 5])]), ['batch', 5]);
	const made = await build(b.build(), 'prune channels 50% align 1');
	assert.equal(removed(made), [4, 6]);
});

/** A norm and a feed-forward block as functions, one of them called twice, as exporters of modules write them. */
function calling(): Model {
	const b = modelBuilder({ ir: 9 });
	const f = modelBuilder({ seed: 77, firstId: 1000 });
	const mean = f.node('ReduceMean', ['value'], { axes: [-1] });
	const centred = f.node('Sub', ['value', mean]);
	const square = f.node('ReduceMean', [f.node('Mul', [centred, centred])], { axes: [-1] });
	const epsilon = f.node('Constant', [], { value_float: { kind: 'reference', value: 'epsilon', type: 1 } });
	const root = f.node('Sqrt', [f.node('Add', [square, epsilon])]);
	const result = f.node('Add', [f.node('Mul', [f.node('Div', [centred, root]), 'scale']), 'shift']);
	const norm: LocalFunction = {
		domain: 'torch',
		name: 'LayerNorm',
		overload: '',
		inputs: ['value', 'scale', 'shift'],
		outputs: [result],
		attributes: [],
		defaults: new Map([['epsilon', { kind: 'float', value: 1e-5 }]]),
		opsets: new Map([['', 17]]),
		nodes: f.build().graph.nodes,
	};
	const g = modelBuilder({ seed: 78, firstId: 2000 });
	const normed = g.node(
		'LayerNorm',
		['x', 'scale', 'shift'],
		{ epsilon: { kind: 'float', value: 1e-3 } },
		'torch',
	);
	const up = g.node('Relu', [g.node('MatMul', [normed, 'up'])]);
	const block: LocalFunction = {
		...norm,
		name: 'Block',
		inputs: ['x', 'scale', 'shift', 'up', 'down'],
		outputs: [g.node('Add', ['x', g.node('MatMul', [up, 'down'])])],
		defaults: new Map(),
		opsets: new Map([
			['', 17],
			['torch', 1],
		]),
		nodes: g.build().graph.nodes,
	};
	let x = b.node('MatMul', [b.input('x', ['batch', 'seq', 6]), b.weight([6, 16])]);
	for (const layer of ['a', 'b'])
		x = b.node(
			'Block',
			[
				x,
				b.weight([16]),
				b.weight([16]),
				b.weight([16, 12], `${layer}.up`),
				b.weight([12, 16], `${layer}.down`),
			],
			{},
			'torch',
		);
	b.output(
		b.node('MatMul', [
			b.node('LayerNorm', [x, b.weight([16]), b.weight([16])], {}, 'torch'),
			b.weight([16, 5]),
		]),
		['batch', 'seq', 5],
	);
	const model = b.build();
	return { ...model, opsets: new Map([...model.opsets, ['torch', 1]]), functions: [norm, block] };
}

const calls = ({ graph }: Model): string[] =>
	graph.nodes.filter(({ domain }) => domain === 'torch').map(({ op }) => op);

test('removes neurons and width of what functions hold; calls whose nodes stay the same stay calls', async () => {
	const ffn = await build(calling(), 'prune ffn 50% align 1');
	assert.equal(removed(ffn), [6, 6]);
	assert.equal(calls(ffn.model), ['Block', 'Block', 'LayerNorm']);
	assert.equal(ffn.model.graph.initializers.get('a.up')?.dims, [16, 6]);
	const hidden = await build(calling(), 'prune hidden 25% align 1');
	assert.equal(removed(hidden), [4]);
	const layers = await build(calling(), 'prune layers [0]');
	assert.equal(calls(layers.model).at(-1), 'LayerNorm');
});

test('removes features behind a branch that drops an axis when there is one of it', async () => {
	const b = modelBuilder();
	const hidden = b.node('Tanh', [linear(b, b.input('x', ['batch', 6]), 6, 12)]);
	const first = b.node('Gather', [b.node('Shape', [hidden]), b.ints([0], [])]);
	const squeezed = b.node('If', [b.node('Equal', [first, b.ints([1], [])])], {
		then_branch: graphOf(body((inner) => [[inner.node('Squeeze', [hidden, inner.ints([0])])]])),
		else_branch: graphOf(body((inner) => [[inner.node('Identity', [hidden])]])),
	});
	b.output(linear(b, squeezed, 12, 3));
	assert.equal(removed(await build(b.build(), 'prune channels 50% align 1')), [6]);
});

test('generates inputs that are long enough for what a branch reflects', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 1, 'length']);
	const branch = (op: string): Graph =>
		body((inner) => {
			const mode = { kind: 'string', value: 'reflect' } as const;
			const wide = inner.node('Pad', [x, inner.ints([0, 0, 9, 0, 0, 9])], { mode });
			return [[inner.node(op, [inner.node('Conv', [wide, inner.weight([8, 1, 5])])])]];
		});
	const middle = b.node('If', [isPositive(b, x)], {
		then_branch: graphOf(branch('Relu')),
		else_branch: graphOf(branch('Tanh')),
	});
	b.output(b.node('Conv', [middle, b.weight([3, 8, 1])]), ['batch', 3, 'wide']);
	assert.equal(removed(await build(b.build(), 'prune channels 50% align 1')), [4]);
});

test('leaves a model with bodies as it is, byte for byte, where nothing goes', async () => {
	for (const model of [branching(), looping(), scanning(), calling()]) {
		const path = join(folder, `${count++}.onnx`);
		saveModel(model, path);
		const out = join(folder, `${count++}.onnx`);
		const document = await compile({ recipe: '', model: path, out, threads: 1, samples: 2 });
		assert.equal(document.diagnostics, []);
		assert.ok(readFileSync(path).equals(readFileSync(out)));
	}
});

test.run();
