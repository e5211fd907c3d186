/** Whether an encoder still finds the same things near: similarities among all examples, beside those of the first model. */
import { type Observation } from './metric.ts';

/** How many of the nearest are looked at. */
const nearest = 10;

type Similarities = { readonly own: readonly number[]; readonly first: readonly number[] };

/** Each observation holds two vectors of length 1, the model's own and the first model's. */
function similaritiesOf(all: readonly Observation[], to: number): Similarities {
	const width = (all[to]?.length ?? 0) / 2;
	const dots = (offset: number): number[] =>
		all.flatMap((other, at) => {
			if (at === to) return [];
			let sum = 0;
			for (let one = offset; one < offset + width; one++) sum += (all[to]?.[one] ?? 0) * (other[one] ?? 0);
			return [sum];
		});
	return { own: dots(0), first: dots(width) };
}

/** Of each example: how many of its nearest are those of the first model, of how many. */
export function neighbours(all: readonly Observation[]): Observation[] {
	const count = Math.min(nearest, all.length - 1);
	return all.map((_, at) => {
		const { own, first } = similaritiesOf(all, at);
		const wanted = new Set(closest(first, count));
		return [closest(own, count).filter((one) => wanted.has(one)).length, count];
	});
}

/** Ties go to the first. */
function closest(similarities: readonly number[], count: number): number[] {
	return order(similarities).reverse().slice(0, count);
}

/** Places from the least to the largest; of equals the later one first, so that reversed the earlier one leads. */
function order(values: readonly number[]): number[] {
	return values.map((_, at) => at).sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0) || b - a);
}

/** Of each example: Spearman's correlation (1904) of its similarities, and 1. */
export function rankAgreement(all: readonly Observation[]): Observation[] {
	return all.map((_, at) => {
		const { own, first } = similaritiesOf(all, at);
		return [correlation(ranks(own), ranks(first)), 1];
	});
}

/** Ranks from 0; equals share the mean of theirs. */
export function ranks(values: readonly number[]): number[] {
	const sorted = order(values);
	const result = new Array<number>(values.length).fill(0);
	for (let start = 0; start < sorted.length;) {
		let end = start + 1;
		while (end < sorted.length && values[sorted[end] ?? 0] === values[sorted[start] ?? 0]) end++;
		for (let at = start; at < end; at++) result[sorted[at] ?? 0] = (start + end - 1) / 2;
		start = end;
	}
	return result;
}

/** Pearson's; 1 where neither varies, 0 where one does not. */
export function correlation(a: readonly number[], b: readonly number[]): number {
	const mean = (values: readonly number[]): number =>
		values.reduce((sum, one) => sum + one, 0) / values.length;
	const [middleA, middleB] = [mean(a), mean(b)];
	let [both, own, other] = [0, 0, 0];
	for (const [at, value] of a.entries()) {
		const [left, right] = [value - middleA, (b[at] ?? 0) - middleB];
		both += left * right;
		own += left * left;
		other += right * right;
	}
	if (own === 0 || other === 0) return own === other ? 1 : 0;
	return both / Math.sqrt(own * other);
}
