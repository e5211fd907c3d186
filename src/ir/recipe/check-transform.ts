/** A transform statement: one step for each of its targets. */
import * as messages from '../../messages/check.ts';
import { printTransform } from '../../parser/print.ts';
import { type Item, type TransformStatement, type Word } from '../../parser/syntax.ts';
import { amountOf } from './check-amounts.ts';
import { type Clauses, sortItems, spansOf } from './check-clauses.ts';
import { checkSignals, checkWhere } from './check-condition.ts';
import { goalsOf } from './check-goals.ts';
import { checkPlace, checkPoint } from './check-places.ts';
import { type Asked, checkSupport, choiceOf } from './check-support.ts';
import { beginsStatement, targetsOf, unknownVerb, upToStray } from './check-targets.ts';
import { type Checking, wholeOf } from './checking.ts';
import { type Place, type Point, type Step } from './recipe.ts';
import { statementName, type TechniqueWords } from './vocabulary.ts';

/** What is the same for every target of a statement. */
type Shared = Asked & {
	readonly items: readonly Item[];
	readonly settings: Pick<
		Step,
		'align' | 'min' | 'in' | 'except' | 'across' | 'after' | 'fit' | 'until' | 'while' | 'mayChange'
	>;
};

export function checkTransform(statement: TransformStatement, checking: Checking): readonly Step[] {
	const techniques = checking.vocabulary.techniques.filter((one) => one.verb === statement.verb.text);
	if (techniques.length === 0) {
		checking.problems.push(unknownVerb(statement.verb, checking));
		return [];
	}
	const { chosen, whole } = targetsOf(statement, techniques, checking);
	const items = upToStray(statement, chosen.length > 0 ? chosen : techniques, !whole, checking);
	const clauses = sortItems(items, checking);
	const accepted = chosen.flatMap(({ amounts }) => amounts);
	const after = pointsOf(clauses.after, checking);
	const shared: Shared = {
		...{ statement, items, clauses, after },
		whole: whole && items === statement.items,
		amount: clauses.amount && amountOf(clauses.amount, accepted, checking),
		settings: settingsOf(clauses, after, checking),
	};
	return chosen.map((technique) => stepOf(technique, shared, checking));
}

function settingsOf(clauses: Clauses, after: readonly Point[], checking: Checking): Shared['settings'] {
	const align = wholeIn(clauses.align, 1, checking);
	const { fit, may } = clauses;
	const take = fit?.take && wholeOf(fit.take, { what: '`take`', least: 1 }, checking);
	return {
		...(align !== undefined && { align }),
		min: wholeIn(clauses.min, 0, checking) ?? 1,
		in: placesOf(clauses.in, checking),
		except: placesOf(clauses.except, checking),
		across: placesOf(clauses.across, checking),
		after,
		...(fit && { fit: { path: fit.path.value, ...(take !== undefined && { take }) } }),
		...goalsOf([clauses.until, clauses.while], checking),
		mayChange: [...checking.mayChange, ...(may?.names ?? []).map(({ value }) => value)],
	};
}

function stepOf(technique: TechniqueWords, shared: Shared, checking: Checking): Step {
	const { statement, items, clauses, amount, settings } = shared;
	checkSupport(technique, shared, checking);
	const where = clauses.where && checkWhere(clauses.where.condition, technique, checking);
	const when = clauses.when && checkSignals(clauses.when.condition, technique, checking);
	const by = clauses.by && metricOf(clauses.by.word, technique, checking);
	const choice = (clause: 'with' | 'without' | 'only' | 'at'): string | undefined =>
		choiceOf(clause, clauses[clause]?.word, technique, checking);
	const [only, at, mode, without] = [choice('only'), choice('at'), choice('with'), choice('without')];
	if (clauses.amount?.kind === 'keep-word') choiceOf('keep', clauses.amount.word, technique, checking);
	const { name, verb, target } = technique;
	return {
		text: printTransform(verb, target ?? '', items),
		...{ technique: name, verb },
		...(target !== undefined && { target }),
		...(only !== undefined && { only }),
		...(at !== undefined && { at }),
		...(mode !== undefined && { with: mode }),
		without: without === undefined ? [] : [without],
		...(amount !== undefined && { amount }),
		...(by !== undefined && { by }),
		globally: clauses.globally !== undefined,
		...(where !== undefined && { where }),
		...(when !== undefined && { when }),
		...settings,
		span: statement.span,
		spans: spansOf(clauses),
		line: statement.line,
	};
}

function metricOf(
	{ text, span, param }: Word,
	technique: TechniqueWords,
	checking: Checking,
): string | undefined {
	const { metrics } = technique;
	if (metrics.includes(text)) return text;
	// A parameter that could not be put in place was told already.
	if (param !== undefined || !technique.clauses.includes('by')) return undefined;
	const all = checking.vocabulary.metrics.map((metric) => metric.name);
	const here = { found: text, technique: statementName(technique), known: metrics };
	checking.problems.push(
		all.includes(text)
			? messages.metricNotHere(here, { span })
			: messages.unknownMetric({ found: text, known: metrics }, { span }),
	);
	return undefined;
}

function wholeIn(item: Clauses['min' | 'align'], least: number, checking: Checking): number | undefined {
	if (item === undefined) return undefined;
	return wholeOf(item.value, { what: `\`${item.kind}\``, least }, checking);
}

function placesOf(item: Clauses['in' | 'except' | 'across'], checking: Checking): readonly Place[] {
	return (item?.places ?? []).flatMap((place) => checkPlace(place, beginner(checking), checking) ?? []);
}

function pointsOf(item: Clauses['after'], checking: Checking): readonly Point[] {
	return (item?.places ?? []).flatMap((place) => checkPoint(place, beginner(checking), checking) ?? []);
}

function beginner(checking: Checking): (words: readonly Word[]) => Word | undefined {
	return (words) => words.find(({ text }) => beginsStatement(text, checking));
}
