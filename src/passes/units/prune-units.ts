/** Removing units, whatever they are: a target says where its units are, the axis engine removes them. */
import { cutOf, keptPositions } from '../../ir/axes/cut.ts';
import { offerUnits } from '../scores/offer.ts';
import { type Grams } from '../scores/grams.ts';
import { select, selectAllotted, type Selected } from '../scores/select.ts';
import {
	defineTechnique,
	type Offered,
	type Scored,
	type Planned,
	type PlanRequest,
	type Technique,
	saidOf,
} from '../technique.ts';
import { type BatchNorm } from './batch-norms.ts';
import { choosingNotes } from './choosers.ts';
import { compensate, type Compensation } from './compensate.ts';
import { decideCut, lowerCut, type CutDecision } from './cut.ts';
import { lowerFolded, selectConstant } from './fold-constants.ts';
import { masksOf } from './masks.ts';
import { isBare, rankedUnits, rankingOf, type Target } from './rank-units.ts';
import { chosen, emptiedOf, going, handOn, isGone, isWhole, remaining, spares } from './selection.ts';

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
		...(target.before && { before: target.before }),
		offer: (request) => offer(request, target),
		score: (request) => score(request, target),
		plan: (request) => plan(request, target),
		lower: (task) => {
			const { foldings } = task.decision;
			return foldings === undefined ? lowerCut(task) : lowerFolded(task, foldings);
		},
	});
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
