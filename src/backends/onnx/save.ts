/** Writes models so that a file appears under its name only when it is complete. */
import { createHash } from 'node:crypto';
import {
	closeSync,
	existsSync,
	fsyncSync,
	mkdtempSync,
	openSync,
	readdirSync,
	renameSync,
	rmSync,
	statSync,
	writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Fault } from '../../diagnostic.ts';
import { type Model, type Tensor } from '../../ir/graph/graph.ts';
import { exists, failed } from '../../messages/write.ts';
import { modelChunks, type Placement } from './encode.ts';
import { chunkLength, Extent, type Chunk } from './wire.ts';

export type SaveOptions = {
	readonly force?: boolean;
	/** Computes the SHA-256 of the model file while writing. */
	readonly hash?: boolean;
	/** Writes weights beside the model; by default only when the message would pass 2 GiB or the weights came from outside. */
	readonly externalData?: 'auto' | 'always';
	/** A message may have at most this many bytes; protobuf's own limit is 2 GiB. */
	readonly limit?: number;
};

/** A model written whole under a private name beside its target. */
export type Staged = {
	readonly tempPath: string;
	readonly bytes: number;
	readonly sha256?: string;
	/** Gives it its name. */
	commit(): void;
	/** Removes it. */
	discard(): void;
};

const messageLimit = 2 ** 31 - 2 ** 26;
const alignment = 4096;

export function saveModel(model: Model, path: string, options: SaveOptions = {}): Staged {
	const staged = stageModel(model, path, options);
	staged.commit();
	return staged;
}

/** Writes to a private folder beside `path`. Throws `Fault`; then nothing is left behind. */
export function stageModel(model: Model, path: string, options: SaveOptions = {}): Staged {
	checkTarget(path, options);
	sweep(dirname(path));
	const chunks = modelChunks(model);
	const outside = options.externalData === 'always' || chunkLength(chunks) > (options.limit ?? messageLimit);
	const needed = chunkLength(chunks);
	let folder: string | undefined;
	try {
		folder = mkdtempSync(join(dirname(path), prefix(process.pid)));
		return outside ? stageOutside(model, path, folder, options) : stage(folder, path, chunks, options);
	} catch (problem) {
		if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
		if (problem instanceof Fault) throw problem;
		throw new Fault(failed({ path, cause: causeOf(problem), needed }));
	}
}

const prefix = (pid: number): string => `.prunec-${pid}-`;

function checkTarget(path: string, { force }: SaveOptions): void {
	if (!existsSync(dirname(path))) throw new Fault(failed({ path, cause: 'its folder does not exist' }));
	if (!existsSync(path)) return;
	if (statSync(path).isDirectory()) throw new Fault(failed({ path, cause: 'it is a folder' }));
	if (!force) throw new Fault(exists({ path }));
}

/** Removes what processes that are gone have left. */
function sweep(folder: string): void {
	for (const name of readdirSync(folder)) {
		const pid = /^\.prunec-(\d+)-/.exec(name)?.[1];
		if (pid !== undefined && Number(pid) !== process.pid && !isAlive(Number(pid)))
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

function causeOf(problem: unknown): string {
	const { code, message } = problem as NodeJS.ErrnoException;
	const causes: Readonly<Record<string, string>> = {
		ENOSPC: 'no space left',
		EACCES: 'permission denied',
		EPERM: 'permission denied',
		EROFS: 'the file system is read-only',
		EDQUOT: 'no space left in the quota',
		EFBIG: 'the file system takes no files of this size',
	};
	return causes[code ?? ''] ?? message;
}

function stage(folder: string, path: string, chunks: readonly Chunk[], options: SaveOptions): Staged {
	const tempPath = join(folder, basename(path));
	const written = write(tempPath, chunks, options.hash ?? false);
	const discard = (): void => {
		rmSync(folder, { recursive: true, force: true });
	};
	const commit = (): void => {
		for (const name of readdirSync(folder).filter((one) => one !== basename(path)))
			renameSync(join(folder, name), join(dirname(path), name));
		renameSync(tempPath, path);
		syncFolder(dirname(path));
		discard();
	};
	return { tempPath, ...written, commit, discard };
}

/** Weights into one data file, each at a page boundary so that onnxruntime can map it. */
function stageOutside(model: Model, path: string, folder: string, options: SaveOptions): Staged {
	const dataName = `${basename(path)}_data`;
	if (existsSync(join(dirname(path), dataName)) && !options.force)
		throw new Fault(exists({ path: join(dirname(path), dataName) }));
	const placements = new Map<Tensor, Placement>();
	const data: Chunk[] = [];
	let offset = 0;
	for (const tensor of model.graph.initializers.values()) {
		if (tensor.bytes === undefined || tensor.bytes.length < 1024) continue;
		const padding = (alignment - (offset % alignment)) % alignment;
		data.push(new Uint8Array(padding), tensor.bytes);
		placements.set(tensor, { location: dataName, offset: offset + padding, length: tensor.bytes.length });
		offset += padding + tensor.bytes.length;
	}
	write(join(folder, dataName), data, false);
	return stage(
		folder,
		path,
		modelChunks(model, (tensor) => placements.get(tensor)),
		options,
	);
}

function write(path: string, chunks: readonly Chunk[], hashed: boolean): { bytes: number; sha256?: string } {
	const fd = openSync(path, 'wx');
	const hash = hashed ? createHash('sha256') : undefined;
	let bytes = 0;
	const put = (piece: Uint8Array): void => {
		hash?.update(piece);
		bytes += piece.length;
		for (let done = 0; done < piece.length;)
			done += writeSync(fd, piece, done, Math.min(piece.length - done, 1 << 26));
	};
	try {
		for (const chunk of gathered(chunks)) put(chunk);
		fsyncSync(fd);
	} finally {
		closeSync(fd);
	}
	return { bytes, ...(hash && { sha256: hash.digest('hex') }) };
}

/** Small chunks joined, long extents in pieces of 4 MiB. */
function* gathered(chunks: readonly Chunk[]): Generator<Uint8Array> {
	let small: Uint8Array[] = [];
	let size = 0;
	for (const chunk of chunks) {
		if (chunk.length > 1 << 16) {
			if (size > 0) yield Buffer.concat(small);
			small = [];
			size = 0;
			yield* pieces(chunk);
			continue;
		}
		small.push(chunk instanceof Uint8Array ? chunk : chunk.read());
		size += chunk.length;
		if (size < 1 << 20) continue;
		yield Buffer.concat(small);
		small = [];
		size = 0;
	}
	if (size > 0) yield Buffer.concat(small);
}

function* pieces(chunk: Chunk): Generator<Uint8Array> {
	if (!(chunk instanceof Extent)) {
		yield chunk instanceof Uint8Array ? chunk : chunk.read();
		return;
	}
	for (let at = 0; at < chunk.length; at += 1 << 22) {
		yield chunk.source.read(chunk.offset + at, Math.min(1 << 22, chunk.length - at));
	}
}

function syncFolder(folder: string): void {
	const fd = openSync(folder, 'r');
	try {
		fsyncSync(fd);
	} finally {
		closeSync(fd);
	}
}
