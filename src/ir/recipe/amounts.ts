/** Amounts against a count: rounding, alignment, and what must stay. */
import { shareOf } from './ranges.ts';
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
	const isShare = amount.kind === 'remove-share' || amount.kind === 'keep-share';
	const kept = isShare ? Math.min(total, Math.ceil((total - requested) / align) * align) : total - requested;
	return { requested, remove: Math.max(0, Math.min(total - kept, total - min)) };
}

function requestedOf(amount: Amount, total: number): number {
	switch (amount.kind) {
		case 'remove-share':
			return shareOf(amount.share, total);
		case 'remove-count':
			return amount.count;
		case 'keep-share':
			return shareOf(1 - amount.share, total);
		case 'keep-count':
			return Math.max(0, total - amount.count);
		default:
			return 0;
	}
}
