/** From what is known of recipes to the protocol's own shapes. */
import {
	CompletionItemKind,
	DiagnosticSeverity,
	SemanticTokensBuilder,
	type CodeAction,
	type CompletionItem,
	type Diagnostic as ProtocolDiagnostic,
	type Location,
	type Range,
	type SemanticTokens,
} from 'vscode-languageserver/node';
import { type Diagnostic, type Severity, type Span } from '../diagnostic.ts';
import { lineStarts, positionAt } from '../lines.ts';
import { uriOfImport, type Analysis } from './analysis.ts';
import { type Entry, type Sort } from './entries.ts';
import { coloured, kinds } from './tokens.ts';

/** Lines and characters count from 0 in the protocol, UTF-16 units both here and there. */
export function rangeIn(text: string, { start, end }: Span, starts = lineStarts(text)): Range {
	const place = (offset: number): Range['start'] => {
		const { line, column } = positionAt(starts, Math.min(Math.max(offset, 0), text.length));
		return { line: line - 1, character: column - 1 };
	};
	return { start: place(start), end: place(Math.max(start, end)) };
}

/** A place in the recipe, or in an imported file that lies on this machine. */
export function locationOf(span: Span, uri: string, { text, imports }: Analysis): Location | undefined {
	if (span.file === undefined) return { uri, range: rangeIn(text, span) };
	const file = uriOfImport(span.file);
	const source = imports.files.get(span.file)?.syntax.text ?? '';
	return file === undefined ? undefined : { uri: file, range: rangeIn(source, span) };
}

const severities: Readonly<Record<Severity, DiagnosticSeverity>> = {
	error: DiagnosticSeverity.Error,
	warning: DiagnosticSeverity.Warning,
	note: DiagnosticSeverity.Information,
};

/** What is wrong in an imported file stands at the `use` that brought it, with the place in that file beside it. */
export function diagnosticsOf(analysis: Analysis, uri: string): ProtocolDiagnostic[] {
	const starts = lineStarts(analysis.text);
	return analysis.diagnostics.map((one) => {
		const { code, severity, message, hint, notes = [], span = { start: 0, end: 0 } } = one;
		const inside = span.file === undefined ? undefined : locationOf(span, uri, analysis);
		const where = span.file === undefined ? '' : `in ${span.file}: `;
		const lines = [`${where}${message}`, ...notes, ...(hint === undefined ? [] : [`help: ${hint}`])];
		return {
			range: rangeIn(analysis.text, useOf(span, analysis), starts),
			severity: severities[severity],
			...{ code, source: 'prunec', message: lines.join('\n') },
			...(inside && { relatedInformation: [{ location: inside, message }] }),
		};
	});
}

/** The span itself, or that of the `use` in the recipe through which its file came. */
function useOf(span: Span, { imports }: Analysis): Span {
	let at = span;
	while (at.file !== undefined) {
		const via = imports.files.get(at.file)?.via;
		if (via === undefined) return { start: 0, end: 0 };
		at = via;
	}
	return at;
}

/** A mend for each mistake that has one and touches the range. */
export function mendsOf(analysis: Analysis, uri: string, wanted: Range): CodeAction[] {
	const starts = lineStarts(analysis.text);
	const all = diagnosticsOf(analysis, uri);
	return analysis.diagnostics.flatMap(({ span, fix }: Diagnostic, at) => {
		if (fix === undefined || span === undefined || span.file !== undefined) return [];
		const range = rangeIn(analysis.text, span, starts);
		const diagnostic = all[at];
		if (diagnostic === undefined || !touches(range, wanted)) return [];
		const was = analysis.text.slice(span.start, span.end);
		const title = fix === '' ? `Remove \`${was}\`` : `Write \`${fix}\``;
		const edit = { changes: { [uri]: [{ range, newText: fix }] } };
		return [{ title, kind: 'quickfix', isPreferred: true, diagnostics: [diagnostic], edit }];
	});
}

function touches(one: Range, other: Range): boolean {
	const before = (a: Range['start'], b: Range['start']): boolean =>
		a.line < b.line || (a.line === b.line && a.character <= b.character);
	return before(one.start, other.end) && before(other.start, one.end);
}

const pictures: Readonly<Record<Sort, CompletionItemKind>> = {
	verb: CompletionItemKind.Keyword,
	target: CompletionItemKind.Class,
	clause: CompletionItemKind.Keyword,
	metric: CompletionItemKind.Function,
	field: CompletionItemKind.Property,
	value: CompletionItemKind.Value,
	param: CompletionItemKind.Variable,
	place: CompletionItemKind.Module,
	word: CompletionItemKind.Keyword,
};

/** Entries in their order; each replaces the word, with its `$`, that stands before the cursor. */
export function completionItems(entries: readonly Entry[], text: string, offset: number): CompletionItem[] {
	const begun = /\$?\w*$/.exec(text.slice(0, offset))?.[0] ?? '';
	const range = rangeIn(text, { start: offset - begun.length, end: offset });
	return entries.map(({ text: newText, sort, about, example }, at) => ({
		label: newText,
		kind: pictures[sort],
		detail: about,
		...(example !== undefined && {
			documentation: { kind: 'markdown' as const, value: `\`\`\`prune\n${example}\n\`\`\`` },
		}),
		sortText: String(at).padStart(4, '0'),
		textEdit: { range, newText },
	}));
}

/** A token of several lines, which no token of the language is, would have to be cut. */
export function semanticTokens({ syntax, text }: Analysis): SemanticTokens {
	const builder = new SemanticTokensBuilder();
	const starts = lineStarts(text);
	for (const { span, kind } of coloured(syntax)) {
		const { line, column } = positionAt(starts, span.start);
		builder.push(line - 1, column - 1, span.end - span.start, kinds.indexOf(kind), 0);
	}
	return builder.build();
}
