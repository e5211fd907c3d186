/**
 * The work without its proof: load, score heads and neurons, halve both, write; hashes on demand. Run by halve-beside-python.ts
 * in a process of its own.
 */
import { targetOf } from '../src/backends/onnx/layout.ts';
import { loadModel } from '../src/backends/onnx/load.ts';
import { stageModel } from '../src/backends/onnx/save.ts';
import { checkText } from '../src/recipe-text/check-text.ts';
import { runRecipe } from '../src/passes/run.ts';

const [, , path = '', out = ''] = process.argv;

async function halve(): Promise<void> {
	const { recipe } = checkText('prune heads 50% by l2; prune ffn 50% by l2');
	if (recipe === undefined) throw new Error('the recipe is wrong');
	const loaded = loadModel(path);
	const { model } = await runRecipe(recipe, loaded.model, { shapes: new Map(), seed: 0 });
	stageModel(model, targetOf(loaded.file, out), { force: true }).commit();
	loaded.file.close();
}

void halve();
