/** What is known of one open recipe: its syntax, its meaning, its imports and its mistakes. */
import { dirname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Fault, type Diagnostic } from '../diagnostic.ts';
import { importsOf } from '../imports/read.ts';
import { checkRecipe } from '../ir/recipe/check.ts';
import { noImports, type Imports } from '../ir/imports/imports.ts';
import { type Recipe } from '../ir/recipe/recipe.ts';
import { readRecipe } from '../parser/read.ts';
import { type Statement, type Syntax } from '../parser/syntax.ts';
import { vocabulary } from '../vocabulary.ts';

export type Analysis = {
	readonly text: string;
	/** Of the file; absent for a text that is not saved. */
	readonly path?: string;
	readonly syntax: Syntax;
	readonly imports: Imports;
	/** Absent when there are mistakes. */
	readonly recipe?: Recipe;
	readonly diagnostics: readonly Diagnostic[];
};

export function pathOf(uri: string): string | undefined {
	return uri.startsWith('file:') ? fileURLToPath(uri) : undefined;
}

/** Reads and checks a recipe as it stands in the editor; imports are read from the disk. */
export function analyse(text: string, path: string | undefined): Analysis {
	const { imports, problems } = imported(text, path);
	const { syntax, diagnostics } = readRecipe(text);
	const checked = checkRecipe(syntax, vocabulary, {}, { imports });
	return {
		text,
		...(path !== undefined && { path }),
		...{ syntax, imports },
		...(checked.recipe && { recipe: checked.recipe }),
		diagnostics: [...diagnostics, ...imports.diagnostics, ...problems, ...checked.diagnostics],
	};
}

/** A lock that is damaged is told, and nothing is imported. */
function imported(
	text: string,
	path: string | undefined,
): { readonly imports: Imports; readonly problems: readonly Diagnostic[] } {
	try {
		return { imports: importsOf(text, path), problems: [] };
	} catch (problem) {
		if (!(problem instanceof Fault)) throw problem;
		return { imports: noImports, problems: problem.diagnostics };
	}
}

/** The statement that an offset stands in or straight behind. */
export function statementAt({ syntax }: Analysis, offset: number): Statement | undefined {
	return syntax.statements.find(({ span }) => span.start <= offset && offset <= span.end);
}

/** The address in the editor's terms of an imported file, where it lies on this machine; names are relative to the working folder. */
export function uriOfImport(file: string): string | undefined {
	return /^(npm:|git\+)/.test(file) ? undefined : pathToFileURL(file).href;
}

/** The folder that a recipe lies in. */
export function folderOf({ path }: Pick<Analysis, 'path'>): string {
	return path === undefined ? '.' : dirname(path);
}
