/** NumPy arrays: `.npy` (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html) and `.npz` archives of them. */
import { basename } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { Fault } from '../diagnostic.ts';
import { unreadableData } from '../messages/data.ts';
import { byteLength } from '../ir/graph/dtype.ts';
import { elementCount } from '../ir/graph/graph.ts';
import { inMemory, numbersOf } from '../ir/graph/tensor.ts';
import { readBytes, reading } from './rows.ts';
import { type Field, type Row, type SampleValue } from './sample.ts';

const types: Readonly<Record<string, number>> = {
	'<f4': 1,
	'<f8': 11,
	'<f2': 10,
	'<i8': 7,
	'<i4': 6,
	'<i2': 5,
	'|i1': 3,
	'|u1': 2,
	'<u2': 4,
	'<u4': 12,
	'<u8': 13,
	'|b1': 9,
};

/** One array, under the name of its file. */
export function readNpy(path: string): Row[] {
	const field: Field = { kind: 'tensor', value: parseNpy(readBytes(path), path) };
	return [{ fields: new Map([[basename(path, '.npy'), field]]), at: path }];
}

/** Arrays of one archive are the inputs of one batch. */
export function readNpz(path: string): Row[] {
	const fields = reading(path, () => entriesOf(readBytes(path), path)).map(
		([name, data]): [string, Field] => [
			name.replace(/\.npy$/, ''),
			{ kind: 'tensor', value: parseNpy(data, `${path}/${name}`) },
		],
	);
	return [{ fields: new Map(fields), at: path }];
}

export function parseNpy(bytes: Uint8Array, path: string): SampleValue {
	const fail = (why: string): never => {
		throw new Fault(unreadableData({ path, why }));
	};
	if (bytes[0] !== 0x93 || new TextDecoder().decode(bytes.subarray(1, 6)) !== 'NUMPY')
		fail('it is no NumPy array');
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const long = (bytes[6] ?? 1) > 1;
	const start = long ? 12 : 10;
	const length = long ? view.getUint32(8, true) : view.getUint16(8, true);
	const header = new TextDecoder('latin1').decode(bytes.subarray(start, start + length));
	const type = types[/'descr':\s*'([^']+)'/.exec(header)?.[1] ?? ''] ?? fail('its element type is not read');
	if (/'fortran_order':\s*True/.test(header)) fail('it is stored column by column');
	const dims = (/'shape':\s*\(([^)]*)\)/.exec(header)?.[1] ?? '')
		.split(',')
		.map((part) => part.trim())
		.filter((part) => part !== '')
		.map(Number);
	const data = bytes.subarray(start + length);
	const count = elementCount(dims);
	if (data.length !== byteLength(type, count)) fail('its length is not that of its shape');
	const values = numbersOf({ name: path, type, dims, bytes: inMemory(data) });
	return { type, dims, data: values };
}

/** Files of a ZIP archive, through its central directory. */
function entriesOf(bytes: Uint8Array, path: string): [string, Uint8Array][] {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	let end = bytes.length - 22;
	while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end--;
	if (end < 0) throw new Fault(unreadableData({ path, why: 'it is no complete ZIP archive' }));
	const entries: [string, Uint8Array][] = [];
	let at = view.getUint32(end + 16, true);
	for (let count = view.getUint16(end + 10, true); count > 0; count--) {
		const [method, packed, nameLength] = [
			view.getUint16(at + 10, true),
			view.getUint32(at + 20, true),
			view.getUint16(at + 28, true),
		];
		const local = view.getUint32(at + 42, true);
		const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
		const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
		const data = bytes.subarray(start, start + packed);
		entries.push([name, method === 8 ? inflateRawSync(data) : data]);
		at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
	}
	return entries;
}
