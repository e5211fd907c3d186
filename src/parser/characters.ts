/** Characters without a meaning, and what was probably meant by them. */
import { type Diagnostic } from '../diagnostic.ts';
import * as messages from '../messages/parse.ts';

/** A run of characters that the lexer skipped. */
type Run = { readonly offset: number; readonly length: number };

/** What stands for it in the language, and what that does. */
type Meant = { readonly fix?: string; readonly hint: string };

const instead = (fix: string, does: string): Meant => ({ fix, hint: `\`${fix}\` ${does}` });
const minus = instead('-', 'is the minus sign');
const compares = (sign: string): Meant => instead(sign, 'compares');
const lists: Meant = { hint: 'lists stand in `[ ]`' };
const quoted: Meant = { hint: 'a string stands between `"` and `"`' };

const meant: Readonly<Record<string, Meant>> = {
	...{ '“': { hint: '`"` begins a string' }, '”': { hint: '`"` ends a string' } },
	...{ "'": quoted, '`': quoted, '‘': quoted, '’': quoted, '{': lists, '}': lists },
	...{ '≥': compares('>='), '≤': compares('<='), '≠': compares('!='), '…': instead('..', 'makes a range') },
	...{ '–': minus, '—': minus, '−': minus, '×': instead('*', 'multiplies'), '·': instead('*', 'multiplies') },
	...{ '!': instead('not', 'negates'), '&': instead('and', 'joins conditions') },
	...{ '|': instead('or', 'joins conditions'), $: { hint: 'a parameter is `$` and its name, as `$floor`' } },
	':': { hint: 'a colon stands in `2:4` alone; `=` gives a parameter its value' },
	'%': {
		hint: 'a number and its unit touch, as `25%`; there is no modulo, `0..12 step 2` takes every second',
	},
	'.': { hint: 'a digit stands before the point, as `0.5`; a range has two points' },
};

const strings: readonly (readonly [open: string, close: string])[] = [
	["'", "'"],
	['`', '`'],
	['“', '”'],
	['”', '”'],
	['„', '“'],
	['‘', '’'],
	['«', '»'],
];

/** A message for each run; a string in other quotes is one. */
export function unknownCharacters(text: string, runs: readonly Run[]): Diagnostic[] {
	const problems: Diagnostic[] = [];
	let end = 0;
	for (const run of runs) {
		if (run.offset < end) continue;
		const string = otherQuotes(text, run.offset);
		end = string?.span?.end ?? run.offset + run.length;
		problems.push(string ?? unknownRun(text, run));
	}
	return problems;
}

function otherQuotes(text: string, offset: number): Diagnostic | undefined {
	const [, close] = strings.find(([open]) => open === text[offset]) ?? [];
	if (close === undefined) return undefined;
	const [body = ''] = /^[^\r\n"#]*/.exec(text.slice(offset + 1)) ?? [];
	const length = body.indexOf(close);
	if (length < 0) return undefined;
	const span = { start: offset, end: offset + length + 2 };
	const fix = `"${body.slice(0, length)}"`;
	return messages.unknownCharacter(
		{ found: text.charAt(offset), hint: `\`${fix}\` is a string`, fix },
		{ span },
	);
}

function unknownRun(text: string, { offset, length }: Run): Diagnostic {
	const found = text.slice(offset, offset + length);
	const span = { start: offset, end: offset + length };
	const word = found === '.' && /[A-Za-z_]\w*$/.test(text.slice(0, offset));
	if (word) {
		const hint = 'the name of a file or a node stands in quotes, as `"encoder.*"`';
		return messages.unknownCharacter({ found, hint }, { span });
	}
	const { fix, hint } = meant[[...new Set(found)].join('')] ?? { hint: meant[found.charAt(0)]?.hint };
	return messages.unknownCharacter({ found: shown(found), hint, fix }, { span });
}

/** Characters that cannot be seen are named by their number. */
function shown(found: string): string {
	const [first = ''] = found;
	if (/^[\p{L}\p{N}\p{P}\p{S}]{1,20}$/u.test(found)) return found;
	if (/^[\p{L}\p{N}\p{P}\p{S}]$/u.test(first)) return first;
	return `U+${(first.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}
