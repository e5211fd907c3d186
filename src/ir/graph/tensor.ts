/** Tensors: making them, reading their numbers. */
import { bug, present } from '../../diagnostic.ts';
import { DOUBLE, FLOAT, FLOAT16, INT32, INT64 } from './dtype.ts';
import { type Bytes, type Tensor } from './graph.ts';

/** Bytes that lie in memory already. */
export function inMemory(bytes: Uint8Array): Bytes {
	return { length: bytes.byteLength, read: () => bytes };
}

function bytesOf(array: ArrayBufferView): Bytes {
	return inMemory(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
}

export function floats(name: string, dims: readonly number[], values: ArrayLike<number>): Tensor {
	return { name, type: FLOAT, dims, bytes: bytesOf(singles(values)) };
}

export function ints(name: string, dims: readonly number[], values: readonly number[]): Tensor {
	return { name, type: INT64, dims, bytes: bytesOf(BigInt64Array.from(values, toInt64)) };
}

/** An int64; the largest one, which open-ended Slices use, is no exact double and comes back from 2^63. */
export function toInt64(value: number): bigint {
	return value >= 2 ** 63 ? 2n ** 63n - 1n : BigInt(Math.round(value));
}

/** A tensor of `dims` and element type `type` holding `values`, converted. */
export function tensorOf(
	name: string,
	type: number,
	dims: readonly number[],
	values: ArrayLike<number>,
): Tensor {
	return { name, type, dims, bytes: bytesOf(encode(type, values)) };
}

/** The least number that single precision holds in full. */
const leastSingle = 2 ** -126;

/**
 * In single precision, where what is nearer to zero than any number held in full becomes zero: a row of such numbers, as a refit leaves
 * of one that does nothing, makes a product take ten times as long.
 */
function singles(values: ArrayLike<number>): Float32Array {
	const array = new Float32Array(values.length);
	for (let at = 0; at < array.length; at++) {
		const value = values[at] ?? 0;
		array[at] = value !== 0 && Math.abs(value) < leastSingle ? 0 : value;
	}
	return array;
}

const encoders = new Map<number, (values: ArrayLike<number>) => ArrayBufferView>([
	[FLOAT, singles],
	[DOUBLE, (values) => Float64Array.from(values)],
	[FLOAT16, (values) => Uint16Array.from(values, halfBits)],
	[16, (values) => Uint16Array.from(values, bfloatBits)],
	[INT64, (values) => BigInt64Array.from(Array.from(values, toInt64))],
	[13, (values) => BigUint64Array.from(Array.from(values, (value) => BigInt(Math.round(value))))],
	[INT32, (values) => Int32Array.from(values)],
	[12, (values) => Uint32Array.from(values)],
	[2, (values) => Uint8Array.from(values)],
	[9, (values) => Uint8Array.from(values)],
	[3, (values) => Int8Array.from(values)],
	[4, (values) => Uint16Array.from(values)],
	[5, (values) => Int16Array.from(values)],
]);

function encode(type: number, values: ArrayLike<number>): ArrayBufferView {
	return (encoders.get(type) ?? bug('this element type cannot be written from numbers', { type }))(values);
}

type Decoder = (view: DataView, at: number) => number;
const decoders = new Map<number, readonly [size: number, decode: Decoder]>([
	[FLOAT, [4, (view, at) => view.getFloat32(at, true)]],
	[DOUBLE, [8, (view, at) => view.getFloat64(at, true)]],
	[FLOAT16, [2, (view, at) => halfValue(view.getUint16(at, true))]],
	[16, [2, (view, at) => bfloatValue(view.getUint16(at, true))]],
	[INT64, [8, (view, at) => Number(view.getBigInt64(at, true))]],
	[13, [8, (view, at) => Number(view.getBigUint64(at, true))]],
	[INT32, [4, (view, at) => view.getInt32(at, true)]],
	[12, [4, (view, at) => view.getUint32(at, true)]],
	[2, [1, (view, at) => view.getUint8(at)]],
	[9, [1, (view, at) => view.getUint8(at)]],
	[3, [1, (view, at) => view.getInt8(at)]],
	[4, [2, (view, at) => view.getUint16(at, true)]],
	[5, [2, (view, at) => view.getInt16(at, true)]],
]);

/** Whether `numbersOf` can read the tensor: its data is there and its elements are whole bytes of a known kind. */
export function isReadable(tensor: Tensor): boolean {
	return tensor.bytes !== undefined && decoders.has(tensor.type);
}

/** One after the other, each good until the next is taken. */
export function piecesOf(bytes: Bytes): Iterable<Uint8Array> {
	return bytes.pieces?.() ?? [bytes.read()];
}

/** What `numbersOf` gives, one piece after the other, each good until the next is taken; pieces of float32 are never all in memory. */
export function* numbersInPieces(tensor: Tensor): Generator<Float32Array | Float64Array> {
	if (tensor.type !== FLOAT) yield numbersOf(tensor);
	else
		for (const piece of piecesOf(present(tensor.bytes, `data of tensor '${tensor.name}'`)))
			yield asFloat32(piece);
}

/** The elements as numbers, row-major. float32 comes without a copy where alignment allows. */
export function numbersOf(tensor: Tensor): Float32Array | Float64Array {
	const bytes = present(tensor.bytes, `data of tensor '${tensor.name}'`).read();
	if (tensor.type === FLOAT) return asFloat32(bytes);
	const [size, decode] = present(decoders.get(tensor.type), `decoder of element type ${tensor.type}`);
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	return Float64Array.from({ length: bytes.byteLength / size }, (_, index) => decode(view, index * size));
}

function asFloat32(bytes: Uint8Array): Float32Array {
	// Not `slice`, which copies nothing where the bytes are a Buffer.
	const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
	return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
}

const scratch = new DataView(new ArrayBuffer(8));

/** IEEE 754 binary16 bits of a number, rounded to nearest even. */
export function halfBits(value: number): number {
	scratch.setFloat32(0, value);
	const bits = scratch.getUint32(0);
	const sign = (bits >>> 16) & 0x8000;
	const magnitude = Math.abs(value);
	if (Number.isNaN(value)) return 0x7e00;
	if (magnitude >= 65520) return sign | 0x7c00;
	if (magnitude < 2 ** -14) return sign | roundEven(magnitude * 2 ** 24);
	const exponent = ((bits >>> 23) & 0xff) - 127;
	const mantissa = roundEven((magnitude / 2 ** exponent - 1) * 1024);
	return sign | (((exponent + 15) << 10) + mantissa);
}

function roundEven(value: number): number {
	const floor = Math.floor(value);
	const rest = value - floor;
	if (rest !== 0.5) return Math.round(value);
	return floor % 2 === 0 ? floor : floor + 1;
}

export function halfValue(bits: number): number {
	const sign = bits & 0x8000 ? -1 : 1;
	const exponent = (bits >> 10) & 31;
	const mantissa = bits & 1023;
	if (exponent === 0) return sign * mantissa * 2 ** -24;
	if (exponent === 31) return mantissa ? NaN : sign * Infinity;
	return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

function bfloatBits(value: number): number {
	scratch.setFloat32(0, value);
	const bits = scratch.getUint32(0);
	if (Number.isNaN(value)) return 0x7fc0;
	return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

function bfloatValue(bits: number): number {
	scratch.setUint32(0, bits << 16);
	return scratch.getFloat32(0);
}
