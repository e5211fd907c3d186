/** What is said of goals, and whether qualities hold, however they are reached for. */
import { Fault } from '../../diagnostic.ts';
import { compare } from '../../ir/recipe/predicate.ts';
import { type Cost, type Goal, type Quality } from '../../ir/recipe/recipe.ts';
import { amount } from '../../messages/amounts.ts';
import { goalNotReached } from '../../messages/goals.ts';
import { type Reached } from '../technique.ts';

/** What a model costs, and how good it is, by the subject of a goal. */
export type Costs = Readonly<Partial<Record<Cost, number>>>;
export type Qualities = Readonly<Partial<Record<Quality, number>>>;

/** `params <= 60%`, whatever it was written as. */
export function goalText({ subject, op, value, unit }: Goal): string {
	return `${subject} ${op} ${amount(unit, value)}`;
}

/** A goal beside what came of it, in the goal's unit. */
export function reachedBy(goal: Goal, measured: number): Reached {
	return { goal: goalText(goal), unit: goal.unit, asked: goal.value, measured };
}

/** The quality that a goal is about; no number where it was not measured. */
export const qualityOf = ({ subject }: Goal, qualities: Qualities): number =>
	qualities[subject as Quality] ?? NaN;

export function allHold(goals: readonly Goal[], qualities: Qualities): boolean {
	return goals.every((goal) => compare(goal.op, qualityOf(goal, qualities), goal.value));
}

/** The best there is, by `bestOf` in each goal's unit; `floor` is the quality that kept it from more. */
export function outOfReach(missed: readonly Goal[], bestOf: (goal: Goal) => number, floor?: string): Fault {
	return new Fault(
		...missed.map((goal) => {
			const said = { goal: goalText(goal), best: amount(goal.unit, bestOf(goal)) };
			return goalNotReached({ ...said, ...(floor !== undefined && { floor }) }, { span: goal.span });
		}),
	);
}
