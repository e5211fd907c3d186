/** A transform statement: one step for each of its targets. */
import { type Diagnostic } from '../../diagnostic.ts';
import * as messages from '../../messages/check.ts';
import { printTransform } from '../../parser/print.ts';
import { type Item, type TransformStatement, type Word } from '../../parser/syntax.ts';
import { openers } from '../../parser/words.ts';
import { amountOf, type Clauses, itemWords, sortItems, spansOf } from './check-clauses.ts';
import { checkCondition } from './check-condition.ts';
import { checkPlace } from './check-places.ts';
import { type Checking, wholeOf } from './checking.ts';
import { type Amount, type Place, type Step } from './recipe.ts';
import { type Clause, type TechniqueWords } from './vocabulary.ts';

/** What is the same for every target of a statement. */
type Shared = {
	readonly statement: TransformStatement;
	readonly items: readonly Item[];
	readonly clauses: Clauses;
	readonly amount: Amount | undefined;
	readonly settings: Pick<Step, 'align' | 'min' | 'in' | 'except'>;
};

export function checkTransform(statement: TransformStatement, checking: Checking): readonly Step[] {
	const techniques = checking.vocabulary.techniques.filter((one) => one.verb === statement.verb.text);
	if (techniques.length === 0) {
		checking.problems.push(unknownVerb(statement.verb, checking));
		return [];
	}
	const items = upToStray(statement, techniques, checking);
	const targets = targetsOf(statement, techniques, checking);
	const clauses = sortItems(items, checking);
	const shared: Shared = {
		...{ statement, items, clauses },
		amount: clauses.amount && amountOf(clauses.amount, checking),
		settings: {
			...alignOf(clauses, checking),
			min: wholeIn(clauses.min, 0, checking) ?? 1,
			in: placesOf(clauses.in, checking),
			except: placesOf(clauses.except, checking),
		},
	};
	return targets.map((technique) => stepOf(technique, shared, checking));
}

function stepOf(technique: TechniqueWords, shared: Shared, checking: Checking): Step {
	const { statement, items, clauses, amount, settings } = shared;
	checkSupport(technique, shared, checking);
	const where = clauses.where && checkCondition(clauses.where.condition, technique, checking);
	const by = clauses.by && metricOf(clauses.by.word, technique, checking);
	const only = clauses.only && halfOf(clauses.only.word, technique, checking);
	const spans = Object.entries(spansOf(clauses)).filter(([, span]) => span !== undefined);
	return {
		text: printTransform(technique.verb, technique.target, items),
		technique: technique.name,
		verb: technique.verb,
		target: technique.target,
		...(only !== undefined && { only }),
		...(amount !== undefined && { amount }),
		...(by !== undefined && { by }),
		globally: clauses.globally !== undefined,
		...(where !== undefined && { where }),
		...settings,
		span: statement.span,
		spans: Object.fromEntries(spans),
		line: statement.line,
	};
}

function unknownVerb({ text, span }: Word, { vocabulary: { techniques } }: Checking): Diagnostic {
	const home = techniques.find((one) => one.target === text || one.aliases.includes(text));
	const known = [...new Set([...techniques.map((one) => one.verb), ...openers])];
	return messages.unknownVerb({ found: text, known, target: home?.example }, { span });
}

/** The items before the first word that begins no clause: what follows is most likely another statement. */
function upToStray(
	{ items }: TransformStatement,
	techniques: readonly TechniqueWords[],
	checking: Checking,
): readonly Item[] {
	const at = items.findIndex((item) => item.kind === 'stray');
	const stray = items[at];
	if (stray?.kind !== 'stray') return items;
	const { text: found, span } = stray.word;
	if (beginsStatement(found, checking)) {
		checking.problems.push(messages.missingTerminator({ found }, { span }));
		return items.slice(0, at);
	}
	const known = ['keep', 'lowest', 'rank', 'energy', ...techniques.flatMap((one) => one.clauses)];
	const target = techniques.some((one) => one.target === found || one.aliases.includes(found));
	checking.problems.push(messages.unknownClause({ found, known: [...new Set(known)], target }, { span }));
	return items.filter((item) => item.kind !== 'stray');
}

function beginsStatement(word: string, { vocabulary }: Checking): boolean {
	return openers.some((opener) => opener === word) || vocabulary.techniques.some((one) => one.verb === word);
}

