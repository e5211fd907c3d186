/** What the checker of recipes says: text that reads, and means nothing. */
import { defineDiagnostic } from '../diagnostic.ts';
import { nearest, oneOf } from './nearest.ts';

/** A word that is not known, and those that are. */
type Found = { readonly found: string; readonly known: readonly string[] };

const spelling = ({ found, known }: Found): string | undefined => {
	const near = nearest(found, known);
	return near === undefined ? undefined : `\`${near}\` is the nearest spelling`;
};
const spellingOrList =
	(what: string) =>
	({ found, known }: Found): string =>
		spelling({ found, known }) ??
		(known.length === 0 ? `there are no ${what}` : `${what} are ${oneOf(known, 'and')}`);

export const unknownVerb = defineDiagnostic({
	code: 'check/unknown-verb',
	severity: 'error',
	explain: 'A statement begins with a verb. `prunec list techniques` prints all verbs and what they work on.',
	message: ({ found }: Found & { target: string | undefined }) => `there is no verb \`${found}\``,
	hint: ({ target, ...found }) =>
		target === undefined ? spellingOrList('verbs')(found) : `\`${found.found}\` is a target: \`${target}\``,
});

export const unknownTarget = defineDiagnostic({
	code: 'check/unknown-target',
	severity: 'error',
	explain: 'Each verb works on structures of its own. `prunec list techniques` prints them.',
	message: ({ found, verb }: Found & { verb: string }) => `\`${verb}\` has no target \`${found}\``,
	hint: spellingOrList('targets'),
});

export const missingTarget = defineDiagnostic({
	code: 'check/missing-target',
	severity: 'error',
	explain: 'The verb is followed by what it works on, several targets by comma.',
	message: ({ verb }: { verb: string; example: string }) => `\`${verb}\` names nothing to work on`,
	hint: ({ example }) => `\`${example}\``,
});

export const duplicateTarget = defineDiagnostic({
	code: 'check/duplicate-target',
	severity: 'error',
	explain: 'A target stands once in a statement; some have two names.',
	message: ({ found, first }: { found: string; first: string }) =>
		found === first ? `\`${found}\` is named twice` : `\`${found}\` is another name for \`${first}\``,
});

export const missingTerminator = defineDiagnostic({
	code: 'check/missing-terminator',
	severity: 'error',
	explain: 'Statements on one line are separated by `;`.',
	message: ({ found }: { found: string }) => `\`${found}\` stands inside a statement`,
	hint: ({ found }) => `\`${found}\` begins a statement; end the one before it with \`;\``,
});

export const unknownClause = defineDiagnostic({
	code: 'check/unknown-clause',
	severity: 'error',
	explain:
		'Behind its targets a statement has an amount and clauses. Clauses begin with words of a closed list.',
	message: ({ found }: Found & { target: boolean }) => `\`${found}\` begins no clause`,
	hint: ({ target, ...found }) =>
		target ? 'targets are separated by commas' : spellingOrList('clauses')(found),
});

export const unsupportedClause = defineDiagnostic({
	code: 'check/unsupported-clause',
	severity: 'error',
	explain: 'Not every clause means something for every technique. `prunec list techniques` prints which do.',
	message: ({ clause, technique }: { clause: string; technique: string; known: readonly string[] }) =>
		`\`${clause}\` means nothing for \`${technique}\``,
	hint: ({ known }) => (known.length === 0 ? undefined : `its clauses are ${oneOf(known, 'and')}`),
});

export const unsupportedAmount = defineDiagnostic({
	code: 'check/unsupported-amount',
	severity: 'error',
	explain:
		'What says how much is removed differs between techniques: shares and counts of units, positions, ranks.',
	message: ({ amount, technique }: { amount: string; technique: string; example: string }) =>
		`${amount} is no amount of \`${technique}\``,
	hint: ({ example }) => `\`${example}\``,
});

export const missingAmount = defineDiagnostic({
	code: 'check/missing-amount',
	severity: 'error',
	explain: 'The statement must say how much goes: by an amount, by positions, or by a condition.',
	message: ({ technique }: { technique: string; example: string }) =>
		`\`${technique}\` does not say how much`,
	hint: ({ example }) => `\`${example}\``,
});

export const twoAmounts = defineDiagnostic({
	code: 'check/two-amounts',
	severity: 'error',
	explain:
		'A statement has one source of amount: a share or a count, `keep`, positions, `rank` or `energy`, or a condition.',
	message: ({ second, first }: { second: string; first: string }) =>
		`${second} is a second amount beside ${first}`,
	hint: () => 'two statements can ask for two amounts',
});

export const duplicateClause = defineDiagnostic({
	code: 'check/duplicate-clause',
	severity: 'error',
	explain: 'Each clause stands once in a statement.',
	message: ({ clause }: { clause: string; hint: string | undefined }) => `\`${clause}\` stands twice`,
	hint: ({ hint }) => hint,
});

export const unusedClause = defineDiagnostic({
	code: 'check/unused-clause',
	severity: 'warning',
	explain:
		'The clause changes nothing here: positions and conditions need no ranking, and only shares are aligned.',
	message: ({ clause, amount }: { clause: string; amount: string }) =>
		`\`${clause}\` changes nothing beside ${amount}`,
});

export const unknownMetric = defineDiagnostic({
	code: 'check/unknown-metric',
	severity: 'error',
	explain: 'Units are ranked by a metric. `prunec list metrics` prints all, and what each needs.',
	message: ({ found }: Found) => `there is no metric \`${found}\``,
	hint: spellingOrList('metrics'),
});

