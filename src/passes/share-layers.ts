/**
 * One set of tensors for several layers: parameter sharing across layers (ALBERT, arXiv:1909.11942), put in after training and so lossy.
 * Every layer of the scope reads the tensors of the one that stands for all with the least harm, or their mean.
 */
import { bug, Fault, present, type Diagnostic } from '../diagnostic.ts';
import { type Block } from '../ir/anatomy/parts.ts';
import { byteLength } from '../ir/graph/dtype.ts';
import { elementCount, type Model, type Tensor, type ValueName } from '../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../ir/graph/patch.ts';
import { numbersOf, tensorOf } from '../ir/graph/tensor.ts';
import { type Net } from '../ir/axes/net.ts';
import { positionsInWords } from '../ir/recipe/ranges.ts';
import { layerStays, oneLayer } from '../messages/layers.ts';
import { withInput, type BiasPlace } from './bias.ts';
import { insert } from './edits.ts';
import { misfit, tensorsOf, type LayerTensor } from './layer-tensors.ts';
import { layersInScope } from './scope.ts';
import {
	defineTechnique,
	type Lowered,
	type LowerTask,
	type Planned,
	type PlanRequest,
	type Technique,
} from './technique.ts';

type Role = { readonly reads: readonly BiasPlace[] };
type Sharing = {
	/** For each tensor of a block where each layer reads its own, layers in order. */
	readonly roles: readonly Role[];
	/** Whose tensors stand for all: the place of a layer in that order, or the mean. */
	readonly from: number | 'mean';
};
type Member = { readonly given: number; readonly tensors: readonly LayerTensor[] };

function shareLayers(target: string, kind: Block['kind'], aliases: readonly string[]): Technique {
	return defineTechnique<Sharing>({
		words: {
			name: `share-${target}`,
			verb: 'share',
			target,
			aliases,
			summary: `Several layers read one set of ${kind === 'ffn' ? 'feed-forward' : 'attention'} matrices and biases: those of the layer that serves all best, or their mean. Lossy; the file shrinks, the time to run stays.`,
			example: `share ${target} across layers 2..4`,
			amounts: [],
			bare: true,
			clauses: ['across', 'except', 'by'],
			needs: ['across'],
			choices: {
				with: [
					{ word: 'best', summary: 'the tensors of one layer (default)' },
					{ word: 'mean', summary: 'the mean of the tensors' },
				],
			},
			metrics: ['l2'],
		},
		plan: (request) => plan(request, kind),
		lower,
	});
}

export const shareFfn = shareLayers('ffn', 'ffn', ['neurons', 'intermediate']);
export const shareAttention = shareLayers('attention', 'attention', ['heads']);

async function plan(request: PlanRequest, kind: Block['kind']): Promise<Planned<Sharing>> {
	const { step, numbering } = request;
	const { members, refused } = membersOf(request, kind);
	const roles = rolesOf(members);
	const { from, metric } = await choose(request, members, roles);
	const bytes = (members[0]?.tensors ?? []).reduce((sum, { tensor }) => sum + bytesOf(tensor), 0);
	const less = bytes * (members.length - 1);
	return {
		plan: {
			statement: step.text,
			technique: step.technique,
			line: step.line,
			requested: `${positionsInWords(
				'layer',
				members.map(({ given }) => given),
			)} alike`,
			selected: members.length,
			of: members.length + refused.length,
			unit: `layers, ${source(from, members)} (${less} bytes less to store, the same time to run)`,
			...(metric !== undefined && { metric }),
			removed: members.map(({ given }) => ({ layer: given, units: [] })),
			refused,
			decision: { roles, from },
		},
		tensors: new Map(),
		numbering,
	};
}

const bytesOf = ({ type, dims }: Tensor): number => byteLength(type, elementCount(dims));

const source = (from: Sharing['from'], members: readonly Member[]): string =>
	from === 'mean' ? 'all reading their mean' : `all reading layer ${members[from]?.given ?? 0}`;

/** Layers whose tensors can stand for those of the first of them; the others stay. */
function membersOf(
	request: PlanRequest,
	kind: Block['kind'],
): { readonly members: readonly Member[]; readonly refused: readonly Diagnostic[] } {
	const { step } = request;
	const placed = layersInScope({ ...request, step: { ...step, in: step.across } });
	const members: Member[] = [];
	const refused: Diagnostic[] = [];
	for (const { layer, given } of placed) {
		const tensors = tensorsOf(layer.blocks.filter((block) => block.kind === kind));
		const why = typeof tensors === 'string' ? tensors : misfit(tensors, members[0]?.tensors ?? tensors);
		if (typeof tensors === 'string' || why !== undefined)
			refused.push(layerStays({ layer: given, why: why ?? '' }, { span: step.span, at: `layer ${given}` }));
		else members.push({ given, tensors });
	}
	if (members.length > 1) return { members, refused };
	const reading = positionsInWords(
		'layer',
		members.map(({ given }) => given),
	);
	throw new Fault(
		oneLayer({ what: 'sharing', reading }, { span: step.spans.across ?? step.span }),
		...refused,
	);
}

const rolesOf = (members: readonly Member[]): Role[] =>
	(members[0]?.tensors ?? []).map((_, role) => ({
		reads: members.map(({ tensors }) => {
			const { node, slot } = present(tensors[role], 'a tensor of this role');
			return { node, slot };
		}),
	}));

type Chosen = { readonly from: Sharing['from']; readonly metric?: string };

