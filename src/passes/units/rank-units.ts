/** Units in scope with their scores, whatever the target. */
import { Fault, type Diagnostic } from '../../diagnostic.ts';
import { noAnatomy, pinned } from '../../messages/plan.ts';
import { fieldsFor } from '../scores/fields.ts';
import { gramsOf, linearReaders, type Grams } from '../scores/grams.ts';
import { type ScoreContext } from '../scores/score-context.ts';
import { metricNamed } from '../scores/scores.ts';
import { importance, type Candidate } from '../scores/select.ts';
import { type Step } from '../../ir/recipe/recipe.ts';
import { type Found, type PlanRequest, type Ranking } from '../technique.ts';
import { splitters, tieScores } from './tied.ts';
import { isMeasurable, readersOf, type UnitGroup } from './units.ts';

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
	/** What has to be done before its units can be told apart. */
	readonly before?: (request: PlanRequest) => readonly Step[];
	/** Whether the bare statement takes those that are constant, which changes nothing. */
	readonly constants?: boolean;
	/** Whether `inspect` lists its groups apart; not what it lists with the layers or by another target. */
	readonly listed?: boolean;
};

export type Ranked = Found & {
	readonly candidates: readonly Candidate[];
	/** Groups that stay because others read what they would cut. */
	readonly shared: readonly Diagnostic[];
	readonly metric: string;
	readonly grams?: Grams;
};

/** The units in scope with their scores. */
export async function rankedUnits(request: PlanRequest, target: Target): Promise<Ranked> {
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

/** Whether a statement says no more than verb and target. */
export function isBare({ step, allotted }: PlanRequest): boolean {
	return allotted === undefined && step.amount === undefined && step.where === undefined;
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

export function rankingOf({ layer, label, given, scores }: Candidate): Ranking {
	const values = scores.length <= shown ? importance([...scores]) : [];
	return { layer, label, units: given, importance: values.map((value) => Number(value.toFixed(4))) };
}
