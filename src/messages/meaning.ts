/** Messages about recipes that can be read but mean nothing. */
import { defineDiagnostic } from '../diagnostic.ts';
import { oneOf } from './nearest.ts';

const did = (near: string | undefined): string | undefined =>
	near === undefined ? undefined : `did you mean \`${near}\`?`;

export const unknownVerb = defineDiagnostic({
	code: 'check/unknown-verb',
	severity: 'error',
	explain: 'A statement begins with a verb that some technique brings. `prunec list techniques` prints them.',
	message: ({ verb }: { verb: string; near: string | undefined; verbs: readonly string[] }) =>
		`there is no verb \`${verb}\``,
	hint: ({ near, verbs }) => did(near) ?? `verbs are ${oneOf(verbs, 'and')}`,
});
export const unknownTarget = defineDiagnostic({
	code: 'check/unknown-target',
	severity: 'error',
	explain:
		'A target names the structure that loses units. Each verb has its own; `prunec list techniques` prints them.',
	message: ({
		verb,
		target,
	}: {
		verb: string;
		target: string;
		near: string | undefined;
		targets: readonly string[];
	}) => `\`${verb}\` has no target \`${target}\``,
	hint: ({ near, targets }) => did(near) ?? `its targets are ${oneOf(targets, 'and')}`,
});
export const noTarget = defineDiagnostic({
	code: 'check/no-target',
	severity: 'error',
	explain: 'A statement says which structures it is about.',
	message: ({ verb }: { verb: string; targets: readonly string[] }) => `\`${verb}\` needs a target`,
	hint: ({ targets }) => `targets are ${oneOf(targets, 'and')}`,
});
export const strayWord = defineDiagnostic({
	code: 'check/unexpected-word',
	severity: 'error',
	explain:
		'A word stands where a clause is expected. A forgotten `;` between two statements on one line looks like this.',
	message: ({ word }: { word: string; isVerb: boolean; near: string | undefined }) =>
		`\`${word}\` begins no clause`,
	hint: ({ word, isVerb, near }) =>
		isVerb ? `\`${word}\` begins a statement; end the one before it with \`;\`` : did(near),
});
export const unsupported = defineDiagnostic({
	code: 'check/unsupported-clause',
	severity: 'error',
	explain: 'Each technique takes the clauses and amounts that mean something for it.',
	message: ({ clause, technique }: { clause: string; technique: string; possible: readonly string[] }) =>
		`\`${technique}\` takes no \`${clause}\``,
	hint: ({ possible }) => (possible.length === 0 ? undefined : `it takes ${oneOf(possible, 'and')}`),
});
export const twice = defineDiagnostic({
	code: 'check/duplicate',
	severity: 'error',
	explain: 'A statement has one source of amount and each clause once.',
	message: ({ what }: { what: string }) => `${what} is given twice`,
});
export const noAmount = defineDiagnostic({
	code: 'check/missing-amount',
	severity: 'error',
	explain: 'The statement does not say how many units go, or which.',
	message: ({ technique }: { technique: string; example: string }) => `\`${technique}\` needs an amount`,
	hint: ({ example }) => `for example \`${example}\``,
});
export const unknownMetric = defineDiagnostic({
	code: 'check/unknown-metric',
	severity: 'error',
	explain: 'A metric ranks units. `prunec list metrics` prints them.',
	message: ({ metric }: { metric: string; near: string | undefined; metrics: readonly string[] }) =>
		`there is no metric \`${metric}\` here`,
	hint: ({ near, metrics }) => did(near) ?? `metrics here are ${oneOf(metrics, 'and')}`,
});
export const unknownField = defineDiagnostic({
	code: 'check/unknown-field',
	severity: 'error',
	explain:
		'A condition reads fields of a unit: importance, layer, index, size, or the metric that the statement ranks by.',
	message: ({ field }: { field: string; near: string | undefined; fields: readonly string[] }) =>
		`a unit has no \`${field}\``,
	hint: ({ near, fields }) => did(near) ?? `fields are ${oneOf(fields, 'and')}`,
});
export const notBoolean = defineDiagnostic({
	code: 'check/not-a-condition',
	severity: 'error',
	explain: 'After `where` stands a comparison, or comparisons joined by `and`, `or`, `not`.',
	message: ({ text }: { text: string }) => `\`${text}\` is no condition`,
	hint: () => 'compare it, as in `importance < 0.1`',
});
export const unknownPlace = defineDiagnostic({
	code: 'check/unknown-place',
	severity: 'error',
	explain:
		'A scope is `layers …`, `encoder`, `decoder`, `encoder layers …`, `cross attention`, or a glob in quotes.',
	message: ({ place }: { place: string; near: string | undefined }) => `there is no scope \`${place}\``,
	hint: ({ near }) => did(near) ?? 'for example `in layers 6..12`',
});
export const outOfRange = defineDiagnostic({
	code: 'check/out-of-range',
	severity: 'error',
	explain:
		'The number is outside what it can mean: shares are from 0% to 100%, counts and ranks whole and positive.',
	message: ({ what, text, allowed }: { what: string; text: string; allowed: string }) =>
		`${what} ${text} is not ${allowed}`,
});
export const emptyRange = defineDiagnostic({
	code: 'check/empty-range',
	severity: 'error',
	explain:
		'Ranges count from 0 and are half-open: `6..12` is 6 to 11, so a range that does not rise selects nothing.',
	message: ({ text }: { text: string }) => `\`${text}\` selects nothing`,
	hint: () => '`6..12` is 6 to 11; `6..=6` is 6 alone',
});
export const unknownParam = defineDiagnostic({
	code: 'check/unknown-parameter',
	severity: 'error',
	explain: 'A `$name` must be declared by `param name = value`, and `-p` can set only what is declared.',
	message: ({ name }: { name: string; near: string | undefined }) => `there is no parameter \`${name}\``,
	hint: ({ name, near }) => did(near) ?? `declare it: \`param ${name} = 0.1\``,
});
export const unusedParam = defineDiagnostic({
	code: 'check/unused-parameter',
	severity: 'warning',
	explain: 'The parameter is declared and no statement reads it.',
	message: ({ name }: { name: string }) => `parameter \`${name}\` is never used`,
});
export const unknownSubject = defineDiagnostic({
	code: 'check/unknown-expectation',
	severity: 'error',
	explain: 'An expectation is about cosine, kl, top1 agreement, params, macs, size or outputs.',
	message: ({ subject }: { subject: string; near: string | undefined }) => `nothing measures \`${subject}\``,
	hint: ({ near }) => did(near),
});
