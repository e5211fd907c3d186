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