function targetsOf(
	{ verb, targets, broken }: TransformStatement,
	techniques: readonly TechniqueWords[],
	{ problems, ...checking }: Checking,
): readonly TechniqueWords[] {
	const known = techniques.flatMap((one) => [one.target, ...one.aliases]);
	const chosen = new Map<TechniqueWords, string>();
	if (targets.length === 0 && !broken) {
		const example = techniques[0]?.example ?? verb.text;
		problems.push(messages.missingTarget({ verb: verb.text, example }, { span: verb.span }));
	}
	for (const { text: found, span } of targets) {
		const technique = techniques.find((one) => one.target === found || one.aliases.includes(found));
		const first = technique && chosen.get(technique);
		if (first !== undefined) problems.push(messages.duplicateTarget({ found, first }, { span }));
		else if (technique !== undefined) chosen.set(technique, found);
		else if (beginsStatement(found, { problems, ...checking }))
			problems.push(messages.missingTerminator({ found }, { span }));
		else problems.push(messages.unknownTarget({ found, known, verb: verb.text }, { span }));
	}
	return [...chosen.keys()];
}

const clauseNames = [
	'in',
	'except',
	'where',
	'by',
	'only',
	'align',
	'min',
	'globally',
] as const satisfies readonly Clause[];

/** That the technique has what the statement asks for, and that what it asks for changes something. */
function checkSupport(
	technique: TechniqueWords,
	{ statement, clauses, items, amount }: Shared,
	{ problems }: Checking,
): void {
	const name = `${technique.verb} ${technique.target}`;
	const { example, clauses: known } = technique;
	for (const clause of clauseNames) {
		const span = clauses[clause]?.span;
		if (span === undefined || known.includes(clause)) continue;
		problems.push(messages.unsupportedClause({ clause, technique: name, known }, { span }));
	}
	if (clauses.amount !== undefined && amount !== undefined && !technique.amounts.includes(amount.kind)) {
		const words = itemWords(clauses.amount);
		problems.push(
			messages.unsupportedAmount({ amount: words, technique: name, example }, { span: clauses.amount.span }),
		);
	}
	for (const clause of unusedOf(clauses, amount)) {
		const beside = itemWords(clauses.amount ?? clauses.where ?? clause);
		problems.push(messages.unusedClause({ clause: clause.kind, amount: beside }, { span: clause.span }));
	}
	const whole = !statement.broken && items === statement.items;
	if (whole && !technique.bare && clauses.amount === undefined && clauses.where === undefined) {
		const { start } = statement.verb.span;
		const end = statement.targets.at(-1)?.span.end ?? statement.verb.span.end;
		problems.push(messages.missingAmount({ technique: name, example }, { span: { start, end } }));
	}
}

/** Clauses without an effect: positions need no ranking, and only shares are aligned. */
function unusedOf(clauses: Clauses, amount: Amount | undefined): readonly Item[] {
	const aligned =
		amount === undefined
			? clauses.where === undefined
			: amount.kind.endsWith('-share') || amount.kind === 'energy';
	const ranked = amount?.kind !== 'set';
	const { align, by, globally } = clauses;
	return [aligned ? undefined : align, ranked ? undefined : by, ranked ? undefined : globally].filter(
		(clause) => clause !== undefined,
	);
}

function metricOf({ text, span }: Word, technique: TechniqueWords, checking: Checking): string | undefined {
	const { verb, target, metrics } = technique;
	if (metrics.includes(text)) return text;
	if (!technique.clauses.includes('by')) return undefined;
	const all = checking.vocabulary.metrics.map((metric) => metric.name);
	const here = { found: text, technique: `${verb} ${target}`, known: metrics };
	checking.problems.push(
		all.includes(text)
			? messages.metricNotHere(here, { span })
			: messages.unknownMetric({ found: text, known: metrics }, { span }),
	);
	return undefined;
}

function halfOf({ text, span }: Word, technique: TechniqueWords, { problems }: Checking): Step['only'] {
	if (text === 'attention' || text === 'ffn') return text;
	if (technique.clauses.includes('only')) {
		problems.push(messages.unknownHalf({ found: text, known: ['attention', 'ffn'] }, { span }));
	}
	return undefined;
}

function alignOf({ align }: Clauses, checking: Checking): Pick<Step, 'align'> {
	const value = wholeIn(align, 1, checking);
	return value === undefined ? {} : { align: value };
}

function wholeIn(item: Clauses['min' | 'align'], least: number, checking: Checking): number | undefined {
	if (item === undefined) return undefined;
	return wholeOf(item.value, { what: `\`${item.kind}\``, least }, checking);
}

function placesOf(item: Clauses['in' | 'except'], checking: Checking): readonly Place[] {
	const begins = (words: readonly Word[]): Word | undefined =>
		words.find(({ text }) => beginsStatement(text, checking));
	return (item?.places ?? []).flatMap((place) => checkPlace(place, begins, checking) ?? []);
}
