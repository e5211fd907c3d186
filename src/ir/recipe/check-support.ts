/** That a technique has what a statement asks for, and that what it asks for changes something. */
import { type Diagnostic } from '../../diagnostic.ts';
import * as messages from '../../messages/check.ts';
import { type Item, type TransformStatement, type Word } from '../../parser/syntax.ts';
import { type Clauses, itemWords } from './check-clauses.ts';
import { type Checking } from './checking.ts';
import { resolveRanges } from './ranges.ts';
import { clauseNames, type Amount, type Point } from './recipe.ts';
import { clausesOf, statementName, type TechniqueWords, type WordClause } from './vocabulary.ts';

/** A statement as far as it is known before its technique. */
export type Asked = {
	readonly statement: TransformStatement;
	readonly clauses: Clauses;
	readonly amount: Amount | undefined;
	readonly after: readonly Point[];
	/** Whether all words of the statement were understood. */
	readonly whole: boolean;
};

export function checkSupport(technique: TechniqueWords, asked: Asked, { problems }: Checking): void {
	const { statement, clauses, amount } = asked;
	problems.push(...unsupportedClauses(technique, clauses));
	const name = statementName(technique);
	const { example } = technique;
	if (clauses.amount !== undefined && amount !== undefined && !technique.amounts.includes(amount.kind)) {
		const place = { span: clauses.amount.span };
		problems.push(
			messages.unsupportedAmount({ amount: itemWords(clauses.amount), technique: name, example }, place),
		);
	}
	for (const clause of unusedOf(clauses, amount)) {
		const beside = itemWords(clauses.amount ?? clauses.where ?? clause);
		problems.push(messages.unusedClause({ clause: clause.kind, amount: beside }, { span: clause.span }));
	}
	if (asked.whole && !statement.broken) problems.push(...missing(technique, asked));
	const { start } = statement.span;
	problems.push(...scheduleProblems(asked, { start, end: clauses.amount?.span.end ?? start }));
}

function unsupportedClauses(technique: TechniqueWords, clauses: Clauses): Diagnostic[] {
	const known = clausesOf(technique);
	return clauseNames.flatMap((slot) => {
		const span = slot === 'amount' ? undefined : clauses[slot]?.span;
		const clause = slot === 'may' ? 'may change' : slot;
		if (span === undefined || known.includes(clause)) return [];
		const said = { clause, technique: statementName(technique), known };
		return [messages.unsupportedClause(said, { span })];
	});
}

/** An amount where one is needed, and the clauses without which the technique means nothing. */
function missing(technique: TechniqueWords, { statement, clauses }: Asked): Diagnostic[] {
	const { start } = statement.verb.span;
	const place = { span: { start, end: statement.targets.at(-1)?.span.end ?? statement.verb.span.end } };
	const said = { technique: statementName(technique), example: technique.example };
	const { amount, where, until, while: floor } = clauses;
	const some = amount ?? where ?? until ?? floor;
	const absent = (technique.needs ?? []).filter((clause) => clauses[clause] === undefined);
	return [
		...(technique.bare || some !== undefined ? [] : [messages.missingAmount(said, place)]),
		...absent.map((clause) => messages.missingClause({ ...said, clause }, place)),
	];
}

/** Clauses without an effect: positions need no ranking, and only shares and goals are aligned. */
function unusedOf(clauses: Clauses, amount: Amount | undefined): readonly Item[] {
	const aligned =
		amount === undefined
			? clauses.where === undefined
			: amount.kind.endsWith('-share') || ['energy', 'ratio', 'auto', 'schedule'].includes(amount.kind);
	const ranked = amount === undefined || !['set', 'keep-set', 'keep-file', 'keep-seen'].includes(amount.kind);
	const { align, by, globally } = clauses;
	return [aligned ? undefined : align, ranked ? undefined : by, ranked ? undefined : globally].filter(
		(clause) => clause !== undefined,
	);
}

/** A schedule lists one share for each layer that `after` lists by number. */
function scheduleProblems({ amount, after }: Asked, span: Word['span']): Diagnostic[] {
	if (amount?.kind !== 'schedule') return [];
	const [place] = after;
	if (after.length !== 1 || place?.kind !== 'layers') return [];
	const listed = place.ranges.every(({ from, to }) => from && to && 'index' in from && 'index' in to);
	const negative = JSON.stringify(place.ranges).includes(':-');
	if (!listed || negative) return [];
	const places = resolveRanges(place.ranges, Infinity).length;
	const shares = amount.shares.length;
	return shares === places ? [] : [messages.scheduleLength({ shares, places }, { span })];
}

/** The word of a clause when the technique knows it; otherwise nothing and a message. */
export function choiceOf(
	clause: WordClause,
	word: Word | undefined,
	technique: TechniqueWords,
	{ problems }: Checking,
): string | undefined {
	if (word === undefined || word.param !== undefined) return undefined;
	const seen = clause === 'keep' && technique.amounts.includes('keep-seen') ? ['seen'] : [];
	const known = [...(technique.choices?.[clause] ?? []).map((choice) => choice.word), ...seen];
	if (known.length === 0) return undefined;
	const { text: found, span } = word;
	if (known.includes(found)) return found;
	const said = { found, known, clause, technique: statementName(technique) };
	problems.push(messages.unknownChoice(said, { span }));
	return undefined;
}
