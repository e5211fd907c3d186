/** The recipe of a build with what it imports, and the document that the build fills in. */
import { createHash } from 'node:crypto';
import { checkText, type Checked } from '../recipe-text/check-text.ts';
import { type BuildDocument, type CompileOptions } from '../document.ts';
import { importsOf } from '../imports/read.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Reads, joins and checks. The hash is that of the text and, where it imports, of the imported texts behind it. */
export function checkedRecipe(options: CompileOptions): Checked & { readonly frame: BuildDocument } {
	const imports = options.imports ?? importsOf(options.recipe, options.recipePath);
	const { recipe, diagnostics } = checkText(options.recipe, options.params, {
		hasData: options.data !== undefined,
		imports,
	});
	const texts = [options.recipe, ...[...imports.files.values()].map(({ syntax }) => syntax.text)];
	const head = {
		path: options.recipePath,
		sha256: sha256(texts.join('\0')),
		statements: recipe?.steps.map(({ text }) => text) ?? [],
	};
	const { path, ...plain } = head;
	const frame: BuildDocument = {
		schema: 'prunec/build@1',
		ok: false,
		recipe: path === undefined ? plain : { ...plain, path },
		steps: [],
		expectations: [],
		diagnostics,
	};
	return { diagnostics, frame, ...(recipe && { recipe }) };
}
