/** Fused attention without a bias, over which onnxruntime 1.30 ends the process. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openSession } from '../../../src/backends/ort/session.ts';
import { type Model } from '../../../src/ir/graph/graph.ts';
import { buildOf } from '../../harness/exact.ts';
import { modelBuilder, type Build } from '../../harness/model.ts';

const test = suite('attention without a bias');

const [d, heads] = [16, 2];

/** An attention between two products, its bias as `bias` makes it. */
function network(bias: (b: Build) => string, weight = (b: Build): string => b.weight([d, 3 * d])): Model {
	const b = modelBuilder({ seed: 3 });
	const x = b.input('x', ['batch', 'seq', d]);
	const inputs = [b.node('MatMul', [x, b.weight([d, d])]), weight(b), bias(b)];
	while (inputs.at(-1) === '') inputs.pop();
	const context = b.node('Attention', inputs, { num_heads: heads }, 'com.microsoft');
	b.output(b.node('Add', [x, b.node('MatMul', [context, b.weight([d, d])])]), ['batch', 'seq', d]);
	return b.build();
}

const feeds = new Map([
	['x', { type: 1, dims: [1, 3, d], data: Float32Array.from({ length: 3 * d }, (_, at) => Math.sin(at)) }],
]);

async function resultOf(model: Model): Promise<number[]> {
	const session = await openSession(model, { which: 'original', threads: 1 });
	const results = await session.run(feeds);
	await session.release();
	return Array.from([...results.values()][0]!.data);
}

test('it is run with zeros for one, and gives what zeros give', async () => {
	const zeros = (b: Build): string => b.floats(new Array<number>(3 * d).fill(0));
	assert.equal(await resultOf(network(() => '')), await resultOf(network(zeros)));
});

test('it is pruned and proven, and comes out without one', async () => {
	const { document, model } = await buildOf(
		network(() => ''),
		'prune heads 50%',
	);
	assert.ok(document.proof?.ok && !document.proof.weak);
	const attention = model.graph.nodes.find(({ op }) => op === 'Attention')!;
	assert.is(attention.inputs[2] ?? '', '');
});

test('where its weight is computed it is refused with its name, and the process goes on', async () => {
	const computed = (b: Build): string => b.node('Neg', [b.input('w', [d, 3 * d])]);
	const why = await openSession(
		network(() => '', computed),
		{ which: 'original' },
	).then(() => 'opened', String);
	assert.match(why, /Attention 'Attention_\d+' has no bias and computes its weight/);
});

test.run();
