/**
 * `until params <= 60%`, `while cosine >= 0.98`: how many units of each group go. A path of moves is laid by harm per saving;
 * costs say how far along it to go, measured quality how far one may. Everything is tried in memory: nothing is written yet.
 */
import { bug, Fault } from '../diagnostic.ts';
import { compare } from '../ir/recipe/predicate.ts';
import { type Cost, type Goal } from '../ir/recipe/recipe.ts';
import { goalNotReached, goalUnmeasured } from '../messages/goals.ts';
import { amount } from '../messages/amounts.ts';
import { type Savings } from './cut-costs.ts';
import { countsAfter, pathOf, type CostModel, type Move } from './goal-path.ts';
import { type Allotment, type Offered, type Reached } from './technique.ts';

/** What a model costs, by the subject of a goal. */
export type Costs = Readonly<Partial<Record<Cost, number>>>;

/** A try: the statement carried out on the model, with what came out. */
export type Attempt<T> = { readonly result: T; readonly costs: Costs };

export type GoalTask<T> = {
	readonly until: readonly Goal[];
	readonly offers: readonly Offered[];
	/** By subject, over the families of all offers in their order. */
	readonly savings: Readonly<Partial<Record<Cost, Savings>>>;
	/** Of the model as the recipe found it: what shares are of. */
	readonly original: Costs;
	/** Of the model as the statement finds it. */
	readonly before: Costs;
	/** Carries the statement out without keeping it. */
	attempt(allotted: Allotment): Promise<Attempt<T>>;
};

export type Solved<T> = Attempt<T> & { readonly reached: readonly Reached[] };

/** Chooses, tries, and tightens until what is measured meets the goals. Throws `Fault` with the best reachable where it cannot. */
export async function reachGoals<T>(task: GoalTask<T>): Promise<Solved<T>> {
	const search = new Search(task);
	return search.run();
}

/** `params <= 60%`, whatever it was written as. */
export function goalText({ subject, op, value, unit }: Goal): string {
	return `${subject} ${op} ${amount(unit, value)}`;
}

/** Tries before a goal that tables call reachable is given up. */
const tries = 4;

class Search<T> {
	private readonly task: GoalTask<T>;
	/** Places of each offer's families in the list of all. */
	private readonly places: readonly (readonly number[])[];
	private readonly moves: readonly Move[];

	constructor(task: GoalTask<T>) {
		this.task = task;
		const { offers, until, savings } = task;
		for (const { subject, span } of until)
			if (savings[subject as Cost] === undefined) throw new Fault(goalUnmeasured({ subject }, { span }));
		let next = 0;
		this.places = offers.map(({ families }) => families.map(() => next++));
		this.moves = pathOf(offers, this.model(until));
	}

	async run(): Promise<Solved<T>> {
		const { until } = this.task;
		let bounds = until.map((goal) => this.limitOf(goal));
		for (let round = 0; ; round++) {
			const end = this.endWithin(bounds);
			const attempt = await this.attempt(end);
			const missed = until.filter((goal) => !this.holds(goal, this.costOf(goal, attempt.costs)));
			if (missed.length === 0) return { ...attempt, reached: this.reached(end, attempt.costs) };
			if (end === this.moves.length || round === tries) this.fail(missed, attempt.costs);
			bounds = bounds.map((bound, at) => {
				const goal = until[at] ?? bug('a bound without a goal', { at });
				const over = this.costOf(goal, attempt.costs) - this.limitOf(goal);
				return over > 0 ? bound - over : bound;
			});
		}
	}

	private attempt(end: number): Promise<Attempt<T>> {
		const { offers } = this.task;
		const counts = countsAfter(this.moves, end, offers.length);
		const allotted = new Map(
			offers.flatMap(({ keys }, at) => keys.map((key) => [key, counts[at] ?? 0] as const)),
		);
		return this.task.attempt(allotted);
	}

	/** How many moves it takes until all costs are within their bounds; all of them when that is not enough. */
	private endWithin(bounds: readonly number[]): number {
		const { until, offers } = this.task;
		for (let end = 0; end < this.moves.length; end++) {
			const removed = this.byFamily(countsAfter(this.moves, end, offers.length));
			if (until.every((goal, at) => compare(goal.op, this.predict(goal, removed), bounds[at] ?? 0)))
				return end;
		}
		return this.moves.length;
	}

	private predict(goal: Goal, removed: readonly number[]): number {
		return this.costOf(goal, this.task.before) - this.savingsOf(goal).saved(removed);
	}

	private savingsOf({ subject }: Goal): Savings {
		return this.task.savings[subject as Cost] ?? bug('a goal whose savings cannot be told', { subject });
	}

	private costOf({ subject }: Goal, costs: Costs): number {
		return costs[subject as Cost] ?? bug('a cost that was not measured', { subject });
	}

	/** The largest cost that a goal allows, in units of the cost. */
	private limitOf(goal: Goal): number {
		return goal.unit === 'share' ? goal.value * this.costOf(goal, this.task.original) : goal.value;
	}

	private holds(goal: Goal, cost: number): boolean {
		return compare(goal.op, cost, this.limitOf(goal));
	}

	private inUnit(goal: Goal, cost: number): number {
		return goal.unit === 'share' ? cost / this.costOf(goal, this.task.original) : cost;
	}

	private reached(end: number, costs: Costs): Reached[] {
		const { until, offers } = this.task;
		const removed = this.byFamily(countsAfter(this.moves, end, offers.length));
		return until.map((goal) => ({
			...{ goal: goalText(goal), unit: goal.unit, asked: goal.value },
			predicted: this.inUnit(goal, this.predict(goal, removed)),
			measured: this.inUnit(goal, this.costOf(goal, costs)),
		}));
	}

	private fail(missed: readonly Goal[], costs: Costs): never {
		throw new Fault(
			...missed.map((goal) => {
				const best = amount(goal.unit, this.inUnit(goal, this.costOf(goal, costs)));
				return goalNotReached({ goal: goalText(goal), best }, { span: goal.span });
			}),
		);
	}

	private byFamily(counts: readonly number[]): number[] {
		return this.places.flatMap((own, at) => own.map(() => counts[at] ?? 0));
	}

	/** All goals in one currency: each cost as a share of its bound. */
	private model(until: readonly Goal[]): CostModel {
		const { places } = this;
		const owner = places.flatMap((own, at) => own.map(() => at));
		const total = (removed: readonly number[], own: readonly number[]): number =>
			until.reduce(
				(sum, goal) => sum + this.savingsOf(goal).savedBy(removed, own) / Math.max(1, this.limitOf(goal)),
				0,
			);
		return {
			saving: (removed, offer, count) => {
				const own = places[offer] ?? [];
				const after = removed.map((now, at) => (at === offer ? count : now));
				return total(this.byFamily(after), own) - total(this.byFamily(removed), own);
			},
			near: (offer) => {
				const own = places[offer] ?? [];
				const near = until.flatMap((goal) => this.savingsOf(goal).near(own));
				return [...new Set([...own, ...near].map((family) => owner[family] ?? 0))];
			},
		};
	}
}
