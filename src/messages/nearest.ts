/**
 * The word that was probably meant, or nothing: the only candidate; one that differs in case alone; else the nearest
 * one, when at most a third of the word's letters (and one at least) would have to change. Of several, the one with the
 * same letters, then one with the same first letter, then the first.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
	if (candidates.length === 1) return candidates[0];
	const same = candidates.find((candidate) => candidate.toLowerCase() === word.toLowerCase());
	if (same !== undefined) return same;
	const limit = Math.max(1, Math.floor(word.length / 3));
	let best: { readonly candidate: string; readonly distance: number } | undefined;
	for (const candidate of candidates) {
		if (Math.abs(candidate.length - word.length) > limit) continue;
		const edits = editDistance(word, candidate);
		const distance = edits - likeness(word, candidate);
		if (edits <= limit && distance < (best?.distance ?? Infinity)) best = { candidate, distance };
	}
	return best?.candidate;
}

/** Below one letter: between candidates that are equally far. */
function likeness(a: string, b: string): number {
	const sorted = (word: string): string => [...word].toSorted().join('');
	if (sorted(a) === sorted(b)) return 0.5;
	return a.startsWith(b.charAt(0)) ? 0.25 : 0;
}

/** Letters to insert, delete, replace, or swap with a neighbour (optimal string alignment). */
export function editDistance(a: string, b: string): number {
	let beforeLast: number[] = [];
	let last = Array.from({ length: b.length + 1 }, (_, column) => column);
	for (let row = 1; row <= a.length; row++) {
		const current = [row];
		for (let column = 1; column <= b.length; column++) {
			const change = a[row - 1] === b[column - 1] ? 0 : 1;
			let cost = Math.min(
				(last[column] ?? 0) + 1,
				(current[column - 1] ?? 0) + 1,
				(last[column - 1] ?? 0) + change,
			);
			if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
				cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1);
			}
			current.push(cost);
		}
		[beforeLast, last] = [last, current];
	}
	return last[b.length] ?? 0;
}

/** `a`, `a or b`, `a, b or c`, each word between backticks. */
export function oneOf(words: readonly string[], joint = 'or'): string {
	const quoted = words.map((word) => `\`${word}\``);
	if (quoted.length < 2) return quoted.join('');
	return `${quoted.slice(0, -1).join(', ')} ${joint} ${quoted.at(-1) ?? ''}`;
}
