/** Messages about text that cannot be read. */
import { defineDiagnostic } from '../diagnostic.ts';

type Hinted = { readonly hint?: string | undefined };

export const expected = defineDiagnostic({
	code: 'parse/expected',
	severity: 'error',
	explain:
		'The part of the statement that was begun needs something else at the marked place. Clause words (`in`, `where`, `keep`, `rank` and the others of grammar/README.md) are reserved and name nothing.',
	message: ({ wanted, found }: { wanted: string; found: string } & Hinted) =>
		`expected ${wanted}, found ${found}`,
	hint: ({ hint }) => hint,
});
export const unexpected = defineDiagnostic({
	code: 'parse/unexpected',
	severity: 'error',
	explain:
		'A transform is a verb, targets, an amount and clauses; other statements have the shapes of grammar/README.md. The marked word belongs to none of these.',
	message: ({ found }: { found: string; fix?: string | undefined } & Hinted) =>
		`${found} does not belong here`,
	hint: ({ hint }) => hint,
	fix: ({ fix }) => fix,
});
export const notAStatement = defineDiagnostic({
	code: 'parse/not-a-statement',
	severity: 'error',
	explain:
		'A statement begins with a verb, as `prune`, or with `recipe`, `param`, `input`, `protect`, `calibrate` or `expect`.',
	message: ({ found }: { found: string } & Hinted) => `${found} begins no statement`,
	hint: ({ hint }) => hint,
});
export const unknownCharacter = defineDiagnostic({
	code: 'parse/unknown-character',
	severity: 'error',
	explain:
		'The language is spelled with letters, digits, strings in double quotes, the signs and brackets of its grammar, and comments that begin with `#`. Anything else belongs inside a string. Typographic quotes, dashes and signs such as ≥ come from word processors: `"`, `-` and `>=` are meant.',
	message: ({ found }: { found: string; fix?: string | undefined } & Hinted) =>
		`\`${found}\` is no part of the language`,
	hint: ({ hint }) => hint,
	fix: ({ fix }) => fix,
});
export const unclosedString = defineDiagnostic({
	code: 'parse/unclosed-string',
	severity: 'error',
	explain: 'A string begins and ends with a double quote on one line. Inside it a quote is written `\\"`.',
	message: () => 'the string is not closed on its line',
	hint: ({ text }: { text: string }) => (text.length > 60 ? 'add `"` at its end' : `\`${text}\``),
	fix: ({ text }) => text,
});
export const unknownEscape = defineDiagnostic({
	code: 'parse/unknown-escape',
	severity: 'error',
	explain:
		'Inside a string `\\"`, `\\\\`, `\\n`, `\\t`, `\\r` and `\\u{1f600}` stand for characters; a lone backslash is written twice.',
	message: ({ found }: { found: string }) => `\`${found}\` stands for no character`,
	hint: () => 'a backslash itself is written `\\\\`; paths may use `/`',
});
export const unclosedBracket = defineDiagnostic({
	code: 'parse/unclosed-bracket',
	severity: 'error',
	explain:
		'An open bracket lets a statement run over several lines. One that is never closed is reported where it stands, and its statement is taken to end with its line.',
	message: ({ open }: { open: string; close: string }) => `\`${open}\` is never closed`,
	hint: ({ close }) => `add \`${close}\``,
});
export const unopenedBracket = defineDiagnostic({
	code: 'parse/unopened-bracket',
	severity: 'error',
	explain: 'A closing bracket stands where none is open.',
	message: ({ found }: { found: string }) => `\`${found}\` closes nothing`,
	hint: ({ found }) => `remove \`${found}\``,
	fix: () => '',
});
export const mismatchedBracket = defineDiagnostic({
	code: 'parse/mismatched-bracket',
	severity: 'error',
	explain: 'Lists stand in `[` and `]`, conditions in `(` and `)`; a bracket is closed by its own kind.',
	message: ({ open, found }: { open: string; close: string; found: string }) =>
		`\`${open}\` is closed by \`${found}\``,
	hint: ({ close }) => `write \`${close}\``,
	fix: ({ close }) => close,
});
type UnknownUnit = { readonly number: string; readonly unit: string; readonly units: readonly string[] };

/** The number with the unit that was probably meant: in other letters, or written out. */
function meantUnit({ number, unit, units }: UnknownUnit): string | undefined {
	const lower = unit.toLowerCase();
	if (/^(percent|pct|pp|points?)$/.test(lower)) return `${number}%`;
	if (/^s(ec|econds?)?$/.test(lower)) return `${Number((Number(number) * 1000).toPrecision(12))}ms`;
	const same = units.find((one) => one.toLowerCase() === lower);
	return same && number + same;
}

