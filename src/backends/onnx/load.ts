/** Opens model files. Weights stay where they lie until somebody asks for their numbers. */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { Fault, type Diagnostic } from '../../diagnostic.ts';
import { type Model } from '../../ir/graph/graph.ts';
import { verifyModel } from '../../ir/graph/verify.ts';
import { notFound } from '../../messages/model.ts';
import { decodeSource } from './decode.ts';
import { ExternalFiles } from './external.ts';
import { fileSource, type Source } from './wire.ts';

export type ModelFile = {
	readonly path: string;
	readonly bytes: number;
	/** Hash of the model file itself, hexadecimal. */
	sha256(): string;
	/** Frees the files; tensors that were not read cannot be read afterwards. */
	close(): void;
};

export type Loaded = {
	readonly model: Model;
	readonly file: ModelFile;
	readonly diagnostics: readonly Diagnostic[];
};

/** Reads the structure of a model file. Throws `Fault`: the file cannot be opened, is malformed, or refers outside its folder. */
export function loadModel(path: string): Loaded {
	const source = open(path);
	const external = new ExternalFiles(path);
	try {
		const model = decodeSource(source, (entries, tensor) => external.find(entries, tensor));
		const problems = verifyModel(model);
		if (problems.length > 0) throw new Fault(...problems);
		const close = (): void => {
			source.close();
			external.close();
		};
		const file: ModelFile = { path, bytes: source.length, sha256: () => hashOf(source), close };
		return { model, file, diagnostics: external.diagnostics };
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
		const missing = (problem as NodeJS.ErrnoException).code === 'ENOENT';
		throw new Fault(
			notFound({ path, cause: missing ? 'there is no such file' : (problem as Error).message }),
		);
	}
}

function hashOf(source: Source): string {
	const hash = createHash('sha256');
	for (let at = 0; at < source.length; at += 1 << 22) {
		hash.update(source.read(at, Math.min(1 << 22, source.length - at)));
	}
	return hash.digest('hex');
}
