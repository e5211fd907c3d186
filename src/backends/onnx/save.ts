/** Writes models: into one file, or with their weights beside it. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Model, type Tensor } from '../../ir/graph/graph.ts';
import { piecesOf } from '../../ir/graph/tensor.ts';
import { Stage, type Written } from '../../files/stage.ts';
import { modelChunks } from './encode.ts';
import { type SideFile, type Target } from './layout.ts';
import { type Loaded } from './load.ts';
import { chunkLength, type Chunk } from './wire.ts';

export type SaveOptions = {
	readonly force?: boolean;
	/** Computes the SHA-256 of the model file while writing; not of a copy, which has that of the other. */
	readonly hash?: boolean;
	/** Writes weights beside the model; by default only when the message would pass 2 GiB. */
	readonly externalData?: 'auto' | 'always';
	/** What the model was made from: where nothing was changed, its file is copied. */
	readonly original?: Pick<Loaded, 'model' | 'file'>;
	/** A message may have at most this many bytes; protobuf's own limit is 2 GiB. */
	readonly limit?: number;
};

/** A model written whole under a private name beside its target. */
export type Staged = {
	/** Path of the model file once it is committed. */
	readonly path: string;
	/** Of the model file, and of its data file if there is one. */
	readonly bytes: number;
	readonly sha256?: string;
	/** Gives it its name. */
	commit(): void;
	/** Removes it. */
	discard(): void;
};

const messageLimit = 2 ** 31 - 2 ** 26;
const alignment = 4096;
/** Smaller weights stay in the model file. */
const smallest = 1024;

export function saveModel(model: Model, path: string, options: SaveOptions = {}): Staged {
	const staged = stageModel(model, { root: dirname(path), name: basename(path), sides: [] }, options);
	staged.commit();
	return staged;
}

/** Writes beside the target. Throws `Fault`; then nothing is left behind. */
export function stageModel(model: Model, target: Target, options: SaveOptions = {}): Staged {
	const { root, name, sides } = target;
	const measured = messageOf(model, options);
	const { outside } = measured;
	const stage = new Stage(root, options);
	writeSides(stage, sides, outside);
	const stale = staleOf(root, name, options);
	const { original } = options;
	const written =
		!outside && model === original?.model && original.file.isWhole
			? stage.copy(name, original.file.path)
			: writeModel(stage, model, name, { ...measured, stale, hash: options.hash ?? false });
	dropStale(stage, name, outside, stale);
	return {
		...{ path: join(root, name), ...written },
		commit: () => {
			stage.commit();
		},
		discard: () => {
			stage.discard();
		},
	};
}

/** Writes a model into a folder that is being made, `out`, with its weights beside it where the message would pass the limit. */
export function writeInto(
	stage: Stage,
	model: Model,
	name: string,
	{ out, ...options }: Pick<SaveOptions, 'limit' | 'force'> & { readonly out: string },
): void {
	const measured = messageOf(model, options);
	const stale = staleOf(out, name, options);
	writeModel(stage, model, name, { ...measured, stale, hash: false });
	dropStale(stage, name, measured.outside, stale);
}

const staleOf = (root: string, name: string, { force }: Pick<SaveOptions, 'force'>): readonly string[] =>
	force === true ? dataFilesOf(root, name) : [];

function dropStale(stage: Stage, name: string, outside: boolean, stale: readonly string[]): void {
	for (const one of stale) if (!outside || one !== dataNameOf(name)) stage.dropLater(one);
}

type MessageOf = { readonly chunks: readonly Chunk[]; readonly outside: boolean };

function messageOf(model: Model, { externalData, limit }: SaveOptions): MessageOf {
	const chunks = modelChunks(model);
	const length = chunkLength(chunks);
	return { chunks, outside: externalData === 'always' || length > (limit ?? messageLimit) };
}

type Writing = MessageOf & {
	/** Data files that a model of this name has used so far. */
	readonly stale: readonly string[];
	readonly hash: boolean;
};

/**
 * A model, with its weights beside it where they do not fit. Model and data file cannot take their names at once: where data of this name
 * stands already, the model is written twice. First it takes its place reading data whose name has their hash, so that the old model keeps
 * its own until then; when all of that stands, the data get the name that loaders look for, and the model that reads them there its place.
 */
function writeModel(
	stage: Stage,
	model: Model,
	name: string,
	{ chunks, outside, stale, hash }: Writing,
): Written {
	if (!outside) return stage.write(name, gathered(chunks), chunkLength(chunks), hash);
	const plain = dataNameOf(name);
	const isCrowded = stale.length > 0;
	const { offsets, length, sha256 } = writeData(stage, model, plain, isCrowded);
	const reading = (location: string): readonly Chunk[] =>
		modelChunks(model, (tensor) => {
			const offset = offsets.get(tensor);
			return offset === undefined
				? undefined
				: { location: basename(location), offset, length: tensor.bytes?.length ?? 0 };
		});
	const finished = reading(plain);
	const last = [name, gathered(finished), chunkLength(finished), hash] as const;
	if (!isCrowded) return withData(stage.write(...last), length);
	const apart = join(dirname(name), `${basename(name, '.onnx')}.${sha256.slice(0, 8)}.onnx_data`);
	stage.rename(plain, apart);
	const first = reading(apart);
	stage.write(name, gathered(first), chunkLength(first));
	stage.linkLater(apart, plain);
	stage.dropLater(apart);
	return withData(stage.writeLater(...last), length);
}

const dataNameOf = (name: string): string => `${name}_data`;

const withData = (written: Written, length: number): Written => ({
	...written,
	bytes: written.bytes + length,
});

function writeSides(stage: Stage, sides: readonly SideFile[], outside: boolean): void {
	for (const { name, read } of sides) {
		const bytes = read(outside);
		stage.write(name, [bytes], bytes.length);
	}
}

/** Data files that a model of this name has used so far, in whichever of the names below. */
function dataFilesOf(root: string, name: string): string[] {
	const folder = join(root, dirname(name));
	if (!existsSync(folder)) return [];
	const stem = basename(name, '.onnx');
	return readdirSync(folder)
		.filter((one) => one === basename(dataNameOf(name)) || hashedName(stem, one))
		.map((one) => join(dirname(name), one));
}

const hashedName = (stem: string, name: string): boolean =>
	name.startsWith(`${stem}.`) && /^\.[0-9a-f]{8}\.onnx_data$/.test(name.slice(stem.length));

type Data = {
	readonly offsets: ReadonlyMap<Tensor, number>;
	readonly length: number;
	readonly sha256: string;
};

/** Weights into one data file, each at a page boundary so that onnxruntime can map it. */
function writeData(stage: Stage, model: Model, name: string, hashed: boolean): Data {
	const offsets = new Map<Tensor, number>();
	const chunks: Chunk[] = [];
	let length = 0;
	for (const tensor of model.graph.initializers.values()) {
		if (tensor.bytes === undefined || tensor.bytes.length < smallest) continue;
		const padding = (alignment - (length % alignment)) % alignment;
		chunks.push(new Uint8Array(padding), tensor.bytes);
		offsets.set(tensor, length + padding);
		length += padding + tensor.bytes.length;
	}
	const { sha256 = '' } = stage.write(name, gathered(chunks), length, hashed);
	return { offsets, length, sha256 };
}

/** Small chunks joined, long extents in pieces, each good until the next. */
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

function pieces(chunk: Chunk): Iterable<Uint8Array> {
	return chunk instanceof Uint8Array ? [chunk] : piecesOf(chunk);
}
