/**
 * Which way a goal is reached by. Harm is estimated on the data that refits are fitted to, group by group, so it is believed too much where
 * there is little data or a group cannot be refitted: then one group would lose nearly all it has. With data the result is held against what
 * equal shares come to, and against the least harm within half more than an equal share, and the best on held-out inputs stays.
 */
import { Fault } from '../../diagnostic.ts';
import { Way } from './goal-path.ts';
import { leastHarm, reachGoals, type Dealt, type GoalTask } from './goals.ts';
import { type Qualities } from './goal-words.ts';
import { type Allotment, type Offered, type Sharing } from '../technique.ts';

/** Above an equal share, what a group may lose at most. */
const most = 1.5;

/** The best of the ways that meet the goals. Throws `Fault` when none does. */
export async function reachBest<T>(task: GoalTask<T>, isCalibrated: boolean): Promise<Dealt<T>> {
	const free = await settled(reachGoals(task, leastHarm(task)));
	if (!isCalibrated || task.until.length === 0) return solvedOf(free);
	const even = await settled(reachGoals(task, new Way(task.offers)));
	const bounded = even instanceof Fault ? even : await settled(reachGoals(...within(task, even.allotted)));
	const found: (Dealt<T> & { readonly harm: number; readonly by: Sharing })[] = [];
	for (const [by, one] of [
		['harm', free] as const,
		['bounded harm', bounded] as const,
		['equal shares', even] as const,
	])
		if (!(one instanceof Fault)) found.push({ ...one, by, harm: harmOf(await task.judge(one.result)) });
	const best = found.toSorted((a, b) => a.harm - b.harm)[0];
	if (best === undefined) return solvedOf(free);
	const { harm: _, by, ...solved } = best;
	return { ...solved, reached: solved.reached.map((one) => ({ ...one, by })) };
}

/** What came out, or why nothing did. */
async function settled<T>(search: Promise<Dealt<T>>): Promise<Dealt<T> | Fault> {
	try {
		return await search;
	} catch (problem) {
		if (problem instanceof Fault) return problem;
		throw problem;
	}
}

function solvedOf<T>(one: Dealt<T> | Fault): Dealt<T> {
	if (one instanceof Fault) throw one;
	return one;
}

/** The same with no group losing much more than an equal share. */
function within<T>(task: GoalTask<T>, even: Allotment): [GoalTask<T>, Way] {
	const offers = task.offers.map((offer) => upTo(offer, most * (even.get(offer.keys[0] ?? '') ?? 0)));
	const bounded = { ...task, offers };
	return [bounded, leastHarm(bounded)];
}

function upTo(offer: Offered, count: number): Offered {
	const levels = offer.counts.filter((one) => one <= count).length;
	return { ...offer, counts: offer.counts.slice(0, levels), damage: offer.damage.slice(0, levels) };
}

/** How far outputs have gone: the divergence of logits, else what the cosine lacks. */
function harmOf({ kl, cosine }: Qualities): number {
	return kl ?? 1 - (cosine ?? -1);
}
