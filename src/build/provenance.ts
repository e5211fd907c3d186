/** Where a model comes from: what its metadata say, and whether a file is what a plan makes. */
import { fingerprint } from '../backends/onnx/encode.ts';
import { loadModel } from '../backends/onnx/load.ts';
import { Fault } from '../diagnostic.ts';
import { type Model } from '../ir/graph/graph.ts';
import { otherResult } from '../messages/run.ts';
import { version } from '../version.ts';

/** Says who made the file, only when something was changed. */
export function withMetadata(model: Model, recipeHash: string): Model {
	return {
		...model,
		metadata: new Map([...model.metadata, ['prunec.version', version()], ['prunec.recipe', recipeHash]]),
	};
}

/** Stops when a file holds another graph or other weights than the plan makes. */
export function compareWith(model: Model, path: string, original: string): void {
	const { model: given, file } = loadModel(path);
	try {
		if (fingerprint(given.graph) !== fingerprint(model.graph))
			throw new Fault(otherResult({ path, original }));
	} finally {
		file.close();
	}
}
