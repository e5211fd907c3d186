/** Numbers with their units, and strings with their escapes. */
import { type CstNode, type IToken } from 'chevrotain';
import { type Diagnostic, present } from '../diagnostic.ts';
import * as messages from '../messages/parse.ts';
import { leaf, node, spanOf, tokenSpan } from './cst.ts';
import { type NumberSyntax, type TextSyntax, type Unit } from './syntax.ts';
import { Text, UnclosedText } from './tokens.ts';

/** What each unit multiplies a number by. */
export const units: Readonly<Record<Unit, number>> = {
	'': 1,
	'%': 0.01,
	x: 1,
	ms: 1,
	kB: 1e3,
	MB: 1e6,
	GB: 1e9,
	KiB: 2 ** 10,
	MiB: 2 ** 20,
	GiB: 2 ** 30,
	K: 1e3,
	M: 1e6,
	G: 1e9,
};

/** A share is divided, not multiplied: 29 % is the number 0.29. */
export function inUnit(value: number, unit: Unit): number {
	return unit === '%' ? Number((value / 100).toPrecision(15)) : value * units[unit];
}

/** A number and its unit, which touch. */
function measured(image: string): { value: number; unit: string } {
	const match = /^(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(.*)$/.exec(image);
	return { value: Number(match?.[1]), unit: match?.[2] ?? '' };
}

export function isUnit(text: string): text is Unit {
	return Object.hasOwn(units, text);
}

/** Reads `number` and `bound` nodes, the sign of a bound included. */
export function readNumber(from: CstNode, problems: Diagnostic[]): NumberSyntax {
	const span = spanOf(from);
	const negative = leaf(from, 'Minus') !== undefined;
	const inner = node(from, 'number') ?? from;
	const parameter = leaf(inner, 'Parameter');
	if (parameter !== undefined) return { kind: 'param', name: parameter.image.slice(1), negative, span };
	const token = present(leaf(inner, 'Number'), 'the token of a number');
	const { value, unit } = measured(token.image);
	if (!isUnit(unit)) {
		problems.push(
			messages.unknownUnit(
				{ number: token.image.slice(0, -unit.length), unit, units: Object.keys(units).filter(Boolean) },
				{ span: tokenSpan(token) },
			),
		);
	}
	if (value > Number.MAX_SAFE_INTEGER) {
		problems.push(messages.numberTooLarge({ found: token.image }, { span: tokenSpan(token) }));
	}
	return {
		kind: 'number',
		value: negative ? -value : value,
		unit: isUnit(unit) ? unit : '',
		text: (negative ? '-' : '') + token.image,
		span,
		...(!isUnit(unit) && { misread: true }),
	};
}

const escape = /\\(u\{([0-9A-Fa-f]{1,6})\}|[^])/gu;

/** The value of a string token; one that is not closed ends with its line. */
export function readText(token: IToken): TextSyntax {
	const value = bodyOf(token).replace(escape, (whole, letter: string, hex: string | undefined) => {
		return unescaped(letter, hex) ?? whole;
	});
	return { value, span: tokenSpan(token) };
}

/** A `text` node: a string, or the parameter that stands in its place. */
export function readTextNode(from: CstNode): TextSyntax {
	const parameter = leaf(from, 'Parameter');
	if (parameter !== undefined)
		return { value: '', span: tokenSpan(parameter), param: parameter.image.slice(1) };
	return readText(present(leaf(from, 'String'), 'the string of a text'));
}

/** What is wrong with a string token. */
export function textProblems(token: IToken): Diagnostic[] {
	const span = tokenSpan(token);
	if (token.tokenType === UnclosedText)
		return [messages.unclosedString({ text: `${token.image.trimEnd()}"` }, { span })];
	return [...bodyOf(token).matchAll(escape)].flatMap(({ 0: found, 1: letter = '', 2: hex, index }) => {
		if (unescaped(letter, hex) !== undefined) return [];
		const start = span.start + 1 + index;
		return [messages.unknownEscape({ found }, { span: { start, end: start + found.length } })];
	});
}

function bodyOf(token: IToken): string {
	return token.image.slice(1, token.tokenType === UnclosedText ? undefined : -1);
}

function unescaped(letter: string, hex: string | undefined): string | undefined {
	return hex === undefined ? escapes[letter] : codePoint(hex);
}

function codePoint(hex: string): string | undefined {
	const code = Number.parseInt(hex, 16);
	return code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? undefined : String.fromCodePoint(code);
}

export function isText(token: IToken): boolean {
	return token.tokenType === Text || token.tokenType === UnclosedText;
}

/** What stands behind a backslash in a string, and what it means. */
const escapes: Readonly<Record<string, string>> = { '"': '"', '\\': '\\', n: '\n', t: '\t', r: '\r' };

/** A string as it is written, the inverse of reading. */
export function quote(value: string): string {
	const named = new Map(Object.entries(escapes).map(([letter, meant]) => [meant, `\\${letter}`]));

	const body = value.replace(/["\\\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (found) => {
		return named.get(found) ?? `\\u{${(found.codePointAt(0) ?? 0).toString(16)}}`;
	});
	return `"${body}"`;
}
