/** What all commands share: arguments, printing, exit statuses. */
import { readFileSync, writeFileSync } from 'node:fs';
import { Bug, Fault, type Diagnostic } from '../diagnostic.ts';
import { type CompileOptions } from '../document.ts';
import { importsOf } from '../imports/read.ts';
import { internal, interrupted, unreadable, usage } from '../messages/cli.ts';
import { diagnosticJson, renderDiagnostics, type DiagnosticJson } from '../report/diagnostics.ts';
import { githubText, sarif } from '../report/formats.ts';
import { version } from '../version.ts';
import { asWritten, Misspelt, type RecipeText, textOfFile } from './recipe-text.ts';
import { isColored, progress } from './terminal.ts';

/** `0` done, `1` the recipe, the model or the result is at fault, `2` could not run; `130` interrupted. */
export type Status = 0 | 1 | 2;

export type Flags = {
	readonly out?: string;
	readonly expression?: string;
	readonly param?: readonly string[];
	readonly shape?: readonly string[];
	readonly data?: string;
	readonly take?: string;
	readonly tokens?: string;
	readonly metric?: string;
	readonly dictionary?: string;
	readonly seed?: string;
	readonly threads?: string;
	readonly samples?: string;
	readonly verify?: boolean;
	readonly cache?: boolean;
	readonly keepGoing?: boolean;
	readonly force?: boolean;
	readonly json?: boolean;
	readonly quiet?: boolean;
	readonly bench?: boolean;
	readonly report?: string;
	/** A metric, or true for the usual ones. */
	readonly scores?: string | true;
	readonly workers?: string;
	readonly jobs?: boolean;
	readonly collect?: boolean;
	readonly dump?: string;
	readonly plan?: string;
	readonly check?: boolean;
	readonly diff?: boolean;
	readonly format?: string;
	readonly to?: string;
	readonly model?: string;
	readonly locked?: boolean;
};

export function print(text: string): void {
	process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}

export function complain(diagnostics: readonly Diagnostic[], recipe: RecipeText = { text: '' }): void {
	if (diagnostics.length === 0) return;
	progress.clear();
	const { list, where } = asWritten(diagnostics, recipe);
	process.stderr.write(`${renderDiagnostics(list, { ...where, color: isColored(process.stderr) })}\n`);
}

/** The page of `--report`; an existing file only with --force. */
export function writeReport({ report, force }: Flags, page: () => string): void {
	if (report === undefined) return;
	try {
		writeFileSync(report, page(), { flag: force === true ? 'w' : 'wx' });
	} catch (problem) {
		throw new Usage(`--report cannot write '${report}': ${(problem as Error).message.split(',')[0] ?? ''}`);
	}
}

/** The recipe and the model of a command that takes both; with `-e` the model stands alone. */
export async function operands(
	first: string | undefined,
	second: string | undefined,
	flags: Flags,
): Promise<[RecipeText, string]> {
	const inline = flags.expression !== undefined;
	if (inline && second !== undefined) throw new Usage(`with -e there is no recipe to name: '${first ?? ''}'`);
	const model = inline ? first : second;
	if (model === undefined) throw new Usage('a model is missing');
	return [await recipeText(inline ? undefined : first, flags), model];
}

/** Diagnostics as JSON, located in the recipe. */
export function locatedIn(recipe: RecipeText, diagnostics: readonly Diagnostic[]): DiagnosticJson[] {
	const { list, where } = asWritten(diagnostics, recipe);
	return diagnosticJson(list, where);
}

/** Prints the diagnostics of recipes in the format that `--format` names. */
export function complainAs(
	format: string | undefined,
	reports: readonly { readonly text: RecipeText; readonly diagnostics: readonly Diagnostic[] }[],
): void {
	if (format === undefined || format === 'human') {
		for (const { text, diagnostics } of reports) complain(diagnostics, text);
		return;
	}
	const all = reports.flatMap(({ text, diagnostics }) => locatedIn(text, diagnostics));
	if (format === 'github') print(githubText(all));
	else if (format === 'sarif') print(JSON.stringify(sarif(all, version()), null, '\t'));
	else throw new Usage(`--format takes human, github or sarif, not '${format}'`);
}

/** One JSON document with its diagnostics located in the recipe. */
export function printJson(
	document: { readonly diagnostics: readonly Diagnostic[] },
	recipe: RecipeText = { text: '' },
): void {
	const diagnostics = locatedIn(recipe, document.diagnostics);
	print(JSON.stringify({ ...document, diagnostics }, null, '\t'));
}

/** A recipe and what it imports: from `-e`, from standard input for `-`, or from a file. */
export async function recipeText(source: string | undefined, flags: Flags): Promise<RecipeText> {
	if (flags.expression !== undefined) return withImports({ text: flags.expression });
	if (source === undefined) throw new Usage('a recipe is missing: a file, `-`, or -e TEXT');
	if (source === '-') return withImports({ text: readFile(0, 'standard input') });
	return withImports(await textOfFile(source, readFile(source, source)));
}

