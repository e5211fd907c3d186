/** Whole layers, or their attention or feed-forward half: readers of the result read what went in. */
import { Fault, type Diagnostic } from '../../diagnostic.ts';
import { macsOfNode } from '../../ir/cost.ts';
import { type Residual } from '../../ir/anatomy/parts.ts';
import { isFloat } from '../../ir/graph/dtype.ts';
import { elementCount } from '../../ir/graph/graph.ts';
import { type Model, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Patch } from '../../ir/graph/patch.ts';
import { tensorOf } from '../../ir/graph/tensor.ts';
import { countToRemove } from '../../ir/recipe/amounts.ts';
import { missBy, valuesText } from '../../ir/recipe/predicate.ts';
import { type Predicate, type Step } from '../../ir/recipe/recipe.ts';
import { everythingSelected, noAnatomy, nothingSelected, pinned } from '../../messages/plan.ts';
import { absorb, type Absorbed } from './absorb.ts';
import { refitEdits, refitted, type RefitDecision } from '../units/refit-edits.ts';
import { blendedType, scaleOf } from './byte-values.ts';
import { bypassesOf, gapsOf } from './layer-gaps.ts';
import { bypassEdits, type Bypass } from './skip-norms.ts';
import { listed } from '../listed.ts';
import { importance } from '../scores/select.ts';
import { blended, type Blend } from './blend-layers.ts';
import { layerScores, type Candidate } from './layer-scores.ts';
import { layersInScope, type Placed } from '../scope.ts';
import {
	defineTechnique,
	type Lowered,
	type LowerTask,
	type Planned,
	type PlanRequest,
	type Scored,
	saidOf,
	withAmount,
} from '../technique.ts';

type Bypassing = {
	/** The last one first. */
	readonly pairs: readonly Bypass[];
	/** Matrices before what went that take up what it did; absent without data. */
	readonly refits?: readonly RefitDecision[];
};

export const pruneLayers = defineTechnique<Bypassing>({
	words: {
		name: 'prune-layers',
		verb: 'prune',
		target: 'layers',
		aliases: ['layer', 'blocks'],
		summary: 'Remove whole residual layers, or with `only attention` or `only ffn` that half of them.',
		example: 'prune layers [1, 3]',
		amounts: ['remove-share', 'remove-count', 'keep-share', 'keep-count', 'set'],
		bare: false,
		clauses: ['in', 'except', 'where', 'by', 'min', 'until', 'while'],
		choices: {
			only: [
				{ word: 'attention', summary: 'the attention half of a layer' },
				{ word: 'ffn', summary: 'the feed-forward half of a layer' },
			],
			without: [
				{
					word: 'compensation',
					summary: 'Leave what stands before the layers as it is, also where there is data to refit it.',
				},
			],
		},
		metrics: ['block_influence', 'angular', 'ablation', 'random'],
	},
	score,
	dial,
	plan,
	lower,
});

async function plan(request: PlanRequest): Promise<Planned<Bypassing>> {
	const { step, numbering } = request;
	const { placed, candidates } = candidatesOf(request);
	const refused = placed
		.filter((one) => !candidates.some(({ given }) => given === one.given))
		.map(({ given }) => pathRefusal(given, request));
	const { chosen, metric, notes = [] } = await choose(request, candidates);
	const tensors = new Map<string, Tensor>();
	const made = await takenUp(chosen, request, tensors);
	const pairs = made?.bypasses.toReversed().flat() ?? bypassesOf(chosen.flatMap(({ steps }) => steps));
	// A layer whose other half has gone before is gone with this one.
	const stay = numbering.layers.filter(
		(given) => !chosen.some((one) => one.given === given && one.steps.length === one.layer.blocks.length),
	);
	return {
		plan: {
			...saidOf(step),
			selected: chosen.length,
			of: placed.length,
			unit: step.only === undefined ? 'layers' : `${step.only} halves`,
			...(metric !== undefined && { metric }),
			removed: chosen.map(({ given }) => ({ layer: given, units: [] })),
			refused: [...refused, ...notes, ...(made?.notes ?? [])],
			...(made && made.told.length > 0 && { compensated: made.told }),
			decision: { pairs, ...(made && made.refits.length > 0 && { refits: made.refits }) },
		},
		tensors,
		numbering: { ...numbering, layers: stay },
	};
}

