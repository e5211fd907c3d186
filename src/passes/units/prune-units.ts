/** Removing units, whatever they are: a target says where its units are, the axis engine removes them. */
import { Fault, type Diagnostic } from '../../diagnostic.ts';
import { type Layer } from '../../ir/anatomy/parts.ts';
import { cannotEmpty, noAnatomy, pinned } from '../../messages/plan.ts';
import { cutOf, keptPositions, type Chosen } from '../../ir/axes/cut.ts';
import { type BatchNorm } from './batch-norms.ts';
import { compensate, type Compensation } from './compensate.ts';
import { decideCut, lowerCut, type CutDecision } from './cut.ts';
import { choosingNotes } from './choosers.ts';
import { emptiedBy, type Emptied } from './empty.ts';
import { handedOnBy } from './silent.ts';
import { fieldsFor } from '../scores/fields.ts';
import { lowerFolded, selectConstant } from './fold-constants.ts';
import { gramsOf, linearReaders, type Grams } from '../scores/grams.ts';
import { type ScoreContext } from '../scores/score-context.ts';
import { masksOf } from './masks.ts';
import { metricNamed } from '../scores/scores.ts';
import { splitters, tieScores } from './tied.ts';
import { offerUnits } from '../scores/offer.ts';
import { importance, select, selectAllotted, type Candidate, type Selected } from '../scores/select.ts';
import {
	defineTechnique,
	type Found,
	type Numbering,
	type Offered,
	type Ranking,
	type Scored,
	type Planned,
	type PlanRequest,
	type Technique,
	saidOf,
} from '../technique.ts';
import { isMeasurable, readersOf, unshared, type UnitGroup } from './units.ts';

export type Target = {
	readonly target: string;
	/** What one calls several of them: `heads`, `neurons`. */
	readonly unit: string;
	readonly aliases: readonly string[];
	/** Kept counts go to multiples of this, where an amount is a share. */
	readonly align: number;
	readonly summary: string;
	readonly example: string;
	/** Whether those who read the units are products, refitted to what stays when there is data. */
	readonly refits?: boolean;
	readonly find: (request: PlanRequest) => Found;
	/** Whether the bare statement takes those that are constant, which changes nothing. */
	readonly constants?: boolean;
	/** Whether `inspect` lists its groups apart; not what it lists with the layers or by another target. */
	readonly listed?: boolean;
};

const compensation = {
	word: 'compensation',
	summary: 'Leave what reads the units as it is, also where there is data to refit it.',
};

const biasAlone = {
	word: 'bias',
	summary:
		'New biases alone in what reads the units, from means of the model as it was (FLAP, arXiv:2312.11983).',
};

const unitMetrics = [
	...['wanda', 'l2', 'l1', 'activation', 'fluctuation', 'similarity', 'entropy', 'ablation', 'median'],
	'random',
];

export function pruneUnits(target: Target): Technique {
	return defineTechnique<CutDecision>({
		words: {
			name: `prune-${target.target}`,
			verb: 'prune',
			target: target.target,
			aliases: target.aliases,
			summary: target.summary,
			example: target.example,
			amounts: ['remove-share', 'remove-count', 'keep-share', 'keep-count', 'set'],
			bare: target.constants === true,
			clauses: ['in', 'except', 'where', 'by', 'align', 'min', 'globally', 'until', 'while', 'may change'],
			...(target.refits && { choices: { without: [compensation], with: [biasAlone] } }),
			metrics: [...(target.refits ? ['obs', 'sensitivity'] : []), ...unitMetrics],
		},
		...(target.listed && { survey: target.find }),
		offer: (request) => offer(request, target),
		score: (request) => score(request, target),
		plan: (request) => plan(request, target),
		lower: (task) => {
			const { foldings } = task.decision;
			return foldings === undefined ? lowerCut(task) : lowerFolded(task, foldings);
		},
	});
}

type Ranked = Found & {
	readonly candidates: readonly Candidate[];
	/** Groups that stay because others read what they would cut. */
	readonly shared: readonly Diagnostic[];
	readonly metric: string;
	readonly grams?: Grams;
};

