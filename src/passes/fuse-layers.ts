/**
 * Several layers that follow each other become one, the first of them. With data the last matrix of its feed-forward block absorbs what
 * the others did, as far as a linear map of its hidden neurons can (after ReplaceMe, arXiv:2505.02819, whose map reads the block's
 * output); without, its matrices take up the differences of the others' (LaCo, arXiv:2402.11187). Lossy.
 */
import { Fault, present, type Diagnostic } from '../diagnostic.ts';
import { type Linear } from '../ir/anatomy/parts.ts';
import { residualAfter, type Sum } from '../ir/anatomy/layers.ts';
import { FLOAT } from '../ir/graph/dtype.ts';
import { highestId, type Model, type Node, type Tensor, type ValueName } from '../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../ir/graph/patch.ts';
import { tensorOf } from '../ir/graph/tensor.ts';
import { type Net } from '../ir/axes/net.ts';
import { type GramRequest, type SplitGram } from '../ir/lab.ts';
import { matrix, type Matrix, type Products } from '../ir/matrix.ts';
import { positionsInWords } from '../ir/recipe/ranges.ts';
import { cannotFuse, oneLayer } from '../messages/layers.ts';
import { needsData } from '../messages/plan.ts';
import { refit, type Refit } from '../numerics/refit.ts';
import { biasOf } from './bias.ts';
import { recordRefit, refitEdits, type RefitDecision } from './compensate.ts';
import { orient, rowsRead } from './factor-sites.ts';
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
import { listed } from './listed.ts';
import { blendEdits } from './blend-layers.ts';
import { layersInScope, type Placed } from './scope.ts';
import {
	defineTechnique,
	type Compensated,
	type Lowered,
	type LowerTask,
	type Planned,
	type PlanRequest,
	saidOf,
} from './technique.ts';

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
type End = { readonly sum: Sum; readonly down: Linear };

async function plan(request: PlanRequest): Promise<Planned<Fusions>> {
	const { step, numbering } = request;
	const { groups, refused } = groupsOf(request);
	const absorbs = step.with === undefined ? request.lab?.calibrated === true : step.with === 'absorption';
	if (absorbs && request.lab === undefined)
		throw new Fault(needsData({ metric: 'absorption' }, { span: step.span }));
	const tensors = new Map<string, Tensor>();
	const { refits, told } = absorbs ? await absorb(groups, request, tensors) : { refits: [], told: [] };
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
		const ends = members.map((member) => endOf(member, request));
		return { members, first: present(ends[0], 'a layer'), last: present(ends.at(-1), 'a layer') };
	});
	return { groups, refused: notes };
}

/** Why a layer's last matrix cannot absorb: something stands between its product and the sum. */
function notLinear({ sum, down }: End): string | undefined {
	const { place } = biasOf(down.node, down.weight.sizes[down.outAxis] ?? 0);
	const behind = place === undefined || place.node === down.node.node.id ? down.node : undefined;
	let value = (behind ?? down.node.outputs[0]?.consumers[0])?.outputs[0];
	for (let steps = 0; steps < 4 && value !== undefined; steps++) {
		if (sum.node.inputs.includes(value)) return undefined;
		const [next, ...others] = value.consumers;
		value = others.length === 0 && next?.node.op === 'Reshape' ? next.outputs[0] : undefined;
	}
	return 'something stands between its last matrix and the sum';
}

/** The sum that ends a layer, and the matrix before it. */
function endOf({ layer, given }: Placed, { net, step }: PlanRequest): End {
	const refuse = (why: string): never => {
		throw new Fault(cannotFuse({ layer: given, why }, { span: step.span, at: `layer ${given}` }));
	};
	const block = layer.blocks.at(-1);
	const down = block?.linears.at(-1);
	const sum = block && residualAfter(net, block.node);
	if (layer.residuals.length !== layer.blocks.length || sum === undefined || down === undefined)
		return refuse('its residual path could not be followed');
	return sum.node.node.op === 'Add' ? { sum, down } : refuse('the sum that ends it stands inside a norm');
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

/** Regresses what the other layers add on the hidden neurons of the first, and adds the map to its last matrix. */
async function absorb(
	groups: readonly Group[],
	{ model, lab, step }: PlanRequest,
	tensors: Map<string, Tensor>,
): Promise<{ readonly refits: readonly RefitDecision[]; readonly told: readonly Compensated[] }> {
	const runner = present(lab, 'a lab');
	for (const { first, members } of groups) {
		const why = rowsRead(first.down) === undefined ? 'its last matrix stands on the left' : notLinear(first);
		const layer = members[0]?.given ?? 0;
		if (why !== undefined)
			throw new Fault(cannotFuse({ layer, why }, { span: step.span, at: `layer ${layer}` }));
	}
	const pairs = groups.map(({ first, last }) => [last.sum.output.name, first.sum.output.name] as const);
	const { probe, names } = withDifferences(model, pairs);
	const requests = groups.map(({ first: { sum, down } }, at): GramRequest => {
		const rank = sum.output.sizes.length;
		const against = {
			value: names[at] ?? '',
			rank,
			axis: rank - 1,
			size: down.weight.sizes[down.outAxis] ?? 0,
		};
		return { ...present(rowsRead(down), 'a product with its matrix on the right'), against };
	});
	const measured = await runner.grams(probe, requests);
	const refits: RefitDecision[] = [];
	const told: Compensated[] = [];
	for (const [at, { members, first }] of groups.entries()) {
		const layer = members[0]?.given ?? 0;
		const found = await mapOf(first, layer, present(measured[at], 'a Gram matrix'), runner.products);
		const { choice, damping, residual, heldOut } = found;
		told.push({ layer, choice, residual, heldOut, ...(damping !== undefined && { damping }) });
		const weight = added(first.down, found.weight);
		const { node, weight: old, inAxis } = first.down;
		if (choice !== 'none')
			refits.push(recordRefit({ node, weight: old, weightAxis: inAxis }, weight, found.shift, tensors));
	}
	return { refits, told };
}

/** From what the first layer's last matrix reads to what is missing behind it: zero without evidence. */
function mapOf({ down }: End, layer: number, grams: SplitGram, products: Products): Promise<Refit> {
	const [rows, cols] = [down.weight.sizes[down.inAxis] ?? 0, down.weight.sizes[down.outAxis] ?? 0];
	const kept = Array.from({ length: rows }, (_, at) => at);
	return refit({ grams, kept, weight: matrix(rows, cols), what: `what layer ${layer} ends in` }, products);
}

function added({ weight, inAxis }: Linear, change: Matrix): Matrix {
	const { rows, cols, data } = orient(present(weight.constant, 'a weight'), inAxis === 0);
	return matrix(
		rows,
		cols,
		data.map((value, at) => value + (change.data[at] ?? 0)),
	);
}

/** The model with the differences of pairs of its values. */
function withDifferences(
	model: Model,
	pairs: readonly (readonly [ValueName, ValueName])[],
): { readonly probe: Model; readonly names: readonly ValueName[] } {
	const fresh = freshNames(model.graph);
	const first = highestId(model.graph) + 1;
	const nodes = pairs.map((inputs, at): Node => ({
		...{ id: first + at, name: '', op: 'Sub', domain: '', inputs, attributes: new Map() },
		outputs: [fresh('difference')],
	}));
	const graph = { ...model.graph, nodes: [...model.graph.nodes, ...nodes] };
	return { probe: { ...model, graph }, names: nodes.flatMap(({ outputs }) => outputs) };
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