/** New numbers in matrices before what goes, where there is data and nobody forbids it. */
async function takenUp(
	chosen: readonly Candidate[],
	request: PlanRequest,
	tensors: Map<string, Tensor>,
): Promise<(Absorbed & { readonly notes: readonly Diagnostic[] }) | undefined> {
	const { step, model, lab, draft = false } = request;
	if (lab?.calibrated !== true || step.without.includes('compensation') || draft) return undefined;
	const { gaps, notes } = gapsOf(chosen, request);
	return { ...(await absorb(gaps, model, lab, tensors)), notes };
}

/** One layer less, two, and so on, as long as one stays. */
function dial(request: PlanRequest): readonly Step[] {
	const most = candidatesOf(request).candidates.length - Math.max(1, request.step.min);
	return Array.from({ length: Math.max(0, most) }, (_, at) =>
		withAmount(request.step, { kind: 'remove-count', count: at + 1 }),
	);
}

/** Layers in scope, and those whose residual path could be followed. */
function candidatesOf(request: PlanRequest): {
	readonly placed: readonly Placed[];
	readonly candidates: readonly Candidate[];
} {
	const { step, net } = request;
	const placed = layersInScope(request);
	if (placed.length === 0) throw new Fault(noAnatomy({ target: 'layers' }, { span: step.span }));
	const candidates = placed.flatMap(({ layer, given }): Candidate[] => {
		const steps = stepsOf(layer, net).filter(
			({ block }) => step.only === undefined || block.kind === step.only,
		);
		const whole =
			steps.length ===
			layer.blocks.filter((block) => step.only === undefined || block.kind === step.only).length;
		return whole && steps.length > 0 ? [{ layer, given, steps }] : [];
	});
	return { placed, candidates };
}

/** Steps along the residual path, in order; of bytes, those whose scales are told by who reads them. */
function stepsOf(
	{ residuals, ofBytes, blocks }: Placed['layer'],
	{ model, facts }: PlanRequest['net'],
): Residual[] {
	const stands = (value: ValueName): boolean =>
		isFloat(facts.of(value)?.type ?? 0) || scaleOf(model.graph, value) !== undefined;
	const all = [...residuals, ...ofBytes.filter(({ before, after }) => stands(before) && stands(after))];
	return all.sort((a, b) => blocks.indexOf(a.block) - blocks.indexOf(b.block));
}

async function score(request: PlanRequest): Promise<Scored> {
	const { candidates } = candidatesOf(request);
	const metric = request.step.by ?? 'block_influence';
	const scores = await layerScores(request, candidates, metric);
	return {
		metric,
		groups: candidates.map(({ given }, at) => ({
			...{ layer: given, label: `layer ${given}`, scores: [scores[at] ?? 0] },
		})),
	};
}

function pathRefusal(given: number, { step }: PlanRequest): Diagnostic {
	return pinned(
		{ what: `layer ${given}`, why: 'its residual path could not be followed' },
		{ span: step.span, at: `layer ${given}` },
	);
}

type Chosen = {
	readonly chosen: readonly Candidate[];
	readonly metric?: string;
	readonly notes?: readonly Diagnostic[];
};

