/** Weights that are moved by one unit in the last place. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { jittered } from '../../../src/ir/graph/jitter.ts';
import { type Tensor } from '../../../src/ir/graph/graph.ts';
import { FLOAT16 } from '../../../src/ir/graph/dtype.ts';
import { numbersOf, tensorOf } from '../../../src/ir/graph/tensor.ts';
import { modelBuilder } from '../../harness/model.ts';

const test = suite('jitter');

const unitsBetween = (before: Tensor, after: Tensor): number[] => {
	const bits = (tensor: Tensor): Int32Array => new Int32Array(Float32Array.from(numbersOf(tensor)).buffer);
	const was = bits(before);
	return Array.from(bits(after), (value, at) => value - was[at]!);
};

test('matrices move by one unit in the last place, either way; zeros, vectors and scalars stay', () => {
	const b = modelBuilder();
	const x = b.input('x', [1, 4]);
	const matrix = b.floats([0, ...Array.from({ length: 15 }, (_, at) => (at - 7.5) / 3)], [4, 4]);
	const vector = b.floats([1, 2, 3, 4]);
	b.output(b.node('Add', [b.node('MatMul', [x, matrix]), vector]), [1, 4]);
	const model = b.build();
	const [before, after] = [model.graph.initializers, jittered(model, 1).graph.initializers];
	const units = unitsBetween(before.get(matrix)!, after.get(matrix)!);
	assert.is(units[0], 0);
	assert.equal([...new Set(units.slice(1))].sort(), [-1, 1]);
	assert.is(after.get(vector), before.get(vector));
});

test('matrices of half precision move by one unit of it', () => {
	const b = modelBuilder();
	b.output(b.node('MatMul', [b.input('x', [1, 2], FLOAT16), b.weight([2, 2])]), [1, 2]);
	const model = b.build();
	const [name] = [...model.graph.initializers.keys()];
	const half = tensorOf(name!, FLOAT16, [2, 2], [0, 1, -65504, 0.25]);
	const graph = { ...model.graph, initializers: new Map([[name!, half]]) };
	const moved = Array.from(numbersOf(jittered({ ...model, graph }, 1).graph.initializers.get(name!)!));
	assert.equal([moved[0], moved[2]], [0, -65504], 'zero, and what infinity lies behind');
	const steps = [(moved[1]! - 1) * 2 ** 11, (moved[3]! - 0.25) * 2 ** 13];
	assert.ok(
		steps.every((step) => [-2, -1, 1, 2].includes(step)),
		'a unit above a power of two is twice that below',
	);
});

test.run();
