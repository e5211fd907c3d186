/** Characters without a meaning, and what was probably meant by them. */
import { type Diagnostic } from '../diagnostic.ts';
import * as messages from '../messages/parse.ts';

const meant: Readonly<Record<string, string>> = {
	...{ '“': '`"` begins a string', '”': '`"` ends a string', "'": 'a string stands between `"` and `"`' },
	...{ '≥': '`>=` compares', '≠': '`!=` compares', '…': '`..` makes a range' },
	...{ '–': 'the minus sign is `-`', '—': 'the minus sign is `-`', '−': 'the minus sign is `-`' },
	...{ '!': '`not` negates', '&': '`and` joins conditions', '|': '`or` joins conditions' },
	...{ '×': '`*` multiplies', '·': '`*` multiplies', $: 'a parameter is `$` and its name, as `$floor`' },
	...{ '%': 'a number and its unit touch, as `25%`; there is no modulo, `0..12 step 2` takes every second' },
	...{ '.': 'a digit stands before the point, as `0.5`; a range has two points' },
	...{ '{': 'lists stand in `[ ]`', '}': 'lists stand in `[ ]`', '`': 'a string stands between `"` and `"`' },
	'≤': '`<=` compares',
};

/** One message for a run of characters that the lexer skipped. */
export function unknownCharacters(text: string, offset: number, length: number): Diagnostic {
	const found = text.slice(offset, offset + length);
	const [first = ''] = found;
	const span = { start: offset, end: offset + length };
	return messages.unknownCharacter({ found: shown(found), hint: meant[first] }, { span });
}

/** Characters that cannot be seen are named by their number. */
function shown(found: string): string {
	const [first = ''] = found;
	if (/^[\p{L}\p{N}\p{P}\p{S}]{1,20}$/u.test(found)) return found;
	if (/^[\p{L}\p{N}\p{P}\p{S}]$/u.test(first)) return first;
	return `U+${(first.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}
