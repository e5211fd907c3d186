/** Measured numbers on disk, in the user's cache folder: bounded, and never believed when a byte is wrong. */
import {
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	utimesSync,
	writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

/** Of the layout of the files: others are not read. */
const format = 1;
/** Bytes that all files together may take; a statistic of more than a quarter of it is not kept. */
const room = 2 ** 31;
const ending = '.statistics';

export type StatisticsStore = {
	/** Undefined where there is none, or none that can be believed. */
	read(key: string): readonly Float64Array[] | undefined;
	/** Where nothing can be written, nothing is kept. */
	write(key: string, numbers: readonly Float64Array[]): void;
};

/** A store in a folder that may not exist yet. What was not read for longest goes first when `most` bytes are exceeded. */
export function statisticsStore(folder: string, most: number = room): StatisticsStore {
	const pathOf = (key: string): string => join(folder, `${key}${ending}`);
	return {
		read: (key) => {
			try {
				const path = pathOf(key);
				const numbers = decoded(readFileSync(path));
				const now = new Date();
				if (numbers !== undefined) utimesSync(path, now, now);
				return numbers;
			} catch {
				return undefined;
			}
		},
		write: (key, numbers) => {
			const pieces = encoded(numbers);
			const length = pieces.reduce((sum, { byteLength }) => sum + byteLength, 0);
			if (length > most / 4) return;
			try {
				mkdirSync(folder, { recursive: true, mode: 0o700 });
				const draft = join(folder, `${key}.${process.pid}.draft`);
				writeFileSync(draft, Buffer.concat(pieces), { mode: 0o600 });
				renameSync(draft, pathOf(key));
				makeRoom(folder, most);
			} catch {
				// It is a cache.
			}
		},
	};
}

/** Format, checksum of all behind it, number of arrays, their lengths, then the numbers: all doubles. */
function encoded(numbers: readonly Float64Array[]): Buffer[] {
	const lengths = Float64Array.from([numbers.length, ...numbers.map(({ length }) => length)]);
	const body = [lengths, ...numbers].map(bytesOf);
	return [bytesOf(Float64Array.of(format, checksum(body))), ...body];
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float64Array): Buffer =>
	Buffer.from(buffer, byteOffset, byteLength);

function checksum(pieces: readonly Buffer[]): number {
	// zlib begins anew at a piece of no bytes.
	return pieces.reduce((sum, piece) => (piece.length === 0 ? sum : crc32(piece, sum)), 0);
}

function decoded(file: Buffer): Float64Array[] | undefined {
	if (file.byteLength % 8 !== 0) return undefined;
	// Copied: a view of doubles must begin at a multiple of their size.
	const all = new Float64Array(file.byteLength / 8);
	file.copy(bytesOf(all));
	const [version, sum, count = 0] = all;
	if (version !== format || sum !== checksum([bytesOf(all.subarray(2))])) return undefined;
	const numbers: Float64Array[] = [];
	let from = 3 + count;
	for (const length of all.subarray(3, from)) {
		numbers.push(all.subarray(from, from + length));
		from += length;
	}
	return numbers;
}

/** Drafts of processes that ended meanwhile go with the oldest. */
function makeRoom(folder: string, most: number): void {
	const files = readdirSync(folder)
		.map((name) => ({ path: join(folder, name), ...known(join(folder, name)) }))
		.sort((one, other) => other.used - one.used);
	let bytes = 0;
	for (const { path, size } of files) {
		bytes += size;
		if (bytes > most) rmSync(path, { force: true });
	}
}

/** Another process may have removed it. */
function known(path: string): { readonly size: number; readonly used: number } {
	const found = statSync(path, { throwIfNoEntry: false });
	return { size: found?.size ?? 0, used: found?.mtimeMs ?? 0 };
}
