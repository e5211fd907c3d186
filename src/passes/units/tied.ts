/** Groups that cut one tensor: truly tied weights (ALBERT's shared layers, one matrix in two layers) stay one when they lose the same units. */
import { type Family } from '../../ir/axes/families.ts';
import { type Net, type NetTensor } from '../../ir/axes/net.ts';
import { elementCount } from '../../ir/graph/graph.ts';
import { readsOf } from '../../ir/axes/stretches.ts';
import { type Candidate } from '../scores/select.ts';

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

/** Whether two families cut one tensor along the same axis in the same way. */
export function areTied(left: Family, right: Family): boolean {
	const uses = usesCut({ family: left });
	return [...usesCut({ family: right }).keys()].some((key) => uses.has(key));
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
		if (isShareable(tensor)) uses.set(tensor.source, (uses.get(tensor.source) ?? 0) + 1);
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

/** What `usesCut` found of a family: every statement asks several times. */
const counted = new WeakMap<Family, ReadonlyMap<string, number>>();

function usesCut({ family }: Pick<Candidate, 'family'>): ReadonlyMap<string, number> {
	const uses = counted.get(family) ?? countUses(family);
	counted.set(family, uses);
	return uses;
}

/**
 * Whether a tensor of its own costs more than the loss of a single unit saves: it does not where a table of slopes stands beside the matrices of heads.
 * Both in numbers, those of each source once.
 */
function isWorthSharing({ units, axes }: Family): (tensor: NetTensor) => boolean {
	const sizes = new Map<string, number>();
	for (const [tensor, own] of axes)
		if (isShareable(tensor) && own.some(Boolean)) sizes.set(tensor.source, elementCount(tensor.sizes));
	const all = [...sizes.values()].reduce((sum, size) => sum + size, 0);
	return (tensor) => {
		const size = sizes.get(tensor.source) ?? 0;
		return size * (units - 1) >= all - size;
	};
}

/** How many uses of each tensor are cut in one way. Slices that each read a stretch of it cut it together. */
function countUses(family: Family): Map<string, number> {
	const uses = new Map<
		string,
		{ readonly tensor: NetTensor; readonly units: Int32Array; readonly axis: number }[]
	>();
	const isOne = isWorthSharing(family);
	for (const [tensor, axes] of family.axes) {
		if (!isShareable(tensor) || !isOne(tensor)) continue;
		axes.forEach((units, axis) => {
			if (!units?.some((unit) => unit >= 0)) return;
			const key = `${tensor.source}|${axis}`;
			uses.set(key, [...(uses.get(key) ?? []), { tensor, units, axis }]);
		});
	}
	const counts = new Map<string, number>();
	const texts = new Map<Int32Array, string>();
	for (const [key, all] of uses) {
		const together = all.length > 1 ? joined(all) : undefined;
		for (const { units } of all) {
			const way = together ?? units;
			const text = texts.get(way) ?? way.join(',');
			texts.set(way, text);
			const own = `${key}|${text}`;
			counts.set(own, (counts.get(own) ?? 0) + 1);
		}
	}
	return counts;
}

/** The unit at each position, from the use that reads it; undefined where two uses read a position differently. */
function joined(
	uses: readonly { readonly tensor: NetTensor; readonly units: Int32Array; readonly axis: number }[],
): Int32Array | undefined {
	const [first] = uses;
	const together = new Int32Array(first?.units.length ?? 0).fill(-1);
	const read = new Uint8Array(together.length);
	for (const { tensor, units, axis } of uses) {
		const reads = readsOf(tensor, axis);
		for (const [at, unit] of units.entries()) {
			if (reads[at] !== 1) continue;
			if (read[at] === 1 && together[at] !== unit) return undefined;
			[together[at], read[at]] = [unit, 1];
		}
	}
	return together;
}
