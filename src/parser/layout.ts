/**
 * Which line breaks end a statement, and which brackets belong together: decided on the tokens, before the grammar,
 * so that a mistake in one statement cannot reach into the next.
 */
import { type IToken, type TokenType, tokenMatcher } from 'chevrotain';
import { type Diagnostic } from '../diagnostic.ts';
import * as messages from '../messages/parse.ts';
import {
	clause,
	Clause,
	Comma,
	End,
	GroupClose,
	GroupOpen,
	Infix,
	LineBreak,
	ListClose,
	ListOpen,
	Name,
	operatorWord,
	Text,
} from './tokens.ts';

export const deepest = 256;

export type Layout = {
	/** Without line breaks: those that end a statement are `End` tokens. Every bracket is closed. */
	readonly tokens: readonly IToken[];
	readonly diagnostics: readonly Diagnostic[];
};

type Brackets = {
	/** Opening brackets that nothing closes. */
	readonly unclosed: ReadonlySet<IToken>;
	/** What stands instead of a closing bracket: of the right kind, or nothing when it closes nothing. */
	readonly closers: ReadonlyMap<IToken, IToken | undefined>;
	/** Opening brackets nested too deep. */
	readonly tooDeep: ReadonlySet<IToken>;
	readonly diagnostics: readonly Diagnostic[];
};

export function layout(tokens: readonly IToken[]): Layout {
	const brackets = matchBrackets(tokens);
	const laid = endStatements(tokens, brackets);
	const result: IToken[] = [];
	for (const statement of laid) {
		if (statement.some((token) => brackets.tooDeep.has(token))) {
			result.push(...statement.filter((token) => token.tokenType === End));
			continue;
		}
		result.push(...closeBrackets(statement, brackets));
	}
	return { tokens: result, diagnostics: brackets.diagnostics };
}

function matchBrackets(tokens: readonly IToken[]): Brackets {
	const unclosed = new Set<IToken>();
	const closers = new Map<IToken, IToken | undefined>();
	const tooDeep = new Set<IToken>();
	const diagnostics: Diagnostic[] = [];
	let open: IToken[] = [];
	const giveUp = (): void => {
		for (const bracket of open) {
			unclosed.add(bracket);
			if (tooDeep.size === 0)
				diagnostics.push(messages.unclosedBracket(closedBy(bracket), { span: spanOf(bracket) }));
		}
		open = [];
	};
	for (const token of tokens) {
		if (token.tokenType === End) giveUp();
		if (isOpening(token)) {
			open.push(token);
			if (open.length === deepest + 1) {
				tooDeep.add(token);
				diagnostics.push(messages.tooDeep({ limit: deepest }, { span: spanOf(token) }));
			}
		}
		if (!isClosing(token)) continue;
		const bracket = open.pop();
		closers.set(token, bracket && retyped(token, closingType(bracket)));
		if (bracket === undefined) {
			diagnostics.push(messages.unopenedBracket({ found: token.image }, { span: spanOf(token) }));
		} else if (closingType(bracket) !== token.tokenType) {
			diagnostics.push(
				messages.mismatchedBracket({ ...closedBy(bracket), found: token.image }, { span: spanOf(token) }),
			);
		}
	}
	giveUp();
	return { unclosed, closers, tooDeep, diagnostics };
}

/** The statements, each with the `End` behind it. */
function endStatements(tokens: readonly IToken[], brackets: Brackets): IToken[][] {
	const statements: IToken[][] = [[]];
	let depth = 0;
	let last: IToken | undefined;
	for (const [index, token] of tokens.entries()) {
		if (isOpening(token) && !brackets.unclosed.has(token)) depth++;
		if (isClosing(token) && brackets.closers.get(token) !== undefined) depth--;
		if (token.tokenType !== LineBreak) {
			statements.at(-1)?.push(token);
			last = token;
			if (token.tokenType === End) statements.push([]);
		} else if (
			depth === 0 &&
			last !== undefined &&
			breaks(last, nextWord(tokens, index), statements.at(-1)?.[0])
		) {
			last = retyped(token, End);
			statements.at(-1)?.push(last);
			statements.push([]);
		}
	}
	return statements;
}

function nextWord(tokens: readonly IToken[], from: number): IToken | undefined {
	for (let index = from; index < tokens.length; index++) {
		if (tokens[index]?.tokenType !== LineBreak) return tokens[index];
	}
	return undefined;
}

/** `may` goes on a transform, whose clause it is, and begins a statement behind any other. */
function breaks(last: IToken, next: IToken | undefined, first: IToken | undefined): boolean {
	if (last.tokenType === End || last.tokenType === Comma) return false;
	if (last.tokenType === operatorWord.not || tokenMatcher(last, Infix)) return false;
	if (next?.tokenType === clause.may && first?.tokenType !== Name) return true;
	return next === undefined || !(tokenMatcher(next, Clause) || tokenMatcher(next, Text));
}

/** Puts missing closing brackets before the next clause, or at the statement's end; drops those that close nothing. */
function closeBrackets(statement: readonly IToken[], brackets: Brackets): IToken[] {
	const result: IToken[] = [];
	const missing: IToken[] = [];
	const settle = (): void => {
		for (const bracket of missing.splice(0).reverse())
			result.push(closerFor(bracket, result.at(-1) ?? bracket));
	};
	for (const token of statement) {
		if (token.tokenType === End || tokenMatcher(token, Clause)) settle();
		if (brackets.unclosed.has(token)) missing.push(token);
		const placed = brackets.closers.has(token) ? brackets.closers.get(token) : token;
		if (placed !== undefined) result.push(placed);
	}
	settle();
	return result;
}

function closerFor(bracket: IToken, before: IToken): IToken {
	const end = before.startOffset + before.image.length;
	return { ...retyped(bracket, closingType(bracket)), image: '', startOffset: end, endOffset: end };
}

function retyped(token: IToken, type: TokenType): IToken {
	return { ...token, tokenType: type, tokenTypeIdx: type.tokenTypeIdx ?? 0 };
}

function isOpening(token: IToken): boolean {
	return token.tokenType === ListOpen || token.tokenType === GroupOpen;
}

function isClosing(token: IToken): boolean {
	return token.tokenType === ListClose || token.tokenType === GroupClose;
}

function closingType(bracket: IToken): TokenType {
	return bracket.tokenType === ListOpen ? ListClose : GroupClose;
}

function closedBy(bracket: IToken): { open: string; close: string } {
	return { open: bracket.image, close: bracket.tokenType === ListOpen ? ']' : ')' };
}

function spanOf(token: IToken): { start: number; end: number } {
	return { start: token.startOffset, end: token.startOffset + token.image.length };
}
