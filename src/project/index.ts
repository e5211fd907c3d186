/** What a repository of recipes offers: `index.json` for programs, a table in README.md for people. */
import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { checkText } from '../recipe-text/check-text.ts';
import { Fault, hasErrors } from '../diagnostic.ts';
import { importsOf } from '../imports/read.ts';
import { readRecipe } from '../parser/read.ts';
import { type Project, readTests } from './project.ts';

type Entry = {
	/** From the repository's folder. */
	readonly path: string;
	readonly name?: string;
	readonly version?: string;
	readonly description?: string;
	readonly params: Readonly<Record<string, number | string>>;
	/** Models that its tests run on. */
	readonly models: readonly string[];
	readonly statements: readonly string[];
};

const [begin, end] = ['<!-- prunec index -->', '<!-- end of prunec index -->'];

/** The files of the index with what they must hold, by path. Throws `Fault` for a recipe with errors. */
export function indexFiles(project: Project): ReadonlyMap<string, string> {
	const entries = project.recipes.map((recipe) => entryOf(project, recipe));
	const { name } = project.file;
	const json = { schema: 'prunec/index@1', ...(name !== undefined && { name }), recipes: entries };
	const readme = join(project.folder, 'README.md');
	const before = existsSync(readme)
		? readFileSync(readme, 'utf8')
		: `# ${name ?? 'Recipes'}\n\n${begin}\n${end}\n`;
	return new Map([
		[join(project.folder, 'index.json'), `${JSON.stringify(json, undefined, '\t')}\n`],
		[readme, withTable(before, entries)],
	]);
}

function entryOf(project: Project, recipe: string): Entry {
	const text = readFileSync(recipe, 'utf8');
	const { recipe: checked, diagnostics } = checkText(
		text,
		{},
		{ hasData: true, imports: importsOf(text, recipe) },
	);
	if (checked === undefined || hasErrors(diagnostics))
		throw new Fault(
			...diagnostics.filter(({ severity }) => severity === 'error').map((one) => ({ ...one, at: recipe })),
		);
	const { name, version } = checked;
	const description = checked.description ?? leadingComment(text);
	return {
		path: relative(project.folder, recipe),
		...(name !== undefined && { name }),
		...(version !== undefined && { version }),
		...(description !== undefined && { description }),
		params: checked.params,
		models: [...new Set((readTests(recipe)?.cases ?? []).map(({ model }) => model))],
		statements: checked.steps.map((step) => step.text),
	};
}

/** The comment at the very top, on one line. */
function leadingComment(text: string): string | undefined {
	const { comments } = readRecipe(text).syntax;
	const lines: string[] = [];
	let at = 0;
	for (const { text: said, span } of comments) {
		if (text.slice(at, span.start).trim() !== '') break;
		lines.push(said.replace(/^#+\s*/, ''));
		at = span.end;
	}
	return lines.length === 0 ? undefined : lines.join(' ');
}

/** The text with the table between the markers, which are added at the end when they are not there. */
function withTable(text: string, entries: readonly Entry[]): string {
	const cell = (words: string): string => words.replaceAll('|', '\\|').replaceAll('\n', ' ');
	const rows = entries.map(({ path, name, description = '', params, models }) => {
		const settings = Object.entries(params).map(([param, value]) => `\`${param} = ${value}\``);
		return `| [${cell(name ?? path)}](${path}) | ${cell(description)} | ${settings.join(', ')} | ${models.join(', ')} |`;
	});
	const table = ['| recipe | what it does | parameters | tested on |', '|---|---|---|---|', ...rows].join(
		'\n',
	);
	const block = `${begin}\n${table}\n${end}`;
	const [from, to] = [text.indexOf(begin), text.indexOf(end)];
	if (from < 0 || to < from) return `${text.trimEnd()}\n\n${block}\n`;
	return `${text.slice(0, from)}${block}${text.slice(to + end.length)}`;
}
