/** What a selection of units means for the cut: which positions go with them, what is left for controls and for later statements. */
import { Fault } from '../../diagnostic.ts';
import { type Layer } from '../../ir/anatomy/parts.ts';
import { type Chosen } from '../../ir/axes/cut.ts';
import { cannotEmpty, pinned } from '../../messages/plan.ts';
import { type Candidate, type Selected } from '../scores/select.ts';
import { type Numbering, type PlanRequest } from '../technique.ts';
import { type CutDecision } from './cut.ts';
import { emptiedBy, type Emptied } from './empty.ts';
import { type Target } from './rank-units.ts';
import { handedOnBy } from './silent.ts';
import { unshared } from './units.ts';

export const chosen = ({
	candidate,
	units,
}: Selected): { family: Candidate['family']; units: Set<number> } => ({
	family: candidate.family,
	units: new Set(units),
});

/** The units that go, and what they share with none that stays. */
export function going(one: Selected): Chosen[] {
	const shared = unshared(one.candidate, new Set(one.units));
	return shared ? [chosen(one), shared] : [chosen(one)];
}

/** Who hands on the rest where units with operators of their own go. */
export function handOn(
	selected: readonly Selected[],
	{ net, step }: PlanRequest,
): Pick<CutDecision, 'handedOn'> {
	const handedOn = selected.flatMap(({ candidate: { own, family, label }, units }) => {
		if (own === undefined) return [];
		const found = handedOnBy(net, family, new Set(units));
		if ('why' in found) throw new Fault(pinned({ what: label, why: found.why }, { span: step.span }));
		return found;
	});
	return handedOn.length > 0 ? { handedOn } : {};
}

/** Whether nothing stays of a group. */
export function isWhole({ candidate, units }: Selected): boolean {
	return units.length === candidate.scores.length;
}

export function emptiedOf(
	{ candidate }: Selected,
	{ net, step }: PlanRequest,
	{ unit }: Target,
): readonly Emptied[] {
	const found = emptiedBy(net, candidate.family);
	if (!('why' in found)) return found;
	const what = `the ${candidate.scores.length} ${unit} of ${candidate.label}`;
	throw new Fault(cannotEmpty({ what, why: found.why }, { span: step.span }));
}

/** A layer whose last structure goes is a layer no more; it keeps its number, and the others theirs. */
export function isGone(layer: Layer | undefined, whole: readonly Selected[]): boolean {
	const families = new Set(whole.map(({ candidate }) => candidate.family));
	const blocks = layer?.blocks ?? [];
	return (
		blocks.length > 0 &&
		blocks.every(({ family, queries }) => [family, queries].some((one) => one && families.has(one)))
	);
}

/** Kept units for the negative controls: the most important of the last group, of the first, and of one in the middle. */
export function spares(
	partial: readonly Selected[],
	candidates: readonly Candidate[],
	whole: readonly Selected[],
): ReturnType<typeof chosen>[] {
	const gone = new Set(whole.map(({ candidate }) => candidate));
	const untouched = candidates.filter((one) => !gone.has(one)).map((candidate) => ({ candidate, units: [] }));
	const selected = partial.length > 0 ? partial : untouched;
	const places = new Set([selected.length - 1, 0, selected.length >> 1]);
	return [...places]
		.flatMap((at) => selected[at] ?? [])
		.map(({ candidate, units }) => {
			const { scores } = candidate;
			const going = new Set(units);
			let best: number | undefined;
			for (let at = 0; at < scores.length; at++)
				if (!going.has(at) && (best === undefined || (scores[at] ?? 0) > (scores[best] ?? 0))) best = at;
			return chosen({ candidate, units: [best ?? 0] });
		});
}

/** The given numbers of the units that stay. */
export function remaining(
	{ units, unitCounts }: Numbering,
	selected: readonly Selected[],
): Pick<Numbering, 'units' | 'unitCounts'> {
	const [after, counts] = [new Map(units), new Map(unitCounts)];
	for (const { candidate, units: gone } of selected) {
		const lost = new Set(gone);
		counts.set(candidate.key, candidate.total);
		after.set(
			candidate.key,
			candidate.given.filter((_, at) => !lost.has(at)),
		);
	}
	return { units: after, unitCounts: counts };
}
