/** Opens model files. Weights stay where they lie until somebody asks for their numbers. */
import { statSync } from 'node:fs';
import { causeOf } from '../../files/cause.ts';
import { Fault, type Diagnostic } from '../../diagnostic.ts';
import { type Model } from '../../ir/graph/graph.ts';
import { verifyModel } from '../../ir/graph/verify.ts';
import { notFound } from '../../messages/model.ts';
import { decodeSource } from './decode.ts';
import { ExternalFiles } from './external.ts';
import { placeOf, type Place } from './layout.ts';
import { Hashing } from './hash.ts';
import { fileSource, type Source } from './wire.ts';

export type ModelFile = Place & {
	/** Of the model file and the files that hold its weights. */
	readonly bytes: number;
	/** Whether all of it lies in the model file. */
	readonly isWhole: boolean;
	/** Hash of the model file itself, hexadecimal; reading it begins with the first call, in a thread of its own. */
	sha256(): Promise<string>;
	/** Frees the files; tensors that were not read cannot be read afterwards. */
	close(): void;
};

export type Loaded = { readonly model: Model; readonly file: ModelFile };
/** A model whose weights may be absent; `diagnostics` says which, as warnings. */
export type LoadedStructure = Loaded & { readonly diagnostics: readonly Diagnostic[] };

/**
 * Reads the structure of a model, a file or a folder that holds one, and finds its weights. Throws `Fault`: a file cannot be opened, is
 * malformed or too short, or the model refers outside its folder.
 */
export function loadModel(given: string): Loaded {
	const { model, file, missing } = read(given);
	if (missing.length === 0) return { model, file };
	file.close();
	throw new Fault(...missing);
}

/** The same, where nothing but the structure is looked at: external data that cannot be read is only warned of. */
export function loadStructure(given: string): LoadedStructure {
	const { missing, ...loaded } = read(given);
	return { ...loaded, diagnostics: missing.map((one) => ({ ...one, severity: 'warning' })) };
}

function read(given: string): Loaded & { readonly missing: readonly Diagnostic[] } {
	const place = placeOf(given);
	const { path } = place;
	const source = open(path);
	const external = new ExternalFiles(path);
	try {
		const model = decodeSource(source, (entries, tensor) => external.find(entries, tensor));
		const problems = verifyModel(model);
		if (problems.length > 0) throw new Fault(...problems);
		const hashing = new Hashing(path);
		const close = (): void => {
			hashing.stop();
			source.close();
			external.close();
		};
		const sha256 = (): Promise<string> => hashing.digest();
		const bytes = source.length + external.bytes;
		const file: ModelFile = { ...place, bytes, isWhole: external.bytes === 0, sha256, close };
		return { model, file, missing: external.diagnostics };
	} catch (problem) {
		source.close();
		external.close();
		throw problem;
	}
}

function open(path: string): Source {
	try {
		if (!statSync(path).isFile()) throw new Fault(notFound({ path, cause: 'it is not a regular file' }));
		return fileSource(path);
	} catch (problem) {
		if (problem instanceof Fault) throw problem;
		throw new Fault(notFound({ path, cause: causeOf(problem) }));
	}
}
