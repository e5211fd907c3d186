/** What was probably meant by a word or sign that stands where nothing like it can. */
import { type IToken, tokenMatcher } from 'chevrotain';
import { nearest } from '../messages/nearest.ts';
import {
	Clause,
	Comma,
	Comparison,
	GroupOpen,
	Infix,
	Minus,
	NumberToken,
	Parameter,
	Text,
	UnclosedText,
	Word,
} from './tokens.ts';
import { isUnit } from './values.ts';

/** A token that does not belong, the one before it, and the first of its statement. */
export type Odd = { readonly token: IToken; readonly before?: IToken; readonly first?: IToken };

function isNumber({ tokenType }: IToken): boolean {
	return tokenType === NumberToken || tokenType === Parameter;
}

function isText(token: IToken): boolean {
	return token.tokenType === Text || token.tokenType === UnclosedText;
}

/** What can follow in a statement that is complete already, by its first word. */
const followers: Readonly<Record<string, readonly string[]>> = {
	...{ param: ['from'], use: ['as'], require: ['with'], calibrate: ['take'], evaluate: ['take'] },
};

/** The word that was probably meant behind a statement that is complete. */
export function meantBehind({ token, first }: Odd): string | undefined {
	const near = nearest(token.image, ['', ...(followers[first?.image ?? ''] ?? [])]);
	return tokenMatcher(token, Word) && near !== '' ? near : undefined;
}

/** Behind a statement that is complete, on its line. */
export function hintBehind(odd: Odd): string | undefined {
	const { token, before, first } = odd;
	const [opener, word, near] = [first?.image ?? '', token.image, meantBehind(odd)];
	if (near !== undefined) return `\`${near}\` is the nearest spelling`;
	if (isText(token)) return 'several strings are separated by commas';
	if (opener === 'input') return 'sizes are one word, as `input input_ids 1x128`';
	if (before?.tokenType === NumberToken && isUnit(word)) return touching(before, token);
	if (opener === 'recipe' && before !== undefined && tokenMatcher(token, Word))
		return `the words of a name are joined by hyphens: \`${before.image}-${word}\``;
	if (['expect', 'require'].includes(opener)) {
		if (isNumber(token)) return `a comparison stands before the number, as \`>= ${word}\``;
		if (token.tokenType === Comma || word === 'and')
			return `each ${opener === 'expect' ? 'promise' : 'requirement'} is a statement: end this one, and begin another with \`${opener}\``;
	}
	return tokenMatcher(token, Word) ? 'a statement ends with `;` or a line break' : undefined;
}

/** `10MB` for `10 MB`. */
function touching(number: IToken, unit: IToken): string {
	return `a number and its unit touch, as \`${number.image}${unit.image}\``;
}

/** Inside a transform, where neither an amount nor a clause begins. */
export function hintInside(odd: Odd): string | undefined {
	const { token, before } = odd;
	const counted = before !== undefined && isNumber(before) ? before.image : undefined;
	if (isText(token)) return 'a glob stands behind `in` or `except`';
	if (tokenMatcher(token, Comparison)) return 'a condition stands behind `where`';
	if (token.tokenType === GroupOpen)
		return 'verb, target and amount stand without brackets, as `prune heads 25%`; a list has `[` and `]`';
	if (token.image === '=') return 'no `=` is needed, as in `prune heads 25%` and `rank 64`';
	if (token.image === '/' && counted !== undefined)
		return 'a share is written with %, a comment begins with `#`';
	if (token.image === 'to' && counted !== undefined) return `a range has two points, as \`${counted}..12\``;
	if (token.image === 'and' || token.tokenType === Comma) return hintAtJoint(odd);
	if (tokenMatcher(token, Infix)) return 'a condition stands behind `where`';
	if (tokenMatcher(token, Clause)) {
		return 'behind its amount a statement has clauses, as `in layers 6..` or `by l2`';
	}
	return undefined;
}

/** At a comma or an `and` that joins nothing. */
function hintAtJoint({ before }: Odd): string {
	if (before !== undefined && isNumber(before))
		return `a list stands in brackets, as \`[${before.image}, 4]\`; another statement behind \`;\``;
	return 'commas separate targets, places and the items of a list';
}

/** Where something else was needed: by the grammar's rule and the word before. */
export function hintInstead(rule: string, { token, before }: Odd): string | undefined {
	const [word, found] = [before?.image ?? '', token.image];
	if (rule === 'place') {
		if (word === ',' && token.tokenType === NumberToken)
			return 'several ranges of layers stand in brackets: `layers [0..3, 5..7]`';
		if (found === '[') return '`layers [0, 5]` names layers';
		if (token.tokenType === NumberToken) return `\`${word} layer ${found}\` names a layer`;
	}
	if (rule === 'number' && found === '=') return `no \`=\` is needed, as in \`${word} 64\``;
	if (token.tokenType === Minus && before?.tokenType === Minus) return 'a comment begins with `#`';
	return undefined;
}

/** Where a statement must begin. */
export function hintAtStart(token: IToken): string | undefined {
	if (tokenMatcher(token, Clause))
		return 'a clause stands behind the verb, its targets and its amount: `prune heads 25% in layers 6..`';
	if (token.image === '/') return 'a comment begins with `#`';
	if (tokenMatcher(token, Infix)) return `end the line before it with \`${token.image}\``;
	return 'a statement begins with a verb, as `prune heads 25%`';
}
