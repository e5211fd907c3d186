/** Diagnostics as people and as programs read them. */
import { type Diagnostic, type Span } from '../diagnostic.ts';

type Where = { readonly file?: string; readonly text: string; readonly color?: boolean };
export type Position = { readonly line: number; readonly column: number; readonly offset: number };

/** Line and column from 1, offset from 0, in UTF-16 units. */
export function positionIn(text: string, offset: number): Position {
	const at = Math.min(Math.max(offset, 0), text.length);
	const before = text.slice(0, at);
	const line = before.split('\n').length;
	return { line, column: at - (before.lastIndexOf('\n') + 1) + 1, offset: at };
}

export function renderDiagnostics(list: readonly Diagnostic[], where: Where): string {
	return list.map((one) => render(one, where)).join('\n\n');
}

function render(
	{ code, severity, message, hint, span, at }: Diagnostic,
	{ file, text, color }: Where,
): string {
	const paint = (style: number, words: string): string =>
		color === true ? `\u001b[${style}m${words}\u001b[0m` : words;
	const styles = { error: 31, warning: 33, note: 36 };
	const lines = [`${paint(styles[severity], severity)} ${code}: ${message}`];
	if (span !== undefined && text !== '') lines.push(...frame(span, text, file));
	else if (file !== undefined && span !== undefined) lines.push(`  = in ${file}`);
	if (at !== undefined) lines.push(`  = at: ${at}`);
	if (hint !== undefined) lines.push(`  = help: ${hint}`);
	return lines.join('\n');
}

function frame(span: Span, text: string, file = 'recipe'): string[] {
	const { line, column } = positionIn(text, span.start);
	const source = (text.split('\n')[line - 1] ?? '').replaceAll('\t', ' ');
	const gutter = String(line);
	const width = Math.max(1, Math.min(span.end, span.start + source.length - column + 1) - span.start);
	const pad = ' '.repeat(gutter.length);
	return [
		`${pad} ┌─ ${file}:${line}:${column}`,
		`${gutter} │ ${source}`,
		`${pad} │ ${' '.repeat(column - 1)}${'^'.repeat(width)}`,
	];
}

/** The form of `--json`: places as line, column and offset. */
export function diagnosticJson(list: readonly Diagnostic[], { file, text }: Where): unknown[] {
	return list.map(({ span, ...rest }) => ({
		...rest,
		...(file !== undefined && { file }),
		...(span !== undefined && { start: positionIn(text, span.start), end: positionIn(text, span.end) }),
	}));
}
