/** Which units of which blocks go: amounts, lists, predicates, alignment, ties. */
import { Fault, type Diagnostic } from '../diagnostic.ts';
import { countToRemove } from '../ir/recipe/amounts.ts';
import { evaluate, fieldsOf } from '../ir/recipe/predicate.ts';
import { resolveRanges } from '../ir/recipe/ranges.ts';
import { type Step } from '../ir/recipe/recipe.ts';
import { Limits } from './limits.ts';
import { type UnitGroup } from './units.ts';
import { alignedAway, everythingSelected, nothingSelected, noSuchUnit } from '../messages/plan.ts';

/** A group's units with their scores. `given` are the numbers they had in the model as it was given. */
export type Candidate = UnitGroup & {
	readonly given: readonly number[];
	readonly scores: Float64Array;
};
export type Selected = { readonly candidate: Candidate; readonly units: readonly number[] };
export type Selection = { readonly selected: readonly Selected[]; readonly notes: readonly Diagnostic[] };

/** Score from 0 to 1 within its group: max(0, s) over the largest of the group. */
export function importance(scores: readonly number[]): number[] {
	const largest = Math.max(0, ...scores);
	return scores.map((score) => (largest > 0 ? Math.max(0, score) / largest : 0));
}

export function select(step: Step, candidates: readonly Candidate[], unit: string, align: number): Selection {
	if (step.where !== undefined) return byPredicate(step, candidates, unit);
	if (step.amount?.kind === 'set') return bySet(step, candidates, unit);
	return step.globally ? globally(step, candidates) : layerwise(step, candidates, unit, align);
}

type Ranked = { readonly candidate: Candidate; readonly unit: number; readonly score: number };

function ranked(candidates: readonly Candidate[]): Ranked[] {
	return candidates
		.flatMap((candidate) => Array.from(candidate.scores, (score, unit) => ({ candidate, unit, score })))
		.sort((a, b) => a.score - b.score || a.candidate.layer - b.candidate.layer || a.unit - b.unit);
}

function group(list: readonly Ranked[], candidates: readonly Candidate[]): Selected[] {
	return candidates
		.map((candidate) => ({
			candidate,
			units: list
				.filter((one) => one.candidate === candidate)
				.map(({ unit }) => unit)
				.sort((a, b) => a - b),
		}))
		.filter(({ units }) => units.length > 0);
}

function layerwise(step: Step, candidates: readonly Candidate[], unit: string, align: number): Selection {
	const notes: Diagnostic[] = [];
	const selected = candidates.flatMap((candidate) => {
		if (step.amount === undefined) return [];
		const total = candidate.scores.length;
		const { remove, requested } = countToRemove(step.amount, total, {
			align: alignFor(step, total, align),
			min: Math.max(1, step.min),
		});
		if (requested > 0 && remove === 0)
			notes.push(
				alignedAway(
					{ what: `the ${total} ${unit} of ${candidate.label}`, align: alignFor(step, total, align) },
					{ span: step.span },
				),
			);
		return group(lowest(ranked([candidate]), remove), [candidate]);
	});
	return { selected, notes };
}

/** Groups narrower than 32 align to 4 where wider ones align to 16 (language reference, alignment). */
function alignFor(step: Step, total: number, align: number): number {
	return step.align ?? (align > 4 && total < 32 ? 4 : align);
}

/** Scores in units of their group's mean, so that layers compare. */
function byMean({ scores }: Candidate): Float64Array {
	const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
	return scores.map((score) => (mean > 0 ? score / mean : score));
}

/** One ranking over all blocks; one unit stays in each. */
function globally(step: Step, candidates: readonly Candidate[]): Selection {
	const weighted = candidates.map((candidate): Candidate => ({ ...candidate, scores: byMean(candidate) }));
	const total = weighted.reduce((sum, { scores }) => sum + scores.length, 0);
	const { remove } =
		step.amount === undefined
			? { remove: 0 }
			: countToRemove(step.amount, total, { align: 1, min: weighted.length });
	const chosen = lowest(ranked(weighted), remove, Math.max(1, step.min));
	return { selected: group(chosen, weighted), notes: [] };
}

/** The first so many of a ranking that may go: `min` stay in each group, and no axis loses all it has. */
function lowest(ranking: readonly Ranked[], count: number, min = 1): Ranked[] {
	const left = new Map<Candidate, { stay: number; readonly limits: Limits }>();
	const chosen: Ranked[] = [];
	for (const one of ranking) {
		if (chosen.length >= count) break;
		const { candidate } = one;
		const group = left.get(candidate) ?? {
			stay: candidate.scores.length,
			limits: new Limits(candidate.family),
		};
		left.set(candidate, group);
		if (group.stay <= min || !group.limits.take(one.unit)) continue;
		group.stay--;
		chosen.push(one);
	}
	return chosen;
}

function bySet(step: Step, candidates: readonly Candidate[], unit: string): Selection {
	const ranges = step.amount?.kind === 'set' ? step.amount.ranges : [];
	const selected = candidates.map((candidate) => {
		const count = Math.max(0, ...candidate.given.map((given) => given + 1));
		for (const range of ranges) {
			const index =
				range.from && 'index' in range.from && range.to && 'index' in range.to && range.inclusive
					? range.from.index
					: undefined;
			if (index !== undefined && index >= count)
				throw new Fault(noSuchUnit({ index, what: unit.replace(/s$/, ''), count }, { span: step.span }));
		}
		const wanted = new Set(resolveRanges(ranges, count));
		const units = candidate.given.flatMap((given, at) => (wanted.has(given) ? [at] : []));
		return { candidate, units: checkRest(step, candidate, units, unit) };
	});
	return { selected: selected.filter(({ units }) => units.length > 0), notes: [] };
}

function byPredicate(step: Step, candidates: readonly Candidate[], unit: string): Selection {
	const { where } = step;
	if (where === undefined) return { selected: [], notes: [] };
	let nearest = Infinity;
	const shared = step.globally
		? importance(candidates.flatMap((candidate) => [...byMean(candidate)]))
		: undefined;
	let offset = 0;
	const selected = candidates.map((candidate) => {
		const own =
			shared?.slice(offset, (offset += candidate.scores.length)) ?? importance([...candidate.scores]);
		const units = candidate.given.flatMap((given, at) => {
			nearest = Math.min(nearest, own[at] ?? Infinity);
			const fields = (name: string): number =>
				({ importance: own[at], layer: candidate.layer, index: given, size: candidate.scores.length })[
					name
				] ??
				candidate.scores[at] ??
				0;
			return evaluate(where, fields, candidate.names[0] ?? '') ? [at] : [];
		});
		return { candidate, units: checkRest(step, candidate, units, unit) };
	});
	const found = selected.filter(({ units }) => units.length > 0);
	if (found.length > 0 || candidates.length === 0) return { selected: found, notes: [] };
	const hint = fieldsOf(where).includes('importance')
		? `; the least important has importance ${nearest.toFixed(3)}`
		: '';
	return {
		selected: [],
		notes: [nothingSelected({ what: unit, nearest: hint }, { span: step.spans.where ?? step.span })],
	};
}

function checkRest(
	step: Step,
	{ scores }: Candidate,
	units: readonly number[],
	unit: string,
): readonly number[] {
	if (units.length >= scores.length && units.length > 0)
		throw new Fault(everythingSelected({ what: unit, count: scores.length }, { span: step.span }));
	return units;
}
