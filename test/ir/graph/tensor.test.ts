/** Tensors made of numbers. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FLOAT, FLOAT16 } from '../../../src/ir/graph/dtype.ts';
import { floats, numbersOf, tensorOf } from '../../../src/ir/graph/tensor.ts';

const test = suite('tensors');

test('numbers that single precision cannot hold in full are zero: kernels take ten times as long over them', () => {
	const given = [1e-39, -1e-44, 2 ** -126, -(2 ** -126), 0, -1.5, Infinity, NaN];
	const kept = [0, 0, 2 ** -126, -(2 ** -126), 0, -1.5, Infinity, NaN];
	assert.equal([...numbersOf(tensorOf('x', FLOAT, [8], given))], kept);
	assert.equal([...numbersOf(floats('x', [8], given))], kept);
});

test('half precision keeps what it can only just hold: models use such numbers', () => {
	const least = 2 ** -24;
	assert.equal([...numbersOf(tensorOf('x', FLOAT16, [2], [least, -3 * least]))], [least, -3 * least]);
});

test.run();
