/** Words and signs of a recipe under the cursor, and their kinds for colouring. */
import { tokenMatcher, type IToken } from 'chevrotain';
import { type Span } from '../diagnostic.ts';
import { layout } from '../parser/layout.ts';
import {
	type Expression,
	type Item,
	type MeasureSyntax,
	type Statement,
	type Syntax,
} from '../parser/syntax.ts';
import {
	Clause,
	Comparison,
	End,
	Infix,
	lexer,
	NumberToken,
	operatorWord,
	Parameter,
	Pattern,
	Sizes,
	Text,
	UnclosedText,
	Version,
	RecipeName,
} from '../parser/tokens.ts';
import { openers } from '../parser/words.ts';

/** The tokens of a text, an `End` where each statement ends. */
export function tokensOf(text: string): readonly IToken[] {
	return layout(lexer.tokenize(text).tokens).tokens.filter(({ image }) => image !== '');
}

/** The tokens of the statement that is being written at the end of a text. */
export function unfinished(text: string): readonly IToken[] {
	const tokens = tokensOf(text);
	return tokens.slice(tokens.findLastIndex(({ tokenType }) => tokenType === End) + 1);
}

/** The token that an offset stands in or straight behind; the one behind the offset when it stands between two. */
export function tokenAt(text: string, offset: number): IToken | undefined {
	const around = tokensOf(text).filter(
		({ startOffset, image }) => startOffset <= offset && offset <= startOffset + image.length,
	);
	return around.at(-1);
}

export const kinds = [
	...(['keyword', 'type', 'function', 'parameter', 'property'] as const),
	...(['string', 'number', 'operator', 'comment', 'namespace'] as const),
] as const;
export type Kind = (typeof kinds)[number];
export type Coloured = { readonly span: Span; readonly kind: Kind };

/** What each word and sign is, in the order of the text. */
export function coloured({ text, statements, comments }: Syntax): readonly Coloured[] {
	const meant = new Map(statements.flatMap(wordsOf).map(({ span, kind }) => [span.start, kind]));
	const words = tokensOf(text).flatMap((token): Coloured[] => {
		const kind = meant.get(token.startOffset) ?? kindOf(token);
		const span = { start: token.startOffset, end: token.startOffset + token.image.length };
		return kind === undefined ? [] : [{ span, kind }];
	});
	const said = comments.map(({ span }): Coloured => ({ span, kind: 'comment' }));
	return [...words, ...said].toSorted((a, b) => a.span.start - b.span.start);
}

/** By the token alone. */
function kindOf(token: IToken): Kind | undefined {
	const { tokenType } = token;
	if (tokenMatcher(token, Clause)) return 'keyword';
	if (tokenType === Text || tokenType === UnclosedText) return 'string';
	if (tokenType === Parameter) return 'parameter';
	if ([NumberToken, Version, Sizes, Pattern].includes(tokenType)) return 'number';
	if (tokenType === RecipeName) return 'namespace';
	if (tokenType === operatorWord.not || tokenMatcher(token, Infix) || tokenMatcher(token, Comparison))
		return 'operator';
	return undefined;
}

/** Words that the syntax says more of than their letters do. */
function wordsOf(statement: Statement): Coloured[] {
	const { start } = statement.span;
	const first = openers.find((word) => statement.kind === word);
	const opens = first === undefined ? [] : as('keyword', { start, end: start + first.length });
	switch (statement.kind) {
		case 'transform':
			return [
				...as('keyword', statement.verb.span),
				...as('type', ...statement.targets.flatMap(({ words }) => words.map(({ span }) => span))),
				...statement.items.flatMap(wordsOfItem),
			];
		case 'param':
			return [...opens, ...as('parameter', statement.name.span)];
		case 'apply': {
			const named = statement.arguments.map(({ name }) => name.span);
			return [...opens, ...as('namespace', statement.name.span), ...as('parameter', ...named)];
		}
		case 'use':
			return [...opens, ...(statement.alias ? as('namespace', statement.alias.span) : [])];
		case 'expect':
			return [...opens, ...subjectOf(statement)];
		case 'require':
			return [...opens, ...subjectOf(statement), ...statement.measures.flatMap(subjectOf)];
		case 'calibrate':
		case 'evaluate':
			return [...opens, ...as('property', ...statement.settings.map(({ name }) => name.span))];
		case 'recipe':
		case 'input':
		case 'protect':
		case 'may':
			return opens;
	}
}

function as(kind: Kind, ...spans: readonly Span[]): Coloured[] {
	return spans.map((span) => ({ span, kind }));
}

function subjectOf({ subject }: Pick<MeasureSyntax, 'subject'>): Coloured[] {
	return as('property', ...subject.map(({ span }) => span));
}

function wordsOfItem(item: Item): Coloured[] {
	switch (item.kind) {
		case 'by':
		case 'only':
		case 'with':
		case 'without':
		case 'at':
			return item.word.param === undefined ? [{ span: item.word.span, kind: 'function' }] : [];
		case 'in':
		case 'except':
		case 'across':
		case 'after':
			return item.places.flatMap((place) =>
				place.kind === 'words' ? place.words.map(({ span }): Coloured => ({ span, kind: 'type' })) : [],
			);
		case 'where':
		case 'when':
			return fieldsIn(item.condition);
		case 'until':
		case 'while':
			return item.measures.flatMap(({ subject }) =>
				subject.map(({ span }): Coloured => ({ span, kind: 'property' })),
			);
		default:
			return [];
	}
}

function fieldsIn(expression: Expression): Coloured[] {
	switch (expression.kind) {
		case 'field':
			return [{ span: expression.span, kind: 'property' }];
		case 'prefix':
			return fieldsIn(expression.operand);
		case 'infix':
			return [...fieldsIn(expression.left), ...fieldsIn(expression.right)];
		case 'number':
		case 'text':
			return [];
	}
}
