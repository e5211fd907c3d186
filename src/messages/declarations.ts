/** What the checker says of statements that transform nothing, and of recipes in JSON. */
import { defineDiagnostic } from '../diagnostic.ts';
import { type Found, respelt, spelling, spellingOrList } from './spelling.ts';

export const duplicateParam = defineDiagnostic({
	code: 'check/duplicate-param',
	severity: 'error',
	explain: 'A parameter is declared once.',
	message: ({ found, line }: { found: string; line: number }) =>
		`\`${found}\` is declared already, in line ${line}`,
});

export const paramOutOfRange = defineDiagnostic({
	code: 'check/param-out-of-range',
	severity: 'error',
	explain: 'The value of a parameter, its default or the one set with -p, lies within `from … to …`.',
	message: ({ name, value, from, to }: { name: string; value: number; from: number; to: number }) =>
		`\`${name}\` is ${value}, which is not from ${from} to ${to}`,
});

export const paramNotNumber = defineDiagnostic({
	code: 'check/param-not-number',
	severity: 'error',
	explain:
		'The default of a parameter is a number, a string, a word, a range or a list, never another parameter; its limits are numbers.',
	message: ({ found }: { found: string }) => `\`${found}\` cannot define a parameter`,
	hint: () => 'a number does, as `param floor = 0.1`',
});

export const limitsOfNumbers = defineDiagnostic({
	code: 'check/param-limits',
	severity: 'error',
	explain: '`from … to …` are the limits of a parameter that holds a number; other values have none.',
	message: ({ name, kind }: { name: string; kind: string }) => `\`${name}\` is ${kind}, which has no limits`,
	hint: () => 'leave `from … to …` out',
});

export const paramKind = defineDiagnostic({
	code: 'check/param-kind',
	severity: 'error',
	explain:
		'What -p sets is of the kind that the default has: a number, a string, a word, or a range or a list.',
	message: ({ name, given, kind }: { name: string; given: string; kind: string; example: string }) =>
		`\`${name}\` is ${kind}, and \`${given}\` is none`,
	hint: ({ name, example }) => `\`-p ${name}=${example.replaceAll('"', '')}\` sets one`,
});

export const paramMisplaced = defineDiagnostic({
	code: 'check/param-misplaced',
	severity: 'error',
	explain:
		'A parameter stands for what its default is: a number, a string, a word, or a range or a list. It can stand only where one of these is meant.',
	message: ({ name, kind, needed }: { name: string; kind: string; needed: string }) =>
		`\`$${name}\` is ${kind}, and here stands ${needed}`,
});

export const unusedParam = defineDiagnostic({
	code: 'check/unused-param',
	severity: 'warning',
	explain: 'The parameter is declared and nothing uses it: a value set for it changes nothing.',
	message: ({ found }: { found: string }) => `nothing uses \`${found}\``,
	hint: ({ found }) => `\`$${found}\` uses it`,
});

export const unknownSetting = defineDiagnostic({
	code: 'check/unknown-setting',
	severity: 'error',
	explain:
		'`calibrate with "path"` has three settings: `take`, how many samples are read, `tokens`, how long each text may be, and `seed`, for their choice. `evaluate` has them too, and `metric`.',
	message: ({ found, statement }: Found & { statement: string }) =>
		`\`${statement}\` has no setting \`${found}\``,
	hint: spellingOrList('settings'),
	fix: respelt,
});

export const unknownExpectation = defineDiagnostic({
	code: 'check/unknown-expectation',
	severity: 'error',
	explain:
		'Expected can be: cosine, top1 agreement, kl, params, size, macs, latency with a comparison, and `outputs unchanged`.',
	message: ({ found }: Found) => `nothing measures \`${found}\``,
	hint: spellingOrList('expectations'),
	fix: respelt,
});

export const unknownProperty = defineDiagnostic({
	code: 'check/unknown-property',
	severity: 'error',
	explain:
		'A recipe can require a family of models, `transformer`, `convolutional` or `recurrent`, and numbers: `opset`, `layers`, `heads`, `params`.',
	message: ({ found }: Found) => `a model has no property \`${found}\``,
	hint: spellingOrList('properties'),
	fix: respelt,
});

export const missingBound = defineDiagnostic({
	code: 'check/missing-bound',
	severity: 'error',
	explain: 'An expectation compares what is measured with a number; `outputs unchanged` alone has none.',
	message: ({ subject, needed }: { subject: string; needed: boolean; example: string }) =>
		needed ? `\`${subject}\` is compared with nothing` : `\`${subject}\` is compared with nothing else`,
	hint: ({ example }) => `\`${example}\``,
});

export const namesNothing = defineDiagnostic({
	code: 'check/names-nothing',
	severity: 'error',
	explain:
		'A string in a statement names a file, an input or output, or is a glob over names. Nothing has an empty name.',
	message: () => 'an empty string names nothing',
	hint: () => '`"*"` matches every name',
});

export const duplicateStatement = defineDiagnostic({
	code: 'check/duplicate-statement',
	severity: 'error',
	explain: 'A recipe has one `recipe` line, one `calibrate`, and one `input` for each input.',
	message: ({ what, line }: { what: string; line: number }) => `${what} is given already, in line ${line}`,
});

export const recipeNotFirst = defineDiagnostic({
	code: 'check/recipe-not-first',
	severity: 'error',
	explain: 'The `recipe` line names what follows, so it is the first statement.',
	message: () => '`recipe` is not the first statement',
	hint: () => 'the line belongs at the top',
});

export const duplicateAlias = defineDiagnostic({
	code: 'check/duplicate-alias',
	severity: 'error',
	explain: 'A name behind `as` stands for one recipe.',
	message: ({ found, line }: { found: string; line: number }) =>
		`\`${found}\` is the name of a recipe already, in line ${line}`,
	hint: () => 'give one of them another name',
});

export const unknownAlias = defineDiagnostic({
	code: 'check/unknown-alias',
	severity: 'error',
	explain: '`apply` applies a recipe by the name that a `use "…" as name` of the same file gave it.',
	message: ({ found }: Found) => `no \`use\` names a recipe \`${found}\``,
	hint: (found) => spelling(found) ?? `\`use "./${found.found}.prune" as ${found.found}\` names one`,
	fix: respelt,
});

export const notImported = defineDiagnostic({
	code: 'check/not-imported',
	severity: 'error',
	explain:
		'A recipe that uses another one is checked together with it. Where only a text is given, what it uses is not known.',
	message: ({ source }: { source: string }) => `the recipe \`${source}\` was not read`,
});

export const notJson = defineDiagnostic({
	code: 'check/not-json',
	severity: 'error',
	explain: 'A recipe in JSON or YAML is one object as grammar/recipe.schema.json describes it.',
	message: ({ reason, spelling }: { reason: string; spelling: 'JSON' | 'YAML' }) =>
		`the text is no ${spelling}: ${reason}`,
});

export const schemaMismatch = defineDiagnostic({
	code: 'check/schema',
	severity: 'error',
	explain: 'A recipe in JSON or YAML is one object as grammar/recipe.schema.json describes it.',
	message: ({ problem }: { problem: string; hint: string | undefined }) => problem,
	hint: ({ hint }) => hint,
});
