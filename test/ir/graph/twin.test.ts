/** A changed model beside its original, and the part of a graph that is still to be run. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openSession } from '../../../src/backends/ort/session.ts';
import { FLOAT } from '../../../src/ir/graph/dtype.ts';
import { type Model } from '../../../src/ir/graph/graph.ts';
import { applyPatch } from '../../../src/ir/graph/patch.ts';
import { stretchOf } from '../../../src/ir/graph/stretch.ts';
import { tensorOf } from '../../../src/ir/graph/tensor.ts';
import { twinned } from '../../../src/ir/graph/twin.ts';
import { modelBuilder } from '../../harness/model.ts';

const test = suite('twins');

/** Three products in a row, and the same with another weight in the middle. */
function chain(): { readonly values: readonly string[]; readonly model: Model; readonly changed: Model } {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 3]);
	const first = b.node('MatMul', [x, b.weight([3, 3])]);
	const middle = b.node('MatMul', [first, b.weight([3, 3])]);
	const last = b.node('Relu', [middle]);
	b.output(b.node('Add', [last, first]), ['batch', 3]);
	const model = b.build();

	const other = tensorOf('other', FLOAT, [3, 3], [0, 1, 0, 0, 0, 1, 1, 0, 0]);
	const node = { ...model.graph.nodes[1]!, inputs: [first, 'other'] };
	const edits = [
		{ kind: 'constant' as const, tensor: other },
		{ kind: 'node' as const, node },
	];
	const changed = applyPatch(model, { label: 'changed', edits });
	return { values: [first, middle, last], model, changed };
}

const feeds = new Map([['x', { type: FLOAT, dims: [2, 3], data: Float32Array.of(1, -2, 3, 4, 5, -6) }]]);

async function valuesOf(model: Model, names: readonly string[]): Promise<number[][]> {
	const outputs = names.map((name) => ({ name, type: 0 }));
	const session = await openSession({ ...model, graph: { ...model.graph, outputs } }, { which: 'test' });
	const found = await session.run(feeds, names);
	await session.release();
	return names.map((name) => Array.from(found.get(name)!.data));
}

test('what comes before a change is shared, what comes behind stands twice', async () => {
	const { values, model, changed } = chain();
	const twin = twinned(model, changed);
	const [first, ...behind] = values;
	assert.is(twin.of(first!), first);
	assert.is(twin.model.graph.nodes.length, 7);
	assert.equal(await valuesOf(twin.model, [...behind, ...behind.map(twin.of)]), [
		...(await valuesOf(model, behind)),
		...(await valuesOf(changed, behind)),
	]);
	assert.not.equal(await valuesOf(twin.model, behind), await valuesOf(changed, behind));
});

test('a stretch ends where values are wanted, carries what is read behind, and goes on from there', () => {
	const { values, model } = chain();
	const [first, middle, last] = values as [string, string, string];
	const one = stretchOf(model, [first], new Map());
	assert.equal([one.model.graph.nodes.length, one.carried], [1, [first]]);
	const known = new Map([[first, { name: first, type: FLOAT, dims: [null, null] }]]);
	const two = stretchOf(model, [last], known);
	assert.equal(
		two.model.graph.nodes.map(({ op }) => op),
		['MatMul', 'Relu'],
	);
	assert.equal(
		two.model.graph.inputs.map(({ name }) => name),
		[first],
	);
	assert.equal([...two.carried].sort(), [first, last].sort());
	assert.not(two.carried.includes(middle));
});

test.run();