/** Whose tensors do least harm: to the outputs on the user's inputs, or without data by their distance to the others'. */
async function choose(
	{ step, lab, net }: PlanRequest,
	members: readonly Member[],
	roles: readonly Role[],
): Promise<Chosen> {
	if (step.with === 'mean') return { from: 'mean' };
	if (step.by === 'l2' || lab?.calibrated !== true) {
		const distances = members.map((one) => members.reduce((sum, other) => sum + distance(one, other), 0));
		return { from: distances.indexOf(Math.min(...distances)), metric: 'l2' };
	}
	const harm: number[] = [];
	for (const from of members.keys()) {
		const edits = readingOne(net, { roles, from });
		const { kl, relativeL2 } = await lab.drift(net.model, applyPatch(net.model, { label: 'tried', edits }));
		harm.push(kl ?? relativeL2);
	}
	return { from: harm.indexOf(Math.min(...harm)), metric: 'drift' };
}

/** Sum of squared differences, each tensor's over its own energy. */
function distance(one: Member, other: Member): number {
	return one.tensors.reduce((sum, { tensor }, role) => {
		const [a, b] = [numbersOf(tensor), numbersOf(present(other.tensors[role], 'a tensor').tensor)];
		let [apart, energy] = [0, 0];
		for (let at = 0; at < a.length; at++) {
			apart += ((a[at] ?? 0) - (b[at] ?? 0)) ** 2;
			energy += (a[at] ?? 0) ** 2;
		}
		return sum + apart / (energy || 1);
	}, 0);
}

/**
 * Rewrite: one constant for all. Reference: every layer reads a constant of its own that holds the same numbers; their mean is made in
 * the graph. Control: the model before.
 */
function lower({ net, decision, label }: LowerTask<Sharing>): Lowered {
	const edits = readingOne(net, decision);
	const says =
		decision.from === 'mean' ? 'each layer with its own mean of all' : 'each layer with its own copy';
	const reference = applyPatch(net.model, { label: 'reference', edits: readingOwn(net, decision) });
	return { patch: { label, edits }, claims: [{ says, reference, controls: [(): Model => net.model] }] };
}

const nameAt = (net: Net, { node, slot }: BiasPlace): ValueName =>
	(net.byNode.get(node) ?? bug('a plan names a node that is not there', { node })).node.inputs[slot] ?? '';

function constantAt(net: Net, place: BiasPlace): Tensor {
	const operand = net.byNode.get(place.node)?.inputs[place.slot];
	return present(operand?.constant, `the constant '${nameAt(net, place)}'`);
}

function readingOne(net: Net, { roles, from }: Sharing): Edit[] {
	const fresh = freshNames(net.model.graph);
	const edits: Edit[] = [];
	const reads = roles.flatMap(({ reads: places }) => {
		const name = from === 'mean' ? fresh(`${nameAt(net, present(places[0], 'a layer'))}_mean`) : '';
		if (name !== '')
			edits.push({
				kind: 'constant',
				tensor: meanOf(
					name,
					places.map((place) => constantAt(net, place)),
				),
			});
		return places.map((place) => ({
			place,
			name: name || nameAt(net, present(places[Number(from)], 'a layer')),
		}));
	});
	return [...edits, ...inputEdits(net, reads)];
}

function readingOwn(net: Net, { roles, from }: Sharing): Edit[] {
	const fresh = freshNames(net.model.graph);
	const edits: Edit[] = [];
	const reads = roles.flatMap(({ reads: places }) =>
		places.map((place) => {
			const name = fresh(`${nameAt(net, place)}_own`);
			const whose = from === 'mean' ? undefined : present(places[from], 'a layer');
			if (whose === undefined) edits.push(...meanInGraph(net, places, name, fresh));
			else edits.push({ kind: 'constant', tensor: { ...constantAt(net, whose), name } });
			return { place, name };
		}),
	);
	return [...edits, ...inputEdits(net, reads)];
}

/** Each node once, with all its new operands. */
function inputEdits(
	net: Net,
	reads: readonly { readonly place: BiasPlace; readonly name: ValueName }[],
): Edit[] {
	const nodes = new Map(
		reads.map(({ place }) => [place.node, present(net.byNode.get(place.node), 'a node').node]),
	);
	for (const { place, name } of reads)
		nodes.set(place.node, withInput(present(nodes.get(place.node), 'a node'), place.slot, name));
	return [...nodes.values()].map((node) => ({ kind: 'node', node }));
}

/** Summed in double precision, stored in the tensors' own type. */
function meanOf(name: ValueName, tensors: readonly Tensor[]): Tensor {
	const [first] = tensors;
	const { type, dims } = present(first, 'a tensor');
	const sum = new Float64Array(elementCount(dims));
	for (const tensor of tensors) {
		const values = numbersOf(tensor);
		for (let at = 0; at < sum.length; at++) sum[at] = (sum[at] ?? 0) + (values[at] ?? 0);
	}
	return tensorOf(
		name,
		type,
		dims,
		sum.map((value) => value / tensors.length),
	);
}

function meanInGraph(
	net: Net,
	places: readonly BiasPlace[],
	name: ValueName,
	fresh: (base: string) => ValueName,
): Edit[] {
	const { type } = constantAt(net, present(places[0], 'a layer'));
	const share = fresh(`${name}_share`);
	const edits: Edit[] = [{ kind: 'constant', tensor: tensorOf(share, type, [], [1 / places.length]) }];
	const parts = places.map((place) => {
		const part = fresh(`${name}_part`);
		edits.push(insert('Mul', [nameAt(net, place), share], part));
		return part;
	});
	const last = parts.reduce((sum, part, at) => {
		const next = at === parts.length - 1 ? name : fresh(`${name}_sum`);
		edits.push(insert('Add', [sum, part], next));
		return next;
	});
	return last === name ? edits : bug('a mean of one', { name });
}
