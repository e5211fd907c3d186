/** Which units of which blocks go: amounts, lists, predicates, alignment, ties. */
import { bug, Fault, type Diagnostic } from '../../diagnostic.ts';
import { countToRemove, fewestAligned, isAligned } from '../../ir/recipe/amounts.ts';
import { evaluate, missBy, valuesText } from '../../ir/recipe/predicate.ts';
import { type Predicate, type Step } from '../../ir/recipe/recipe.ts';
import { alignmentNotes, type Away } from './alignment-notes.ts';
import { type Fields } from './fields.ts';
import { CommonLimits, leastOf, Limits } from './limits.ts';
import { listed } from '../listed.ts';
import { type Allotment } from '../technique.ts';
import { commonDivisor, type UnitGroup, widthOfUnits } from '../units/units.ts';
import { everythingSelected, nothingSelected } from '../../messages/plan.ts';

/** A group's units with their scores. `given` are the numbers they had in the model as it was given. */
export type Candidate = UnitGroup & {
	readonly given: readonly number[];
	/** How many there were in the model as given. */
	readonly total: number;
	readonly scores: Float64Array;
	/** What the step's condition reads beside position and importance. */
	readonly fields: Fields;
};
export type Selected = { readonly candidate: Candidate; readonly units: readonly number[] };
export type Selection = { readonly selected: readonly Selected[]; readonly notes: readonly Diagnostic[] };

/** Score from 0 to 1 within its group: max(0, s) over the largest of the group. */
export function importance(scores: readonly number[]): number[] {
	const largest = scores.reduce((most, score) => Math.max(most, score), 0);
	return scores.map((score) => (largest > 0 ? Math.max(0, score) / largest : 0));
}

export function select(step: Step, candidates: readonly Candidate[], unit: string, align: number): Selection {
	if (step.where !== undefined) return byPredicate(step, candidates, unit);
	if (step.amount?.kind === 'set') return bySet(step, candidates, unit);
	return step.globally ? globally(step, candidates, align) : layerwise(step, candidates, unit, align);
}

/** So many of each candidate's units, as a goal has allotted them. */
export function selectAllotted(
	candidates: readonly Candidate[],
	allotted: Allotment,
	min: number,
): Selected[] {
	const common = commonTo(candidates);
	return candidates.flatMap((candidate) => {
		const count = allotted.get(candidate.key) ?? 0;
		return group(lowest(ranked([candidate]), count, Math.max(1, min), common), [candidate]);
	});
}

/** Units that are told one by one, as far as one of each candidate and of every axis stays. */
export function selectTold(
	candidates: readonly Candidate[],
	told: (candidate: Candidate) => ReadonlySet<number>,
): Selected[] {
	const common = commonTo(candidates);
	return candidates.flatMap((candidate) => {
		const units = told(candidate);
		const wanted = ranked([candidate]).filter(({ unit }) => units.has(unit));
		return group(lowest(wanted, wanted.length, 1, common), [candidate]);
	});
}

/** A candidate's units in the order in which they go, without those that must stay. */
export function orderOf(candidate: Candidate, min: number): number[] {
	return lowest(ranked([candidate]), candidate.scores.length, Math.max(1, min)).map(({ unit }) => unit);
}

const commonTo = (candidates: readonly Candidate[]): CommonLimits =>
	new CommonLimits(candidates.map(({ family }) => family));

type Ranked = { readonly candidate: Candidate; readonly unit: number; readonly score: number };