export const unknownUnit = defineDiagnostic({
	code: 'parse/unknown-unit',
	severity: 'error',
	explain:
		'A number and its unit touch and are one word: `25%`, `1.5x`, `12ms`, `40MB` (10⁶ bytes), `40MiB` (2²⁰ bytes), `1.2M` and `3.4G` (counts of parameters or multiply–adds).',
	message: ({ unit }: UnknownUnit) => `there is no unit \`${unit}\``,
	hint: (found) => {
		const meant = meantUnit(found);
		if (meant !== undefined) return `did you mean \`${meant}\`?`;
		return `units are ${found.units.map((one) => `\`${one}\``).join(' ')}`;
	},
	fix: meantUnit,
});
export const numberTooLarge = defineDiagnostic({
	code: 'parse/number-too-large',
	severity: 'error',
	explain: 'Numbers in a recipe go up to 2⁵³ − 1, the largest up to which every whole number is exact.',
	message: ({ found }: { found: string }) => `the number ${found.slice(0, 24)} is too large`,
	hint: () => `the largest is ${Number.MAX_SAFE_INTEGER}`,
});
export const singleEquals = defineDiagnostic({
	code: 'parse/single-equals',
	severity: 'error',
	explain: '`=` gives a parameter its value; `==` compares.',
	message: () => '`=` does not compare',
	hint: () => 'write `==`',
	fix: () => '==',
});
export const conditionExpected = defineDiagnostic({
	code: 'parse/condition-expected',
	severity: 'error',
	explain:
		'A condition is true or false: a comparison, `name matches "…"`, or several of them joined by `and`, `or` and `not`.',
	message: ({ found }: { found: string; example: string; fix?: string | undefined }) =>
		`expected a condition, found ${found}`,
	hint: ({ example, fix }) =>
		fix === undefined ? `a condition compares, as \`${example}\`` : `\`${fix}\` is the nearest spelling`,
	fix: ({ fix }) => fix,
});
export const termExpected = defineDiagnostic({
	code: 'parse/term-expected',
	severity: 'error',
	explain:
		'Both sides of a comparison and of arithmetic are numbers: a number, a parameter, a field of the unit, or arithmetic on these.',
	message: ({ found }: { found: string; chained: boolean }) => `expected a number or a field, found ${found}`,
	hint: ({ chained }) =>
		chained ? 'comparisons do not chain: `0.1 < importance and importance < 0.5`' : undefined,
});
export const globExpected = defineDiagnostic({
	code: 'parse/glob-expected',
	severity: 'error',
	explain: '`matches` compares the name of a unit with a glob in quotes, and nothing else.',
	message: () => '`matches` stands between `name` and a glob',
	hint: () => '`name matches "*.attention.*"`',
});
export const longCondition = defineDiagnostic({
	code: 'parse/long-condition',
	severity: 'error',
	explain:
		'The number of signs in one condition is limited, so that every recipe is read in bounded time and memory.',
	message: ({ limit }: { limit: number }) => `the condition has more than ${limit} operators`,
	hint: () => 'write several statements',
});
export const tooDeep = defineDiagnostic({
	code: 'parse/too-deep',
	severity: 'error',
	explain: 'The depth of brackets is limited, so that every recipe is read in bounded time and memory.',
	message: ({ limit }: { limit: number }) => `more than ${limit} brackets are open at once`,
});
export const tooLong = defineDiagnostic({
	code: 'parse/too-long',
	severity: 'error',
	explain: 'The size of a recipe is limited. A longer file is almost surely no recipe.',
	message: ({ bytes, limit }: { bytes: number; limit: number }) =>
		`the recipe has ${bytes} bytes; at most ${limit} are read`,
});
export const tooManyStatements = defineDiagnostic({
	code: 'parse/too-many-statements',
	severity: 'error',
	explain: 'The number of statements is limited. A list or a range says in one statement what many say.',
	message: ({ count, limit }: { count: number; limit: number }) =>
		`the recipe has ${count} statements; at most ${limit} are read`,
});
export const tooManyMistakes = defineDiagnostic({
	code: 'parse/too-many-mistakes',
	severity: 'error',
	explain:
		'Only the first mistakes of a file are listed when there are very many. Such a file is usually no recipe.',
	message: ({ more }: { more: number }) => `${more} more mistakes are not listed`,
});
