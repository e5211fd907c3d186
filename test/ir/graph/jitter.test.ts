/** Weights that are moved by one unit in the last place. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { jittered } from '../../../src/ir/graph/jitter.ts';
import { type Tensor } from '../../../src/ir/graph/graph.ts';
import { numbersOf } from '../../../src/ir/graph/tensor.ts';
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

test.run();
