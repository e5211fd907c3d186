/** What all commands share: arguments, printing, exit statuses. */
import { readFileSync } from 'node:fs';
import { Bug, Fault, hasErrors, type Diagnostic } from '../diagnostic.ts';
import { type CompileOptions } from '../document.ts';
import { unreadable, usage } from '../messages/cli.ts';
import { diagnosticJson, renderDiagnostics } from '../report/diagnostics.ts';

/** `0` done, `1` the recipe, the model or the result is at fault, `2` could not run, `130` interrupted. */
export type Status = 0 | 1 | 2 | 130;

export type Flags = {
	readonly out?: string;
	readonly expression?: string;
	readonly param?: readonly string[];
	readonly shape?: readonly string[];
	readonly data?: string;
	readonly seed?: string;
	readonly threads?: string;
	readonly samples?: string;
	readonly verify?: boolean;
	readonly keepGoing?: boolean;
	readonly force?: boolean;
	readonly json?: boolean;
	readonly quiet?: boolean;
	readonly scores?: boolean;
	readonly plan?: string;
	readonly check?: boolean;
	readonly model?: string;
};

export type RecipeText = { readonly text: string; readonly path?: string };

export function print(text: string): void {
	process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}

export function complain(diagnostics: readonly Diagnostic[], recipe: RecipeText = { text: '' }): void {
	if (diagnostics.length === 0) return;
	const color = process.stderr.isTTY && process.env['NO_COLOR'] === undefined;
	process.stderr.write(
		`${renderDiagnostics(diagnostics, { text: recipe.text, color, ...(recipe.path !== undefined && { file: recipe.path }) })}\n`,
	);
}

/** One JSON document with its diagnostics located in the recipe. */
export function printJson(
	document: { readonly diagnostics: readonly Diagnostic[] },
	recipe: RecipeText = { text: '' },
): void {
	const where = { text: recipe.text, ...(recipe.path !== undefined && { file: recipe.path }) };
	print(
		JSON.stringify({ ...document, diagnostics: diagnosticJson(document.diagnostics, where) }, null, '\t'),
	);
}

export function statusOf(diagnostics: readonly Diagnostic[], ok = true): Status {
	return ok && !hasErrors(diagnostics) ? 0 : 1;
}

/** The recipe's text: from `-e`, from standard input for `-`, or from a file. */
export function recipeText(source: string | undefined, flags: Flags): RecipeText {
	if (flags.expression !== undefined) return { text: flags.expression };
	if (source === undefined) throw new Usage('a recipe is missing: a file, `-`, or -e TEXT');
	return source === '-'
		? { text: readFile(0, 'standard input') }
		: { text: readFile(source, source), path: source };
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

/** A mistake in the arguments. */
export class Usage extends Error {}

const whole = (name: string, text: string): number => {
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
		...(flags.force === true && { force: true }),
		...(flags.keepGoing === true && { keepGoing: true }),
	};
}

function parameter(text: string): [string, number] {
	const [, name, value] = /^([A-Za-z_]\w*)=(.+)$/.exec(text) ?? [];
	if (name === undefined || value === undefined || Number.isNaN(Number(value.replace('%', ''))))
		throw new Usage(`-p takes name=number, not '${text}'`);
	return [name, value.endsWith('%') ? Number(value.slice(0, -1)) / 100 : Number(value)];
}

function shape(text: string): [string, number[]] {
	const [, name, sizes] = /^(.+)=(\d+(?:x\d+)*)$/.exec(text) ?? [];
	if (name === undefined || sizes === undefined) throw new Usage(`--shape takes input=1x128, not '${text}'`);
	return [name, sizes.split('x').map(Number)];
}

/** Runs a command and turns what goes wrong into a message and a status. */
export async function guarded(flags: Flags, command: () => Promise<Status> | Status): Promise<Status> {
	try {
		return await command();
	} catch (problem) {
		const failed = (diagnostics: readonly Diagnostic[], status: Status): Status => {
			if (flags.json === true) printJson({ ...{ ok: false }, diagnostics });
			else complain(diagnostics);
			return status;
		};
		if (problem instanceof Fault)
			return failed(
				problem.diagnostics,
				problem.diagnostics.some(({ code }) => code.startsWith('cli/') || code.startsWith('write/')) ? 2 : 1,
			);
		if (problem instanceof Usage) return failed([usage({ problem: problem.message })], 2);
		if (problem instanceof Error && problem.name === 'AbortError') return 130;
		const detail =
			problem instanceof Bug
				? JSON.stringify(problem.context)
				: problem instanceof Error
					? problem.stack
					: String(problem);
		process.stderr.write(
			`this is a bug in prunec: ${problem instanceof Error ? problem.message : String(problem)}\n${detail ?? ''}\n`,
		);
		return 2;
	}
}
