/** The TextMate grammar, for editors that colour by it: made from the token table, so that it cannot say anything else. */
import { type TokenType } from 'chevrotain';
import * as t from '../src/parser/tokens.ts';
import { clauseWords, openers, operatorWords } from '../src/parser/words.ts';

type Pattern =
	| { readonly name: string; readonly match: string }
	| { readonly match: string; readonly captures: Readonly<Record<string, { readonly name: string }>> };

/** The pattern of a token as it stands in the lexer. */
function source({ PATTERN, name }: TokenType): string {
	if (PATTERN instanceof RegExp) return PATTERN.source;
	if (typeof PATTERN === 'string') return PATTERN.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
	throw new Error(`the token ${name} has no pattern of its own`);
}

const plain = (name: string, match: string): Pattern => ({ name: `${name}.prune`, match });
const captured = (match: string, ...names: readonly string[]): Pattern => ({
	match,
	captures: Object.fromEntries(names.map((name, at) => [String(at + 1), { name: `${name}.prune` }])),
});
const anyOf = (words: readonly string[]): string => `\\b(?:${words.join('|')})\\b`;

const name = source(t.Name);
/** Signs that can be no statement's second word: a line that goes on a condition begins with a field, not a verb. */
const signs = '[<>=!+*/,)\\]-]|\\.\\.|matches\\b';

/** In the order in which they are tried at one place, as in the lexer. */
const patterns: readonly Pattern[] = [
	plain('comment.line.documentation', '##[^\\r\\n]*'),
	plain('comment.line.number-sign', source(t.Comment)),
	plain('string.quoted.double', source(t.Text)),
	plain('invalid.illegal.unclosed', source(t.UnclosedText)),
	plain('variable.parameter', source(t.Parameter)),
	plain('constant.numeric.version', source(t.Version)),
	plain('constant.numeric.sizes', source(t.Sizes)),
	plain('constant.numeric.pattern', source(t.Pattern)),
	plain('constant.numeric', source(t.NumberToken)),
	captured(`(?:^|(?<=;))\\s*(recipe)\\s+(${name}(?:-\\w+)*)`, 'keyword.control', 'entity.name.section'),
	captured(`(?:^|(?<=;))\\s*(param)\\s+(${name})`, 'keyword.control', 'variable.parameter'),
	captured(`(?:^|(?<=;))\\s*(${openers.join('|')}|may)\\b`, 'keyword.control'),
	captured(
		`\\b(by|only|with|without|at)\\s+(?!from\\b)(${name})`,
		'keyword.operator.word',
		'support.function',
	),
	plain('keyword.operator.logical', anyOf(operatorWords)),
	plain('keyword.operator.word', anyOf(clauseWords)),
	captured(`(?:^|(?<=;))\\s*(${name})(?!\\w|\\s*(?:${signs}))`, 'keyword.control'),
	plain('entity.name.type', name),
	plain('keyword.operator.range', `${source(t.DotsEqual)}|${source(t.Dots)}`),
	plain('keyword.operator.comparison', '<=|>=|==|!=|<|>'),
	plain('keyword.operator.assignment', source(t.Equal)),
	plain('keyword.operator.arithmetic', '[-+*/]'),
	plain('punctuation.separator', '[,;]'),
	plain('punctuation.section.brackets', '[\\[\\]()]'),
];

export function textmate(): string {
	const grammar = {
		$schema: 'https://raw.githubusercontent.com/martinring/tmlanguage/master/tmlanguage.json',
		information_for_contributors: 'Made by `npm run docs` from the token table (src/parser/tokens.ts).',
		name: 'Pruning recipe',
		scopeName: 'source.prune',
		fileTypes: ['prune'],
		patterns,
	};
	return `${JSON.stringify(grammar, undefined, '\t')}\n`;
}
