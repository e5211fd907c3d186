/** Groups that cut one tensor: truly tied weights (ALBERT's shared layers, one matrix in two layers) stay one when they lose the same units. */
import { type Net, type NetTensor } from '../ir/axes/net.ts';
import { type Candidate } from './select.ts';

/** The number of the class of each candidate: those that cut the same tensor along the same axis in the same way are one. */
export function tiesOf(candidates: readonly Candidate[]): number[] {
	const owners = new Map<string, number[]>();
	candidates.forEach((candidate, at) => {
		for (const key of usesCut(candidate).keys()) owners.set(key, [...(owners.get(key) ?? []), at]);
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
	return group;
}

/** The candidates with scores in common where they are tied. */
export function tieScores(candidates: readonly Candidate[]): Candidate[] {
	const group = tiesOf(candidates);
	return candidates.map((candidate, at) => {
		const mates = candidates.filter((_, other) => group[other] === group[at]);
		if (mates.length === 1) return candidate;
		const scores = candidate.scores.map((_, unit) =>
			mates.reduce((sum, mate) => sum + (mate.scores[unit] ?? 0), 0),
		);
		return { ...candidate, scores };
	});
}

/**
 * Groups that would split a shared matrix in two: some of its readers lose positions and others keep them, so that the file would grow.
 * Each with the name of the matrix.
 */
export function splitters(net: Net, candidates: readonly Candidate[]): Map<Candidate, string> {
	const uses = new Map<string, number>();
	for (const tensor of net.tensors.values()) {
		if (isShareable(tensor)) uses.set(tensor.name, (uses.get(tensor.name) ?? 0) + 1);
	}
	const covered = new Map<string, number>();
	for (const candidate of candidates) {
		for (const [key, count] of usesCut(candidate)) covered.set(key, (covered.get(key) ?? 0) + count);
	}
	const found = new Map<Candidate, string>();
	for (const candidate of candidates) {
		for (const key of usesCut(candidate).keys()) {
			const [name = ''] = key.split('|');
			if ((covered.get(key) ?? 0) < (uses.get(name) ?? 0)) found.set(candidate, name);
		}
	}
	return found;
}

const isShareable = ({ constant, sizes }: NetTensor): boolean => constant !== undefined && sizes.length > 1;

/** How many uses of each tensor are cut in one way. */
function usesCut({ family }: Candidate): Map<string, number> {
	const counts = new Map<string, number>();
	for (const [tensor, axes] of family.axes) {
		if (!isShareable(tensor)) continue;
		axes.forEach((units, axis) => {
			if (!units?.some((unit) => unit >= 0)) return;
			const key = `${tensor.name}|${axis}|${units.join(',')}`;
			counts.set(key, (counts.get(key) ?? 0) + 1);
		});
	}
	return counts;
}
