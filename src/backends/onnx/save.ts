/** Writes models: into one file, or with their weights beside it. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Model, type Tensor } from '../../ir/graph/graph.ts';
import { piecesOf } from '../../ir/graph/tensor.ts';
import { Stage } from '../../files/stage.ts';
import { modelChunks, type Placement } from './encode.ts';
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
	const stale = options.force === true ? dataFilesOf(root, name) : [];
	const { data, finished } = withDataBeside(stage, model, name, measured, stale);
	const { original } = options;
	const written =
		!outside && model === original?.model && original.file.isWhole
			? stage.copy(name, original.file.path)
			: stage.write(name, gathered(finished), chunkLength(finished), options.hash ?? false);
	const bytes = written.bytes + (data?.bytes ?? 0);
	return {
		...{ path: join(root, name), ...written, bytes },
		commit: () => {
			stage.commit(stale.filter((one) => one !== data?.location));
		},
		discard: () => {
			stage.discard();
		},
	};
}

/** Writes a model into a folder that is being made, with its weights beside it where the message would pass the limit. */
export function writeInto(
	stage: Stage,
	model: Model,
	name: string,
	options: Pick<SaveOptions, 'limit'> = {},
): void {
	const { finished } = withDataBeside(stage, model, name, messageOf(model, options), []);
	stage.write(name, gathered(finished), chunkLength(finished));
}

type MessageOf = { readonly chunks: readonly Chunk[]; readonly outside: boolean };

function messageOf(model: Model, { externalData, limit }: SaveOptions): MessageOf {
	const chunks = modelChunks(model);
	const length = chunkLength(chunks);
	return { chunks, outside: externalData === 'always' || length > (limit ?? messageLimit) };
}

function withDataBeside(
	stage: Stage,
	model: Model,
	name: string,
	{ chunks, outside }: MessageOf,
	stale: readonly string[],
): { readonly data?: Data; readonly finished: readonly Chunk[] } {
	if (!outside) return { finished: chunks };
	const data = writeData(stage, model, name, stale);
	return { data, finished: modelChunks(model, (tensor) => data.placements.get(tensor)) };
}

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
		.filter((one) => one === `${basename(name)}_data` || hashedName(stem, one))
		.map((one) => join(dirname(name), one));
}

const hashedName = (stem: string, name: string): boolean =>
	name.startsWith(`${stem}.`) && /^\.[0-9a-f]{8}\.onnx_data$/.test(name.slice(stem.length));

type Data = {
	readonly placements: ReadonlyMap<Tensor, Placement>;
	/** Relative to the target folder. */
	readonly location: string;
	readonly bytes: number;
};

/**
 * Weights into one data file, each at a page boundary so that onnxruntime can map it. Where a data file stands already,
 * the new one gets a name with its hash: until the model file is replaced, the old model keeps the data it was written with.
 */
function writeData(stage: Stage, model: Model, name: string, existing: readonly string[]): Data {
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
	const plain = `${name}_data`;
	const crowded = existing.length > 0;
	const { sha256 = '' } = stage.write(plain, gathered(chunks), length, crowded);
	const hashed = join(dirname(name), `${basename(name, '.onnx')}.${sha256.slice(0, 8)}.onnx_data`);
	if (crowded) stage.rename(plain, hashed);
	const location = crowded ? hashed : plain;
	const placements = new Map(
		[...offsets].map(([tensor, offset]) => [
			tensor,
			{ location: basename(location), offset, length: tensor.bytes?.length ?? 0 },
		]),
	);
	return { placements, location, bytes: length };
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
