/** Diagnostics as people and as programs read them. */
import { type Diagnostic, type Severity, type Span } from '../diagnostic.ts';
import { type Imports } from '../ir/imports/imports.ts';
import { lineStarts, positionAt } from '../lines.ts';

/** The text that the spans are in, and where it came from. */
export type Where = {
	readonly file?: string;
	readonly text: string;
	/** Files that spans can be in instead. */
	readonly imports?: Imports['files'] | undefined;
	readonly color?: boolean;
};
/** Line and column from 1, offset from 0; columns and offsets in UTF-16 units. */
export type Position = { readonly line: number; readonly column: number; readonly offset: number };
export type DiagnosticJson = Omit<Diagnostic, 'span'> & {
	readonly file?: string;
	readonly start?: Position;
	readonly end?: Position;
	/** Of something in an imported file: the `use` that brought the file, the one that brought that, and so on. */
	readonly importedAt?: readonly { readonly file?: string; readonly start: Position }[];
};

/** The longest piece of a line that is shown, in columns. */
const widest = 100;
const styles: Readonly<Record<Severity, number>> = { error: 31, warning: 33, note: 36 };

function locate(text: string, starts: readonly number[], offset: number): Position {
	const at = Math.min(Math.max(offset, 0), text.length);
	return { ...positionAt(starts, at), offset: at };
}

/** One document entry for each diagnostic. */
export function diagnosticJson(list: readonly Diagnostic[], where: Where): DiagnosticJson[] {
	const places = new Places(where);
	return list.map(({ span, ...rest }) => {
		const { file, text, starts } = places.of(span);
		const named = file === undefined ? {} : { file };
		if (span === undefined) return { ...rest, ...named };
		const importedAt = places.chain(span).map((use) => {
			const at = places.of(use);
			const start = locate(at.text, at.starts, use.start);
			return at.file === undefined ? { start } : { file: at.file, start };
		});
		return {
			...rest,
			...named,
			start: locate(text, starts, span.start),
			end: locate(text, starts, Math.max(span.start, span.end)),
			...(importedAt.length > 0 && { importedAt }),
		};
	});
}

type Source = {
	readonly file: string | undefined;
	readonly text: string;
	readonly starts: readonly number[];
};

/** The texts that spans lie in. */
class Places {
	private readonly where: Where;
	private readonly sources = new Map<string | undefined, Source>();

	constructor(where: Where) {
		this.where = where;
	}

	of(span: Span | undefined): Source {
		const known = this.sources.get(span?.file);
		if (known !== undefined) return known;
		const imported = span?.file === undefined ? undefined : this.where.imports?.get(span.file);
		const text = span?.file === undefined ? this.where.text : (imported?.syntax.text ?? '');
		const source = { file: span?.file ?? this.where.file, text, starts: lineStarts(text) };
		this.sources.set(span?.file, source);
		return source;
	}

	/** The `use` that brought the file that a span is in, and those before it. */
	chain({ file }: Span): Span[] {
		const via = file === undefined ? undefined : this.where.imports?.get(file)?.via;
		return via === undefined ? [] : [via, ...this.chain(via)];
	}
}

/**
 * One block a diagnostic, a blank line between them:
 *
 *     error check/unknown-verb: there is no verb `prun`
 *       ┌─ small.prune:9:1
 *     9 │ prun heads 25%
 *       │ ^^^^
 *       = help: `prune` is the nearest spelling
 */
export function renderDiagnostics(list: readonly Diagnostic[], where: Where): string {
	const places = new Places(where);
	return list.map((one) => render(one, places, where.color === true)).join('\n\n');
}