export const metricNotHere = defineDiagnostic({
	code: 'check/metric-not-here',
	severity: 'error',
	explain: 'A metric is defined for some structures only. `prunec list techniques` prints which rank what.',
	message: ({ found, technique }: { found: string; technique: string; known: readonly string[] }) =>
		`\`${found}\` cannot rank what \`${technique}\` removes`,
	hint: ({ known }) => (known.length === 0 ? undefined : `${oneOf(known)} can`),
});

export const unknownField = defineDiagnostic({
	code: 'check/unknown-field',
	severity: 'error',
	explain:
		'A condition is over the fields of a unit: importance, layer, index, size, params, macs, the metrics by name, and `name matches "…"`.',
	message: ({ found }: Found) =>
		found === 'name' ? '`name` is no number' : `a unit has no field \`${found}\``,
	hint: ({ found, known }) =>
		found === 'name' ? '`name matches "encoder.*"`' : spellingOrList('fields')({ found, known }),
});

export const unknownPlace = defineDiagnostic({
	code: 'check/unknown-place',
	severity: 'error',
	explain:
		'Places are `layers 6..12`, `encoder layers ..4`, `decoder`, `cross attention`, or a glob in quotes.',
	message: ({ found }: Found) => `there is no place \`${found}\``,
	hint: spellingOrList('places'),
});

export const placePositions = defineDiagnostic({
	code: 'check/place-positions',
	severity: 'error',
	explain:
		'Layers are given by positions, `layers 6..12`; `encoder`, `decoder` and `cross attention` stand alone.',
	message: ({ place, needed }: { place: string; needed: boolean }) =>
		needed ? `\`${place}\` does not say which` : `\`${place}\` has no positions`,
	hint: ({ place, needed }) =>
		needed
			? `\`${place} 50%..\` are the upper half`
			: 'an amount stands before the clauses; layers are `layers 6..12`',
});

export const unknownHalf = defineDiagnostic({
	code: 'check/unknown-half',
	severity: 'error',
	explain: 'A layer has two halves, its attention and its feed-forward block.',
	message: ({ found }: Found) => `a layer has no half \`${found}\``,
	hint: spellingOrList('halves'),
});

export const emptyRange = defineDiagnostic({
	code: 'check/empty-range',
	severity: 'error',
	explain:
		'Ranges count from 0 and end before their last number: `6..12` is 6 to 11, `6..=11` includes its end.',
	message: ({ found }: { found: string; instead: string | undefined }) => `\`${found}\` selects nothing`,
	hint: ({ instead }) => instead && `\`${instead}\` selects something`,
});

export const shareAsPosition = defineDiagnostic({
	code: 'check/share-as-position',
	severity: 'error',
	explain: 'A share can begin or end a range; alone it is no position.',
	message: ({ found }: { found: string }) => `\`${found}\` is no position`,
	hint: ({ found }) => `\`${found}..\` begins there`,
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
});

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
	explain: 'The default of a parameter and its limits are numbers, not other parameters.',
	message: ({ found }: { found: string }) => `\`${found}\` cannot define a parameter`,
	hint: () => 'a number does, as `param floor = 0.1`',
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
		'`calibrate with "path"` has two settings: `take`, how many samples are read, and `seed`, for their choice.',
	message: ({ found }: Found) => `\`calibrate\` has no setting \`${found}\``,
	hint: spellingOrList('settings'),
});

export const unknownExpectation = defineDiagnostic({
	code: 'check/unknown-expectation',
	severity: 'error',
	explain:
		'Expected can be: cosine, top1 agreement, kl, params, size, macs, latency with a comparison, and `outputs unchanged`.',
	message: ({ found }: Found) => `nothing measures \`${found}\``,
	hint: spellingOrList('expectations'),
});

export const missingBound = defineDiagnostic({
	code: 'check/missing-bound',
	severity: 'error',
	explain: 'An expectation compares what is measured with a number; `outputs unchanged` alone has none.',
	message: ({ subject, needed }: { subject: string; needed: boolean; example: string }) =>
		needed ? `\`${subject}\` is compared with nothing` : `\`${subject}\` is compared with nothing else`,
	hint: ({ example }) => `\`expect ${example}\``,
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
});

export const notImported = defineDiagnostic({
	code: 'check/not-imported',
	severity: 'error',
	explain:
		'A recipe that uses another one is checked together with it. Where only a text is given, what it uses is not known.',
	message: ({ source }: { source: string }) => `the recipe \`${source}\` was not read`,
});

export const removesAll = defineDiagnostic({
	code: 'check/removes-all',
	severity: 'error',
	explain: 'The amount would leave nothing of a structure that has to stay.',
	message: ({ found }: { found: string }) => `\`${found}\` would leave nothing`,
});

export const notJson = defineDiagnostic({
	code: 'check/not-json',
	severity: 'error',
	explain: 'A recipe in JSON is one object as grammar/recipe.schema.json describes it.',
	message: ({ reason }: { reason: string }) => `the text is no JSON: ${reason}`,
});

export const schemaMismatch = defineDiagnostic({
	code: 'check/schema',
	severity: 'error',
	explain: 'A recipe in JSON is one object as grammar/recipe.schema.json describes it.',
	message: ({ problem }: { problem: string; hint: string | undefined }) => problem,
	hint: ({ hint }) => hint,
});
