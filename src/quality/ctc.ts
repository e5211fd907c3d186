/** Texts of recognizers trained with connectionist temporal classification (Graves et al. 2006), read greedily. */
import { type Output } from './metric.ts';
import { bestOf } from './outputs.ts';

/** The best class of every step, repeats and blanks (class 0) dropped; classes beyond the letters are spaces. */
export function readCtc(scores: Output, letters: readonly string[]): string {
	const best = bestOf(scores);
	return best
		.filter((one, step) => one !== 0 && one !== best[step - 1])
		.map((one) => letters[one - 1] ?? ' ')
		.join('')
		.trim();
}

/** Letters to insert, delete or replace to make one text of another (Levenshtein 1965). */
export function edits(from: string, to: string): number {
	let last = Array.from({ length: to.length + 1 }, (_, at) => at);
	for (let row = 1; row <= from.length; row++) {
		const current = [row];
		for (let at = 1; at <= to.length; at++) {
			const change = (last[at - 1] ?? 0) + Number(from[row - 1] !== to[at - 1]);
			current.push(Math.min(change, (last[at] ?? 0) + 1, (current[at - 1] ?? 0) + 1));
		}
		last = current;
	}
	return last[to.length] ?? 0;
}
