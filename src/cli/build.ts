/** `build`, `apply`, `plan`: commands that change models, or say how they would. */
import { applyPlan, compile } from '../compile.ts';
import { type BuildDocument } from '../document.ts';
import { buildReport } from '../report/build.ts';
import {
	complain,
	pipelineOptions,
	print,
	printJson,
	recipeText,
	statusOf,
	Usage,
	type Flags,
	type RecipeText,
	type Status,
} from './shared.ts';

const progress = (message: string): void => {
	if (process.stderr.isTTY && process.env['CI'] === undefined)
		process.stderr.write(`\u001b[2K\r${message}\r`);
};

/** Ctrl-C stops after the current run and leaves nothing behind; a second one stops at once. */
function interruption(): AbortSignal {
	const controller = new AbortController();
	for (const signal of ['SIGINT', 'SIGTERM'] as const) {
		process.once(signal, () => {
			controller.abort();
		});
	}
	return controller.signal;
}

export async function build(first: string, second: string | undefined, flags: Flags): Promise<Status> {
	const [source, model] = flags.expression === undefined ? [first, second] : [undefined, first];
	if (model === undefined) throw new Usage('a model is missing');
	if (flags.out === undefined) throw new Usage('-o OUT is missing');
	const recipe = recipeText(source, flags);
	const document = await compile({
		...pipelineOptions(flags),
		recipe: recipe.text,
		model,
		signal: interruption(),
		onProgress: progress,
		...(recipe.path !== undefined && { recipePath: recipe.path }),
	});
	return show(document, recipe, flags);
}

export async function apply(plan: string, model: string, flags: Flags): Promise<Status> {
	if (flags.out === undefined) throw new Usage('-o OUT is missing');
	return show(
		await applyPlan(plan, { ...pipelineOptions(flags), model, signal: interruption(), onProgress: progress }),
		{ text: '' },
		flags,
	);
}

export async function plan(first: string, second: string | undefined, flags: Flags): Promise<Status> {
	const [source, model] = flags.expression === undefined ? [first, second] : [undefined, first];
	if (model === undefined) throw new Usage('a model is missing');
	const recipe = recipeText(source, flags);
	const { out, ...options } = pipelineOptions(flags);
	const document = await compile({
		...options,
		recipe: recipe.text,
		model,
		verify: false,
		...(recipe.path !== undefined && { recipePath: recipe.path }),
		...(out !== undefined && { planPath: out }),
	});
	return show(document, recipe, flags);
}

function show(document: BuildDocument, recipe: RecipeText, flags: Flags): Status {
	if (flags.json === true) printJson(document, recipe);
	else {
		if (document.steps.length > 0 && flags.quiet !== true) print(buildReport(document));
		complain(document.diagnostics, recipe);
	}
	const cannotRun = document.diagnostics.some(
		({ code, severity }) => severity === 'error' && code.startsWith('write/'),
	);
	return cannotRun ? 2 : statusOf(document.diagnostics, document.ok);
}
