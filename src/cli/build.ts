/** `build`, `apply`, `plan`: commands that change models, or say how they would. */
import { applyPlan, compile } from '../compile.ts';
import { type BuildDocument, type CompileOptions } from '../document.ts';
import { type Patch } from '../ir/graph/patch.ts';
import { htmlReport } from '../report/html.ts';
import { buildReport } from '../report/build.ts';
import { dumpStage, patchText, stageOf } from './dump.ts';
import { type RecipeText } from './recipe-text.ts';
import { assertLocked } from './locked.ts';
import {
	complainAs,
	operands,
	pipelineOptions,
	print,
	printJson,
	statusOf,
	Usage,
	type Flags,
	type Status,
	writeReport,
} from './shared.ts';
import { progress } from './terminal.ts';

type Told = Pick<CompileOptions, 'onProgress' | 'onPatch'> & { readonly patches: Patch[] };

function telling({ quiet }: Flags): Told {
	const patches: Patch[] = [];
	return {
		patches,
		onPatch: (patch) => patches.push(patch),
		...(quiet !== true && { onProgress: progress.say }),
	};
}

export async function build(
	first: string | undefined,
	second: string | undefined,
	flags: Flags,
): Promise<Status> {
	if (flags.out === undefined) throw new Usage('-o OUT is missing');
	return run(...(await operands(first, second, flags)), flags, pipelineOptions(flags));
}

export async function plan(
	first: string | undefined,
	second: string | undefined,
	flags: Flags,
): Promise<Status> {
	const { out, ...options } = pipelineOptions(flags);
	const planned = { ...options, verify: false, ...(out !== undefined && { planPath: out }) };
	return run(...(await operands(first, second, flags)), flags, planned);
}

async function run(
	recipe: RecipeText,
	model: string,
	flags: Flags,
	options: Omit<CompileOptions, 'recipe' | 'model'>,
): Promise<Status> {
	await assertLocked(flags, recipe.path);
	const stage = stageOf(flags);
	const { patches, ...told } = telling(flags);
	const document = await compile({
		...options,
		...told,
		recipe: recipe.text,
		model,
		...(recipe.path !== undefined && { recipePath: recipe.path }),
		...(recipe.imports && { imports: recipe.imports }),
	});
	if (document.model !== undefined) writeReport(flags, () => htmlReport(document, recipe.text));
	if (stage === undefined) return show(document, recipe, flags);
	if (stage === 'patch') print(patchText(patches));
	else dumpStage(stage, recipe, model, flags);
	return finish(document, recipe, flags);
}

export async function apply(
	plan: string | undefined,
	model: string | undefined,
	flags: Flags,
): Promise<Status> {
	if (flags.out === undefined) throw new Usage('-o OUT is missing');
	const { patches: _, ...told } = telling(flags);
	const document = await applyPlan(plan ?? '', { ...pipelineOptions(flags), ...told, model: model ?? '' });
	return show(document, { text: '' }, flags);
}

function show(document: BuildDocument, recipe: RecipeText, flags: Flags): Status {
	progress.clear();
	if (flags.json === true) printJson(document, recipe);
	else if (document.model !== undefined && flags.quiet !== true) print(buildReport(document));
	return flags.json === true ? statusOf(document.diagnostics, document.ok) : finish(document, recipe, flags);
}

function finish({ diagnostics, ok }: BuildDocument, text: RecipeText, { format }: Flags): Status {
	complainAs(format, [{ text, diagnostics }]);
	return statusOf(diagnostics, ok);
}