/** By score, equal ones by layer and then by number: they stand in that order before, and a sort keeps it. */
function ranked(candidates: readonly Candidate[]): Ranked[] {
	const ranking: Ranked[] = [];
	for (const candidate of candidates.toSorted((a, b) => a.layer - b.layer))
		for (let unit = 0; unit < candidate.scores.length; unit++)
			ranking.push({ candidate, unit, score: candidate.scores[unit] ?? 0 });
	return ranking.sort((a, b) => a.score - b.score);
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
	const away: Away[] = [];
	const common = commonTo(candidates);
	const selected = candidates.flatMap((candidate) => {
		if (step.amount === undefined) return [];
		const total = candidate.scores.length;
		const aligned = multipleFor(step, candidate, align);
		const { min } = step;
		const { remove, requested } = countToRemove(step.amount, total, { align: aligned, min });
		if (requested > 0 && remove === 0 && total > min)
			away.push({
				label: candidate.label,
				units: total,
				align: aligned,
				fewest: fewestAligned(total, aligned),
			});
		return group(lowest(ranked([candidate]), remove, min, common), [candidate]);
	});
	return { selected, notes: alignmentNotes(away, step, unit) };
}

/** Groups narrower than 32 align to 4 where wider ones align to 16 (language reference, alignment). */
export function alignFor(step: Step, total: number, align: number): number {
	return step.align ?? (align > 4 && total < 32 ? 4 : align);
}

/**
 * To multiples of how many a candidate's kept units go. Alignment is of positions on the axes of weights: units of 16 channels each, as
 * groups of a convolution are, leave a multiple of 16 whatever goes. A number that the statement gives counts units.
 */
export function multipleFor(step: Step, { family, scores }: Candidate, align: number): number {
	const each = step.align === undefined && align > 1 ? widthOfUnits(family) : 1;
	const multiple = alignFor(step, scores.length * each, align);
	return multiple / commonDivisor(multiple, each);
}

/** Scores in units of their group's mean, so that layers compare. */
function byMean({ scores }: Candidate): Float64Array {
	const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
	return scores.map((score) => (mean > 0 ? score / mean : score));
}

/** One ranking over all blocks; `min` units stay in each. */
function globally(step: Step, candidates: readonly Candidate[], align: number): Selection {
	const weighted = candidates.map((candidate): Candidate => ({ ...candidate, scores: byMean(candidate) }));
	const total = weighted.reduce((sum, { scores }) => sum + scores.length, 0);
	const { remove } =
		step.amount === undefined
			? { remove: 0 }
			: countToRemove(step.amount, total, { align: 1, min: step.min === 0 ? 0 : weighted.length });
	const chosen = lowest(ranked(weighted), remove, step.min, commonTo(weighted));
	const aligned = weighted.flatMap((candidate) => {
		const own = chosen.filter((one) => one.candidate === candidate);
		return alignedPart(step, candidate, own, align);
	});
	return { selected: group(aligned, weighted), notes: [] };
}

/** The first so many of a ranking that may go: `min` stay in each group, and no axis loses all it has. */
function lowest(ranking: readonly Ranked[], count: number, min = 1, common?: CommonLimits): Ranked[] {
	const left = new Map<Candidate, { stay: number; readonly least: number; readonly limits: Limits }>();
	const chosen: Ranked[] = [];
	for (const one of ranking) {
		if (chosen.length >= count) break;
		const { candidate } = one;
		const group = left.get(candidate) ?? {
			stay: candidate.scores.length,
			least: min === 0 ? 0 : Math.max(min, leastOf(candidate.family)),
			limits: new Limits(candidate.family),
		};
		left.set(candidate, group);
		const { family } = candidate;
		if (group.stay <= group.least || common?.hasRoom(family, one.unit) === false) continue;
		if (!group.limits.take(one.unit)) continue;
		common?.take(family, one.unit);
		group.stay--;
		chosen.push(one);
	}
	return chosen;
}

/** Of what a share takes of one group, the least important, so many that the rest is a multiple of the alignment. */
function alignedPart(
	step: Step,
	candidate: Candidate,
	chosen: readonly Ranked[],
	align: number,
): readonly Ranked[] {
	if (step.amount === undefined || !isAligned(step.amount)) return chosen;
	const { scores } = candidate;
	const multiple = multipleFor(step, candidate, align);
	const kept = Math.ceil((scores.length - chosen.length) / multiple) * multiple;
	return chosen.slice(0, Math.max(0, scores.length - kept));
}

