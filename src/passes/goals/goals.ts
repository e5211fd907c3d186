/**
 * `until params <= 60%`, `while cosine >= 0.98`: how many units of each group go. A path of moves is laid by harm per saving;
 * costs say how far along it to go, measured quality how far one may. Everything is tried in memory: nothing is written yet.
 */
import { bug, Fault } from '../../diagnostic.ts';
import { compare } from '../../ir/recipe/predicate.ts';
import { type Cost, type Goal } from '../../ir/recipe/recipe.ts';
import { goalUnmeasured, nothingGood } from '../../messages/goals.ts';
import {
	allHold,
	goalText,
	outOfReach,
	qualityOf,
	reachedBy,
	type Costs,
	type Qualities,
} from './goal-words.ts';
import { type Savings } from './savings.ts';
import { Way } from './goal-path.ts';
import { type Allotment, type Offered, type Reached } from '../technique.ts';

/** A try: the statement carried out on the model, with what came out. */
export type Attempt<T> = { readonly result: T; readonly costs: Costs };

export type GoalTask<T> = {
	readonly until: readonly Goal[];
	readonly while: readonly Goal[];
	readonly offers: readonly Offered[];
	/** By subject, over the families of all offers in their order. */
	readonly savings: Readonly<Partial<Record<Cost, Savings>>>;
	/** Of the model as the recipe found it: what shares are of. */
	readonly original: Costs;
	/** Of the model as the statement finds it. */
	readonly before: Costs;
	/** Carries the statement out without keeping it; a draft is for its costs alone. */
	attempt(allotted: Allotment, draft?: boolean): Promise<Attempt<T>>;
	/** How good what came out is, on held-out inputs. */
	judge(result: T): Promise<Qualities>;
};

export type Solved<T> = Attempt<T> & { readonly reached: readonly Reached[] };
/** The same with what was taken of each group. */
export type Dealt<T> = Solved<T> & { readonly allotted: Allotment };

/** Tries for a cost before it is given up or taken as it is. */
const tries = 5;
/** Tries for a floor, each of which halves what is left of the path. */
const halvings = 8;
/** A result this much below what was asked for, in parts of what was saved, took more than it had to. */
const slack = 0.05;

/**
 * Goes a way as far as the goals ask, tries, and corrects by what is measured. Throws `Fault` with the best reachable where a goal cannot
 * be met.
 */
export async function reachGoals<T>(task: GoalTask<T>, way: Way): Promise<Dealt<T>> {
	for (const { subject, span } of task.until)
		if (task.savings[subject as Cost] === undefined) throw new Fault(goalUnmeasured({ subject }, { span }));
	const search = new Search(task, way);
	return task.until.length === 0 ? search.asFarAsGood() : search.downTo();
}

/** By the least harm per saving. Where no cost is asked for, work is what is to be saved. */
export function leastHarm({ offers, savings, until, original }: GoalTask<unknown>): Way {
	const subjects = until.length === 0 ? ['macs' as const] : until.map(({ subject }) => subject as Cost);
	const costs = subjects.flatMap((subject) => {
		const saved = savings[subject];
		return saved === undefined ? [] : [{ saved, of: original[subject] ?? 1 }];
	});
	return new Way(offers, costs);
}

type Drafted<T> = Attempt<T> & { readonly end: number };
type Tried<T> = Drafted<T> & { readonly qualities: Qualities };

class Search<T> {
	private readonly task: GoalTask<T>;
	private readonly way: Way;

	constructor(task: GoalTask<T>, way: Way) {
		this.task = task;
		this.way = way;
	}

	/** The first end of the path where all costs are met, by tables and then by what is measured; quality must hold there. */
	async downTo(): Promise<Dealt<T>> {
		const { until } = this.task;
		let bounds = until.map((goal) => this.limitOf(goal));
		let best: Drafted<T> | undefined;
		let early: Drafted<T> | undefined;
		// Ends known to be too early and far enough: noise must not send the search out of what lies between.
		let [missedAt, metAt] = [-1, this.way.length + 1];
		for (let turn = 0; turn < tries && metAt - missedAt > 1; turn++) {
			const told = this.endWithin(bounds);
			const end = missedAt < told && told < metAt ? told : (missedAt + metAt) >> 1;
			const tried = { ...(await this.task.attempt(this.way.allotment(end), true)), end };
			const missed = this.missed(tried.costs);
			if (missed.length > 0 && end === this.way.length) this.fail(missed, tried.costs);
			if (missed.length > 0) [early, missedAt] = [tried, end];
			else [best, metAt] = [tried, end];
			if (missed.length === 0 && this.isClose(tried.costs)) break;
			bounds = until.map((goal, at) =>
				early && best ? this.between(goal, early, best) : this.corrected(goal, bounds[at] ?? 0, tried),
			);
		}
		if (best === undefined) return this.fail(until, this.task.before);
		best = await this.refitted(best);
		const qualities = this.task.while.length > 0 ? await this.task.judge(best.result) : {};
		if (allHold(this.task.while, qualities)) return this.solved({ ...best, qualities });
		return this.failWithin(best.end);
	}

