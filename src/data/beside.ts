/** Files that lie beside a model and say how its inputs are made and what its outputs mean (the Hugging Face layout). */
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Fault } from '../diagnostic.ts';
import { badSideFile } from '../messages/data.ts';

/** JSON of unknown content. */
export type Settings = Readonly<Record<string, unknown>>;

/** The path of a file beside a model; a model in a folder `onnx` has them one folder up. Undefined when there is none. */
export function pathBeside(model: string, name: string): string | undefined {
	const folder = dirname(model);
	const folders = basename(folder) === 'onnx' ? [folder, dirname(folder)] : [folder];
	return folders.map((one) => join(one, name)).find((path) => existsSync(path));
}

/** What is in a JSON file; throws `Fault` when that is no object. */
export function readSettings(path: string): Settings {
	const fail = (why: string): never => {
		throw new Fault(badSideFile({ path, why }));
	};
	let value: unknown;
	try {
		value = JSON.parse(readFileSync(path, 'utf8'));
	} catch (problem) {
		return fail((problem as Error).message);
	}
	if (typeof value !== 'object' || value === null || Array.isArray(value))
		return fail('it holds no JSON object');
	return value as Settings;
}

export function settingsBeside(model: string, name: string): Settings | undefined {
	const path = pathBeside(model, name);
	return path === undefined ? undefined : readSettings(path);
}
