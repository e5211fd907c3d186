/** `--dump`: what a stage of the pipeline hands to the next, instead of the report. */
import { loadModel } from '../backends/onnx/load.ts';
import { checkText } from '../recipe-text/check-text.ts';
import { inferFacts } from '../ir/graph/facts.ts';
import { describeEdit, type Patch } from '../ir/graph/patch.ts';
import { opened } from '../ir/graph/open.ts';
import { nearest } from '../messages/nearest.ts';
import { readRecipe } from '../parser/read.ts';
import { graphText } from '../report/graph.ts';
import { type RecipeText } from './recipe-text.ts';
import { pipelineOptions, print, Usage, type Flags } from './shared.ts';

const stages = ['syntax', 'recipe', 'graph', 'patch'] as const;
export type Stage = (typeof stages)[number];

/** The stage asked for. Throws `Usage` for another word, and beside `--json`, whose document is another one. */
export function stageOf({ dump, json }: Flags): Stage | undefined {
	if (dump === undefined) return undefined;
	if (json === true) throw new Usage('--dump and --json both want standard output');
	const stage = stages.find((one) => one === dump);
	if (stage === undefined)
		throw new Usage(`--dump takes ${stages.join(', ')}, not '${dump}'`, nearest(dump, stages));
	return stage;
}

export function dumpStage(
	stage: Exclude<Stage, 'patch'>,
	recipe: RecipeText,
	model: string,
	flags: Flags,
): void {
	switch (stage) {
		case 'syntax':
			printValue(readRecipe(recipe.text).syntax.statements);
			return;
		case 'recipe':
			printValue(
				checkText(recipe.text, pipelineOptions(flags).params, { imports: recipe.imports }).recipe ?? null,
			);
			return;
		case 'graph':
			printGraph(model, flags);
			return;
	}
}

function printValue(value: unknown): void {
	print(JSON.stringify(value, null, '\t'));
}

function printGraph(path: string, flags: Flags): void {
	const loaded = loadModel(path);
	try {
		const model = opened(loaded.model);
		print(graphText(model.graph, inferFacts(model, pipelineOptions(flags).shapes)));
	} finally {
		loaded.file.close();
	}
}

/** The edits of each step, a line each. */
export function patchText(patches: readonly Patch[]): string {
	return patches
		.map(({ label, edits }) => [label, ...edits.map((edit) => `\t${describeEdit(edit)}`)].join('\n'))
		.join('\n');
}