/** The units in scope with their scores. */
async function rankedUnits(request: PlanRequest, target: Target): Promise<Ranked> {
	const { step, lab, net } = request;
	const found = target.find(request);
	const scoped = step.in.length > 0;
	if (found.total === 0 && (scoped || !isBare(request)))
		throw new Fault(noAnatomy({ target: target.unit, scoped }, { span: step.span }));
	const grams = lab && gramsOf(found.groups, net.model, lab);
	const metric = step.by ?? (isBare(request) ? 'l2' : defaultMetric(target, found.groups, lab));
	const ranking = await rank(
		{ ...request, groups: found.groups, ...(grams && { grams }) },
		found.groups,
		metric,
	);
	return { ...found, ...ranking, metric, ...(grams && { grams }) };
}

async function offer(request: PlanRequest, target: Target): Promise<readonly Offered[]> {
	const { candidates, grams } = await rankedUnits(request, target);
	const context = { ...request, ...(grams && { grams }) };
	return offerUnits(candidates, { step: request.step, align: target.align, unit: target.unit, context });
}

async function score(request: PlanRequest, target: Target): Promise<Scored> {
	const { candidates, metric } = await rankedUnits(request, target);
	return {
		metric,
		groups: candidates.map(({ layer, label, scores }) => ({ layer, label, scores: [...scores] })),
	};
}

async function plan(request: PlanRequest, target: Target): Promise<Planned<CutDecision>> {
	const { step, numbering, allotted } = request;
	const { refused, total, grams, metric, candidates, shared } = await rankedUnits(request, target);
	const constant = isBare(request) ? selectConstant(candidates, target.unit, request) : undefined;
	const { selected, notes } = allotted
		? { selected: selectAllotted(candidates, allotted, step.min), notes: [] }
		: (constant ?? select(step, candidates, target.unit, target.align));
	const whole = selected.filter(isWhole);
	const partial = selected.filter((one) => !isWhole(one));
	const made = constant ? undefined : await refits(request, target, selected, grams);
	return {
		plan: {
			...saidOf(step, 'constant ones'),
			selected: selected.reduce((sum, one) => sum + one.units.length, 0),
			of: total,
			unit: target.unit,
			...(constant ? { exact: true } : { metric }),
			removed: selected.map(({ candidate, units: gone }) => ({
				layer: candidate.layer,
				units: gone.map((at) => candidate.given[at] ?? at),
			})),
			refused: [...refused, ...shared, ...notes, ...choosingNotes(selected, step, target.unit)],
			groups: candidates.map(rankingOf),
			...(made && { compensated: made.told }),
			decision: {
				...decideCut(partial.flatMap(going), spares(partial, candidates, whole), whole.map(chosen)),
				...(whole.length > 0 && { emptied: whole.flatMap((one) => emptiedOf(one, request, target)) }),
				...handOn(partial, request),
				...(made && newNumbers(made)),
				...(constant && { foldings: constant.foldings }),
			},
		},
		tensors: made?.tensors ?? new Map(),
		numbering: {
			...numbering,
			...remaining(numbering, selected),
			layers: numbering.layers.filter((_, at) => !isGone(request.anatomy.layers[at], whole)),
		},
	};
}

/** Whether a statement says no more than verb and target. */
function isBare({ step, allotted }: PlanRequest): boolean {
	return allotted === undefined && step.amount === undefined && step.where === undefined;
}

function newNumbers({ refits, norms }: Compensation): Pick<CutDecision, 'refits' | 'norms'> {
	return { refits, ...(norms.length > 0 && { norms }) };
}

/** New weights of what reads the units, where there is data and nobody forbids it. */
async function refits(
	{ step, net, lab, draft = false }: PlanRequest,
	target: Target,
	selected: readonly Selected[],
	grams: Grams | undefined,
): Promise<Compensation | undefined> {
	const wanted = target.refits && lab?.calibrated && !step.without.includes(compensation.word) && !draft;
	if (!wanted || grams === undefined) return undefined;
	const masks = selected.flatMap((one) => masksOf(chosen(one)));
	const partial = selected.filter((one) => !isWhole(one));
	const cut = cutOf(partial.flatMap(going));
	const keptOf = ({ input }: BatchNorm): readonly number[] =>
		Array.from(keptPositions(cut, input, 1) ?? Array(input.sizes[1] ?? 0).keys());
	return compensate(partial, { net, grams, lab, masks, keptOf, biasAlone: step.with === biasAlone.word });
}

