/** Text → Syntax, with every mistake of the text. Never throws for what a text says. */
import { type CstNode, type IRecognitionException, type IToken, tokenMatcher } from 'chevrotain';
import { type Diagnostic } from '../diagnostic.ts';
import { lineStarts, positionAt } from '../lines.ts';
import * as messages from '../messages/parse.ts';
import { unknownCharacters } from './characters.ts';
import { whereOf } from './complaints.ts';
import { nodes, spanOf } from './cst.ts';
import { RecipeParser } from './grammar.ts';
import { layout } from './layout.ts';
import { readStatement, type Source } from './statements.ts';
import { type CommentSyntax, type Statement, type Syntax } from './syntax.ts';
import { Clause, End, lexer } from './tokens.ts';
import { isText, textProblems } from './values.ts';

/** In bytes of UTF-8. */
export const largest = 2 ** 20;
export const mostStatements = 10_000;
export const mostMistakes = 100;

export type Reading = { readonly syntax: Syntax; readonly diagnostics: readonly Diagnostic[] };

let parser: RecipeParser | undefined;

/** Reads a recipe. Spans are in UTF-16 units of `text`; diagnostics come in the order of the text. */
export function readRecipe(text: string): Reading {
	const bytes = text.length > largest ? text.length : new TextEncoder().encode(text).length;
	if (bytes > largest) return unread(text, messages.tooLong({ bytes, limit: largest }, nowhere));
	const lexed = lexer.tokenize(text);
	const laid = layout(lexed.tokens);
	const count = statementsIn(laid.tokens);
	if (count > mostStatements) {
		return unread(text, messages.tooManyStatements({ count, limit: mostStatements }, nowhere));
	}
	const comments = (lexed.groups['comments'] ?? []).map(commentOf);
	const reported = [...unknownCharacters(text, lexed.errors), ...laid.diagnostics];
	const read = readLines(laid.tokens, sourceOf(text, laid.tokens, comments, reported));
	const strings = laid.tokens.filter(isText).flatMap(textProblems);
	const diagnostics = ordered([...reported, ...strings, ...read.diagnostics]);
	const complete = diagnostics.length === 0;
	return { syntax: { text, statements: read.statements, comments, complete }, diagnostics };
}

const nowhere = { span: { start: 0, end: 0 } };

function unread(text: string, problem: Diagnostic): Reading {
	return { syntax: { text, statements: [], comments: [], complete: false }, diagnostics: [problem] };
}

function statementsIn(tokens: readonly IToken[]): number {
	const isEnd = (token: IToken | undefined): boolean => token === undefined || token.tokenType === End;
	return tokens.filter((token, at) => !isEnd(token) && isEnd(tokens[at + 1])).length;
}

type Lines = { readonly statements: readonly Statement[]; readonly diagnostics: readonly Diagnostic[] };

function readLines(tokens: readonly IToken[], source: Source): Lines {
	parser ??= new RecipeParser();
	parser.input = [...tokens];
	const lines = nodes(parser.recipe(), 'line');
	const errors = errorsByLine(lines, parser.errors);
	const outcomes = lines.map((line, index) => readStatement(line, errors[index] ?? [], source));
	return {
		statements: outcomes.flatMap((one) => one.statement ?? []),
		diagnostics: outcomes.flatMap((one) => one.diagnostics),
	};
}

/** Each error goes to the last line that begins at or before it. */
function errorsByLine(
	lines: readonly CstNode[],
	errors: readonly IRecognitionException[],
): IRecognitionException[][] {
	const starts = lines.map((line) => spanOf(line).start);
	const groups = lines.map((): IRecognitionException[] => []);
	for (const error of errors) groups[positionAt(starts, whereOf(error).start).line - 1]?.push(error);
	return groups;
}

function sourceOf(
	text: string,
	tokens: readonly IToken[],
	comments: readonly CommentSyntax[],
	reported: readonly Diagnostic[],
): Source {
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
	const borders = tokens.filter((token) => token.tokenType === End || tokenMatcher(token, Clause));
	const offsets = [0, ...borders.map((token) => token.startOffset)];
	const stretchOf = (offset: number): number => positionAt(offsets, offset).line;
	const spoilt = new Set(reported.map((one) => stretchOf(one.span?.start ?? 0)));
	return { lineOf, docAbove, stretchOf, spoilt };
}

function commentOf(token: IToken): CommentSyntax {
	const text = token.image.trimEnd();
	return { text, span: { start: token.startOffset, end: token.startOffset + text.length } };
}

/** In the order of the text, at most `mostMistakes`. */
function ordered(diagnostics: readonly Diagnostic[]): Diagnostic[] {
	const sorted = diagnostics.toSorted((a, b) => (a.span?.start ?? 0) - (b.span?.start ?? 0));
	const more = sorted.length - mostMistakes;
	if (more <= 0) return sorted;
	const span = sorted[mostMistakes]?.span;
	return [...sorted.slice(0, mostMistakes), messages.tooManyMistakes({ more }, { span })];
}