function withImports(recipe: RecipeText): RecipeText {
	return { ...recipe, imports: importsOf(recipe.text, recipe.path) };
}

function readFile(source: string | number, name: string): string {
	try {
		return readFileSync(source, 'utf8');
	} catch (problem) {
		const missing = (problem as NodeJS.ErrnoException).code === 'ENOENT';
		throw new Fault(
			unreadable({ path: name, cause: missing ? 'there is no such file' : (problem as Error).message }),
		);
	}
}

/** A mistake in the arguments, and what was probably meant. */
export class Usage extends Error {
	readonly near: string | undefined;
	constructor(problem: string, near?: string) {
		super(problem);
		this.near = near;
	}
}

export const whole = (name: string, text: string): number => {
	const value = Number(text);
	if (!Number.isSafeInteger(value) || value < 0)
		throw new Usage(`--${name} takes a whole number, not '${text}'`);
	return value;
};

/** Options of the pipeline from flags. */
export function pipelineOptions(flags: Flags): Omit<CompileOptions, 'recipe' | 'model'> {
	const number = (
		name: 'seed' | 'threads' | 'samples',
	): Partial<Record<'seed' | 'threads' | 'samples', number>> => {
		const text = flags[name];
		return text === undefined ? {} : { [name]: whole(name, text) };
	};
	return {
		...number('seed'),
		...number('threads'),
		...number('samples'),
		params: Object.fromEntries((flags.param ?? []).map(parameter)),
		shapes: new Map((flags.shape ?? []).map(shape)),
		...(flags.out !== undefined && { out: flags.out }),
		...(flags.data !== undefined && { data: flags.data }),
		...(flags.verify === false && { verify: false }),
		...(flags.cache === false && { cache: false }),
		...(flags.force === true && { force: true }),
		...(flags.keepGoing === true && { keepGoing: true }),
		...(flags.bench === true && { bench: true }),
	};
}

/** `name=value`. */
export function parameter(text: string): [string, string] {
	const [, name, value] = /^([A-Za-z_]\w*)=(.+)$/s.exec(text) ?? [];
	if (name === undefined || value === undefined) throw new Usage(`-p takes name=value, not '${text}'`);
	return [name, value];
}

function shape(text: string): [string, number[]] {
	const [, name, sizes] = /^(.+)=(\d+(?:x\d+)*)$/.exec(text) ?? [];
	if (name === undefined || sizes === undefined) throw new Usage(`--shape takes input=1x128, not '${text}'`);
	return [name, sizes.split('x').map(Number)];
}

/** Codes of what stopped a command before it could judge anything: the arguments, a file, a missing runtime. */
const couldNotRun = /^(cli|write)\/|^model\/(not-found|external-missing)$|^run\/no-onnxruntime$/;

/** `0` without errors; else whose fault it is. */
export function statusOf(diagnostics: readonly Diagnostic[], ok = true): Status {
	const errors = diagnostics.filter(({ severity }) => severity === 'error');
	if (errors.some(({ code }) => couldNotRun.test(code))) return 2;
	return ok && errors.length === 0 ? 0 : 1;
}

/** What went wrong as diagnostics. */
function diagnosticsOf(problem: unknown): readonly Diagnostic[] {
	if (problem instanceof Fault || problem instanceof Misspelt) return problem.diagnostics;
	if (problem instanceof Usage) return [usage({ problem: problem.message, near: problem.near })];
	const message = problem instanceof Error ? problem.message : String(problem);
	const context = problem instanceof Bug ? JSON.stringify(problem.context) : '';
	return [
		internal({ problem: [message, context].join(' ').trim(), version: version() }, { at: frameOf(problem) }),
	];
}

/** The place in the code, for a report. */
function frameOf(problem: unknown): string | undefined {
	const frame = problem instanceof Error ? /\n\s+at (.*)/.exec(problem.stack ?? '')?.[1] : undefined;
	return frame?.replace(/\(?file:.*\/([^/]+)\)?$/, '$1');
}

/** Says what went wrong: one JSON document, or words on standard error. @returns the exit status. */
export function failed(problem: unknown, { json }: Pick<Flags, 'json'>): Status {
	const diagnostics = diagnosticsOf(problem);
	const recipe = problem instanceof Misspelt ? problem.recipe : undefined;
	if (json === true) printJson({ ...{ schema: 'prunec/failure@1', ok: false }, diagnostics }, recipe);
	else complain(diagnostics, recipe);
	return statusOf(diagnostics, false);
}

/** Runs a command and turns what goes wrong into a message and a status; a signal ends it at the next pause. */
export async function guarded(flags: Flags, command: () => Promise<Status> | Status): Promise<Status> {
	const stop = (status: number) => (): never => {
		progress.clear();
		failed(new Fault(interrupted({})), flags);
		// What was being written is removed on the way out (backends/onnx/stage.ts).
		process.exit(status);
	};
	process.once('SIGINT', stop(130)).once('SIGTERM', stop(143));
	try {
		return await command();
	} catch (problem) {
		progress.clear();
		return failed(problem, flags);
	}
}
