/** What the checker says of statements that do not agree with each other. */
import { defineDiagnostic } from '../diagnostic.ts';

export const removesNothing = defineDiagnostic({
	code: 'check/removes-nothing',
	severity: 'warning',
	explain: 'The amount is none: the statement changes nothing, whatever the model.',
	message: ({ found }: { found: string }) => `this \`${found}\` removes nothing`,
	hint: () => 'ask for more, or leave the statement out',
});
export const protectedPlace = defineDiagnostic({
	code: 'check/protected',
	severity: 'error',
	explain:
		'`protect` keeps what its globs name from every statement, so a statement about exactly these does nothing.',
	message: ({ glob }: { glob: string }) => `the recipe protects \`"${glob}"\``,
	hint: () => 'protect less, or look elsewhere',
});
export const leftOut = defineDiagnostic({
	code: 'check/left-out',
	severity: 'error',
	explain: '`except` takes places away from those of `in`. The same place in both leaves nothing.',
	message: () => 'the same place stands behind `except`',
	hint: () => 'leave one of them out',
});
export const namesRemoved = defineDiagnostic({
	code: 'check/names-removed',
	severity: 'error',
	explain:
		'Numbers refer to the model as it was given, throughout the recipe. A layer that an earlier statement removes cannot be named again; a range may run over it.',
	message: ({ layer, line }: { layer: number; line: number }) =>
		`layer ${layer} is removed already, in line ${line}`,
	hint: () => 'leave it out, or move the statement up',
});
export const contradiction = defineDiagnostic({
	code: 'check/contradiction',
	severity: 'error',
	explain: 'Two promises on the same measure exclude each other, so no result keeps both.',
	message: ({ first }: { first: string }) => `this cannot hold together with \`${first}\``,
	hint: () => 'leave one of them out',
});
export const goalWithoutData = defineDiagnostic({
	code: 'check/goal-without-data',
	severity: 'error',
	explain:
		'Quality is measured on inputs. A quality that must be kept while units go needs `calibrate`, `evaluate`, or --data.',
	message: ({ subject }: { subject: string }) => `there is no data to measure ${subject} on`,
	hint: () => '`calibrate with "calib.jsonl"` gives some',
});
export const needsLabels = defineDiagnostic({
	code: 'check/needs-labels',
	severity: 'error',
	explain: 'Accuracy is measured on labelled data, which `evaluate` names.',
	message: ({ subject }: { subject: string }) => `there are no labels to measure ${subject} on`,
	hint: () => '`evaluate with "dev.jsonl" metric accuracy` gives some',
});
export const shadowedName = defineDiagnostic({
	code: 'check/shadowed-name',
	severity: 'warning',
	explain:
		'Conditions read fields and metrics by bare names and parameters with `$`. A parameter of the same name is easily taken for the field.',
	message: ({ found }: { found: string }) => `\`$${found}\` has the name of a field`,
	hint: ({ found }) => `\`min_${found}\` is another name`,
});
export const betterBefore = defineDiagnostic({
	code: 'check/order',
	severity: 'note',
	explain:
		'Statements run in the order in which they are written, and each sees what the ones before it left. Some orders lose quality, or work, that another keeps: what is exact first, then layers, then heads, neurons and channels, then tokens and exits, then low rank, and at the end what only packs.',
	message: ({ later, earlier }: { later: string; earlier: string; why: string }) =>
		`\`${later}\` loses less before \`${earlier}\``,
	hint: ({ why }) => why,
});
