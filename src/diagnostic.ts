/** What a message is: a code, a place, a cause, a next step. Every message is declared in `messages/`. */

export type Severity = 'error' | 'warning' | 'note';

/** A piece of a recipe's text, as offsets of UTF-16 units from 0, `end` excluded. */
export type Span = {
	readonly start: number;
	readonly end: number;
	/** The imported file that it is in, by the name that messages call it; absent in the recipe itself. */
	readonly file?: string;
};

export type Diagnostic = {
	/** `<stage>/<kebab-words>`; never changes its meaning. */
	readonly code: string;
	readonly severity: Severity;
	readonly message: string;
	readonly hint?: string;
	/** What may stand in the place of the marked words instead: an editor can put it there. */
	readonly fix?: string;
	/** What the marked words say, beside the mark: `layers 6 to 11`. */
	readonly label?: string;
	/** What else is known, a line each. */
	readonly notes?: readonly string[];
	/** Where in the recipe. */
	readonly span?: Span;
	/** Where in the model: a node, a tensor, a layer, a byte offset, or a file. */
	readonly at?: string;
};

/** Where a message points: into the recipe, into the model, or both. */
export type Place = { readonly span?: Span | undefined; readonly at?: string | undefined };

export type Definition<P> = {
	readonly code: string;
	readonly severity: Severity;
	/** What `prunec explain <code>` prints: why this is so and what to do, in full sentences. */
	readonly explain: string;
	readonly message: (params: P) => string;
	readonly hint?: (params: P) => string | undefined;
	readonly fix?: (params: P) => string | undefined;
	readonly label?: (params: P) => string | undefined;
	readonly notes?: (params: P) => readonly string[];
};

export type Report<P> = Definition<P> & ((params: P, place?: Place) => Diagnostic);

/**
 * Declares a diagnostic; the result makes diagnostics of it and carries its own page.
 *
 *     export const emptyRange = defineDiagnostic({ code: 'plan/empty-range', … });
 *     problems.push(emptyRange({ layers: 6 }, { span }));
 */
export function defineDiagnostic<P>(definition: Definition<P>): Report<P> {
	const report = (params: P, place: Place = {}): Diagnostic => {
		const [hint, label] = [definition.hint?.(params), definition.label?.(params)];
		const fix = place.span === undefined ? undefined : definition.fix?.(params);
		const notes = definition.notes?.(params);
		return {
			code: definition.code,
			severity: definition.severity,
			message: definition.message(params),
			...(hint !== undefined && { hint }),
			...(fix !== undefined && { fix }),
			...(label !== undefined && { label }),
			...(notes !== undefined && notes.length > 0 && { notes }),
			...(place.span !== undefined && { span: place.span }),
			...(place.at !== undefined && { at: place.at }),
		};
	};
	return Object.assign(report, definition);
}

/** A user's mistake met where there is nothing sensible to return: files, models, runs. Caught by the pipeline. */
export class Fault extends Error {
	readonly diagnostics: readonly Diagnostic[];
	constructor(...diagnostics: readonly Diagnostic[]) {
		super(diagnostics.map((one) => `${one.code}: ${one.message}`).join('\n'));
		this.name = 'Fault';
		this.diagnostics = diagnostics;
	}
}

/** A mistake of this program, never of its user. */
export class Bug extends Error {
	readonly context: Readonly<Record<string, unknown>>;
	constructor(message: string, context: Readonly<Record<string, unknown>>) {
		super(message);
		this.name = 'Bug';
		this.context = context;
	}
}

/** Stops at a broken invariant of prunec itself. */
export function bug(message: string, context: Readonly<Record<string, unknown>> = {}): never {
	throw new Bug(message, context);
}

/** The value, or a bug: for lookups whose success another part has already established. */
export function present<T>(value: T | undefined | null, what: string): T {
	return value ?? bug(`${what} is absent`);
}

export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
	return diagnostics.some((one) => one.severity === 'error');
}