async function choose(request: PlanRequest, candidates: readonly Candidate[]): Promise<Chosen> {
	const { step, numbering, anatomy } = request;
	const least = Math.max(
		step.only === undefined ? 1 : 0,
		step.min === 1 && step.only !== undefined ? 0 : step.min,
	);
	if (step.amount?.kind === 'set') {
		const standing = { total: numbering.layerCount, left: numbering.layers, what: 'layer', where: '' };
		const { units, notes } = listed(step.amount.ranges, standing, step.spans.amount ?? step.span);
		const wanted = new Set(units);
		return {
			notes,
			chosen: checkRest(
				request,
				candidates.filter(({ given }) => wanted.has(given)),
				anatomy.layers.length - least,
			),
		};
	}
	const metric = step.by ?? 'block_influence';
	const scores = await layerScores(request, candidates, metric);
	if (step.where !== undefined) {
		const { met, notes } = meeting(step, step.where, candidates, scores);
		return { chosen: checkRest(request, met, anatomy.layers.length - least), metric, notes };
	}
	if (step.amount === undefined) return { chosen: [], metric };
	const { remove } = countToRemove(step.amount, candidates.length, { align: 1, min: least });
	const order = candidates.map((_, at) => at).sort((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0) || a - b);
	const gone = new Set(order.slice(0, remove));
	return { chosen: candidates.filter((_, at) => gone.has(at)), metric };
}

/** Layers that meet a condition; when none does, a warning with the nearest. */
function meeting(
	step: Step,
	where: Predicate,
	candidates: readonly Candidate[],
	scores: readonly number[],
): { readonly met: readonly Candidate[]; readonly notes: readonly Diagnostic[] } {
	const relative = importance([...scores]);
	const valued = candidates.map((candidate, at) => {
		const fields = layerFields(candidate, relative[at] ?? 0, scores[at] ?? 0, candidates.length);
		return { candidate, fields, by: missBy(where, fields, candidate.layer.name) };
	});
	const met = valued.filter(({ by }) => by === 0).map(({ candidate }) => candidate);
	const [best] = valued.toSorted((a, b) => a.by - b.by);
	if (met.length > 0 || best === undefined) return { met, notes: [] };
	const said = valuesText(where, best.fields);
	const nearest = `; the nearest is layer ${best.candidate.given}, with ${said}`;
	const place = { span: step.spans.where ?? step.span };
	return { met, notes: [nothingSelected({ what: 'layer', nearest }, place)] };
}

/** What a condition can ask of a layer; any other name is the metric that ranks. */
function layerFields(
	{ given, steps }: Candidate,
	relative: number,
	score: number,
	size: number,
): (name: string) => number {
	const linears = steps.flatMap(({ block }) => block.linears);
	const params = linears.reduce((sum, { weight }) => sum + elementCount(weight.sizes), 0);
	const macs = linears.reduce((sum, { node }) => sum + macsOfNode(node), 0);
	const fields: Readonly<Record<string, number | undefined>> = {
		...{ importance: relative, layer: given, index: given, size, params, macs },
	};
	return (name) => fields[name] ?? score;
}

function checkRest(
	{ step, anatomy }: PlanRequest,
	chosen: readonly Candidate[],
	most: number,
): readonly Candidate[] {
	if (chosen.length > most)
		throw new Fault(
			everythingSelected({ what: 'layers', count: anatomy.layers.length }, { span: step.span }),
		);
	return chosen;
}

/**
 * Rewrite: readers of a layer's result read what went in. Reference: result = input + 0 · (result − input), the same matrices refitted;
 * where the sum stands inside a norm that comes after it, the branch is multiplied by zero. Controls: nothing taken up, and the model before.
 */
function lower(task: LowerTask<Bypassing>): Lowered {
	const { model } = task.net;
	const { pairs, refits = [] } = task.decision;
	const bypass = bypassEdits(model.graph, pairs);
	const taken = refitEdits(model, refits, task.tensors, () => []);
	const patch: Patch = { label: task.label, edits: [...taken, ...bypass] };
	const zero = freshNames(model.graph)('zero');
	const scales = pairs.map(({ from, to }): Blend => {
		const type = blendedType(task.net, to);
		return { from, to, scale: zero, constants: [tensorOf(zero, type, [], [0])] };
	});
	const bare = (): Model => applyPatch(model, { label: 'nothing taken up', edits: bypass });
	const claim = {
		says: `input + 0 · (result − input)${refits.length > 0 ? ', and new weights before it' : ''}`,
		reference: blended(refitted(model, refits, task.tensors), scales),
		controls: [...(refits.length > 0 ? [bare] : []), () => model],
	};
	return { patch, claims: [claim] };
}
