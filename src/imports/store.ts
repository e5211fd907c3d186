/** `.prunec/imports`: the files of remote imports, each named by its hash. */
import {
	closeSync,
	constants,
	existsSync,
	lstatSync,
	mkdirSync,
	openSync,
	renameSync,
	rmSync,
	writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { Fault, type Diagnostic } from '../diagnostic.ts';
import * as messages from '../messages/import.ts';
import { integrity } from './lock.ts';
import { failed, readRegular } from './root.ts';

const folder = ['.prunec', 'imports'] as const;

/** `sha256-…` in base64 as the hexadecimal name of a file. */
function fileOf(root: string, hash: string): string {
	return join(root, ...folder, `${Buffer.from(hash.slice(7), 'base64').toString('hex')}.prune`);
}

/** The file with this hash, which is computed again on every read. `address` is what messages call it. */
export function readStored(root: string, hash: string, address: string): Uint8Array | Diagnostic {
	const path = fileOf(root, hash);
	if (linked(root) !== undefined || !existsSync(path)) return messages.notStored({ address });
	try {
		const bytes = readRegular(path, address);
		if (!(bytes instanceof Uint8Array)) return bytes;
		const found = integrity(bytes);
		return found === hash ? bytes : messages.changedImport({ address, locked: hash, found });
	} catch (problem) {
		return failed(problem, address);
	}
}

/** Keeps a file under its hash. Throws `Fault` where the folder is a link, which could lead anywhere. */
export function store(root: string, bytes: Uint8Array): void {
	const link = linked(root);
	if (link !== undefined)
		throw new Fault(messages.storeOutside({ path: folder.join('/'), why: `${link} is not a folder` }));
	mkdirSync(join(root, ...folder), { recursive: true });
	const path = fileOf(root, integrity(bytes));
	const partial = `${path}.${process.pid}`;
	rmSync(partial, { force: true });
	const file = openSync(partial, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o644);
	try {
		for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
	} finally {
		closeSync(file);
	}
	renameSync(partial, path);
}

/** The first part of the store's path that is there and no plain folder. */
function linked(root: string): string | undefined {
	return [folder[0], folder.join('/')].find((part) => {
		const stats = lstatSync(join(root, part), { throwIfNoEntry: false });
		return stats !== undefined && !stats.isDirectory();
	});
}
