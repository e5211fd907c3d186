/** Ranges against a count: which positions they select, and how that reads in words. */
import { shareOf } from './decimal.ts';
import { type Bound, type Range } from './recipe.ts';

function place(bound: Bound, count: number): number {
	if ('percent' in bound) return shareOf(Number((bound.percent / 100).toPrecision(15)), count);
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

/** Positions that are listed one by one, as written and from 0; they may lie outside. */
export function namedPositions(
	ranges: readonly Range[],
	count: number,
): { readonly written: number; readonly at: number }[] {
	return ranges.flatMap(({ from, to, inclusive }) => {
		if (inclusive !== true || from === undefined || to === undefined) return [];
		if (!('index' in from) || !('index' in to) || from.index !== to.index) return [];
		return [{ written: from.index, at: place(from, count) }];
	});
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

/** Ranges as they are written. */
export function rangesText(ranges: readonly Range[]): string {
	const text = ranges.map(rangeText).join(', ');
	const [only] = ranges;
	return ranges.length > 1 || (only !== undefined && isIndex(only)) ? `[${text}]` : text;
}

function rangeText(range: Range): string {
	const { from, to, inclusive, step } = range;
	if (isIndex(range)) return boundText(from);
	const dots = `${boundText(from)}..${inclusive === true ? '=' : ''}${boundText(to)}`;
	return step === undefined ? dots : `${dots} step ${step}`;
}

function isIndex({ from, to, inclusive }: Range): boolean {
	if (inclusive !== true || from === undefined || to === undefined) return false;
	return 'index' in from && 'index' in to && from.index === to.index;
}

function boundText(bound: Bound | undefined): string {
	if (bound === undefined) return '';
	return 'percent' in bound ? `${bound.percent}%` : String(bound.index);
}

/** Layers in words, where the words need no count: `layers 6 to 11`. */
export function readingOf(ranges: readonly Range[]): string | undefined {
	const ends = ranges.flatMap(({ from, to }) => [from, to]);
	const plain = ends.every(
		(end) => end !== undefined && 'index' in end && end.index >= 0 && end.index < 10_000,
	);
	return plain ? positionsInWords('layer', resolveRanges(ranges, 10_000)) : undefined;
}
