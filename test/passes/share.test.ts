/** Equal tensors stored once. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { buildOf, reasons } from '../harness/exact.ts';
import { encoder, modelBuilder } from '../harness/model.ts';
import { type Model } from '../../src/ir/graph/graph.ts';

const test = suite('share');

/** Two layers whose weights are the same numbers under two names. */
function twins(constants: boolean): Model {
	const b = modelBuilder({ constants, seed: 3 });
	const values = Array.from({ length: 64 }, (_, at) => Math.sin(at));
	let x = b.input('x', ['batch', 8]);
	for (let layer = 0; layer < 2; layer++)
		x = b.node('Add', [
			b.node('Relu', [b.node('MatMul', [x, b.floats(values, [8, 8])])]),
			b.floats(values.slice(0, 8)),
		]);
	// The same bytes in other sizes are another tensor.
	b.output(b.node('MatMul', [x, b.floats(values.slice(0, 8), [8, 1])]), ['batch', 1]);
	return b.build();
}

for (const constants of [false, true])
	test(`equal tensors ${constants ? 'in Constant nodes' : 'in initializers'} are stored once`, async () => {
		const { document, same } = await buildOf(twins(constants), 'share', { again: true });
		const [step] = document.steps;
		assert.equal([step!.selected, step!.of, step!.params], [2, 5, [152, 80]]);
		assert.ok(document.proof!.ok && !document.proof!.weak);
		assert.is(document.proof!.maxAbs, 0);
		assert.ok(same);
	});

/** A product whose weight, and a vector of sizes, are there twice; beside what is added to it, `scale` of it is left. */
function resized(scale: number): Model {
	const b = modelBuilder({ seed: 3 });
	const values = Array.from({ length: 16 }, (_, at) => Math.sin(at + 1));
	const x = b.input('x', ['batch', 4]);
	const halves = [0, 1].map(() =>
		b.node('Reshape', [b.node('MatMul', [x, b.floats(values, [4, 4])]), b.ints([0, 2, 2])]),
	);
	const joined = b.node('Reshape', [b.node('Concat', halves, { axis: 1 }), b.ints([-1, 8])]);
	const small = b.floats(
		Array.from({ length: 32 }, (_, at) => scale * Math.cos(at)),
		[8, 4],
	);
	b.output(b.node('Add', [x, b.node('MatMul', [joined, small])]), ['batch', 4]);
	return b.build();
}

test('a proof about sizes alone is not weak: with other ones the model would not run', async () => {
	const { document } = await buildOf(resized(1), 'share; protect "f*"', { again: true });
	assert.equal([document.steps[0]!.selected, document.proof!.weak, document.proof!.stops], [1, false, true]);
});

test('weights that move nothing are drawn anew for the proof, equal ones alike', async () => {
	const { document } = await buildOf(resized(1e-30), 'share; protect "i*"', { again: true });
	assert.equal(
		[document.steps[0]!.selected, document.proof!.ok, document.proof!.weak, document.proof!.weights],
		[1, true, false, 'seeded'],
	);
});

test('a model without equal tensors is left as it is, with a note', async () => {
	const { document } = await buildOf(encoder(1, { heads: 2, width: 4, hidden: 16 }), 'share; protect "i*"');
	assert.ok(reasons(document).some((text) => /no tensors that could be folded|none of the/.test(text)));
});

test('tensors that a caller may feed keep their own copy', async () => {
	const model = twins(false);
	const names = [...model.graph.initializers.keys()];
	const inputs = names.map((name) => ({ name, type: 1, dims: model.graph.initializers.get(name)!.dims }));
	const fed = { ...model, graph: { ...model.graph, inputs: [...model.graph.inputs, ...inputs] } };
	assert.is((await buildOf(fed, 'share')).document.steps[0]!.selected, 0);
});

test.run();
