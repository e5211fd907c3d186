/** Work on a model file that is closed in the end; what is wrong with it, or with the recipe, becomes part of the document. */
import { loadModel, type Loaded } from '../backends/onnx/load.ts';
import { Fault } from '../diagnostic.ts';
import { type BuildDocument } from '../document.ts';

export async function guarded(
	frame: BuildDocument,
	model: string,
	work: (loaded: Loaded) => Promise<BuildDocument>,
): Promise<BuildDocument> {
	let loaded: Loaded | undefined;
	try {
		loaded = loadModel(model);
		return await work(loaded);
	} catch (problem) {
		if (!(problem instanceof Fault)) throw problem;
		return { ...frame, ok: false, diagnostics: [...frame.diagnostics, ...problem.diagnostics] };
	} finally {
		loaded?.file.close();
	}
}
