/** From the text of a recipe to its meaning. */
import { hasErrors, type Diagnostic } from '../diagnostic.ts';
import { type Recipe } from '../ir/recipe/recipe.ts';
import { checkRecipe, type CheckOptions } from '../ir/recipe/check.ts';
import { type Settings } from '../ir/recipe/params.ts';
import { readRecipe } from '../parser/read.ts';
import { vocabulary } from '../vocabulary.ts';

export type Checked = { readonly recipe?: Recipe; readonly diagnostics: readonly Diagnostic[] };

/** Reads and checks a recipe: every mistake of the text, and of what it imports, in one go. */
export function checkText(text: string, params: Settings = {}, options: CheckOptions = {}): Checked {
	const { syntax, diagnostics } = readRecipe(text);
	const checked = checkRecipe(syntax, vocabulary, params, options);
	const all = [...diagnostics, ...(options.imports?.diagnostics ?? []), ...checked.diagnostics];
	return { diagnostics: all, ...(checked.recipe && !hasErrors(all) && { recipe: checked.recipe }) };
}
