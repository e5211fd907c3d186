/** Parts of a model that lose units, and what they take when some are gone. */
import { cutOf } from '../../ir/axes/cut.ts';
import { type Family } from '../../ir/axes/families.ts';
import { type Net } from '../../ir/axes/net.ts';
import { rewriteCut } from '../../ir/axes/rewrite.ts';
import { bindShapes, typical, type Shapes } from '../../ir/graph/bindings.ts';
import { inferFacts } from '../../ir/graph/facts.ts';
import { type Model } from '../../ir/graph/graph.ts';
import { partOf, type Part } from '../../ir/graph/part.ts';
import { applyPatch } from '../../ir/graph/patch.ts';
import { type Offered } from '../technique.ts';

/** Milliseconds of each part, undefined for one that does not run by itself. */
export type TimeParts = (parts: readonly Part[]) => Promise<readonly (number | undefined)[]>;

/** Nodes that the same families make smaller, told by their place in a list. */
export type Shrinking = { readonly nodes: ReadonlySet<number>; readonly families: readonly number[] };

export function piecesOf(net: Net, families: readonly Family[]): Shrinking[] {
	const pieces = new Map<string, { nodes: Set<number>; families: readonly number[] }>();
	for (const node of net.nodes) {
		const own = families.flatMap((family, at) =>
			family.letters.get(node)?.some((owners) => owners?.some((unit) => unit >= 0)) ? [at] : [],
		);
		if (own.length === 0) continue;
		const key = own.join();
		const piece = pieces.get(key) ?? { nodes: new Set(), families: own };
		piece.nodes.add(node.node.id);
		pieces.set(key, piece);
	}
	return [...pieces.values()];
}

export type Timing = {
	readonly net: Net;
	readonly offers: readonly Offered[];
	readonly shapes: Shapes;
	readonly timeParts: TimeParts;
};

/** By column, which says how many units of each offer are gone, the time of each piece. */
export async function timesAt(
	{ net, offers, shapes, timeParts }: Timing,
	pieces: readonly Shrinking[],
	columns: readonly (readonly number[])[],
): Promise<(number | undefined)[][]> {
	const parts = columns.map((counts) => {
		const model = narrowed(net, offers, counts);
		const facts = model && inferFacts(model, bindShapes(model, typical, shapes));
		return pieces.map(({ nodes }) => model && facts && partOf(model, facts, nodes));
	});
	const asked = parts.flat().flatMap((part) => part ?? []);
	const times = await timeParts(asked);
	let next = 0;
	return parts.map((column) => column.map((part) => (part === undefined ? undefined : times[next++])));
}

/** The model with so many units of each offer gone; undefined where an operator cannot follow. */
export function narrowed(net: Net, offers: readonly Offered[], counts: readonly number[]): Model | undefined {
	const chosen = offers.flatMap((offer, at) => {
		const units = new Set(offer.order.slice(0, counts[at]));
		return offer.families.map((family) => ({ family, units }));
	});
	const rewritten = rewriteCut(net, cutOf(chosen));
	return 'refused' in rewritten
		? undefined
		: applyPatch(net.model, { label: 'narrowed', edits: rewritten.edits });
}
