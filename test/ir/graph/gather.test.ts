/** Cuts of tensors, whole and in pieces, beside the plainest loop. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FLOAT, FLOAT16, INT64, INT8 } from '../../../src/ir/graph/dtype.ts';
import { cutTensor } from '../../../src/ir/graph/gather.ts';
import { elementCount, type Bytes, type Tensor } from '../../../src/ir/graph/graph.ts';
import { drawAt } from '../../../src/ir/graph/random.ts';
import { piecesOf } from '../../../src/ir/graph/tensor.ts';

const test = suite('gather');

/** Bytes in a file: one buffer for every piece, spoiled once the next is asked for. */
function inFile(bytes: Uint8Array, most: number): Bytes {
	return {
		length: bytes.length,
		read: () => bytes.slice(),
		*pieces(unit = 1) {
			const step = Math.max(unit, most - (most % unit));
			for (let at = 0; at < bytes.length; at += step) {
				const piece = bytes.slice(at, at + step);
				yield piece;
				piece.fill(255);
			}
		},
	};
}

function plainCut(
	from: Uint8Array,
	dims: readonly number[],
	size: number,
	axis: number,
	keep: readonly number[],
) {
	const inner = elementCount(dims.slice(axis + 1)) * size;
	const block = inner * (dims[axis] ?? 0);
	const to: number[] = [];
	for (let start = 0; start < from.length; start += block)
		for (const at of keep) to.push(...from.subarray(start + at * inner, start + (at + 1) * inner));
	return Uint8Array.from(to);
}

const joined = (pieces: Iterable<Uint8Array>): Uint8Array =>
	Uint8Array.from(Array.from(pieces, (piece) => [...piece]).flat());

test('a cut in pieces is the cut as a whole is the plainest loop, also of a cut', () => {
	let drawn = 0;
	const random = (): number => drawAt(7, drawn++);
	const below = (limit: number): number => Math.floor(random() * limit);
	let [inPieces, tried] = [0, 0];
	for (let turn = 0; turn < 400; turn++) {
		const [type, size] = (
			[
				[FLOAT, 4],
				[FLOAT16, 2],
				[INT64, 8],
				[INT8, 1],
			] as const
		)[below(4)] ?? [FLOAT, 4];
		let dims = Array.from({ length: 1 + below(3) }, () => 1 + below(12));
		let wanted = Uint8Array.from({ length: elementCount(dims) * size }, () => below(250));
		let tensor: Tensor = { name: 'w', type, dims, bytes: inFile(wanted, 1 + below(300)) };
		for (let cut = 0; cut <= below(3); cut++) {
			const axis = below(dims.length);
			const keep = Array.from({ length: dims[axis] ?? 0 }, (_, at) => at).filter(() => random() < 0.6);
			if (random() < 0.2) keep.reverse();
			wanted = plainCut(wanted, dims, size, axis, keep);
			tensor = cutTensor(tensor, axis, keep);
			dims = dims.map((dim, at) => (at === axis ? keep.length : dim));
		}
		assert.equal(tensor.dims, dims);
		const { bytes } = tensor;
		if (bytes === undefined) throw new Error('a cut lost its bytes');
		assert.is(bytes.length, wanted.length);
		assert.equal(bytes.read(), wanted);
		assert.equal(joined(piecesOf(bytes)), wanted);
		tried++;
		if ([...piecesOf(bytes)].length > 1) inPieces++;
	}
	assert.ok(inPieces > tried / 8, `${inPieces} of ${tried} came in several pieces`);
});

test('rows beyond a buffer come in pieces too', () => {
	const [rows, wide] = [600, 300];
	const values = Float32Array.from({ length: rows * wide }, (_, at) => at);
	const bytes = inFile(new Uint8Array(values.buffer), 1 << 18);
	const keep = Array.from({ length: rows }, (_, at) => at).filter((at) => at % 7 < 4);
	for (const axis of [0, 1]) {
		const kept = keep.filter((at) => axis === 0 || at < wide);
		const cut = cutTensor({ name: 'w', type: FLOAT, dims: [rows, wide], bytes }, axis, kept).bytes;
		const numbers = new Float32Array(joined(piecesOf(cut ?? bytes)).buffer);
		const wanted = [...values].filter((_, at) =>
			kept.includes(axis === 0 ? Math.floor(at / wide) : at % wide),
		);
		assert.equal([...numbers], wanted);
	}
});

test('what comes whole from a cut that keeps another order is cut on in pieces', () => {
	const [rows, wide] = [600, 300];
	const values = Float32Array.from({ length: rows * wide }, (_, at) => at);
	const bytes = inFile(new Uint8Array(values.buffer), 1 << 18);
	const down = Array.from({ length: rows }, (_, at) => rows - 1 - at);
	const even = Array.from({ length: wide / 2 }, (_, at) => 2 * at);
	const turned = cutTensor({ name: 'w', type: FLOAT, dims: [rows, wide], bytes }, 0, down);
	const cut = cutTensor(turned, 1, even).bytes;
	const numbers = new Float32Array(joined(piecesOf(cut ?? bytes)).buffer);
	assert.equal(
		[...numbers],
		down.flatMap((row) => even.map((column) => row * wide + column)),
	);
});

test.run();
