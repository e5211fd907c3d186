/** Positions that a statement lists, in the numbers of the model as it was given. */
import { Fault, type Diagnostic, type Span } from '../diagnostic.ts';
import { namedPositions, resolveRange, resolveRanges } from '../ir/recipe/ranges.ts';
import { type Range } from '../ir/recipe/recipe.ts';
import { alreadyRemoved, noSuchUnit, rangeOverRemoved } from '../messages/plan.ts';

export type Standing = {
	/** How many there were. */
	readonly total: number;
	/** Those that are left, in order. */
	readonly left: readonly number[];
	/** As messages call one of them: `head`. */
	readonly what: string;
	/** Where they are: ` in layer 3`, or nothing. */
	readonly where: string;
};

/** The listed units that stand. Throws `Fault` for one that never was or is gone; a range over one that is gone is a note. */
export function listed(
	ranges: readonly Range[],
	{ total, left, what, where }: Standing,
	span: Span,
): { readonly units: readonly number[]; readonly notes: readonly Diagnostic[] } {
	const standing = new Set(left);
	for (const { written, at } of namedPositions(ranges, total)) {
		if (at < 0 || at >= total)
			throw new Fault(noSuchUnit({ index: written, what, where, count: total }, { span }));
		if (!standing.has(at)) throw new Fault(alreadyRemoved({ index: at, what, where }, { span }));
	}
	const wanted = resolveRanges(ranges, total);
	if (wanted.length === 0) {
		const index = ranges[0]?.from && 'index' in ranges[0].from ? ranges[0].from.index : total;
		throw new Fault(noSuchUnit({ index, what, where, count: total }, { span }));
	}
	const gone = ranges.flatMap((range) => resolveRange(range, total)).filter((at) => !standing.has(at));
	return {
		units: wanted.filter((at) => standing.has(at)),
		notes: gone.length === 0 ? [] : [rangeOverRemoved({ gone, what, where }, { span })],
	};
}
