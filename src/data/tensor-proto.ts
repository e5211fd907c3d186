/**
 * ONNX test data: folders `test_data_set_0`, `test_data_set_1`, … each with `input_0.pb`, `input_1.pb`, …, a TensorProto a file
 * (https://github.com/onnx/onnx/blob/main/docs/OnnxBackendTest.md). Expected outputs beside them are not read.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeTensor } from '../backends/onnx/decode.ts';
import { Fault } from '../diagnostic.ts';
import { elementCount, type Tensor, type ValueInfo } from '../ir/graph/graph.ts';
import { isReadable, numbersOf } from '../ir/graph/tensor.ts';
import { unreadableData } from '../messages/data.ts';
import { type Sample, type SampleValue } from './sample.ts';

const inputFile = /^input_(\d+)\.pb$/;
const setFolder = /^test_data_set_(\d+)$/;

/** The sets of a folder in the order of their numbers, the one set that the folder is, or none. */
export function testDataFolders(folder: string): string[] {
	const names = readdirSync(folder);
	const sets = numbered(names, setFolder).map(({ name }) => join(folder, name));
	if (sets.length > 0) return sets;
	return names.some((name) => inputFile.test(name)) ? [folder] : [];
}

/** All sets of a folder. */
export function readTestData(folder: string, inputs: readonly ValueInfo[]): Sample[] {
	return testDataFolders(folder).map((set) => readTestSet(set, inputs));
}

/** A file belongs to the input that its tensor names, or else to the one at the place that its own name tells. */
export function readTestSet(folder: string, inputs: readonly ValueInfo[]): Sample {
	return new Map(
		numbered(readdirSync(folder), inputFile).map(({ name, number }): [string, SampleValue] => {
			const path = join(folder, name);
			const tensor = readTensor(path);
			const input = inputs.find((one) => one.name === tensor.name) ?? inputs[number];
			if (input === undefined)
				throw new Fault(unreadableData({ path, why: `the model takes ${inputs.length} inputs` }));
			return [input.name, { type: tensor.type, dims: tensor.dims, data: numbersOf(tensor) }];
		}),
	);
}

function readTensor(path: string): Tensor {
	const fail = (why: string): never => {
		throw new Fault(unreadableData({ path, why }));
	};
	const tensor = decoded(path) ?? fail('it is no complete TensorProto');
	if (!isReadable(tensor)) fail('it holds no numbers, or they lie in another file');
	if (numbersOf(tensor).length !== elementCount(tensor.dims))
		fail('it holds fewer numbers than its shape says');
	return tensor;
}

function decoded(path: string): Tensor | undefined {
	try {
		return decodeTensor(readFileSync(path));
	} catch (problem) {
		if (problem instanceof Fault) return undefined;
		throw problem;
	}
}

function numbered(names: readonly string[], pattern: RegExp): { name: string; number: number }[] {
	return names
		.flatMap((name) => {
			const digits = pattern.exec(name)?.[1];
			return digits === undefined ? [] : [{ name, number: Number(digits) }];
		})
		.sort((a, b) => a.number - b.number);
}
