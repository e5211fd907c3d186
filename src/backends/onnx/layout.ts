/**
 * Models as folders, as on the Hugging Face Hub: `model.onnx` or `onnx/model.onnx`, with `config.json`, a tokenizer and
 * the like beside. A command takes such a folder for a model, and writes one.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { causeOf } from '../../files/cause.ts';
import { Fault } from '../../diagnostic.ts';
import { notFound } from '../../messages/model.ts';

/** Where a model file is, and the folder it was named by, if it was. */
export type Place = { readonly path: string; readonly folder?: string };

/** A file that goes along with a model; a technique that changes what it says puts another one in its place. */
export type SideFile = {
	/** Path from the folder of the model. */
	readonly name: string;
	/** Its bytes; `outside`: the model's weights are written beside it. */
	readonly read: (outside: boolean) => Uint8Array;
};

/** What is written where: a folder, the model's path in it, and what goes along. */
export type Target = { readonly root: string; readonly name: string; readonly sides: readonly SideFile[] };

/** The first of them that there is: exporters called a decoder without an encoder `decoder_model` too. */
const usual = ['model', 'encoder_model', 'decoder_model_merged', 'decoder_model'].flatMap((name) => [
	`${name}.onnx`,
	`onnx/${name}.onnx`,
]);

/** The model file that a path means. Throws `Fault` for a folder with no model in it, or with several and none of the usual names. */
export function placeOf(path: string): Place {
	if (!existsSync(path) || !statSync(path).isDirectory()) return { path };
	return reading(path, () => placeIn(path));
}

/** Throws `Fault` for what the system does not let be read. */
function reading<T>(path: string, work: () => T): T {
	try {
		return work();
	} catch (problem) {
		if ((problem as NodeJS.ErrnoException).code === undefined) throw problem;
		throw new Fault(notFound({ path, cause: causeOf(problem) }));
	}
}

function placeIn(path: string): Place {
	const found = usual.find((name) => existsSync(join(path, name)));
	if (found !== undefined) return { path: join(path, found), folder: path };
	const names = modelsOf(path);
	const [only, ...others] = names;
	if (only !== undefined && others.length === 0) return { path: join(path, only), folder: path };
	const cause =
		only === undefined
			? 'there is no .onnx file in the folder or its onnx/'
			: `the folder has several models, of which one must be named: ${names.join(', ')}`;
	throw new Fault(notFound({ path, cause }));
}

/** The model files of a folder and of its `onnx/`, as paths in it. */
export function modelsOf(folder: string): string[] {
	return ['', 'onnx'].flatMap((inner) => modelsIn(folder, inner));
}

function modelsIn(folder: string, inner: string): string[] {
	const path = join(folder, inner);
	if (!existsSync(path)) return [];
	return readdirSync(path)
		.filter((name) => name.endsWith('.onnx'))
		.sort()
		.map((name) => join(inner, name));
}

/**
 * Where a result goes: to the file that `out` names; into the folder that it names, under the model's own name. What was
 * read from a folder is written as one, unless `out` ends in `.onnx`.
 */
export function targetOf({ path, folder }: Place, out: string): Target {
	const isFolder = existsSync(out) ? statSync(out).isDirectory() : out.endsWith('/');
	if (folder !== undefined && !out.endsWith('.onnx'))
		return { root: trimmed(out), name: relative(folder, path), sides: sideFiles(folder) };
	return isFolder
		? { root: trimmed(out), name: basename(path), sides: [] }
		: { root: dirname(out), name: basename(out), sides: [] };
}

const trimmed = (path: string): string => (path.length > 1 ? path.replace(/\/+$/, '') : path);

/** Weights, in the formats that travel beside ONNX: of the model as it was, so they stay behind. */
const weights =
	/\.(onnx|onnx_data\w*|onnx\.data|data|safetensors|bin|pt|pth|ckpt|h5|msgpack|tflite|gguf|ot|npz|pb)$/i;

/** Other model files of the folder that a model was named by, as paths in it. */
export function siblingsOf({ path, folder }: Place): string[] {
	if (folder === undefined) return [];
	const own = relative(folder, path);
	return modelsOf(folder).filter((name) => name !== own);
}

/** The network that a file holds, by its name: encoder–decoder models are two (`encoder_model`, `decoder_model_merged`, `decoder_with_past_model`). */
export type Network = 'encoder' | 'decoder' | 'model';

export function networkOf(path: string): Network {
	const [, found] = /^(encoder|decoder)_/.exec(basename(path)) ?? [];
	return found === 'encoder' || found === 'decoder' ? found : 'model';
}

/** What sentence-transformers runs behind the model, one folder each: `1_Pooling`, `2_Dense`. */
const modules = /^\d+_[A-Z]\w*$/;

/** Configuration, tokenizer, licence and card: what lies in the folder itself and is neither weights nor hidden; modules whole. */
function sideFiles(folder: string): SideFile[] {
	return reading(folder, () => sidesIn(folder)).map((name) => {
		const path = join(folder, name);
		return { name, read: () => reading(path, () => readFileSync(path)) };
	});
}

function sidesIn(folder: string): string[] {
	const entries = readdirSync(folder, { withFileTypes: true });
	const isSide = (name: string): boolean =>
		!name.startsWith('.') && !weights.test(name) && statSync(join(folder, name)).isFile();
	const own = entries.map(({ name }) => name).filter(isSide);
	const inner = entries
		.filter((entry) => entry.isDirectory() && modules.test(entry.name))
		.flatMap(({ name }) => readdirSync(join(folder, name)).map((file) => join(name, file)))
		.filter((name) => statSync(join(folder, name)).isFile());
	return [...own, ...inner].sort();
}
