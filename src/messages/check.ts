/** What the checker says of transforms: text that reads, and means nothing. */
import { defineDiagnostic } from '../diagnostic.ts';
import { oneOf } from './nearest.ts';
import { type Found, respelt, spelling, spellingOrList } from './spelling.ts';

export const unknownVerb = defineDiagnostic({
	code: 'check/unknown-verb',
	severity: 'error',
	explain: 'A statement begins with a verb. `prunec list techniques` prints all verbs and what they work on.',
	message: ({ found }: Found & { target: string | undefined }) => `there is no verb \`${found}\``,
	hint: ({ target, ...found }) =>
		target === undefined ? spellingOrList('verbs')(found) : `\`${found.found}\` is a target: \`${target}\``,
	fix: ({ target, ...found }) => (target === undefined ? respelt(found) : undefined),
});

export const unknownTarget = defineDiagnostic({
	code: 'check/unknown-target',
	severity: 'error',
	explain: 'Each verb works on structures of its own. `prunec list techniques` prints them.',
	message: ({ found, verb }: Found & { verb: string }) => `\`${verb}\` has no target \`${found}\``,
	hint: spellingOrList('targets'),
	fix: respelt,
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
	fix: ({ found }) => `; ${found}`,
});

export const unknownClause = defineDiagnostic({
	code: 'check/unknown-clause',
	severity: 'error',
	explain:
		'Behind its targets a statement has an amount and clauses. Clauses begin with words of a closed list.',
	message: ({ found }: Found & { is: 'target' | 'field' | undefined }) => `\`${found}\` begins no clause`,
	hint: ({ is, ...found }) =>
		is === undefined
			? spellingOrList('clauses')(found)
			: is === 'target'
				? 'targets are separated by commas, and stand before the amount'
				: `a condition stands behind \`where\`, as \`where ${found.found} < 0.1\``,
	fix: ({ is, ...found }) => (is === undefined ? respelt(found) : undefined),
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

export const missingClause = defineDiagnostic({
	code: 'check/missing-clause',
	severity: 'error',
	explain: 'Some techniques need a clause: a place in the network, or a condition. The example shows it.',
	message: ({ technique, clause }: { technique: string; clause: string; example: string }) =>
		`\`${technique}\` needs \`${clause}\``,
	hint: ({ example }) => `\`${example}\``,
});

export const unknownChoice = defineDiagnostic({
	code: 'check/unknown-choice',
	severity: 'error',
	explain:
		'Behind `with`, `without`, `only`, `at` and `keep` stands a word of the technique. `prunec list techniques` prints them.',
	message: ({ found, clause, technique }: Found & { clause: string; technique: string }) =>
		`\`${technique}\` has no \`${clause} ${found}\``,
	hint: ({ found, known, clause }) =>
		spelling({ found, known }) ??
		`known are ${oneOf(
			known.map((word) => `${clause} ${word}`),
			'and',
		)}`,
	fix: respelt,
});

export const unknownSignal = defineDiagnostic({
	code: 'check/unknown-signal',
	severity: 'error',
	explain:
		'Behind `when` stands a condition over what is measured at run time. Which signals there are depends on the technique.',
	message: ({ found, technique }: Found & { technique: string }) =>
		`\`${technique}\` measures no \`${found}\``,
	hint: spellingOrList('signals'),
	fix: respelt,
});

export const noSchedule = defineDiagnostic({
	code: 'check/no-schedule',
	severity: 'error',
	explain:
		'A schedule lists shares that stay, one for each position of `after`: `keep [100%, 70%, 50%] after layers [0, 4, 8]`.',
	message: () => 'a range is no share that stays',
	hint: () => '`keep [100%, 70%, 50%]`',
});

export const scheduleLength = defineDiagnostic({
	code: 'check/schedule-length',
	severity: 'error',
	explain:
		'A schedule lists shares that stay, one for each position of `after`: `keep [100%, 70%, 50%] after layers [0, 4, 8]`.',
	message: ({ shares, places }: { shares: number; places: number }) =>
		`the schedule has ${shares} share${shares === 1 ? '' : 's'} for ${places} layer${places === 1 ? '' : 's'}`,
	hint: () => 'list one share for each layer',
});

export const badPattern = defineDiagnostic({
	code: 'check/bad-pattern',
	severity: 'error',
	explain: 'A pattern `n:m` keeps n of every m neighbours, so n is above 0 and below m.',
	message: ({ found }: { found: string }) => `\`${found}\` is no pattern`,
	hint: () => '`2:4` keeps two of every four',
});

export const wrongGoal = defineDiagnostic({
	code: 'check/wrong-goal',
	severity: 'error',
	explain: 'Costs are reached, `until latency <= 60%`; quality is kept, `while cosine >= 0.98`.',
	message: ({ found }: { found: string; known: readonly string[] }) => `\`${found}\` is no quality`,
	hint: ({ found, known }) => `\`until ${found} …\`, or one of ${oneOf(known)}`,
});

export const wrongDirection = defineDiagnostic({
	code: 'check/wrong-direction',
	severity: 'error',
	explain:
		'Removing lowers costs and likeness, so a goal bounds costs and losses from above and likeness from below.',
	message: ({ found, sign }: { found: string; sign: string; example: string }) =>
		`\`${found}\` cannot be a goal with \`${sign}\``,
	hint: ({ example }) => `\`${example}\``,
});

export const twoAmounts = defineDiagnostic({
	code: 'check/two-amounts',
	severity: 'error',
	explain:
		'A statement has one source of amount: a share or a count, `keep`, positions, `rank`, `energy` or `ratio`, a condition, or a goal.',
	message: ({ second, first }: { second: string; first: string; range: string | undefined }) =>
		`${second} is a second amount beside ${first}`,
	hint: ({ range }) =>
		range === undefined
			? 'two statements can ask for two amounts'
			: `a range has two points, as \`${range}\``,
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
	explain:
		'Units are ranked by a metric, which `prunec list metrics` prints with what it needs; results are judged by another one, behind `evaluate with "…" metric`.',
	message: ({ found }: Found) => `there is no metric \`${found}\``,
	hint: spellingOrList('metrics'),
	fix: respelt,
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
	fix: (found) => (found.found === 'name' ? undefined : respelt(found)),
});

export const unknownPlace = defineDiagnostic({
	code: 'check/unknown-place',
	severity: 'error',
	explain:
		'Places are `layers 6..12`, `encoder layers ..4`, `decoder`, `cross attention`, or a glob in quotes.',
	message: ({ found }: Found) => `there is no place \`${found}\``,
	hint: spellingOrList('places'),
	fix: respelt,
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

export const removesAll = defineDiagnostic({
	code: 'check/removes-all',
	severity: 'error',
	explain: 'The amount would leave nothing of a structure that has to stay.',
	message: ({ found }: { found: string }) => `\`${found}\` would leave nothing`,
	hint: () => '`min 0` lets a structure go as a whole, where a technique has it',
});