function sharedRefusal({ step }: PlanRequest, label: string, name: string): Diagnostic {
	const why = `other readers of the shared weight '${name}' keep it whole, so the file would grow`;
	return pinned({ what: label, why }, { span: step.span, at: name });
}

/**
 * With data, what a refitted reader would lose, or what is read times its weight; without, or where units are read inside bodies
 * alone, the size of the weights.
 */
function defaultMetric({ refits }: Target, groups: readonly UnitGroup[], lab: PlanRequest['lab']): string {
	const measurable = groups.every(({ family }) => readersOf(family).some(isMeasurable));
	if (!lab?.calibrated || !measurable) return 'l2';
	return refits && groups.every((group) => linearReaders(group).length > 0) ? 'obs' : 'wanda';
}

/** Candidates with their scores, and those left out because a weight they cut is shared with readers that keep it. */
async function rank(
	request: Parameters<typeof scored>[0],
	groups: readonly UnitGroup[],
	metric: string,
): Promise<{ readonly candidates: readonly Candidate[]; readonly shared: readonly Diagnostic[] }> {
	const all = tieScores(await scored(request, groups, metric));
	const split = splitters(request.net, all);
	return {
		candidates: all.filter((candidate) => !split.has(candidate)),
		shared: [...split].map(([{ label }, name]) => sharedRefusal(request, label, name)),
	};
}

async function scored(
	request: PlanRequest & ScoreContext,
	groups: readonly UnitGroup[],
	metric: string,
): Promise<Candidate[]> {
	const candidates: Candidate[] = [];
	for (const group of groups) {
		const scores = await metricNamed(metric).score(group, request);
		const given = request.numbering.units.get(group.key) ?? Array.from(scores, (_, at) => at);
		const total = request.numbering.unitCounts.get(group.key) ?? scores.length;
		const fields = await fieldsFor(request.step, group, request);
		candidates.push({ ...group, given, total, scores, fields });
	}
	return candidates;
}

/** Wider groups are not shown unit by unit. */
const shown = 64;

function rankingOf({ layer, label, given, scores }: Candidate): Ranking {
	const values = scores.length <= shown ? importance([...scores]) : [];
	return { layer, label, units: given, importance: values.map((value) => Number(value.toFixed(4))) };
}

const chosen = ({ candidate, units }: Selected): { family: Candidate['family']; units: Set<number> } => ({
	family: candidate.family,
	units: new Set(units),
});

/** The units that go, and what they share with none that stays. */
function going(one: Selected): Chosen[] {
	const shared = unshared(one.candidate, new Set(one.units));
	return shared ? [chosen(one), shared] : [chosen(one)];
}

/** Who hands on the rest where units with operators of their own go. */
function handOn(selected: readonly Selected[], { net, step }: PlanRequest): Pick<CutDecision, 'handedOn'> {
	const handedOn = selected.flatMap(({ candidate: { own, family, label }, units }) => {
		if (own === undefined) return [];
		const found = handedOnBy(net, family, new Set(units));
		if ('why' in found) throw new Fault(pinned({ what: label, why: found.why }, { span: step.span }));
		return found;
	});
	return handedOn.length > 0 ? { handedOn } : {};
}

/** Whether nothing stays of a group. */
function isWhole({ candidate, units }: Selected): boolean {
	return units.length === candidate.scores.length;
}

function emptiedOf(
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
function isGone(layer: Layer | undefined, whole: readonly Selected[]): boolean {
	const families = new Set(whole.map(({ candidate }) => candidate.family));
	const blocks = layer?.blocks ?? [];
	return (
		blocks.length > 0 &&
		blocks.every(({ family, queries }) => [family, queries].some((one) => one && families.has(one)))
	);
}

/** Kept units for the negative controls: the most important of the last group, of the first, and of one in the middle. */
function spares(
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
			const kept = Array.from(candidate.scores, (_, at) => at).filter((at) => !units.includes(at));
			const best = kept.reduce(
				(top, at) => ((candidate.scores[at] ?? 0) > (candidate.scores[top] ?? 0) ? at : top),
				kept[0] ?? 0,
			);
			return chosen({ candidate, units: [best] });
		});
}

/** The given numbers of the units that stay. */
function remaining(
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
