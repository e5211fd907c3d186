/** `until latency <= 60%`, `while cosine >= 0.98`: what a statement works towards and what it must not lose. */
import * as messages from '../../messages/check.ts';
import { type MeasureSyntax } from '../../parser/syntax.ts';
import { type Of } from './check-clauses.ts';
import { type Checking } from './checking.ts';
import { type Goal, type Subject } from './recipe.ts';
import { boundValue, costs, qualities, unknownSubject, wordsOf, wordsSpan } from './subjects.ts';

/**
 * The goals of the clauses, costs to reach and quality to keep; those that mean nothing are left out, with messages. Quality
 * behind `until` is how far one may go, which is what it means behind `while`.
 */
export function goalsOf(
	items: readonly (Of<'until' | 'while'> | undefined)[],
	checking: Checking,
): { readonly until: readonly Goal[]; readonly while: readonly Goal[] } {
	const goals = items.flatMap((item) =>
		(item?.measures ?? []).flatMap((measure) => goalOf(measure, item?.kind ?? 'until', checking) ?? []),
	);
	const isCost = ({ subject }: Goal): boolean => Object.hasOwn(costs, subject);
	return { until: goals.filter(isCost), while: goals.filter((goal) => !isCost(goal)) };
}

function goalOf(measure: MeasureSyntax, kind: 'until' | 'while', checking: Checking): Goal | undefined {
	const words = wordsOf(measure.subject);
	const own = kind === 'until' ? { ...costs, ...qualities } : qualities;
	if (!Object.hasOwn(own, words)) {
		const place = { span: wordsSpan(measure.subject) };
		if (Object.hasOwn(costs, words))
			checking.problems.push(messages.wrongGoal({ found: words, known: Object.keys(own) }, place));
		else unknownSubject(measure.subject, Object.keys(own), checking);
		return undefined;
	}
	const subject = words as Exclude<Subject, 'outputs'>;
	const value = boundValue(subject, measure, checking);
	if (value === undefined) return undefined;
	if (!points(subject, measure.sign)) {
		const example = { ...qualities, ...costs }[subject].example;
		checking.problems.push(
			messages.wrongDirection({ found: words, sign: measure.sign, example }, { span: measure.span }),
		);
	}
	return { subject, op: measure.sign, ...value, span: measure.span };
}

/** Costs and losses have an upper bound, likeness has a lower one. */
function points(subject: Exclude<Subject, 'outputs'>, sign: string): boolean {
	const upper = Object.hasOwn(costs, subject) || subject === 'kl' || subject === 'accuracy drop';
	return upper ? sign.startsWith('<') : sign.startsWith('>');
}
