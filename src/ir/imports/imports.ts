/** What a recipe imports, read and ready to be joined to it. */
import { type Diagnostic, type Span } from '../../diagnostic.ts';
import { type Syntax } from '../../parser/syntax.ts';

export type ImportedFile = {
	/** Every span of it names this file. */
	readonly syntax: Syntax;
	/** The file behind each `use` in it, by the text of the address; those that could not be read are absent. */
	readonly uses: ReadonlyMap<string, string>;
	/** The `use` that brought it in first: in the recipe itself, or in another file. */
	readonly via: Span;
};

export type Imports = {
	/** By name, as messages call it: a path from the working folder, or a remote address. */
	readonly files: ReadonlyMap<string, ImportedFile>;
	/** The file behind each `use` of the recipe itself. */
	readonly uses: ReadonlyMap<string, string>;
	/** What is wrong with the imports: addresses, files, their syntax. */
	readonly diagnostics: readonly Diagnostic[];
};

export const noImports: Imports = { files: new Map(), uses: new Map(), diagnostics: [] };

/** Whether an imported file came from elsewhere, by its name. */
export function isRemote(file: string): boolean {
	return /^(?:npm:|git\+)/.test(file);
}

/** The same value with every span in it lying in `file`. Works on what parsing gives: plain objects and arrays. */
export function inFile<T>(value: T, file: string): T {
	if (Array.isArray(value)) return value.map((one: unknown) => inFile(one, file)) as T;
	if (typeof value !== 'object' || value === null) return value;
	if (isSpan(value)) return { ...value, file };
	return Object.fromEntries(
		Object.entries(value).map(([key, part]) => [key, inFile<unknown>(part, file)]),
	) as T;
}

function isSpan(value: object): boolean {
	return 'start' in value && 'end' in value && Object.keys(value).length === 2;
}