function render(one: Diagnostic, places: Places, color: boolean): string {
	const { file, text, starts } = places.of(one.span);
	const style = styles[one.severity];
	const paint = (words: string): string => (color ? `\u001b[1;${style}m${words}\u001b[0m` : words);
	const shown = one.span !== undefined && text !== '' ? locate(text, starts, one.span.start) : undefined;
	const gutter = ' '.repeat(shown === undefined ? 1 : String(shown.line).length);
	const lines = [`${paint(one.severity)} ${one.code}: ${oneLine(one.message)}`];
	if (shown !== undefined && one.span !== undefined) {
		const { source, marks } = frame(lineOf(text, starts, shown.line), one.span, shown);
		lines.push(`${gutter} ┌─ ${file ?? 'recipe'}:${shown.line}:${shown.column}`);
		lines.push(
			`${shown.line} │ ${source}`.trimEnd(),
			`${gutter} │ ${paint(marks)}${one.label === undefined ? '' : ` ${one.label}`}`,
		);
	} else if (file !== undefined && one.span !== undefined) lines.push(`${gutter} = in ${file}`);
	for (const use of one.span === undefined ? [] : places.chain(one.span))
		lines.push(`${gutter} = imported at ${placeOf(places.of(use), use)}`);
	if (one.at !== undefined) lines.push(`${gutter} = at: ${oneLine(one.at)}`);
	for (const note of one.notes ?? []) lines.push(`${gutter} = ${oneLine(note)}`);
	if (one.hint !== undefined) lines.push(`${gutter} = help: ${oneLine(one.hint)}`);
	return lines.join('\n');
}

function placeOf({ file, text, starts }: Source, { start }: Span): string {
	const { line, column } = locate(text, starts, start);
	return `${file ?? 'recipe'}:${line}:${column}`;
}

function lineOf(text: string, starts: readonly number[], line: number): string {
	return text.slice(starts[line - 1] ?? 0, starts[line] ?? text.length).replace(/[\r\n]+$/, '');
}

/** A line as a terminal can show it, and marks under the part of the span that is on it. */
function frame(line: string, span: Span, { column }: Position): { source: string; marks: string } {
	const [from, to] = [column - 1, Math.min(line.length, column - 1 + Math.max(0, span.end - span.start))];
	const [before, inside, after] = [
		cells(line.slice(0, from)),
		cells(line.slice(from, to)),
		cells(line.slice(to)),
	];
	const marked = inside.slice(0, widest);
	const spare = Math.max(0, widest - marked.length);
	const lead =
		before.length + Math.min(after.length, spare / 2) > spare ? Math.floor(spare / 2) : before.length;
	const head = before.length > lead ? ['…', ...before.slice(before.length - lead)] : before;
	const rest = [...inside.slice(widest), ...after];
	const room = Math.max(0, widest - lead - marked.length);
	const tail = rest.length > room ? [...rest.slice(0, room), '…'] : rest;
	const marks = ' '.repeat(head.length) + '^'.repeat(Math.max(1, marked.length));
	return { source: [...head, ...marked, ...tail].join(''), marks };
}

/**
 * What stands in each column: a wide character and an empty string for its second column, nothing for
 * characters without width, a space for a tab, and a replacement for what would steer the terminal.
 */
function cells(text: string): string[] {
	const result: string[] = [];
	for (const character of text) {
		if (/[\p{Mn}\p{Me}\u200b-\u200d\ufeff]/u.test(character)) {
			const last = result.findLastIndex((cell) => cell !== '');
			if (last >= 0) result[last] = `${result[last] ?? ''}${character}`;
		} else if (character === '\t') result.push(' ', ' ');
		else if (/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u.test(character)) result.push('\ufffd');
		else result.push(character, ...(isWide(character.codePointAt(0) ?? 0) ? [''] : []));
	}
	return result;
}

/** Blocks of characters that take two columns (Unicode Standard Annex 11, classes W and F). */
const wide: readonly (readonly [first: number, last: number])[] = [
	...([
		[0x1100, 0x115f],
		[0x2e80, 0x303e],
		[0x3041, 0x33ff],
		[0x3400, 0x4dbf],
		[0x4e00, 0x9fff],
	] as const),
	...([
		[0xa000, 0xa4cf],
		[0xac00, 0xd7a3],
		[0xf900, 0xfaff],
		[0xfe30, 0xfe6f],
		[0xff00, 0xff60],
	] as const),
	...([
		[0xffe0, 0xffe6],
		[0x1f300, 0x1f64f],
		[0x1f680, 0x1f6ff],
		[0x1f900, 0x1f9ff],
		[0x20000, 0x3fffd],
	] as const),
];

function isWide(code: number): boolean {
	return wide.some(([first, last]) => code >= first && code <= last);
}

/** Text from outside, on one line and without characters that would steer the terminal. */
function oneLine(text: string): string {
	return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => (/\s/.test(character) ? ' ' : '\ufffd'));
}