	/** What was a draft, in full. Refits may add biases that were not there: then one goes further, a step at a time. */
	private async refitted(draft: Drafted<T>): Promise<Drafted<T>> {
		for (let { end } = draft; ; end++) {
			const { result, costs } = await this.task.attempt(this.way.allotment(end));
			// Time is what it was: biases take none that can be told from noise.
			const whole = { ...costs, ...(draft.costs.latency !== undefined && { latency: draft.costs.latency }) };
			const missed = this.missed(whole);
			if (missed.length === 0) return { result, costs: whole, end };
			if (end >= this.way.length) return this.fail(missed, whole);
		}
	}

	/** The furthest end of the path where quality holds. */
	async asFarAsGood(): Promise<Dealt<T>> {
		const best = await this.furthest(this.way.length);
		if (best !== undefined) return this.solved(best);
		const [goal] = this.task.while;
		if (goal === undefined) return bug('a goal statement without goals');
		throw new Fault(nothingGood({ goal: goalText(goal) }, { span: goal.span }));
	}

	/** Bisects up to `most` moves; what is measured need not fall steadily, so the result is one that was seen to hold. */
	private async furthest(most: number): Promise<Tried<T> | undefined> {
		let best: Tried<T> | undefined;
		let [low, high] = [0, most + 1];
		for (let round = 0; high - low > 1 && (round < halvings || best === undefined); round++) {
			const end = (low + high) >> 1;
			const tried = await this.task.attempt(this.way.allotment(end));
			const qualities = await this.task.judge(tried.result);
			if (allHold(this.task.while, qualities)) {
				best = { ...tried, end, qualities };
				low = end;
			} else high = end;
		}
		return best;
	}

	/** How many moves it takes until all costs are within their bounds; all of them when that is not enough. */
	private endWithin(bounds: readonly number[]): number {
		const { until } = this.task;
		for (let end = 0; end < this.way.length; end++) {
			const removed = this.way.removed(end);
			if (until.every((goal, at) => compare(goal.op, this.predict(goal, removed), bounds[at] ?? 0)))
				return end;
		}
		return this.way.length;
	}

	/** A bound for what tables predict, moved by as much as they were wrong about what is saved. */
	private corrected(goal: Goal, bound: number, { costs, end }: Drafted<T>): number {
		const [before, limit] = [this.costOf(goal, this.task.before), this.limitOf(goal)];
		const predicted = this.savingsOf(goal).saved(this.way.removed(end));
		const measured = before - this.costOf(goal, costs);
		return measured > 0
			? before - ((before - limit) * predicted) / measured
			: bound - (limit - before) / tries;
	}

	/** A bound for what tables predict, on the line between an end that was too early and one that was far enough. */
	private between(goal: Goal, early: Drafted<T>, far: Drafted<T>): number {
		const [before, limit] = [this.costOf(goal, this.task.before), this.limitOf(goal)];
		const wanted = limit - (slack / 2) * Math.max(0, before - limit);
		const [high, low] = [this.costOf(goal, early.costs), this.costOf(goal, far.costs)];
		const [from, to] = [early, far].map(({ end }) => this.predict(goal, this.way.removed(end)));
		if (from === undefined || to === undefined || !(high > low)) return limit;
		return from + ((to - from) * (high - wanted)) / (high - low);
	}

	private missed(costs: Costs): Goal[] {
		return this.task.until.filter((goal) => !compare(goal.op, this.costOf(goal, costs), this.limitOf(goal)));
	}

	/** Whether some cost is about what was asked for, so that little was taken in vain. */
	private isClose(costs: Costs): boolean {
		return this.task.until.some((goal) => {
			const [before, limit] = [this.costOf(goal, this.task.before), this.limitOf(goal)];
			return limit - this.costOf(goal, costs) <= slack * Math.max(0, before - limit);
		});
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

	private inUnit(goal: Goal, cost: number): number {
		return goal.unit === 'share' ? cost / this.costOf(goal, this.task.original) : cost;
	}

	private solved({ result, ...tried }: Tried<T>): Dealt<T> {
		const { costs, end } = tried;
		return { result, costs, reached: this.reached(tried), allotted: this.way.allotment(end) };
	}

	private reached({ end, costs, qualities }: Omit<Tried<T>, 'result'>): Reached[] {
		const removed = this.way.removed(end);
		return [
			...this.task.until.map((goal) => ({
				...reachedBy(goal, this.inUnit(goal, this.costOf(goal, costs))),
				predicted: this.inUnit(goal, this.predict(goal, removed)),
			})),
			...this.task.while.map((goal) => reachedBy(goal, qualityOf(goal, qualities))),
		];
	}

	/** Costs can be met, but quality does not hold there: says how far it does. */
	private async failWithin(end: number): Promise<never> {
		const best = await this.furthest(end - 1);
		return this.fail(
			this.task.until,
			best?.costs ?? this.task.before,
			this.task.while.map(goalText).join(' and '),
		);
	}

	private fail(missed: readonly Goal[], costs: Costs, floor?: string): never {
		throw outOfReach(missed, (goal) => this.inUnit(goal, this.costOf(goal, costs)), floor);
	}
}
