/** Amounts against a count: rounding, alignment, and what must stay. */
import { restOf, shareOf } from './decimal.ts';
import { type Amount } from './recipe.ts';

export type Removal = {
	/** Units that go. */
	readonly remove: number;
	/** What the amount alone asks for, before alignment and what must stay. */
	readonly requested: number;
};

/** How many of `total` units an amount removes. Shares are aligned: kept counts go up to a multiple of `align`; counts are not. */
export function countToRemove(
	amount: Amount,
	total: number,
	{ align, min }: { align: number; min: number },
): Removal {
	const requested = requestedOf(amount, total);
	const isShare = isAligned(amount);
	const kept = isShare ? Math.min(total, Math.ceil((total - requested) / align) * align) : total - requested;
	return { requested, remove: Math.max(0, Math.min(total - kept, total - min)) };
}

/** Shares are aligned; counts and lists are taken as written. */
export function isAligned(amount: Amount): boolean {
	return amount.kind === 'remove-share' || amount.kind === 'keep-share';
}

/** The fewest units of `total` whose removal leaves a multiple of `align`; nothing when none can go. */
export function fewestAligned(total: number, align: number): number | undefined {
	const kept = Math.floor((total - 1) / align) * align;
	return kept > 0 ? total - kept : undefined;
}

function requestedOf(amount: Amount, total: number): number {
	switch (amount.kind) {
		case 'remove-share':
			return shareOf(amount.share, total);
		case 'remove-count':
			return amount.count;
		case 'keep-share':
			return restOf(amount.share, total);
		case 'keep-count':
			return Math.max(0, total - amount.count);
		default:
			return 0;
	}
}
