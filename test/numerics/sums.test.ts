import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { sumStretches } from '../../src/numerics/sums.ts';

const test = suite('sums');

/** The same, an element at a time. */
function plain(values: ArrayLike<number>, lengths: readonly number[], power: 1 | 2): number[] {
	const owners = lengths.flatMap((length, stretch) => Array<number>(length).fill(stretch));
	const totals = lengths.map(() => 0);
	for (let at = 0; at < values.length; at++) {
		const owner = owners[at % owners.length] ?? NaN;
		totals[owner] = (totals[owner] ?? NaN) + Math.abs(values[at] ?? NaN) ** power;
	}
	return totals;
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => Math.sin(at * 1.7) * 3);

function* inPieces<T extends Float32Array | Float64Array>(values: T, length: number): Generator<T> {
	for (let at = 0; at < values.length; at += length) yield values.subarray(at, at + length) as T;
}

const stretches: Readonly<Record<string, readonly number[]>> = {
	'one element each': Array<number>(13).fill(1),
	'one long stretch': [130],
	'of different lengths': [1, 17, 8, 3, 31, 5],
	'of nothing between others': [4, 0, 6],
};

for (const [name, lengths] of Object.entries(stretches))
	test(`sums stretches ${name}, in pieces of any length`, () => {
		const period = lengths.reduce((sum, length) => sum + length, 0);
		const values = numbers(period * 7);
		for (const power of [1, 2] as const)
			for (const typed of [Float32Array.from(values), Float64Array.from(values)])
				for (const length of [1, 5, 16, 29, values.length]) {
					const sums = sumStretches(inPieces<Float32Array | Float64Array>(typed, length), lengths, power);
					plain(typed, lengths, power).forEach((expected, at) => {
						// The order of addition differs: a few units in the last place of a double.
						assert.ok(
							Math.abs((sums[at] ?? NaN) - expected) <= 1e-14 * expected,
							`${at}: ${sums[at]}, ${expected}`,
						);
					});
				}
	});

test('sums more than goes at a time', () => {
	const values = new Float32Array(300_000).fill(1);
	assert.equal([...sumStretches([values], [100_000, 50_000], 1)], [200_000, 100_000]);
	assert.equal([...sumStretches([], [], 2)], []);
	assert.equal([...sumStretches([Float64Array.of(1, 2)], [], 2)], []);
	assert.equal([...sumStretches([], [3, 4], 2)], [0, 0]);
});

test('keeps nothing of the sum before', () => {
	assert.equal([...sumStretches([Float64Array.of(1, 2, 3)], [1, 2], 2)], [1, 13]);
	assert.equal([...sumStretches([Float64Array.of(1, 2, 3)], [2, 1], 2)], [5, 9]);
});

test.run();
