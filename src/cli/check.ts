/** `check` and `fmt`: commands that read recipes, and start fast. */
import { readFileSync, writeFileSync } from 'node:fs';
import { checkText, type Checked } from '../check-text.ts';
import { hasErrors } from '../diagnostic.ts';
import { formatRecipe } from '../parser/print.ts';
import {
	complain,
	locatedIn,
	pipelineOptions,
	print,
	recipeText,
	statusOf,
	Usage,
	type Flags,
	type RecipeText,
	type Status,
} from './shared.ts';

export async function check(sources: readonly string[], flags: Flags): Promise<Status> {
	const inline = flags.expression !== undefined;
	if (inline && sources.length > 0)
		throw new Usage(`with -e there is no recipe to name: '${sources[0] ?? ''}'`);
	const texts = inline ? [recipeText(undefined, flags)] : sources.map((source) => recipeText(source, flags));
	if (texts.length === 0) throw new Usage('a recipe is missing: a file, `-`, or -e TEXT');
	const results: (Checked & { readonly text: RecipeText })[] = [];
	for (const text of texts) results.push({ text, ...(await checked(text, flags)) });
	const ok = results.every(({ diagnostics }) => !hasErrors(diagnostics));
	if (flags.json === true) print(JSON.stringify(documentOf(results, ok), null, '\t'));
	else for (const { text, diagnostics } of results) complain(diagnostics, text);
	return statusOf(results.flatMap(({ diagnostics }) => diagnostics));
}

/** What the text means; with a model, also what stands in the way of carrying it out there. */
async function checked(recipe: RecipeText, flags: Flags): Promise<Checked> {
	const options = pipelineOptions(flags);
	const found = checkText(recipe.text, options.params);
	if (flags.model === undefined || found.recipe === undefined) return found;
	const { compile } = await import('../compile.ts');
	const path = recipe.path === undefined ? {} : { recipePath: recipe.path };
	const bound = await compile({
		...options,
		...path,
		recipe: recipe.text,
		model: flags.model,
		verify: false,
	});
	return { ...found, diagnostics: bound.diagnostics };
}

function documentOf(results: readonly (Checked & { readonly text: RecipeText })[], ok: boolean): object {
	const entry = ({ text, diagnostics, recipe }: (typeof results)[number]): object => ({
		...(text.path !== undefined && { path: text.path }),
		ok: !hasErrors(diagnostics),
		...(recipe && { recipe }),
	});
	return {
		...{ schema: 'prunec/check@1', ok, recipes: results.map(entry) },
		diagnostics: results.flatMap(({ text, diagnostics }) => locatedIn(text, diagnostics)),
	};
}

export function format(sources: readonly string[], flags: Flags): Status {
	let status: Status = 0;
	for (const source of sources) {
		const recipe = recipeText(source, flags);
		const { text, diagnostics } = formatRecipe(recipe.text);
		complain(diagnostics, recipe);
		if (statusOf(diagnostics) !== 0) status = 1;
		else if (source === '-') print(text);
		else if (flags.check === true && text !== recipe.text) {
			print(`${source} is not in canonical form`);
			status = 1;
		} else if (text !== readFileSync(source, 'utf8') && flags.check !== true) writeFileSync(source, text);
	}
	return status;
}
