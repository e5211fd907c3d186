/**
 * A recipe's work without its proof: load, plan and rewrite, write. Prints the processor time of each in seconds. Run in a process of
 * its own by `halve-beside-python.ts` and `peers/planning.ts`.
 *
 *     node job.cjs in.onnx out.onnx RECIPE
 */
import { targetOf } from '../src/backends/onnx/layout.ts';
import { loadModel } from '../src/backends/onnx/load.ts';
import { stageModel } from '../src/backends/onnx/save.ts';
import { runRecipe } from '../src/passes/run.ts';
import { checkText } from '../src/recipe-text/check-text.ts';
import { processorSeconds } from './harness.ts';

const [, , path = '', out = '', text = ''] = process.argv;

async function work(): Promise<void> {
	const { recipe } = checkText(text);
	if (recipe === undefined) throw new Error('the recipe is wrong');
	const start = processorSeconds();
	const loaded = loadModel(path);
	const read = processorSeconds();
	const { model } = await runRecipe(recipe, loaded.model, { shapes: new Map(), seed: 0 });
	const planned = processorSeconds();
	stageModel(model, targetOf(loaded.file, out), { force: true }).commit();
	loaded.file.close();
	const written = processorSeconds();
	process.stdout.write(
		JSON.stringify({ load: read - start, plan: planned - read, write: written - planned }),
	);
}

void work();
