/** Where a repository of recipes begins, and the files in it that an import may name. */
import {
	closeSync,
	constants,
	existsSync,
	fstatSync,
	openSync,
	readdirSync,
	readSync,
	realpathSync,
	type Stats,
} from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { type Diagnostic } from '../diagnostic.ts';
import { type FilePath } from '../ir/imports/address.ts';
import * as messages from '../messages/import.ts';

/** Files and folders that stand at the top of a repository. */
const signs = ['prunec.yaml', 'prune.lock', '.git'];
/** Of one recipe, in bytes. */
export const largestFile = 2 ** 20;

/** The nearest folder at or above `folder` with a sign of a repository, else `folder` itself; links resolved. */
export function rootOf(folder: string): string {
	const start = realFolder(folder);
	for (let at = start; ; at = dirname(at)) {
		if (signs.some((sign) => existsSync(join(at, sign)))) return at;
		if (at === dirname(at)) return start;
	}
}

/** A folder's path without links; as it is given when it is not there. */
export function realFolder(folder: string): string {
	return existsSync(folder) ? realpathSync(folder) : resolve(folder);
}

/** A file below a root: its path after links are resolved, and its bytes. */
export type Found = { readonly path: FilePath; readonly bytes: Uint8Array };

/**
 * Reads a file below `root`, which is a real path. Links are followed as long as they stay inside; what is opened is
 * what was looked at. `address` is what messages call it.
 */
export function readInside(root: string, path: FilePath, address: string): Found | Diagnostic {
	const misspelt = misspelling(root, path, address);
	if (misspelt !== undefined) return misspelt;
	try {
		const real = realpathSync(join(root, ...path));
		if (real !== root && !real.startsWith(root.endsWith(sep) ? root : root + sep))
			return messages.outside({ address, root });
		const bytes = readRegular(real, address);
		return bytes instanceof Uint8Array ? { path: relative(root, real).split(sep), bytes } : bytes;
	} catch (problem) {
		return failed(problem, address);
	}
}

/** The file's bytes, or why it is no file that can be read as a recipe. Opening a pipe does not wait for its other end. */
export function readRegular(path: string, address: string, limit = largestFile): Uint8Array | Diagnostic {
	const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
	try {
		const stats = fstatSync(file);
		if (!stats.isFile()) return messages.notAFile({ address, what: kindOf(stats) });
		if (stats.size > limit) return messages.tooLarge({ address, bytes: stats.size, limit });
		return contents(file, limit) ?? messages.tooLarge({ address, bytes: limit + 1, limit });
	} finally {
		closeSync(file);
	}
}

/** To the end, or nothing when the file holds more than `limit` bytes: it may grow while it is read. */
function contents(file: number, limit: number): Uint8Array | undefined {
	const buffer = new Uint8Array(limit + 1);
	let length = 0;
	for (let read = -1; read !== 0 && length <= limit; length += read)
		read = readSync(file, buffer, length, buffer.length - length, null);
	return length > limit ? undefined : buffer.slice(0, length);
}

function kindOf(stats: Stats): string {
	if (stats.isDirectory()) return 'a folder';
	if (stats.isFIFO()) return 'a pipe';
	if (stats.isSocket()) return 'a socket';
	return 'a device';
}

/** A message when a name is not there letter for letter: where case is ignored, a recipe would work on one system alone. */
function misspelling(root: string, path: FilePath, address: string): Diagnostic | undefined {
	let folder = root;
	for (const name of path) {
		let names: readonly string[];
		try {
			names = readdirSync(folder);
		} catch (problem) {
			return failed(problem, address);
		}
		if (!names.includes(name))
			return messages.notFound({ address, name, near: path.at(-1) === name ? names : [] });
		folder = join(folder, name);
	}
	return undefined;
}

export function failed(problem: unknown, address: string): Diagnostic {
	const { code = '', message } = problem as NodeJS.ErrnoException;
	if (code === 'ENOENT' || code === 'ENOTDIR') return messages.notFound({ address, name: address, near: [] });
	if (code === 'ELOOP') return messages.notAFile({ address, what: 'a link without an end' });
	if (code === 'ENXIO') return messages.notAFile({ address, what: 'a socket' });
	return messages.unreadableImport({ address, cause: code === '' ? message : code });
}

/** A folder at or below `root` as segments; both without links. */
export function segmentsOf(root: string, folder: string): FilePath {
	const way = relative(root, folder);
	return way === '' ? [] : way.split(sep);
}
