/** Positions cut out of tensors lazily: bytes are gathered when asked for, in pieces where nobody needs them whole. */
import { present } from '../../diagnostic.ts';
import { giveBack, lend, pieceLength } from './buffers.ts';
import { byteLength, elementType } from './dtype.ts';
import { elementCount, type Bytes, type Tensor } from './graph.ts';

/**
 * The tensor without the positions of `axis` that `keep` does not list; `keep` is in the order wanted.
 * The bytes are gathered when read, and not held afterwards.
 */
export function cutTensor(tensor: Tensor, axis: number, keep: ArrayLike<number>): Tensor {
	const dims = tensor.dims.map((dim, index) => (index === axis ? keep.length : dim));
	const { origin: _, ...rest } = tensor;
	if (tensor.bytes === undefined) return { ...rest, dims };
	const bits = present(elementType(tensor.type), `element type ${tensor.type}`).bits;
	const length = byteLength(tensor.type, elementCount(dims));
	const base = tensor.bytes;
	if (bits >= 8)
		return { ...rest, dims, bytes: cutBytes(base, length, cutOf(tensor.dims, bits / 8, axis, keep)) };
	const read = (): Uint8Array => gatherBits(base.read(), tensor.dims, bits, axis, keep);
	return { ...rest, dims, bytes: { length, read } };
}

type Cut = {
	/** Bytes of one position, of all positions of a block, and of those kept. */
	readonly inner: number;
	readonly block: number;
	readonly kept: number;
	readonly blocks: number;
	/** Neighbouring positions joined, in the order wanted. */
	readonly runs: readonly Run[];
	readonly ascending: boolean;
	/** Places of the words of four bytes to take from a block, where runs are too short to be copied one by one. */
	readonly words: Int32Array | undefined;
};
type Run = readonly [first: number, count: number];

/** A run of fewer bytes is copied word by word: as fast as a copy of its own is to set up. */
const shortRun = 256;

function cutOf(dims: readonly number[], size: number, axis: number, keep: ArrayLike<number>): Cut {
	const inner = elementCount(dims.slice(axis + 1)) * size;
	const runs = runsOf(keep);
	const kept = keep.length * inner;
	const isShort = inner % 4 === 0 && kept < runs.length * shortRun;
	return {
		...{ inner, kept, runs, block: (dims[axis] ?? 0) * inner, blocks: elementCount(dims.slice(0, axis)) },
		ascending: runs.every(([first], at) => at === 0 || first > (runs[at - 1]?.[0] ?? 0)),
		words: isShort ? wordsOf(keep, inner / 4) : undefined,
	};
}

/** Consecutive positions joined, so that whole stretches are copied at once. */
function runsOf(keep: ArrayLike<number>): Run[] {
	const runs: [number, number][] = [];
	let next = -1;
	let last: [number, number] | undefined;
	for (let at = 0; at < keep.length; next = (keep[at++] ?? 0) + 1) {
		const position = keep[at] ?? 0;
		if (last !== undefined && position === next) last[1]++;
		else runs.push((last = [position, 1]));
	}
	return runs;
}

function wordsOf(keep: ArrayLike<number>, wide: number): Int32Array {
	const words = new Int32Array(keep.length * wide);
	for (let at = 0, first = 0; at < keep.length; at++, first += wide)
		for (let word = 0; word < wide; word++) words[first + word] = (keep[at] ?? 0) * wide + word;
	return words;
}

function cutBytes(base: Bytes, length: number, cut: Cut): Bytes {
	const read = (): Uint8Array => {
		const to = new Uint8Array(length);
		gather(to, base.read(), cut);
		return to;
	};
	const { inner, block, kept, blocks, ascending } = cut;
	return {
		length,
		read,
		pieces: (unit = 1) => {
			if (base.pieces === undefined || length === 0) return [read()];
			if (block <= pieceLength && kept <= block && kept % unit === 0)
				return blockPieces(base.pieces(block), cut);
			const inOrder = blocks === 1 && ascending && inner <= pieceLength && inner % unit === 0;
			return inOrder ? positionPieces(base.pieces(inner), cut) : [read()];
		},
	};
}

/** From pieces of whole blocks, however many there are in each. */
function* blockPieces(pieces: Iterable<Uint8Array>, cut: Cut): Generator<Uint8Array> {
	const { block, kept } = cut;
	const step = block * Math.max(1, Math.floor(pieceLength / block));
	const buffer = lend();
	try {
		for (const piece of pieces)
			for (let start = 0; start < piece.length; start += step) {
				const from = piece.subarray(start, start + step);
				const to = buffer.subarray(0, (from.length / block) * kept);
				gather(to, from, cut);
				yield to;
			}
	} finally {
		giveBack(buffer);
	}
}

/** From pieces of whole positions of the only block. */
function* positionPieces(pieces: Iterable<Uint8Array>, { inner, runs }: Cut): Generator<Uint8Array> {
	let [start, at] = [0, 0];
	for (const piece of pieces) {
		const end = start + piece.length / inner;
		for (let run = runs[at]; run !== undefined && run[0] < end; run = runs[at]) {
			const [first, last] = [Math.max(run[0], start), Math.min(run[0] + run[1], end)];
			yield piece.subarray((first - start) * inner, (last - start) * inner);
			if (run[0] + run[1] > end) break;
			at++;
		}
		start = end;
	}
}

/** All blocks that lie in `from`. */
function gather(to: Uint8Array, from: Uint8Array, cut: Cut): void {
	const { block, words } = cut;
	if (words !== undefined && from.byteOffset % 4 === 0 && to.byteOffset % 4 === 0)
		gatherWords(to, from, block / 4, words);
	else gatherRuns(to, from, cut);
}

function gatherRuns(to: Uint8Array, from: Uint8Array, { inner, block, runs }: Cut): void {
	let at = 0;
	for (let start = 0; start < from.length; start += block)
		for (const [first, count] of runs) {
			const source = start + first * inner;
			to.set(from.subarray(source, source + count * inner), at);
			at += count * inner;
		}
}

function gatherWords(to: Uint8Array, from: Uint8Array, block: number, words: Int32Array): void {
	// Signed, and an indexed loop: unsigned words are floating-point numbers to V8, and this runs over every weight.
	const source = new Int32Array(from.buffer, from.byteOffset, from.byteLength >> 2);
	const target = new Int32Array(to.buffer, to.byteOffset, to.byteLength >> 2);
	const count = words.length;
	for (let start = 0, first = 0; start < source.length; start += block, first += count)
		for (let word = 0; word < count; word++) target[first + word] = source[start + (words[word] ?? 0)] ?? 0;
}

/** Elements packed two or four to a byte, the first in the low bits (ONNX packing of 4- and 2-bit types). */
function gatherBits(
	from: Uint8Array,
	dims: readonly number[],
	bits: number,
	axis: number,
	keep: ArrayLike<number>,
): Uint8Array {
	const perByte = 8 / bits;
	const mask = (1 << bits) - 1;
	const wide = Uint8Array.from(
		{ length: elementCount(dims) },
		(_, index) => ((from[Math.floor(index / perByte)] ?? 0) >> ((index % perByte) * bits)) & mask,
	);
	const cut = cutOf(dims, 1, axis, keep);
	const kept = new Uint8Array(cut.blocks * cut.kept);
	gather(kept, wide, cut);
	const packed = new Uint8Array(Math.ceil(kept.length / perByte));
	kept.forEach((value, index) => {
		const at = Math.floor(index / perByte);
		packed[at] = (packed[at] ?? 0) | (value << ((index % perByte) * bits));
	});
	return packed;
}
