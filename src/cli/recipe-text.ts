/** The text of a recipe in any spelling, and its diagnostics where its author wrote them. */
import { type Diagnostic, type Span } from '../diagnostic.ts';
import { type Imports } from '../ir/imports/imports.ts';
import { type Where } from '../report/diagnostics.ts';
import { type Spelling } from '../recipe-text/spellings.ts';

export type RecipeText = {
	readonly text: string;
	readonly path?: string;
	readonly imports?: Imports;
	/** What `text` was made of: the YAML or JSON, and the place in it of a span of `text`. */
	readonly original?: { readonly text: string; readonly placeOf: (span: Span) => Span };
};

/** Diagnostics and the text that they are placed in, as its author wrote it. */
export function asWritten(
	diagnostics: readonly Diagnostic[],
	{ text, path, imports, original }: RecipeText,
): { readonly list: readonly Diagnostic[]; readonly where: Where } {
	const known = { imports: imports?.files, ...(path !== undefined && { file: path }) };
	if (original === undefined) return { list: diagnostics, where: { ...known, text } };
	const list = diagnostics.map((one) =>
		one.span !== undefined && one.span.file === undefined
			? { ...one, span: original.placeOf(one.span) }
			: one,
	);
	return { list, where: { ...known, text: original.text } };
}

/** A recipe in YAML or JSON that cannot be read. */
export class Misspelt extends Error {
	readonly recipe: RecipeText;
	readonly diagnostics: readonly Diagnostic[];
	constructor(recipe: RecipeText, diagnostics: readonly Diagnostic[]) {
		super(`${recipe.path ?? 'the recipe'} cannot be read`);
		this.recipe = recipe;
		this.diagnostics = diagnostics;
	}
}

/** By the end of a file's name. */
function spellingOf(path: string): Spelling {
	if (/\.ya?ml$/i.test(path)) return 'yaml';
	return /\.json$/i.test(path) ? 'json' : 'prune';
}

/** A file's text in the language, whatever its name says it is spelt in. Throws `Misspelt`. */
export async function textOfFile(path: string, original: string): Promise<RecipeText> {
	const spelling = spellingOf(path);
	if (spelling === 'prune') return { text: original, path };
	const { respell } = await import('../recipe-text/spellings.ts');
	const { text, diagnostics, placeOf } = respell(original, spelling);
	if (text === undefined) throw new Misspelt({ path, text: original }, diagnostics);
	return { text, path, original: { text: original, placeOf } };
}
