/** safetensors (https://huggingface.co/docs/safetensors): a JSON header of names, types, shapes and offsets, then the bytes. */
import { Fault } from '../diagnostic.ts';
import { byteLength } from '../ir/graph/dtype.ts';
import { elementCount } from '../ir/graph/graph.ts';
import { inMemory, numbersOf } from '../ir/graph/tensor.ts';
import { unreadableData } from '../messages/data.ts';
import { readBytes } from './rows.ts';
import { type Field, type Row } from './sample.ts';

const types: Readonly<Record<string, number>> = {
	F64: 11,
	F32: 1,
	F16: 10,
	BF16: 16,
	I64: 7,
	I32: 6,
	I16: 5,
	I8: 3,
	U64: 13,
	U32: 12,
	U16: 4,
	U8: 2,
	BOOL: 9,
};

type Entry = { readonly dtype?: unknown; readonly shape?: unknown; readonly data_offsets?: unknown };

/** Tensors of one file are the inputs of one batch. */
export function readSafetensors(path: string): Row[] {
	const bytes = readBytes(path);
	const fail = (why: string): never => {
		throw new Fault(unreadableData({ path, why }));
	};
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const length = bytes.length < 8 ? Infinity : Number(view.getBigUint64(0, true));
	if (length > bytes.length - 8) return fail('its header is longer than the file');
	let header: Record<string, Entry>;
	try {
		header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<string, Entry>;
	} catch {
		return fail('its header is no JSON');
	}
	const fields = Object.entries(header)
		.filter(([name]) => name !== '__metadata__')
		.map(([name, entry]): [string, Field] => [name, tensorOf(name, entry, bytes.subarray(8 + length), fail)]);
	return [{ fields: new Map(fields), at: path }];
}

function tensorOf(name: string, entry: Entry, body: Uint8Array, fail: (why: string) => never): Field {
	const type = types[String(entry.dtype)];
	if (type === undefined) return fail(`tensor '${name}' is of ${String(entry.dtype)}, which is not read`);
	const [dims, offsets] = [sizes(entry.shape), sizes(entry.data_offsets)];
	const [start = 0, end = -1] = offsets ?? [];
	if (dims === undefined || end < start || end > body.length)
		return fail(`tensor '${name}' lies outside the file`);
	if (end - start !== byteLength(type, elementCount(dims)))
		return fail(`tensor '${name}' has ${end - start} bytes, not those of its shape`);
	const data = numbersOf({ name, type, dims, bytes: inMemory(body.subarray(start, end)) });
	return { kind: 'tensor', value: { type, dims, data } };
}

function sizes(value: unknown): number[] | undefined {
	const whole = (one: unknown): one is number => Number.isSafeInteger(one) && (one as number) >= 0;
	return Array.isArray(value) && value.every(whole) ? value : undefined;
}
