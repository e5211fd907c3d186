/** `check` and `fmt`: commands that read recipes, and start fast. */
import { writeFileSync } from 'node:fs';
import { checkText, type Checked } from '../recipe-text/check-text.ts';
import { hasErrors } from '../diagnostic.ts';
import { lineDiff } from '../lines.ts';
import { formatRecipe } from '../parser/print.ts';
import { assertLocked } from './locked.ts';
import { type RecipeText } from './recipe-text.ts';
import {
	complain,
	complainAs,
	locatedIn,
	pipelineOptions,
	print,
	recipeText,
	statusOf,
	Usage,
	type Flags,
	type Status,
} from './shared.ts';

export async function check(sources: readonly string[], flags: Flags): Promise<Status> {
	const inline = flags.expression !== undefined;
	if (inline && sources.length > 0)
		throw new Usage(`with -e there is no recipe to name: '${sources[0] ?? ''}'`);
	const texts: RecipeText[] = [];
	for (const source of inline ? [undefined] : sources) texts.push(await recipeText(source, flags));
	if (texts.length === 0) throw new Usage('a recipe is missing: a file, `-`, or -e TEXT');
	for (const { path } of texts) await assertLocked(flags, path);
	const results: (Checked & { readonly text: RecipeText })[] = [];
	for (const text of texts) results.push({ text, ...(await checked(text, flags)) });
	const ok = results.every(({ diagnostics }) => !hasErrors(diagnostics));
	if (flags.json === true) print(JSON.stringify(documentOf(results, ok), null, '\t'));
	else complainAs(flags.format, results);
	return statusOf(results.flatMap(({ diagnostics }) => diagnostics));
}

/** What the text means; with a model, also what stands in the way of carrying it out there. */
async function checked(recipe: RecipeText, flags: Flags): Promise<Checked> {
	const options = pipelineOptions(flags);
	const found = checkText(recipe.text, options.params, {
		hasData: options.data !== undefined,
		imports: recipe.imports,
	});
	if (flags.model === undefined || found.recipe === undefined) return found;
	const { compile } = await import('../compile.ts');
	const path = recipe.path === undefined ? {} : { recipePath: recipe.path };
	const bound = await compile({
		...options,
		...path,
		recipe: recipe.text,
		model: flags.model,
		...(recipe.imports && { imports: recipe.imports }),
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

/** Writes recipes in canonical form; with `--check` or `--diff` only says which differ, and how. */
export async function format(sources: readonly string[], flags: Flags): Promise<Status> {
	const only = flags.check === true || flags.diff === true;
	let status: Status = 0;
	for (const source of sources) {
		const recipe = await recipeText(source, flags);
		if (recipe.original !== undefined)
			throw new Usage(`fmt formats recipes in the language; '${source}' is in another spelling`);
		const { text, diagnostics } = formatRecipe(recipe.text);
		complain(diagnostics, recipe);
		const differs = text !== recipe.text;
		if (statusOf(diagnostics) !== 0 || (only && differs)) status = 1;
		if (statusOf(diagnostics) !== 0) continue;
		if (flags.diff === true) printDiff(source, recipe.text, text);
		else if (only && differs) print(`${source} is not in canonical form`);
		else if (!only && source === '-') print(text);
		else if (!only && differs) writeFileSync(source, text);
	}
	return status;
}

function printDiff(source: string, before: string, after: string): void {
	const diff = lineDiff(before, after);
	if (diff !== '') print(`--- ${source}\n+++ ${source} (canonical)\n${diff}`);
}
