/** Nodes that compute what another has computed: which go, and which only look alike. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Repetitions } from '../../src/passes/exits/repeated-nodes.ts';
import { buildOf } from '../harness/exact.ts';
import { classes } from '../harness/exits.ts';
import { encoderLayer, modelBuilder, type Build } from '../harness/model.ts';

const test = suite('repeated nodes');

test('the same operator on the same values, or on equal constants, runs once', () => {
	const b = modelBuilder({ opset: 17 });
	const x = b.input('x', ['batch', 'seq', 4]);
	const sizes = [b.node('Shape', [x]), b.node('Shape', [x])];
	const counts = sizes.map((size) => b.node('Gather', [size, b.ints([1])], { axis: 0 }));
	const last = b.node('Gather', [sizes[1]!, b.ints([2])], { axis: 0 });
	const noise = [b.node('RandomUniformLike', [x]), b.node('RandomUniformLike', [x])];
	const sums = [b.node('Add', [counts[0]!, last]), b.node('Add', [counts[1]!, last])];
	const named = b.node('Add', [counts[1]!, last]);
	b.output(named);
	const { graph } = b.build();
	const kept = new Repetitions(graph, [named]).without(graph.nodes);
	assert.equal(
		kept.map(({ op, outputs: [output] }) => [op, output]),
		[
			['Shape', sizes[0]],
			['Gather', counts[0]],
			['Gather', last],
			['RandomUniformLike', noise[0]],
			['RandomUniformLike', noise[1]],
			['Add', sums[0]],
			['Add', named],
		],
	);
	assert.equal(kept.at(-1)!.inputs, [counts[0], last]);
	assert.equal(kept[2]!.inputs[0], sizes[0]);
});

test('in the branches of an exit the arithmetic on sizes runs once for each value', async () => {
	/** Heads are merged to sizes that the graph computes, each number anew, as exporters write it. */
	const layer = (b: Build, x: string): string => {
		const made = encoderLayer(b, x, { heads: 2, width: 4, hidden: 16 });
		const size = (axis: number): string =>
			b.node('Gather', [b.node('Shape', [made]), b.ints([axis])], { axis: 0 });
		const flat = b.node('Reshape', [made, b.node('Concat', [size(0), size(1), b.ints([8])], { axis: 0 })]);
		return b.node('Reshape', [flat, b.node('Concat', [size(0), size(1), b.ints([8])], { axis: 0 })]);
	};
	const b = modelBuilder({ opset: 17 });
	let x = b.input('x', ['batch', 'seq', 8]);
	for (let at = 0; at < 3; at++) x = layer(b, x);
	b.output(classes(b, x), ['batch', 5]);
	const { document, model } = await buildOf(b.build(), 'exit after layer 0 when confidence > 0.4');
	assert.ok(document.proof!.ok && !document.proof!.weak);
	const branch = model.graph.nodes.find(({ op }) => op === 'If')!.attributes.get('else_branch')!;
	const ops = branch.kind === 'graph' ? branch.value.nodes.map(({ op }) => op) : [];
	// Of the reshapes behind each of two layers, which are written with four shapes and two vectors each.
	assert.is(ops.filter((op) => op === 'Shape').length, 2);
	assert.is(ops.filter((op) => op === 'Concat').length, 2);
});

test.run();
