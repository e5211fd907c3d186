/** What a model's parts take at several widths, measured apart: the time that removing units saves, before anything is removed. */
import { type Net } from '../../ir/axes/net.ts';
import { type Shapes } from '../../ir/graph/bindings.ts';
import { type Model } from '../../ir/graph/graph.ts';
import { narrowed, piecesOf, timesAt, type TimeParts } from './narrowed-parts.ts';
import { savingsOver, type Savings } from './savings.ts';
import { type Offered } from '../technique.ts';

/** Widths at which parts are measured, the whole one and the narrowest among them; linear in between. */
const widths = 6;

export type Clock = {
	/** Milliseconds of each part, undefined for one that does not run by itself. */
	readonly timeParts: TimeParts;
	/** Milliseconds of a model, measured beside the original. */
	readonly timeOf: (model: Model) => Promise<number>;
};

/** Nodes that the same families make smaller. */
type Piece = {
	readonly nodes: ReadonlySet<number>;
	readonly families: readonly number[];
	/** Time at each width over that of the whole one. */
	readonly ratios: readonly number[];
	/** Milliseconds whole. */
	readonly whole: number;
};

/**
 * All families are narrowed at once, one model a width; a piece that several of them narrow gets its ratio in equal parts from
 * each. Families are told by their place among those of all offers.
 */
export async function latencySavings(
	net: Net,
	offers: readonly Offered[],
	shapes: Shapes,
	{ timeParts, timeOf }: Clock,
): Promise<Savings> {
	const families = offers.flatMap((offer) => offer.families.map((family) => ({ family, offer })));
	const found = piecesOf(
		net,
		families.map(({ family }) => family),
	);
	const columns = Array.from({ length: widths }, (_, width) => offers.map((offer) => countAt(offer, width)));
	const times = await timesAt({ net, offers, shapes, timeParts }, found, columns);
	const pieces = found.flatMap(({ nodes, families: own }, at): Piece[] => {
		const row = times.map((column) => column[at]);
		const [whole] = row;
		if (whole === undefined || row.includes(undefined)) return [];
		return [{ nodes, families: own, whole, ratios: row.map((time) => (time ?? whole) / whole) }];
	});
	const owners = families.map(({ offer }) => offer);
	const before = await timeOf(net.model);
	const timed = await wholesOf({ net, offers, timeOf, before });
	const kinds = await kindsOf({ net, offers, timeOf, before });
	const byKinds = weighed(pieces, owners, kinds);
	return calibrated(savingsOf(byKinds, owners), timed);
}

/** The model narrowed as a whole: how many units each family has lost, and the milliseconds that it takes less. */
type Narrowed = { readonly removed: readonly number[]; readonly saved: number };

/** Parts tell what saves time and what does not; whole models at these widths, how much of it there is. */
const wholeWidths = [2, 4];

type Timing = {
	readonly net: Net;
	readonly offers: readonly Offered[];
	readonly timeOf: Clock['timeOf'];
	/** Milliseconds of the model as it is. */
	readonly before: number;
};

async function wholesOf(timing: Timing): Promise<readonly Narrowed[]> {
	const found: Narrowed[] = [];
	for (const width of wholeWidths)
		found.push(...(await narrowedTo((offer) => countAt(offer, width), timing)));
	return found;
}

/** By kind of unit, the model with most of those alone gone; nothing where there is one kind. */
async function kindsOf(timing: Timing): Promise<ReadonlyMap<string, Narrowed>> {
	const kinds = new Set(timing.offers.map(({ unit }) => unit));
	const found = new Map<string, Narrowed>();
	for (const kind of kinds.size < 2 ? [] : kinds) {
		const countOf = (offer: Offered): number => (offer.unit === kind ? countAt(offer, widths - 2) : 0);
		for (const one of await narrowedTo(countOf, timing)) found.set(kind, one);
	}
	return found;
}

/** One, or none where an operator cannot follow. */
async function narrowedTo(
	countOf: (offer: Offered) => number,
	{ net, offers, timeOf, before }: Timing,
): Promise<Narrowed[]> {
	const counts = offers.map(countOf);
	const model = narrowed(net, offers, counts);
	if (model === undefined) return [];
	const removed = offers.flatMap((offer, at) => offer.families.map(() => counts[at] ?? 0));
	return [{ removed, saved: before - (await timeOf(model)) }];
}

/** Pieces whose times are put on the scale that their kind of unit has in the whole model. */
function weighed(
	pieces: readonly Piece[],
	owners: readonly Offered[],
	kinds: ReadonlyMap<string, Narrowed>,
): Piece[] {
	const byParts = savingsOf(pieces, owners);
	const scales = new Map(
		[...kinds].map(([kind, { removed, saved }]) => {
			const parts = byParts.saved(removed);
			// Noise may have a narrower model take longer: then it says nothing.
			return [kind, parts > 0 && saved > 0 ? saved / parts : 1];
		}),
	);
	return pieces.map((piece) => {
		const own = piece.families.map((family) => scales.get(owners[family]?.unit ?? '') ?? 1);
		return { ...piece, whole: (piece.whole * own.reduce((sum, one) => sum + one, 0)) / own.length };
	});
}

/**
 * Apart, parts miss fusions over their borders, and pay for what only a model pays once. What they save together is put on a scale that
 * is straight between nothing and the narrowed models; prices, which compare parts, stay.
 */
function calibrated(byParts: Savings, wholes: readonly Narrowed[]): Savings {
	const points: (readonly [parts: number, saved: number])[] = [[0, 0]];
	for (const { removed, saved } of wholes) {
		const [from = 0, to = 0] = points.at(-1) ?? [];
		const parts = byParts.saved(removed);
		// Noise may have a narrower model take longer: then it says nothing.
		if (parts > from && saved > to) points.push([parts, saved]);
	}
	const scaled = (parts: number): number => {
		const after = points.findIndex(([at]) => at > parts);
		const end = after < 0 ? points.length - 1 : after;
		const [from = 0, low = 0] = points[end - 1] ?? [];
		const [to = 1, high = 1] = points[end] ?? [];
		return low + ((high - low) * (parts - from)) / (to - from);
	};
	return points.length === 1 ? byParts : { ...byParts, saved: (removed) => scaled(byParts.saved(removed)) };
}

/** How many units of an offer are gone at a width. */
function countAt({ counts }: Offered, width: number): number {
	return counts[Math.round((width / (widths - 1)) * (counts.length - 1))] ?? 0;
}

function savingsOf(pieces: readonly Piece[], offers: readonly Offered[]): Savings {
	const savedOf = ({ families, ratios, whole }: Piece, removed: readonly number[]): number => {
		const left = families.reduce((product, family) => {
			const ratio = ratioAt(ratios, offers[family], removed[family] ?? 0);
			return product * ratio ** (1 / families.length);
		}, 1);
		return whole * (1 - left);
	};
	return savingsOver(pieces, offers.length, { familiesOf: ({ families }) => families, savedOf });
}

/** Between the two measured widths around a count. */
function ratioAt(ratios: readonly number[], offer: Offered | undefined, count: number): number {
	if (offer === undefined) return 1;
	const points = ratios.map((ratio, width) => [countAt(offer, width), ratio] as const);
	const after = points.findIndex(([at]) => at >= count);
	const [[from, low] = [0, 1], [to, high] = [0, 1]] = [points[Math.max(0, after - 1)], points[after]];
	return to === from ? high : low + ((high - low) * (count - from)) / (to - from);
}
