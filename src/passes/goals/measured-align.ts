/** Which multiples of units are fast here: told by the parts that units make smaller, at about half of their width. */
import { type Offered } from '../technique.ts';
import { piecesOf, timesAt, type Timing } from './narrowed-parts.ts';

/** What kernels may care for: a vector of 4 to 16 numbers, a cache line, a block of columns. */
const multiples = [4, 8, 16, 32, 64];
/** Where a multiple leaves fewer steps than this, it says more about the amount than about the kernel. */
const fewest = 8;
/** Clocks tell this much apart. */
const tolerance = 1.04;

/**
 * Offers at the least multiple that is as fast for each unit as any. Those whose statement says a multiple stay, and those whose parts
 * do not run by themselves.
 */
export async function alignedByTime(timing: Timing): Promise<readonly Offered[]> {
	const { net, offers } = timing;
	const free = offers.filter(({ align }) => align !== undefined);
	if (free.length === 0) return offers;
	const owners = offers.flatMap((offer) => offer.families.map(() => offer));
	const pieces = piecesOf(
		net,
		offers.flatMap(({ families }) => families),
	);
	const columns = multiples.map((multiple) => offers.map((offer) => goneAt(offer, multiple) ?? 0));
	const times = await timesAt(timing, pieces, columns);
	return offers.map((offer) => {
		const own = pieces.flatMap(({ families }, at) =>
			families.some((family) => owners[family] === offer) ? [at] : [],
		);
		const paces = multiples.flatMap((multiple, column) => {
			const gone = goneAt(offer, multiple);
			const spent = own.map((piece) => times[column]?.[piece]);
			if (gone === undefined || spent.includes(undefined)) return [];
			const all = spent.reduce<number>((sum, time) => sum + (time ?? 0), 0);
			return [{ multiple, pace: all / (totalOf(offer) - gone) }];
		});
		return atBest(offer, paces);
	});
}

type Pace = { readonly multiple: number; readonly pace: number };

function atBest(offer: Offered, paces: readonly Pace[]): Offered {
	const least = Math.min(...paces.map(({ pace }) => pace));
	const best = paces.find(({ pace }) => pace <= tolerance * least);
	return offer.align === undefined || best === undefined ? offer : offer.align(best.multiple);
}

const totalOf = ({ families }: Offered): number => families[0]?.units ?? 0;

/** How many go to leave about half, a multiple of this and of nothing larger; undefined where that is not possible. */
function goneAt(offer: Offered, multiple: number): number | undefined {
	const total = totalOf(offer);
	const odd = 2 * Math.round((total / 2 / multiple - 1) / 2) + 1;
	const gone = total - odd * multiple;
	return total >= fewest * multiple && gone > 0 && gone <= offer.order.length ? gone : undefined;
}