function bySet(step: Step, candidates: readonly Candidate[], unit: string): Selection {
	const ranges = step.amount?.kind === 'set' ? step.amount.ranges : [];
	const found = candidates.map((candidate) => {
		const standing = { total: candidate.total, left: candidate.given, ...named(unit, candidate) };
		const { units: wanted, notes } = listed(ranges, standing, step.spans.amount ?? step.span);
		const chosen = new Set(wanted);
		const units = candidate.given.flatMap((given, at) => (chosen.has(given) ? [at] : []));
		return { candidate, units: checkRest(step, candidate, units, unit), notes };
	});
	return {
		selected: found.filter(({ units }) => units.length > 0),
		notes: found.flatMap(({ notes }) => notes),
	};
}

function named(unit: string, { label }: Candidate): { readonly what: string; readonly where: string } {
	return { what: unit.replace(/s$/, ''), where: ` in ${label}` };
}

type Valued = {
	readonly candidate: Candidate;
	readonly at: number;
	readonly fields: (name: string) => number;
};

function byPredicate(step: Step, candidates: readonly Candidate[], unit: string): Selection {
	const { where } = step;
	if (where === undefined) return { selected: [], notes: [] };
	const valued = valuesOf(step, candidates);
	const selected = candidates.map((candidate) => {
		const units = valued
			.filter((one) => one.candidate === candidate && evaluate(where, one.fields, candidate.names[0] ?? ''))
			.map(({ at }) => at);
		return { candidate, units: checkRest(step, candidate, units, unit) };
	});
	const found = selected.filter(({ units }) => units.length > 0);
	if (found.length > 0 || candidates.length === 0) return { selected: found, notes: [] };
	const place = { span: step.spans.where ?? step.span };
	return {
		selected: [],
		notes: [nothingSelected({ what: unit, nearest: nearest(where, valued, unit) }, place)],
	};
}

/** Every unit with the fields that a condition can read. */
function valuesOf(step: Step, candidates: readonly Candidate[]): Valued[] {
	const shared = step.globally
		? importance(candidates.flatMap((candidate) => [...byMean(candidate)]))
		: undefined;
	let offset = 0;
	return candidates.flatMap((candidate) => {
		const { scores, given, layer } = candidate;
		const own = shared?.slice(offset, (offset += scores.length)) ?? importance([...scores]);
		return given.map((index, at): Valued => {
			const plain: Readonly<Record<string, number | undefined>> = {
				...{ importance: own[at], layer, index, size: scores.length },
			};
			const fields = (name: string): number =>
				plain[name] ?? candidate.fields.get(name)?.[at] ?? bug('a field without values', { name });
			return { candidate, at, fields };
		});
	});
}

/** The unit that is nearest to a condition which none meets, with what the condition reads of it. */
function nearest(where: Predicate, valued: readonly Valued[], unit: string): string {
	const name = ({ candidate }: Valued): string => candidate.names[0] ?? '';
	const missed = valued.map((one) => ({ one, by: missBy(where, one.fields, name(one)) }));
	const [best] = missed.toSorted((a, b) => a.by - b.by);
	if (best === undefined) return '';
	const { candidate, at, fields } = best.one;
	const said = valuesText(where, fields);
	const { what } = named(unit, candidate);
	return `; the nearest is ${what} ${candidate.given[at] ?? at} of ${candidate.label}, with ${said}`;
}

function checkRest(
	step: Step,
	{ scores }: Candidate,
	units: readonly number[],
	unit: string,
): readonly number[] {
	if (units.length >= scores.length && units.length > 0 && step.min > 0)
		throw new Fault(everythingSelected({ what: unit, count: scores.length }, { span: step.span }));
	return units;
}
