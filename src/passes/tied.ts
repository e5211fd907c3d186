/** Groups that cut one tensor: truly tied weights (ALBERT's shared layers, one matrix in two layers) stay one when they lose the same units. */
import { type Candidate } from './select.ts';

/** The candidates with scores in common where they cut the same tensor along the same axis in the same way. */
export function tieScores(candidates: readonly Candidate[]): Candidate[] {
	const owners = new Map<string, number[]>();
	candidates.forEach((candidate, at) => {
		for (const key of cutsOf(candidate)) owners.set(key, [...(owners.get(key) ?? []), at]);
	});
	const group = candidates.map((_, at) => at);
	for (const [first = 0, ...rest] of owners.values()) {
		const into = group[first] ?? first;
		for (const other of rest) {
			const from = group[other];
			group.forEach((own, at) => {
				if (own === from) group[at] = into;
			});
		}
	}
	return candidates.map((candidate, at) => {
		const mates = candidates.filter((_, other) => group[other] === group[at]);
		if (mates.length === 1) return candidate;
		const scores = candidate.scores.map((_, unit) =>
			mates.reduce((sum, mate) => sum + (mate.scores[unit] ?? 0), 0),
		);
		return { ...candidate, scores };
	});
}

/** Each matrix or filter that is cut: its name, the axis, and which unit owns which position. */
function cutsOf({ family }: Candidate): Set<string> {
	const keys = new Set<string>();
	for (const [tensor, axes] of family.axes) {
		if (tensor.constant === undefined || tensor.sizes.length < 2) continue;
		axes.forEach((units, axis) => {
			if (units?.some((unit) => unit >= 0)) keys.add(`${tensor.name}|${axis}|${units.join(',')}`);
		});
	}
	return keys;
}
