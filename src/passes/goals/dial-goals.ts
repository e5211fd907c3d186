/**
 * Goals of statements that are turned up as a whole, as a number of layers or a ratio of ranks: settings are tried in memory, from what
 * changes least to what changes most, until costs are reached, or as far as quality allows.
 */
import { Fault } from '../../diagnostic.ts';
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
import { type Attempt, type Solved } from './goals.ts';

export type DialTask<T> = {
	readonly until: readonly Goal[];
	readonly while: readonly Goal[];
	/** Of the model as the recipe found it: what shares are of. */
	readonly original: Costs;
	/** How many settings there are, the first the mildest. */
	readonly settings: number;
	/** Carries the statement out at a setting without keeping it. */
	attempt(setting: number): Promise<Attempt<T>>;
	judge(result: T): Promise<Qualities>;
};

type Tried<T> = Attempt<T> & { readonly qualities: Qualities };

/** Throws `Fault` with the best reachable where a goal cannot be met. */
export async function reachByDial<T>(task: DialTask<T>): Promise<Solved<T>> {
	const dial = new Dial(task);
	return task.until.length === 0 ? dial.asFarAsGood() : dial.downTo();
}

/** What is turned up around units that are chosen one by one. */
export type AroundTask<T> = Omit<DialTask<T>, 'attempt'> & {
	/** Reaches the goals with what the statement chooses from at a setting, −1 for nothing turned up. Throws `Fault`. */
	solve(setting: number): Promise<Solved<T>>;
};

/** Turns up a setting at a time until the goals are reached, and on as long as quality gets better by it. */
export async function reachAround<T>(task: AroundTask<T>): Promise<Solved<T>> {
	const { until, settings, original } = task;
	let best: (Tried<T> & Solved<T>) | undefined;
	let missed: Fault | undefined;
	for (let setting = -1; setting < settings; setting++) {
		const solved = await task.solve(setting).catch((problem: unknown) => {
			if (!(problem instanceof Fault)) throw problem;
			missed = problem;
		});
		if (!solved) continue;
		const qualities = await task.judge(solved.result);
		const better = until.length > 0 ? isNearer : isCheaper;
		if (best !== undefined && !better({ ...solved, qualities }, best, original)) break;
		best = { ...solved, qualities };
	}
	if (best !== undefined) return best;
	throw missed ?? new Fault();
}

/** Nearer to the original, as far as that is measured. */
function isNearer<T>(one: Tried<T>, other: Tried<T>, original: Costs): boolean {
	const loss = ({ qualities: { kl, cosine } }: Tried<T>): number | undefined =>
		kl ?? (cosine === undefined ? undefined : -cosine);
	const [mine, theirs] = [loss(one), loss(other)];
	return mine === undefined || theirs === undefined ? isCheaper(one, other, original) : mine < theirs;
}

function isCheaper<T>(one: Tried<T>, other: Tried<T>, original: Costs): boolean {
	const cost = ({ costs }: Tried<T>): number => (costs.macs ?? 0) / (original.macs ?? 1);
	return cost(one) < cost(other);
}

class Dial<T> {
	private readonly task: DialTask<T>;

	constructor(task: DialTask<T>) {
		this.task = task;
	}

	/** The mildest setting whose costs are what is asked for; quality must hold there. */
	async downTo(): Promise<Solved<T>> {
		const { settings, until } = this.task;
		const most = await this.task.attempt(settings - 1);
		const missed = until.filter((goal) => !this.isReached(goal, most.costs));
		if (missed.length > 0) throw this.outOfReach(missed, most.costs);
		let found: Attempt<T> = most;
		await bisect(0, settings - 1, async (setting) => {
			const tried = await this.task.attempt(setting);
			const reaches = until.every((goal) => this.isReached(goal, tried.costs));
			if (reaches) found = tried;
			return reaches;
		});
		const qualities = this.task.while.length > 0 ? await this.task.judge(found.result) : {};
		if (allHold(this.task.while, qualities)) return this.solved({ ...found, qualities });
		const best = await this.furthest();
		throw this.outOfReach(
			until,
			best?.costs ?? this.task.original,
			this.task.while.map(goalText).join(' and '),
		);
	}

	async asFarAsGood(): Promise<Solved<T>> {
		const best = await this.furthest();
		if (best !== undefined) return this.solved(best);
		const {
			while: [goal],
			settings: choices,
		} = this.task;
		throw new Fault(nothingGood({ goal: goal ? goalText(goal) : '', choices }, goal && { span: goal.span }));
	}

	/** The last setting at which quality was seen to hold. */
	private async furthest(): Promise<Tried<T> | undefined> {
		let best: Tried<T> | undefined;
		await bisect(0, this.task.settings, async (setting) => {
			const tried = await this.task.attempt(setting);
			const qualities = await this.task.judge(tried.result);
			const good = allHold(this.task.while, qualities);
			if (good) best = { ...tried, qualities };
			return !good;
		});
		return best;
	}

	private isReached(goal: Goal, costs: Costs): boolean {
		return compare(goal.op, this.inUnit(goal, costs), goal.value);
	}

	private inUnit({ subject, unit, span }: Goal, costs: Costs): number {
		const [cost, original] = [costs[subject as Cost], this.task.original[subject as Cost]];
		if (cost === undefined || original === undefined) throw new Fault(goalUnmeasured({ subject }, { span }));
		return unit === 'share' ? cost / original : cost;
	}

	private solved({ qualities, ...tried }: Tried<T>): Solved<T> {
		return {
			...tried,
			reached: [
				...this.task.until.map((goal) => reachedBy(goal, this.inUnit(goal, tried.costs))),
				...this.task.while.map((goal) => reachedBy(goal, qualityOf(goal, qualities))),
			],
		};
	}

	private outOfReach(missed: readonly Goal[], costs: Costs, floor?: string): Fault {
		return outOfReach(missed, (goal) => this.inUnit(goal, costs), floor);
	}
}

/** The first setting from `low` on that holds, `high` if none before it does; asked for at most the logarithm of their number. */
async function bisect(
	low: number,
	high: number,
	holds: (setting: number) => Promise<boolean>,
): Promise<number> {
	let [from, to] = [low, high];
	while (from < to) {
		const middle = (from + to) >> 1;
		if (await holds(middle)) to = middle;
		else from = middle + 1;
	}
	return to;
}
