/** What the checker says of numbers: units, limits, positions, parameters. */
import { defineDiagnostic } from '../diagnostic.ts';
import { type Found, respelt, spelling } from './spelling.ts';

export const emptyRange = defineDiagnostic({
	code: 'check/empty-range',
	severity: 'error',
	explain:
		'Ranges count from 0 and end before their last number: `6..12` is 6 to 11, `6..=11` includes its end.',
	message: ({ found }: { found: string; instead: string | undefined }) => `\`${found}\` selects nothing`,
	hint: ({ instead }) => instead && `\`${instead}\` selects something`,
	fix: ({ instead }) => instead,
});

export const shareAsPosition = defineDiagnostic({
	code: 'check/share-as-position',
	severity: 'error',
	explain: 'A share can begin or end a range; alone it is no position.',
	message: ({ found }: { found: string }) => `\`${found}\` is no position`,
	hint: ({ found }) => `\`${found}..\` begins there`,
	fix: ({ found }) => `${found}..`,
});

export const overHundred = defineDiagnostic({
	code: 'check/over-hundred',
	severity: 'error',
	explain: 'A share of something is from 0 % to 100 %.',
	message: ({ found }: { found: string }) => `\`${found}\` is not between 0% and 100%`,
});

export const notWhole = defineDiagnostic({
	code: 'check/not-whole',
	severity: 'error',
	explain: 'Counts, positions and ranks are whole numbers; shares are written with %.',
	message: ({ found, what }: { found: string; what: string; instead: string | undefined }) =>
		`${what} is a whole number, not \`${found}\``,
	hint: ({ instead }) => instead && `\`${instead}\` is a share`,
	fix: ({ instead }) => instead,
});

export const tooSmall = defineDiagnostic({
	code: 'check/too-small',
	severity: 'error',
	explain: 'The number is below the smallest that means something.',
	message: ({ found, what, least }: { found: string; what: string; least: number }) =>
		`${what} is at least ${least}, not \`${found}\``,
});

export const wrongUnit = defineDiagnostic({
	code: 'check/wrong-unit',
	severity: 'error',
	explain: 'The unit does not fit what is counted. Shares are in %, sizes in bytes as 40MB, times in ms.',
	message: ({ found, what }: { found: string; what: string; example: string }) =>
		`\`${found}\` is not ${what}`,
	hint: ({ example }) => `\`${example}\` is`,
});

export const unknownParam = defineDiagnostic({
	code: 'check/unknown-param',
	severity: 'error',
	explain:
		'A parameter is declared by `param name = value` before or behind its use, and set with -p name=value.',
	message: ({ found }: Found) => `there is no parameter \`${found}\``,
	hint: (found) => spelling(found) ?? `\`param ${found.found} = 0.1\` declares it`,
	fix: (found) => {
		const near = respelt(found);
		return near === undefined ? undefined : `$${near}`;
	},
});
