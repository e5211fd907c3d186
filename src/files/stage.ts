/** Files written whole under private names and given their own at the end: what ends early leaves nothing behind. */
import { createHash } from 'node:crypto';
import {
	chmodSync,
	closeSync,
	constants,
	copyFileSync,
	existsSync,
	fsyncSync,
	linkSync,
	mkdirSync,
	mkdtempSync,
	openSync,
	readdirSync,
	renameSync,
	rmSync,
	statSync,
	writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { causeOf } from './cause.ts';
import { bug, Fault } from '../diagnostic.ts';
import { exists, failed } from '../messages/write.ts';

export type Written = { readonly bytes: number; readonly sha256?: string };

/** Private folders that exist now; whatever ends the process in order takes them with it. */
const open = new Set<string>();
process.on('exit', () => {
	for (const folder of open) rmSync(folder, { recursive: true, force: true });
});

/** Files of one folder that get their names together. */
export class Stage {
	private readonly root: string;
	private readonly isNew: boolean;
	private readonly force: boolean;
	private readonly folder: string;
	private readonly names: string[] = [];
	/** Names that are given when all others are, to what lies in the folder `later`; and those that are taken away in the end. */
	private readonly later: string[] = [];
	private readonly dropped: string[] = [];

	/** `root` receives the files; it may be missing, its parent not. Throws `Fault` when nothing can be written there. */
	constructor(root: string, { force = false }: { readonly force?: boolean } = {}) {
		this.root = root;
		this.force = force;
		this.isNew = !existsSync(root);
		const beside = this.isNew ? dirname(root) : root;
		if (!existsSync(beside)) throw new Fault(failed({ path: root, cause: 'its folder does not exist' }));
		if (!statSync(beside).isDirectory()) throw new Fault(failed({ path: beside, cause: 'it is no folder' }));
		this.folder = attempt(root, 0, () => {
			sweep(beside);
			return mkdtempSync(join(beside, `.prunec-${process.pid}-`));
		});
		open.add(this.folder);
		this.attempt(root, 0, () => {
			mkdirSync(this.inside('.'));
		});
	}

	/** Writes a file whole and to the disk. `name` may lie in folders. Throws `Fault`; then nothing is left of any file. */
	write(name: string, pieces: Iterable<Uint8Array>, length: number, hashed = false): Written {
		return this.place(name, length, (path) => {
			const written = writeWhole(path, pieces, hashed);
			if (written.bytes !== length) bug('a file of another length', { name, length, bytes: written.bytes });
			return written;
		});
	}

	/** Copies a file whole and to the disk, as `write` does; blocks are shared where the file system can. Throws `Fault`. */
	copy(name: string, from: string): Written {
		const bytes = statSync(from).size;
		return this.place(name, bytes, (path) => {
			closeSync(openSync(path, 'wx'));
			// A copy takes over who may do what with the other file: ours is a new one.
			const { mode } = statSync(path);
			copyFileSync(from, path, constants.COPYFILE_FICLONE);
			chmodSync(path, mode);
			sync(path);
			return { bytes };
		});
	}

	/**
	 * Writes what takes a name, of a file that was written already or is still to be named, when all other files have theirs. Throws
	 * `Fault`; then nothing is left of any file.
	 */
	writeLater(name: string, pieces: Iterable<Uint8Array>, length: number, hashed = false): Written {
		return this.attempt(join(this.root, name), length, () =>
			writeWhole(this.afterwards(name), pieces, hashed),
		);
	}

	/** A second name for a file that was written, given when all others are; a copy where the file system has no links. Throws `Fault`. */
	linkLater(from: string, to: string): void {
		const [source, target] = [this.inside(from), this.afterwards(to)];
		this.attempt(join(this.root, to), statSync(source).size, () => {
			try {
				linkSync(source, target);
			} catch {
				copyFileSync(source, target, constants.COPYFILE_FICLONE);
				sync(target);
			}
		});
	}

	/** Takes a file of the folder away when all others have their names. */
	dropLater(name: string): void {
		this.dropped.push(name);
	}

	/** Gives a file that was written another name. */
	rename(from: string, to: string): void {
		renameSync(this.inside(from), this.inside(to));
		this.names[this.names.indexOf(from)] = to;
	}

	/**
	 * Gives all files their names, in the order they were written: the one that refers to the others goes last, so that
	 * at every moment what stands under its name is whole.
	 */
	commit(): void {
		this.attempt(this.root, 0, () => {
			if (this.isNew) renameSync(this.inside('.'), this.root);
			else for (const name of this.names) this.reveal(this.inside(name), name);
			sync(this.isNew ? dirname(this.root) : this.root);
			for (const name of this.later) this.reveal(join(this.folder, 'later', name), name);
			if (this.later.length > 0) sync(this.root);
			for (const name of this.dropped) rmSync(join(this.root, name), { force: true });
		});
		this.discard();
	}

	/** Removes what was written and not committed. */
	discard(): void {
		rmSync(this.folder, { recursive: true, force: true });
		open.delete(this.folder);
	}

	/** Makes one more file of the folder, under its private name. */
	private place(name: string, length: number, make: (path: string) => Written): Written {
		const target = join(this.root, name);
		if (!this.force && existsSync(target)) this.refuse(exists({ path: target }));
		if (existsSync(target) && statSync(target).isDirectory())
			this.refuse(failed({ path: target, cause: 'it is a folder' }));
		return this.attempt(target, length, () => {
			mkdirSync(dirname(this.inside(name)), { recursive: true });
			this.names.push(name);
			return make(this.inside(name));
		});
	}

	private reveal(path: string, name: string): void {
		mkdirSync(dirname(join(this.root, name)), { recursive: true });
		renameSync(path, join(this.root, name));
	}

	private afterwards(name: string): string {
		const path = join(this.folder, 'later', name);
		mkdirSync(dirname(path), { recursive: true });
		this.later.push(name);
		return path;
	}

	/** A folder in the private one, which alone is closed to others. */
	private inside(name: string): string {
		return join(this.folder, 'files', name);
	}

	private refuse(diagnostic: ReturnType<typeof exists>): never {
		this.discard();
		throw new Fault(diagnostic);
	}

	private attempt<T>(path: string, needed: number, work: () => T): T {
		try {
			return attempt(path, needed, work);
		} catch (problem) {
			this.discard();
			throw problem;
		}
	}
}

function attempt<T>(path: string, needed: number, work: () => T): T {
	try {
		return work();
	} catch (problem) {
		if (problem instanceof Fault || (problem as NodeJS.ErrnoException).code === undefined) throw problem;
		throw new Fault(failed({ path, cause: causeOf(problem), ...(needed > 0 && { needed }) }));
	}
}

/** A write may take less than it was given: the rest is written again until it is whole or the disk says why not. */
function writeWhole(path: string, pieces: Iterable<Uint8Array>, hashed: boolean): Written {
	const fd = openSync(path, 'wx');
	const hash = hashed ? createHash('sha256') : undefined;
	let bytes = 0;
	try {
		for (const piece of pieces) {
			hash?.update(piece);
			bytes += piece.length;
			for (let done = 0; done < piece.length;)
				done += writeSync(fd, piece, done, Math.min(piece.length - done, 1 << 26));
		}
		fsyncSync(fd);
	} finally {
		closeSync(fd);
	}
	return { bytes, ...(hash && { sha256: hash.digest('hex') }) };
}

/** A file or a folder, to the disk. */
function sync(path: string): void {
	const fd = openSync(path, 'r');
	try {
		fsyncSync(fd);
	} finally {
		closeSync(fd);
	}
}

/** Removes what processes that are gone have left. */
function sweep(folder: string): void {
	for (const name of readdirSync(folder)) {
		const pid = Number(/^\.prunec-(\d+)-/.exec(name)?.[1] ?? NaN);
		if (!Number.isNaN(pid) && pid !== process.pid && !isAlive(pid))
			rmSync(join(folder, name), { recursive: true, force: true });
	}
}

function isAlive(pid: number): boolean {
	try {
		return process.kill(pid, 0);
	} catch (problem) {
		return (problem as NodeJS.ErrnoException).code === 'EPERM';
	}
}
