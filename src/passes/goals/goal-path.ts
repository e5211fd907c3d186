/** The way from nothing gone to as much as may go: the next step is always the least harm per saving. */
import { bug } from '../../diagnostic.ts';
import { type Savings } from './savings.ts';
import { type Allotment, type Offered } from '../technique.ts';

/** The cost of a model, by how many units each offer has lost. */
export type CostModel = {
	/** What an offer saves when it goes from the count it has to another, the others being as they are. */
	saving(removed: readonly number[], offer: number, count: number): number;
	/** Offers whose savings depend on the count of this one, itself included. */
	near(offer: number): readonly number[];
};

/** One offer goes on to a higher count. */
export type Move = { readonly offer: number; readonly count: number };

type Best = { readonly level: number; readonly price: number };

/**
 * Moves in order, along the lower convex hull of harm over cost of each offer (Lagrangian relaxation of the multiple-choice
 * knapsack): every prefix has about the least harm that its cost allows. Ties go to the earlier offer.
 */
export function pathOf(offers: readonly Offered[], model: CostModel): Move[] {
	const level = offers.map(() => 0);
	const removed = offers.map(() => 0);
	const best = offers.map((offer, at) => cheapest(offer, at, 0, removed, model));
	const moves: Move[] = [];
	for (;;) {
		const next = cheapestOf(best);
		if (next === undefined) return moves;
		const offer = offers[next] ?? bug('a move of no offer', { next });
		const until = best[next]?.level ?? 0;
		for (let at = (level[next] ?? 0) + 1; at <= until; at++)
			moves.push({ offer: next, count: offer.counts[at] ?? 0 });
		level[next] = until;
		removed[next] = offer.counts[until] ?? 0;
		for (const at of model.near(next)) {
			const near = offers[at] ?? bug('a neighbour that is no offer', { at });
			best[at] = cheapest(near, at, level[at] ?? 0, removed, model);
		}
	}
}

function cheapestOf(best: readonly (Best | undefined)[]): number | undefined {
	let found: number | undefined;
	best.forEach((one, at) => {
		if (one !== undefined && (found === undefined || one.price < (best[found]?.price ?? Infinity)))
			found = at;
	});
	return found;
}

/** The higher level with the least harm per saving; undefined when none saves anything. */
function cheapest(
	{ counts, damage }: Offered,
	at: number,
	from: number,
	removed: readonly number[],
	model: CostModel,
): Best | undefined {
	let found: Best | undefined;
	for (let level = from + 1; level < counts.length; level++) {
		const saved = model.saving(removed, at, counts[level] ?? 0);
		const price = ((damage[level] ?? 0) - (damage[from] ?? 0)) / saved;
		if (saved > 0 && (found === undefined || price <= found.price)) found = { level, price };
	}
	return found;
}

/** Counts by offer after the first so many moves. */
export function countsAfter(moves: readonly Move[], end: number, offers: number): number[] {
	const removed = new Array<number>(offers).fill(0);
	for (const { offer, count } of moves.slice(0, end)) removed[offer] = count;
	return removed;
}

/** Moves by which every offer loses the same share of what it may lose. Ties go to the earlier offer. */
function evenMoves(offers: readonly Offered[]): Move[] {
	return offers
		.flatMap(({ counts, order }, offer) =>
			counts.slice(1).map((count) => ({ offer, count, share: count / order.length })),
		)
		.sort((a, b) => a.share - b.share);
}

/** A cost, and what it is weighed as a share of. */
export type Weighed = { readonly saved: Savings; readonly of: number };

/** A path over offers, from nothing gone to as much as may go. */
export class Way {
	readonly length: number;
	private readonly moves: readonly Move[];
	private readonly offers: readonly Offered[];
	/** Places of each offer's families in the list of all. */
	private readonly places: readonly (readonly number[])[];

	/** By the least harm per saving; without costs by equal shares. */
	constructor(offers: readonly Offered[], costs?: readonly Weighed[]) {
		let next = 0;
		this.offers = offers;
		this.places = offers.map(({ families }) => families.map(() => next++));
		this.moves = costs === undefined ? evenMoves(offers) : pathOf(offers, this.model(costs));
		this.length = this.moves.length;
	}

	/** How many units of each group are gone after so many moves. */
	allotment(end: number): Allotment {
		const counts = countsAfter(this.moves, end, this.offers.length);
		return new Map(this.offers.flatMap(({ keys }, at) => keys.map((key) => [key, counts[at] ?? 0] as const)));
	}

	/** The same by family. */
	removed(end: number): number[] {
		return this.byFamily(countsAfter(this.moves, end, this.offers.length));
	}

	private byFamily(counts: readonly number[]): number[] {
		return this.places.flatMap((own, at) => own.map(() => counts[at] ?? 0));
	}

	/** All costs in one currency: shares of the original's. */
	private model(costs: readonly Weighed[]): CostModel {
		const { places } = this;
		const owner = places.flatMap((own, at) => own.map(() => at));
		const total = (removed: readonly number[], own: readonly number[]): number =>
			costs.reduce((sum, { saved, of }) => sum + saved.savedBy(removed, own) / of, 0);
		return {
			saving: (removed, offer, count) => {
				const own = places[offer] ?? [];
				const after = removed.map((now, at) => (at === offer ? count : now));
				return total(this.byFamily(after), own) - total(this.byFamily(removed), own);
			},
			near: (offer) => {
				const own = places[offer] ?? [];
				const near = costs.flatMap(({ saved }) => saved.near(own));
				return [...new Set([...own, ...near].map((family) => owner[family] ?? 0))];
			},
		};
	}
}
