/**
 * Several layers that follow each other become one, the first of them. With data the last matrix of its feed-forward block absorbs what
 * the others did, as far as a linear map of its hidden neurons can (after ReplaceMe, arXiv:2505.02819, whose map reads the block's
 * output); without, its matrices take up the differences of the others' (LaCo, arXiv:2402.11187). Lossy.
 */
import { Fault, present, type Diagnostic } from '../../diagnostic.ts';
import { FLOAT } from '../../ir/graph/dtype.ts';
import { type Model, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { tensorOf } from '../../ir/graph/tensor.ts';
import { type Net } from '../../ir/axes/net.ts';
import { positionsInWords } from '../../ir/recipe/ranges.ts';
import { cannotFuse, oneLayer } from '../../messages/layers.ts';
import { needsData } from '../../messages/plan.ts';
import { absorb, endOf, notLinear, type Absorbed, type End, type Gap } from './absorb.ts';
import { refitEdits, type RefitDecision } from '../units/refit-edits.ts';
import {
	combined,
	combinedInGraph,
	membersOf,
	nameAt,
	readEdits,
	rolesOf,
	type Read,
	type Role,
} from './layer-tensors.ts';
import { listed } from '../listed.ts';
import { blendEdits } from './blend-layers.ts';
import { layersInScope, type Placed } from '../scope.ts';
import {
	defineTechnique,
	type Lowered,
	type LowerTask,
	type Planned,
	type PlanRequest,
	saidOf,
} from '../technique.ts';

type Fusion = {
	/** The sums that end the last layer of the group and the first: who read the one reads the other. */
	readonly from: ValueName;
	readonly to: ValueName;
	/** Tensors of the first layer that take up the others' differences; none where it absorbs instead. */
	readonly roles: readonly Role[];
};
type Fusions = { readonly groups: readonly Fusion[]; readonly refits: readonly RefitDecision[] };

export const fuseLayers = defineTechnique<Fusions>({
	words: {
		name: 'fuse-layers',
		verb: 'fuse',
		target: 'layers',
		aliases: ['layer', 'blocks'],
		summary:
			'Make neighbouring layers one: with data its last matrix absorbs what the others did, without it takes up their differences. Lossy.',
		example: 'fuse layers 2..4',
		amounts: ['set'],
		bare: false,
		clauses: [],
		choices: {
			with: [
				{
					word: 'absorption',
					summary: 'the last matrix of the first layer is refitted (needs data, and is the default with it)',
				},
				{
					word: 'differences',
					summary: 'the differences of the others are added to the matrices of the first layer',
				},
			],
		},
		metrics: [],
	},
	plan,
	lower,
});

/** Layers that become one, and where the sums stand that end the first and the last. */
type Group = { readonly members: readonly Placed[]; readonly first: End; readonly last: End };

async function plan(request: PlanRequest): Promise<Planned<Fusions>> {
	const { step, numbering } = request;
	const { groups, refused } = groupsOf(request);
	const absorbs = step.with === undefined ? request.lab?.calibrated === true : step.with === 'absorption';
	const { lab, model } = request;
	if (absorbs && lab === undefined)
		throw new Fault(needsData({ metric: 'absorption', fitted: true }, { span: step.span }));
	const tensors = new Map<string, Tensor>();
	const { refits, told }: Pick<Absorbed, 'refits' | 'told'> =
		absorbs && lab ? await absorb(gapsOf(groups, request), model, lab, tensors) : { refits: [], told: [] };
	const gone = groups.flatMap(({ members }) => members.slice(1).map(({ given }) => given));
	return {
		plan: {
			...saidOf(step),
			selected: gone.length + groups.length,
			of: numbering.layers.length,
			unit: `layers become ${groups.length}`,
			removed: gone.map((layer) => ({ layer, units: [] })),
			refused,
			...(told.length > 0 && { compensated: told }),
			decision: { groups: groups.map((group) => fusionOf(group, request, absorbs)), refits },
		},
		tensors,
		numbering: { ...numbering, layers: numbering.layers.filter((layer) => !gone.includes(layer)) },
	};
}

/** Runs of standing layers that the statement lists. Throws `Fault` for one that is alone or cannot be followed. */
function groupsOf(request: PlanRequest): {
	readonly groups: readonly Group[];
	readonly refused: readonly Diagnostic[];
} {
	const { step, numbering } = request;
	const place = { span: step.spans.amount ?? step.span };
	const standing = { total: numbering.layerCount, left: numbering.layers, what: 'layer', where: '' };
	const { units, notes } = listed(
		step.amount?.kind === 'set' ? step.amount.ranges : [],
		standing,
		place.span,
	);
	const placed = layersInScope(request);
	const runs: Placed[][] = [];
	placed.forEach((one, at) => {
		if (!units.includes(one.given)) return;
		const run = runs.at(-1);
		if (run?.at(-1) !== undefined && run.at(-1) === placed[at - 1]) run.push(one);
		else runs.push([one]);
	});
	const groups = runs.map((members): Group => {
		if (members.length < 2) {
			const reading = positionsInWords(
				'layer',
				members.map(({ given }) => given),
			);
			throw new Fault(oneLayer({ what: 'fusing', reading }, place));
		}
		const ends = members.map((member) => endOfLayer(member, request));
		return { members, first: present(ends[0], 'a layer'), last: present(ends.at(-1), 'a layer') };
	});
	return { groups, refused: notes };
}

/** The sum that ends a layer, and the matrix before it. */
function endOfLayer({ layer, given }: Placed, { step }: PlanRequest): End {
	const isWhole = layer.residuals.length === layer.blocks.length;
	const end = endOf(isWhole ? layer.blocks.at(-1) : undefined);
	if ('why' in end)
		throw new Fault(cannotFuse({ layer: given, why: end.why }, { span: step.span, at: `layer ${given}` }));
	return end;
}

function fusionOf({ members, first, last }: Group, { step }: PlanRequest, absorbs: boolean): Fusion {
	const ends = { from: last.sum.output.name, to: first.sum.output.name };
	if (absorbs) return { ...ends, roles: [] };
	const { members: alike, refused } = membersOf(members, step.span);
	const [odd] = refused;
	if (odd === undefined) return { ...ends, roles: rolesOf(alike) };
	const why = odd.message.replace(/^.*?: /, '');
	throw new Fault(cannotFuse({ layer: members[0]?.given ?? 0, why }, { span: step.span }));
}

/** What the first layer of each group takes up of the others. */
function gapsOf(groups: readonly Group[], { step }: PlanRequest): Gap[] {
	return groups.map(({ members, first: end, last }): Gap => {
		const layer = members[0]?.given ?? 0;
		const why = notLinear(end);
		if (why !== undefined)
			throw new Fault(cannotFuse({ layer, why }, { span: step.span, at: `layer ${layer}` }));
		const from = last.sum.output.name;
		return { taker: { layer, end, from }, plain: [{ from, to: end.sum.output.name }] };
	});
}

/**
 * Rewrite: who read the last sum reads the first. Reference: first + 0 · (last − first), matrices that take up differences made in the
 * graph. Controls: the layers gone and nothing taken up, and the model before.
 */
function lower({ net, decision: { groups, refits }, tensors, label }: LowerTask<Fusions>): Lowered {
	const { model } = net;
	const taken = [...refitEdits(model, refits, tensors, () => []), ...takenUp(net, groups, 'stored')];
	const gone = groups.map(({ from, to }): Edit => ({ kind: 'rewire', from, to }));
	const plain = [...refitEdits(model, refits, tensors, () => []), ...takenUp(net, groups, 'made')];
	const summed = applyPatch(model, { label: 'reference', edits: plain });
	const reference = groups.reduce((current, { from, to }) => {
		const fresh = freshNames(current.graph);
		const zero = fresh('zero');
		const tensor = tensorOf(zero, net.facts.of(to)?.type ?? FLOAT, [], [0]);
		const edits: Edit[] = [{ kind: 'constant', tensor }, ...blendEdits(current, fresh, from, to, zero)];
		return applyPatch(current, { label: 'reference', edits });
	}, summed);
	const bare = (): Model => applyPatch(model, { label: 'nothing taken up', edits: gone });
	const claim = {
		says: 'first + 0 · (last − first), the same taken up',
		reference,
		controls: [bare, () => model],
	};
	return { patch: { label, edits: [...taken, ...gone] }, claims: [claim] };
}

/** The first layer's own share, and one of each other's: θ₁ + Σ (θₖ − θ₁). */
const sharesOf = ({ reads }: Role): number[] => reads.map((_, at) => (at === 0 ? 2 - reads.length : 1));

function takenUp(net: Net, groups: readonly Fusion[], how: 'stored' | 'made'): Edit[] {
	const fresh = freshNames(net.model.graph);
	const edits: Edit[] = [];
	const reads = groups.flatMap(({ roles }) =>
		roles.map((role): Read => {
			const place = present(role.reads[0], 'a layer');
			const name = fresh(`${nameAt(net, place)}_fused`);
			if (how === 'made') edits.push(...combinedInGraph(net, role, sharesOf(role), name, fresh));
			else edits.push({ kind: 'constant', tensor: combined(net, role, sharesOf(role), name) });
			return { place, name };
		}),
	);
	return [...edits, ...readEdits(net, reads)];
}
