/** Text → Syntax, with every mistake of the text. Never throws for what a text says. */
import { type CstNode, type ILexingError, type IToken } from 'chevrotain';
import { type Diagnostic, type Span } from '../diagnostic.ts';
import { lineStarts, positionAt } from '../lines.ts';
import * as messages from '../messages/parse.ts';
import { whereOf } from './complaints.ts';
import { nodes, spanOf, tokenSpan } from './cst.ts';
import { RecipeParser } from './grammar.ts';
import { layout } from './layout.ts';
import { clauseOffsets, readStatement, type Source } from './statements.ts';
import { type CommentSyntax, type Statement, type Syntax } from './syntax.ts';
import { End, lexer, UnclosedText } from './tokens.ts';

export const largest = 2 ** 20;
export const mostStatements = 10_000;
const mostMistakes = 500;

export type Reading = { readonly syntax: Syntax; readonly diagnostics: readonly Diagnostic[] };

let parser: RecipeParser | undefined;

export function readRecipe(text: string): Reading {
	const bytes = text.length > largest ? text.length : new TextEncoder().encode(text).length;
	if (bytes > largest) return unread(text, messages.tooLong({ bytes, limit: largest }));
	const lexed = lexer.tokenize(text);
	const laid = layout(lexed.tokens);
	const count = statementsIn(laid.tokens);
	if (count > mostStatements)
		return unread(text, messages.tooManyStatements({ count, limit: mostStatements }));
	const comments = (lexed.groups['comments'] ?? []).map(comment);
	const source = sourceOf(text, laid.tokens, comments);
	const damage = [...lexed.errors.map((error) => error.offset), ...laid.repaired];
	const read = readLines(laid.tokens, source, damage);
	const diagnostics = ordered([
		...lexed.errors.map((error) => strange(text, error)),
		...laid.diagnostics,
		...read.diagnostics,
	]);
	return {
		syntax: { text, statements: read.statements, comments, complete: diagnostics.length === 0 },
		diagnostics,
	};
}

function unread(text: string, problem: Diagnostic): Reading {
	return { syntax: { text, statements: [], comments: [], complete: false }, diagnostics: [problem] };
}

function statementsIn(tokens: readonly IToken[]): number {
	return tokens.filter((token, at) => token.tokenType !== End && (tokens[at + 1] ?? end).tokenType === End)
		.length;
}
const end = { tokenType: End };

type Lines = { readonly statements: readonly Statement[]; readonly diagnostics: readonly Diagnostic[] };

/** `damage`: offsets at which characters were dropped or brackets put in. */
function readLines(tokens: readonly IToken[], source: Source, damage: readonly number[]): Lines {
	parser ??= new RecipeParser();
	parser.input = [...tokens];
	const lines = nodes(parser.recipe(), 'line');
	const starts = lines.map((line) => spanOf(line).start);
	const errors = grouped(parser.errors, starts, (error) => whereOf(error).start);
	const damaged = grouped(damage, starts, (offset) => offset);
	const statements: Statement[] = [];
	const diagnostics: Diagnostic[] = [];
	for (const [index, line] of lines.entries()) {
		const outcome = readStatement(line, errors[index] ?? [], source);
		const broken = damaged[index]?.some((offset) => offset <= lineEnd(line)) === true;
		diagnostics.push(...outcome.diagnostics, ...unclosedIn(line, outcome.diagnostics));
		if (outcome.statement !== undefined)
			statements.push(broken ? { ...outcome.statement, broken } : outcome.statement);
	}
	return { statements, diagnostics };
}

const lineEnd = (line: CstNode): number => spanOf(line).end;

/** Unclosed strings at places that were not read. */
function unclosedIn(line: CstNode, reported: readonly Diagnostic[]): Diagnostic[] {
	return tokensOf(line)
		.filter((token) => token.tokenType === UnclosedText)
		.map((token) =>
			messages.unclosedString({ text: `${token.image.trimEnd()}"` }, { span: tokenSpan(token) }),
		)
		.filter((one) => !reported.some((said) => said.span?.start === one.span?.start));
}

function tokensOf(element: CstNode): IToken[] {
	return Object.values(element.children)
		.flat()
		.flatMap((child) => ('image' in child ? [child] : tokensOf(child)));
}

/** Each item to the last line that begins before it. */
function grouped<T>(items: readonly T[], starts: readonly number[], offsetOf: (item: T) => number): T[][] {
	const groups = starts.map((): T[] => []);
	for (const item of items) {
		const offset = offsetOf(item);
		const at = starts.length === 0 ? 0 : lastAtMost(starts, offset);
		groups[at]?.push(item);
	}
	return groups;
}

function lastAtMost(starts: readonly number[], offset: number): number {
	return positionAt(starts, offset).line - 1;
}

function comment(token: IToken): CommentSyntax {
	const text = token.image.trimEnd();
	return { text, span: { start: token.startOffset, end: token.startOffset + text.length } };
}

function sourceOf(text: string, tokens: readonly IToken[], comments: readonly CommentSyntax[]): Source {
	const starts = lineStarts(text);
	const lineOf = (offset: number): number => positionAt(starts, offset).line;
	const docs = new Map<number, string>();
	for (const { text: said, span } of comments) {
		const alone = text.slice(starts[lineOf(span.start) - 1], span.start).trim() === '';
		if (alone && said.startsWith('##')) docs.set(lineOf(span.start), said.slice(2).trim());
	}
	const docAbove = (offset: number): string | undefined => {
		const found: string[] = [];
		for (let line = lineOf(offset) - 1; docs.has(line); line--) found.push(docs.get(line) ?? '');
		return found.length === 0 ? undefined : found.reverse().join('\n');
	};
	return { lineOf, docAbove, clauses: clauseOffsets(tokens) };
}

function strange(text: string, { offset, length }: ILexingError): Diagnostic {
	const characters = Array.from(text.slice(offset, offset + Math.min(length, 40)));
	const found = characters.slice(0, 20).join('') + (characters.length > 20 ? '…' : '');
	return messages.unknownCharacter({ found }, { span: { start: offset, end: offset + length } });
}

/** In the order of the text, each place and code once, at most `mostMistakes`. */
function ordered(diagnostics: readonly Diagnostic[]): Diagnostic[] {
	const seen = new Set<string>();
	const unique = diagnostics.filter(({ code, span }) => {
		const key = `${code} ${keyOf(span)}`;
		return !seen.has(key) && seen.add(key);
	});
	const sorted = unique.toSorted((a, b) => (a.span?.start ?? 0) - (b.span?.start ?? 0));
	const more = sorted.length - mostMistakes;
	return more > 0 ? [...sorted.slice(0, mostMistakes), messages.tooManyMistakes({ more })] : sorted;
}

const keyOf = (span: Span | undefined): string => `${span?.start ?? ''} ${span?.end ?? ''}`;
