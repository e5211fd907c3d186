/** Ranges against a count: which positions they select, and how that reads in words. */
import { type Bound, type Range } from './recipe.ts';

/** Share of a count as a whole number: the nearest, halves up. */
export function shareOf(share: number, count: number): number {
	return Math.floor(share * count + 0.5);
}

function place(bound: Bound, count: number): number {
	if ('percent' in bound) return shareOf(bound.percent / 100, count);
	return bound.index < 0 ? bound.index + count : bound.index;
}

/** Positions that a range selects of `count`; one that reaches beyond the end is cut there. */
export function resolveRange(range: Range, count: number): number[] {
	const first = Math.max(0, range.from === undefined ? 0 : place(range.from, count));
	const end = range.to === undefined ? count : place(range.to, count) + (range.inclusive === true ? 1 : 0);
	const positions: number[] = [];
	for (let at = first; at < Math.min(end, count); at += range.step ?? 1) positions.push(at);
	return positions;
}

/** Positions that any of the ranges selects, in order. */
export function resolveRanges(ranges: readonly Range[], count: number): number[] {
	return [...new Set(ranges.flatMap((range) => resolveRange(range, count)))].sort((a, b) => a - b);
}

/** Reads positions back: `layers 6 to 11`, `layer 3`, `layers 0, 2 and 5`. */
export function positionsInWords(kind: string, positions: readonly number[]): string {
	const [first] = positions;
	const last = positions.at(-1);
	if (first === undefined || last === undefined) return `no ${kind}`;
	if (positions.length === 1) return `${kind} ${first}`;
	if (last - first + 1 === positions.length) return `${kind}s ${first} to ${last}`;
	return `${kind}s ${positions.slice(0, -1).join(', ')} and ${last}`;
}
