/** Inputs for proofs and statistics: the user's files where given, else the seeded generator. */
import { readdirSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { Fault } from '../diagnostic.ts';
import { bindShapes, fedInputs, samples as twoSamples, type Shapes } from '../ir/graph/bindings.ts';
import { elementType, typeName, type ElementKind } from '../ir/graph/dtype.ts';
import { type Model, type ValueInfo, type ValueName } from '../ir/graph/graph.ts';
import { badData } from '../messages/run.ts';
import { generate } from './generate.ts';
import { readImages } from './images.ts';
import { readJsonLines } from './jsonl.ts';
import { readNpy, readNpz } from './npy.ts';
import { type Sample } from './sample.ts';
import { isTestData, readTestData } from './tensor-proto.ts';

export type InputSet = {
	/** Where the inputs come from, in words. */
	readonly words: string;
	/** For statistics. */
	readonly calibration: readonly Sample[];
	/** For proofs: two sizes of every symbolic dimension, at the positions that earlier steps have kept. */
	proofFor(kept: ReadonlyMap<ValueName, ReadonlyMap<number, Int32Array>>): readonly Sample[];
};

export type InputOptions = {
	readonly shapes: Shapes;
	readonly seed: number;
	readonly samples: number;
	readonly path?: string;
	readonly take?: number;
};

/** Throws `Fault` for data that does not fit the model. */
export function readInputs(model: Model, { shapes, seed, samples, path, take }: InputOptions): InputSet {
	const made = (kept: ReadonlyMap<ValueName, ReadonlyMap<number, Int32Array>>): Sample[] =>
		Array.from({ length: samples }, (_, at) => {
			const sizes = bindShapes(model, twoSamples[at % 2 === 0 ? 0 : 1], shapes);
			const cut = new Map(
				[...sizes].map(([name, dims]) => [
					name,
					dims.map((dim, axis) => kept.get(name)?.get(axis)?.length ?? dim),
				]),
			);
			return generate(model, cut, seed * 1000 + at);
		});
	if (path === undefined)
		return {
			words: `${samples} generated inputs at two sizes`,
			calibration: made(new Map()),
			proofFor: made,
		};
	const inputs = fedInputs(model);
	const given = readPath(path, inputs)
		.slice(0, take)
		.map((sample) => fitted(sample, inputs, path));
	if (given.length === 0) throw new Fault(badData({ path, why: 'there is nothing in it' }));
	const few = given.slice(0, Math.max(2, Math.floor(samples / 2)));
	return {
		words: `${given.length} inputs of '${path}' (the proof adds ${samples} generated ones at two sizes)`,
		calibration: given,
		proofFor: (kept) => (kept.size > 0 ? made(kept) : [...few, ...made(kept)]),
	};
}

/** A sample's values for the inputs of a model, in the model's own element types. Throws `Fault` for one that does not fit. */
function fitted(sample: Sample, inputs: readonly ValueInfo[], path: string): Sample {
	const fail = (why: string): never => {
		throw new Fault(badData({ path, why }));
	};
	return new Map(
		inputs.map(({ name, type, dims }) => {
			const value = sample.get(name) ?? fail(`input '${name}' is not in it`);
			const [found, wanted] = [typeName(value.type), typeName(type)];
			if (kindOf(value.type) !== kindOf(type)) fail(`'${name}' is ${found} where the model takes ${wanted}`);
			const fits =
				dims?.length === value.dims.length &&
				dims.every((dim, axis) => typeof dim !== 'number' || dim === value.dims[axis]);
			if (dims !== undefined && !fits)
				fail(`'${name}' is [${value.dims.join(', ')}] where the model takes [${dims.join(', ')}]`);
			return [name, { ...value, type }];
		}),
	);
}

/** Numbers of one kind are converted to the width that the model takes: NumPy's are 64 bits wide unless told otherwise. */
function kindOf(type: number): ElementKind | undefined {
	const kind = elementType(type)?.kind;
	return kind === 'uint' ? 'int' : kind;
}

const readers: Readonly<Record<string, (path: string, inputs: readonly ValueInfo[]) => Sample[]>> = {
	'.npz': (path) => readNpz(path),
	'.npy': (path, [input]) => readNpy(path, input?.name ?? ''),
	'.jsonl': readJsonLines,
};

function readPath(path: string, inputs: readonly ValueInfo[]): Sample[] {
	let isFolder: boolean;
	try {
		isFolder = statSync(path).isDirectory();
	} catch {
		throw new Fault(badData({ path, why: 'there is no such file' }));
	}
	if (!isFolder) {
		const reader = readers[extname(path)];
		if (reader === undefined)
			throw new Fault(
				badData({
					path,
					why: `'${extname(path)}' is no format that is read: .npy, .npz, .jsonl, or a folder of these, of PNG images, or of ONNX test data`,
				}),
			);
		return reader(path, inputs);
	}
	const names = readdirSync(path).sort();
	if (names.some((name) => name.endsWith('.png'))) return readImages(path, inputs[0]);
	if (isTestData(names)) return readTestData(path, inputs);
	return names
		.filter((name) => readers[extname(name)])
		.flatMap((name) => readers[extname(name)]?.(join(path, name), inputs) ?? []);
}
