/** A repository of recipes on disk: its `prunec.yaml`, its recipes and their tests. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { saveModel } from '../backends/onnx/save.ts';
import { Fault, type Diagnostic } from '../diagnostic.ts';
import { recipesBelow } from '../imports/add.ts';
import * as messages from '../messages/project.ts';
import { encoderModel } from './encoder.ts';
import { type ModelSource, type ProjectFile, projectSchema, type TestFile, testSchema } from './schemas.ts';
import { readYaml } from './yaml.ts';

/** A mistake in one of the repository's YAML files, with the text it is in. */
export class YamlFault extends Error {
	readonly diagnostics: readonly Diagnostic[];
	readonly path: string;
	readonly text: string;
	constructor(path: string, text: string, diagnostics: readonly Diagnostic[]) {
		super(path);
		this.diagnostics = diagnostics;
		this.path = path;
		this.text = text;
	}
}

export type Project = {
	readonly folder: string;
	readonly file: ProjectFile;
	readonly recipes: readonly string[];
};

/** Reads the repository in `folder`. Throws `Fault` without a prunec.yaml, `YamlFault` for a wrong one. */
export function readProject(folder: string): Project {
	const path = join(folder, 'prunec.yaml');
	if (!existsSync(path)) throw new Fault(messages.noProject({ folder }));
	const file = readChecked(path, projectSchema) as ProjectFile;
	const recipes = (file.recipes ?? ['.']).flatMap((place) => {
		const below = join(folder, place);
		if (relative(folder, below).startsWith('..') || !existsSync(below))
			throw new Fault(messages.noRecipe({ path: below }));
		return recipesBelow(below);
	});
	return { folder, file, recipes: [...new Set(recipes)] };
}

/** The tests beside a recipe; nothing when it has none. */
export function readTests(recipe: string): TestFile | undefined {
	const path = recipe.replace(/\.prune$/, '.test.yaml');
	return existsSync(path) ? (readChecked(path, testSchema) as TestFile) : undefined;
}

/** What a YAML file says, which its schema allows. */
function readChecked(path: string, schema: object): unknown {
	const text = readFileSync(path, 'utf8');
	const { value, diagnostics } = readYaml(text, schema);
	if (value === undefined) throw new YamlFault(path, text, diagnostics);
	return value;
}

/** The path of a model of the repository; a generated one is written into `scratch`. */
export function modelPath({ folder, file }: Project, name: string, scratch: string): string {
	const models = file.models ?? {};
	const source = Object.hasOwn(models, name) ? models[name] : undefined;
	if (source === undefined) throw new Fault(messages.unknownModel({ name, known: Object.keys(models) }));
	return pathOf(source, name, folder, scratch);
}

function pathOf(source: ModelSource, name: string, folder: string, scratch: string): string {
	if ('npm' in source) return inPackages(source.npm, name, folder);
	if ('file' in source) {
		const path = join(folder, source.file);
		if (relative(folder, path).startsWith('..'))
			throw new Fault(messages.modelMissing({ name, why: `${source.file} leads out of the repository` }));
		if (!existsSync(path)) throw new Fault(messages.modelMissing({ name, why: `there is no file ${path}` }));
		const found =
			source.sha256 === undefined ? undefined : createHash('sha256').update(readFileSync(path)).digest('hex');
		if (found !== source.sha256)
			throw new Fault(messages.modelMissing({ name, why: `the SHA-256 of ${path} is ${found ?? ''}` }));
		return path;
	}
	const path = join(scratch, `${name}.onnx`);
	const { layers = 2, heads = 4, width = 16, ffn = 128, seed = 0 } = source;
	if (!existsSync(path)) saveModel(encoderModel({ layers, heads, width, ffn, seed }), path);
	return path;
}

function inPackages(file: string, name: string, folder: string): string {
	if (file.split('/').includes('..'))
		throw new Fault(messages.modelMissing({ name, why: `${file} leads out of its package` }));
	for (let at = resolve(folder); ; at = dirname(at)) {
		const path = join(at, 'node_modules', file);
		if (existsSync(path)) return path;
		if (at === dirname(at))
			throw new Fault(
				messages.modelMissing({ name, why: `${file} is in no node_modules: is its package installed?` }),
			);
	}
}
