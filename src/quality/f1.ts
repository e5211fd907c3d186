/** F1 over classes (van Rijsbergen 1979), each class counting alike. */
import { type Observation } from './metric.ts';

/** Of pairs `predicted, right, predicted, right, …`; classes that are neither predicted nor right do not count. */
export function macroF1(all: readonly Observation[]): number {
	const hits = new Map<number, number>();
	const sizes = new Map<number, number>();
	const add = (counts: Map<number, number>, one: number): void =>
		void counts.set(one, (counts.get(one) ?? 0) + 1);
	for (const pairs of all) {
		for (let at = 0; at < pairs.length; at += 2) {
			const [predicted = NaN, right = NaN] = [pairs[at], pairs[at + 1]];
			if (predicted === right) add(hits, right);
			add(sizes, predicted);
			add(sizes, right);
		}
	}
	// 2 · true positives / (predicted + right): the harmonic mean of precision and recall.
	const scores = [...sizes].map(([one, size]) => (2 * (hits.get(one) ?? 0)) / size);
	return scores.reduce((sum, score) => sum + score, 0) / scores.length;
}
