/** Parquet tables (https://parquet.apache.org/docs/file-format/), through hyparquet; images of Hugging Face data sets included. */
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { Fault } from '../diagnostic.ts';
import { unreadableData } from '../messages/data.ts';
import { decodeImage } from './images.ts';
import { firstLine, readBytes } from './rows.ts';
import { type Field, type Row } from './sample.ts';

/** Codecs beside the snappy that hyparquet has itself. */
const compressors = {
	GZIP: (bytes: Uint8Array): Uint8Array => gunzipSync(bytes),
	BROTLI: (bytes: Uint8Array): Uint8Array => brotliDecompressSync(bytes),
};

export async function readParquet(path: string): Promise<Row[]> {
	const magic = new TextDecoder().decode(readBytes(path).subarray(0, 4));
	if (magic !== 'PAR1') throw new Fault(unreadableData({ path, why: 'it is no Parquet file' }));
	try {
		const rows = await parquetReadObjects({
			file: await asyncBufferFromFile(path),
			compressors,
			utf8: false,
		});
		return rows.map((row, index) => {
			const at = `${path}[${index}]`;
			const fields = Object.entries(row).map(([name, value]): [string, Field] => [name, fieldOf(value, at)]);
			return { fields: new Map(fields), at };
		});
	} catch (problem) {
		throw new Fault(unreadableData({ path, why: firstLine(problem) }));
	}
}

/** `{ bytes, path }` with the bytes of an encoded image is how Hugging Face data sets store images. */
function fieldOf(value: unknown, at: string): Field {
	const bytes =
		value instanceof Uint8Array ? value : (value as { bytes?: unknown } | null | undefined)?.bytes;
	if (bytes instanceof Uint8Array) return { kind: 'image', open: () => decodeImage(bytes, at) };
	return { kind: 'plain', value: plain(value) };
}

/** 64-bit integers as numbers, typed arrays as lists. */
function plain(value: unknown): unknown {
	if (typeof value === 'bigint') return Number(value);
	if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number | bigint>, Number);
	return Array.isArray(value) ? value.map(plain) : value;
}
