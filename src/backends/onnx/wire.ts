/** Protobuf's wire format: fields with their places, read through a window, and chunks to write. Shared by everything ONNX. */
import { closeSync, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import { Fault } from '../../diagnostic.ts';
import { giveBack, lend, pieceLength } from '../../ir/graph/buffers.ts';
import { type Bytes } from '../../ir/graph/graph.ts';
import { toInt64 } from '../../ir/graph/tensor.ts';
import { malformed } from '../../messages/model.ts';

/** Where bytes come from: a file or memory. */
export type Source = {
	readonly length: number;
	/** Where the file lies, links followed: onnxruntime reads no weights through them. Absent for memory. */
	readonly path?: string;
	read(offset: number, length: number): Uint8Array;
	/** A stretch in pieces of a whole number of `unit` bytes, which divides the length; each is good until the next is taken. */
	pieces(offset: number, length: number, unit: number): Iterable<Uint8Array>;
	close(): void;
};

export function memorySource(bytes: Uint8Array): Source {
	return {
		length: bytes.length,
		read: (offset, length) => bytes.subarray(offset, offset + length),
		pieces: (offset, length) => [bytes.subarray(offset, offset + length)],
		close: () => undefined,
	};
}

/** Reads of one file; small ones go through a window of 64 KiB, so that scanning costs few system calls. */
export function fileSource(path: string): Source {
	const fd = openSync(path, 'r');
	const { size } = fstatSync(fd);
	const window = new Uint8Array(1 << 16);
	let start = 0;
	let filled = 0;
	const whole = (offset: number, length: number): Uint8Array =>
		fill(fd, new Uint8Array(Buffer.allocUnsafeSlow(length).buffer), offset);
	return {
		length: size,
		path: realpathSync(path),
		pieces: (offset, length, unit) => inPieces(fd, offset, length, unit),
		close: () => {
			closeSync(fd);
		},
		read: (offset, length) => {
			if (length > 1 << 15) return whole(offset, length);
			if (offset < start || offset + length > start + filled) {
				start = offset;
				filled = Math.min(window.length, size - offset);
				fill(fd, window.subarray(0, filled), offset);
			}
			return window.slice(offset - start, offset - start + length);
		},
	};
}

/** Fills bytes from a place in a file. Throws `Fault` where the file ends. */
function fill(fd: number, bytes: Uint8Array, offset: number): Uint8Array {
	for (let done = 0; done < bytes.length;) {
		const count = readSync(fd, bytes, done, Math.min(bytes.length - done, 1 << 30), offset + done);
		if (count === 0) throw new Fault(malformed({ problem: 'the file ends early', offset: offset + done }));
		done += count;
	}
	return bytes;
}

/** A stretch of a file in pieces of whole units, by a buffer that is used again. */
function* inPieces(fd: number, offset: number, length: number, unit: number): Generator<Uint8Array> {
	const step = unit > pieceLength ? unit : pieceLength - (pieceLength % unit);
	const buffer = step > pieceLength ? new Uint8Array(step) : lend();
	try {
		for (let at = 0; at < length; at += step)
			yield fill(fd, buffer.subarray(0, Math.min(step, length - at)), offset + at);
	} finally {
		if (step <= pieceLength) giveBack(buffer);
	}
}

/** Bytes that stay in their source until asked for. */
export class Extent implements Bytes {
	readonly source: Source;
	readonly offset: number;
	readonly length: number;

	constructor(source: Source, offset: number, length: number) {
		this.source = source;
		this.offset = offset;
		this.length = length;
	}

	read(): Uint8Array {
		return this.source.read(this.offset, this.length);
	}

	pieces(unit = 1): Iterable<Uint8Array> {
		return this.source.pieces(this.offset, this.length, unit);
	}
}

export type Field = {
	readonly number: number;
	/** 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes. */
	readonly wire: number;
	/** Offset of the tag; the field ends at `end`. */
	readonly start: number;
	/** Offset of the payload. */
	readonly at: number;
	readonly end: number;
	/** The number of a varint field. */
	readonly value: number;
};

/** A message in its source. */
export type Message = {
	readonly source: Source;
	readonly start: number;
	readonly end: number;
	readonly place: string;
};

/** Reads the fields of a message without their payloads. */
export function fieldsOf({ source, start, end, place }: Message): Field[] {
	const fields: Field[] = [];
	let at = start;
	const stop = (problem: string): never => {
		throw new Fault(malformed({ problem, offset: at }, { at: place }));
	};
	const varint = (): number => {
		const bytes = source.read(at, Math.min(10, end - at));
		let value = 0n;
		for (const [index, byte] of bytes.entries()) {
			value |= BigInt(byte & 127) << BigInt(7 * index);
			if (byte >= 128) continue;
			at += index + 1;
			return Number(BigInt.asIntN(64, value));
		}
		return stop('a number does not end');
	};
	const fixed: Readonly<Record<number, number>> = { 1: 8, 5: 4 };
	while (at < end) {
		const tagAt = at;
		const tag = varint();
		const [number, wire] = [Math.floor(tag / 8), tag & 7];
		if (number < 1) stop('a field number is not positive');
		const value = wire === 0 || wire === 2 ? varint() : 0;
		const length =
			wire === 0 ? 0 : wire === 2 ? value : (fixed[wire] ?? stop(`wire type ${wire} does not exist`));
		if (length < 0 || at + length > end) stop('a field ends beyond its message');
		const payload = at;
		at += length;
		fields.push({ number, wire, start: tagAt, at: payload, end: at, value });
	}
	return fields;
}

export type Chunk = Uint8Array | Bytes;

export function chunkLength(chunks: readonly Chunk[]): number {
	return chunks.reduce((sum, chunk) => sum + chunk.length, 0);
}

export function varintBytes(value: number): Uint8Array {
	if (value >= 0 && value < 128) return Uint8Array.of(value);
	let rest = BigInt.asUintN(64, toInt64(value));
	const bytes: number[] = [];
	while (rest > 127n) {
		bytes.push(Number(rest & 127n) | 128);
		rest >>= 7n;
	}
	bytes.push(Number(rest));
	return Uint8Array.from(bytes);
}

export function varintField(number: number, value: number): Chunk[] {
	return [varintBytes(number * 8), varintBytes(value)];
}

/** A length-delimited field around chunks. */
export function bytesField(number: number, chunks: readonly Chunk[]): Chunk[] {
	return [varintBytes(number * 8 + 2), varintBytes(chunkLength(chunks)), ...chunks];
}

const utf8 = new TextEncoder();

export function textField(number: number, text: string): Chunk[] {
	return bytesField(number, [utf8.encode(text)]);
}

export function floatField(number: number, value: number): Chunk[] {
	const bytes = new Uint8Array(5);
	bytes[0] = number * 8 + 5;
	new DataView(bytes.buffer).setFloat32(1, value, true);
	return [bytes];
}

/** All chunks in one array. */
export function joinChunks(chunks: readonly Chunk[]): Uint8Array {
	const joined = new Uint8Array(chunkLength(chunks));
	let at = 0;
	for (const chunk of chunks) {
		joined.set(chunk instanceof Uint8Array ? chunk : chunk.read(), at);
		at += chunk.length;
	}
	return joined;
}
