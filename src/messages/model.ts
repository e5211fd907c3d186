/** Messages about model files. */
import { defineDiagnostic } from '../diagnostic.ts';

export const notFound = defineDiagnostic({
	code: 'model/not-found',
	severity: 'error',
	explain:
		'The model file, or a file that goes along with it, does not exist or cannot be opened. Paths are taken from the folder the command runs in.',
	message: ({ path, cause }: { path: string; cause: string }) => `cannot open '${path}': ${cause}`,
});
export const malformed = defineDiagnostic({
	code: 'model/malformed',
	severity: 'error',
	explain:
		'The bytes are not a complete ONNX model: a field ends beyond its message, a number is malformed, or messages nest too deep. The file may be truncated, may be a Git LFS pointer, or may be of another format.',
	message: ({ problem, offset }: { problem: string; offset: number }) =>
		`not a readable ONNX model: ${problem} at byte ${offset}`,
	hint: () => 'compare its size and checksum with the source it came from',
});
export const badTensor = defineDiagnostic({
	code: 'model/tensor-size',
	severity: 'error',
	explain: 'The data of a tensor does not have the size that its dimensions and element type ask for.',
	message: ({ name, found, expected }: { name: string; found: number; expected: number }) =>
		`tensor '${name}' holds ${found} bytes where its dimensions ask for ${expected}`,
});
export const externalPath = defineDiagnostic({
	code: 'model/external-path',
	severity: 'error',
	explain:
		'External data may lie only in the folder of the model (or of the file a link to the model points at): a location that is absolute, climbs out, or hides its path is refused, as onnxruntime does.',
	message: ({ name, location, why }: { name: string; location: string; why: string }) =>
		`external data of tensor '${name}' is refused: '${location}' ${why}`,
});
export const externalMissing = defineDiagnostic({
	code: 'model/external-missing',
	severity: 'error',
	explain:
		'The weights lie in a file beside the model that is not there or cannot be read. Nothing can be planned, run or written without them; `prunec inspect` and `prunec init` look at the structure alone, and only warn.',
	message: ({ name, path, cause }: { name: string; path: string; model: string; cause: string }) =>
		`external data of tensor '${name}' cannot be read from '${path}': ${cause}`,
	hint: ({ path, model }) =>
		`the model is several files: put '${path}' where '${model}' looks for it, readable, under this very name`,
});
export const externalShort = defineDiagnostic({
	code: 'model/external-short',
	severity: 'error',
	explain:
		'The file with the weights ends before a tensor does: a copy that was cut off, a Git LFS pointer in its place, or the data of another export of the model.',
	message: ({
		name,
		path,
		needed,
		found,
	}: {
		name: string;
		path: string;
		needed: number;
		found: number;
		isPointer: boolean;
	}) => `external data of tensor '${name}' ends at byte ${needed} of '${path}', which has ${found}`,
	hint: ({ isPointer }) =>
		isPointer
			? 'this is a Git LFS pointer, not the data: `git lfs pull` fetches them'
			: 'fetch it again, and compare its size and checksum with the source it came from',
});
export const structure = defineDiagnostic({
	code: 'model/structure',
	severity: 'error',
	explain:
		'The graph breaks a rule of the ONNX specification: a value made twice, used before it is made, or never made.',
	message: ({ problem }: { problem: string }) => `the graph is not well-formed: ${problem}`,
});
