/** Offsets of a text as lines and columns. */

/** From 1, both; a column counts UTF-16 units, as editors and `Span` do. */
export type Position = { readonly line: number; readonly column: number };

/** Where each line begins: after `\n`, `\r\n`, or a lone `\r`. */
export function lineStarts(text: string): readonly number[] {
	const starts = [0];
	for (const match of text.matchAll(/\r\n|\r|\n/g)) starts.push(match.index + match[0].length);
	return starts;
}

/** The position of an offset; offsets outside the text go to its nearest end. */
export function positionAt(starts: readonly number[], offset: number): Position {
	let [low, high] = [0, starts.length - 1];
	while (low < high) {
		const middle = Math.ceil((low + high) / 2);
		if ((starts[middle] ?? 0) <= offset) low = middle;
		else high = middle - 1;
	}
	return { line: low + 1, column: Math.max(0, offset - (starts[low] ?? 0)) + 1 };
}

/** What differs between two texts, as one hunk of a unified diff with three lines around it; nothing when they are alike. */
export function lineDiff(before: string, after: string): string {
	if (before === after) return '';
	const [old, now] = [before.split('\n'), after.split('\n')];
	let head = 0;
	while (head < Math.min(old.length, now.length) && old[head] === now[head]) head++;
	let tail = 0;
	while (tail < Math.min(old.length, now.length) - head && old.at(-1 - tail) === now.at(-1 - tail)) tail++;
	const from = Math.max(0, head - 3);
	const after3 = Math.max(0, tail - 3);
	const context = old.slice(from, head).map((line) => ` ${line}`);
	const gone = old.slice(head, old.length - tail).map((line) => `-${line}`);
	const come = now.slice(head, now.length - tail).map((line) => `+${line}`);
	const rest = old.slice(old.length - tail, old.length - after3).map((line) => ` ${line}`);
	const extent = (total: number): string => `${from + 1},${total - after3 - from}`;
	return [`@@ -${extent(old.length)} +${extent(now.length)} @@`, ...context, ...gone, ...come, ...rest].join(
		'\n',
	);
}
