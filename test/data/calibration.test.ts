/** Which examples are drawn and held out, and what statistics see of padding. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { labOf } from '../../src/backends/ort/lab.ts';
import { readInputs } from '../../src/data/calibration.ts';
import { draw, holdOut } from '../../src/data/draw.ts';
import { reader, tokenizerJson } from '../harness/data.ts';
import { testFolder } from '../harness/folder.ts';
import { modelBuilder } from '../harness/model.ts';

const test = suite('calibration');
const folder = testFolder();
test.after(folder.remove);
const ten = Array.from({ length: 10 }, (_, at) => at);

test('takes the first, or a seeded draw in the order of the data', () => {
	assert.equal(draw(ten, { take: 3 }), [0, 1, 2]);
	assert.equal(draw(ten, {}), ten);
	const drawn = draw(ten, { take: 4, seed: 7 });
	assert.equal(drawn, draw(ten, { take: 4, seed: 7 }));
	assert.equal(
		drawn,
		drawn.toSorted((a, b) => a - b),
	);
	assert.is(new Set(drawn).size, 4);
	assert.not.equal(drawn, draw(ten, { take: 4, seed: 8 }));
	assert.equal(draw(ten, { take: 99, seed: 1 }), ten);
});

test('holds every fifth out, and nothing of a set too small to split', () => {
	assert.equal(holdOut(ten), { used: [0, 1, 2, 3, 5, 6, 7, 8], heldOut: [4, 9] });
	assert.equal(holdOut([1, 2, 3]), { used: [1, 2, 3], heldOut: [1, 2, 3] });
});

test('says how many inputs there are, how they were made and what is held out', async () => {
	folder.file('tokenizer.json', tokenizerJson());
	const path = folder.file('ten.txt', 'a cat\n'.repeat(10));
	const inputs = await readInputs(reader(), {
		...{ shapes: new Map(), seed: 0, samples: 4, modelPath: folder.at('model.onnx') },
		data: { path, take: 6, tokens: 3 },
	});
	assert.is(
		inputs.words,
		`6 of '${path}' (texts by tokenizer.json, at most 3 tokens), 1 held out for drift; the proof adds 4 generated ones at two sizes`,
	);
	assert.equal(
		[inputs.calibration.length, inputs.heldOut.length, inputs.proofFor(new Map()).length],
		[5, 1, 6],
	);
});

test('large inputs are generated when they are asked for, and fewer of them', async () => {
	const inputsOf = (dims: readonly (number | string)[]): ReturnType<typeof readInputs> => {
		const b = modelBuilder();
		b.output(b.node('Relu', [b.input('x', dims)]));
		return readInputs(b.build(), { shapes: new Map(), seed: 0, samples: 8, modelPath: '' });
	};
	// 2^28 numbers at most in all: what is not read here would take 4 GiB, and minutes.
	const [large, small] = [await inputsOf([2 ** 15, 2 ** 15]), await inputsOf(['batch', 2])];
	assert.equal([large.words, large.calibration.length], ['1 generated input', 1]);
	assert.equal(
		[small.words, small.calibration.length, small.heldOut.length],
		['8 generated inputs at two sizes', 8, 8],
	);
	assert.is(small.calibration[1]!.feeds, small.proofFor(new Map())[1]);
	assert.ok(small.heldOut[0]!.get('x')!.data instanceof Float32Array);
});

test('leaves padding out of statistics', async () => {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 'seq', 2]);
	b.input('attention_mask', ['batch', 'seq'], 7);
	const value = b.node('Identity', [x]);
	const flat = b.node('Reshape', [x, b.ints([-1, 2])]);
	const heads = b.node('Unsqueeze', [x, b.ints([1])]);
	b.output(b.node('Relu', [value]));
	b.output(b.node('Relu', [flat]));
	b.output(b.node('Relu', [heads]));
	const mask = { type: 7, dims: [2, 3], data: [1, 1, 0, 1, 0, 0] };
	const data = [1, 2, 3, 4, 100, 100, 5, 6, 100, 100, 100, 100];
	const feeds = new Map([
		['x', { type: 1, dims: [2, 3, 2], data }],
		['attention_mask', mask],
	]);
	const lab = labOf([{ feeds, mask, at: 'here' }], 'test', true, 1);
	const moments = await lab.moments(b.build(), [
		{ value, axis: 2 },
		{ value: flat, axis: 1 },
		{ value: heads, axis: 3 },
	]);
	const plain = moments.map(({ count, sum, squares }) => [count, [...sum], [...squares]]);
	assert.equal(
		plain,
		[1, 2, 3].map(() => [3, [9, 12], [35, 56]]),
	);
});

test.run();
