/** `init`: a starter recipe for a model. */
import { basename } from 'node:path';
import { loadStructure } from '../backends/onnx/load.ts';
import { Stage } from '../files/stage.ts';
import { starterRecipe } from '../tasks/starter.ts';
import { dirname } from 'node:path';
import { complain, pipelineOptions, print, type Flags, type Status } from './shared.ts';

/** Prints the recipe, or writes it where `-o` says. */
export async function init(path: string, flags: Flags): Promise<Status> {
	const { shapes = new Map<string, readonly number[]>(), force } = pipelineOptions(flags);
	const { out } = flags;
	const loaded = loadStructure(path);
	try {
		const text = await starterRecipe(loaded, shapes, out ?? 'recipe.prune');
		complain(loaded.diagnostics);
		if (out === undefined) print(text);
		else write(out, text, force === true);
		return 0;
	} finally {
		loaded.file.close();
	}
}

function write(path: string, text: string, force: boolean): void {
	const stage = new Stage(dirname(path), { force });
	const bytes = new TextEncoder().encode(text);
	stage.write(basename(path), [bytes], bytes.length);
	stage.commit();
	print(`wrote ${path}`);
}
