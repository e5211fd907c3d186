/**
 * One set of tensors for several layers: parameter sharing across layers (ALBERT, arXiv:1909.11942), put in after training and so lossy.
 * Every layer of the scope reads the tensors of the one that stands for all with the least harm, or their mean.
 */
import { Fault, present } from '../../diagnostic.ts';
import { type Block } from '../../ir/anatomy/parts.ts';
import { byteLength } from '../../ir/graph/dtype.ts';
import { elementCount, type Model, type Tensor } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { numbersOf } from '../../ir/graph/tensor.ts';
import { type Net } from '../../ir/axes/net.ts';
import { positionsInWords } from '../../ir/recipe/ranges.ts';
import { basisAndAmount, oneLayer } from '../../messages/layers.ts';
import { lowerFactors, type Factors } from '../low-rank/factor-graph.ts';
import {
	combined,
	combinedInGraph,
	constantAt,
	membersOf,
	nameAt,
	readEdits,
	rolesOf,
	type Member,
	type Read,
	type Role,
} from './layer-tensors.ts';
import { layersInScope } from '../scope.ts';
import { planBasis } from './share-basis.ts';
import {
	defineTechnique,
	type Lowered,
	type LowerTask,
	type Planned,
	type PlanRequest,
	type Technique,
	saidOf,
} from '../technique.ts';

type Sharing = {
	/** For each tensor of a block where each layer reads its own, layers in order. */
	readonly roles: readonly Role[];
	/** Whose tensors stand for all: the place of a layer in that order, or the mean. */
	readonly from: number | 'mean';
};

function shareLayers(target: string, kind: Block['kind'], aliases: readonly string[]): Technique {
	return defineTechnique<Sharing | Factors>({
		words: {
			name: `share-${target}`,
			verb: 'share',
			target,
			aliases,
			summary: `Several layers read one set of ${kind === 'ffn' ? 'feed-forward' : 'attention'} matrices and biases: those of the layer that serves all best, or their mean; or one basis of a rank, with coefficients of their own. Lossy; the file shrinks, the time to run stays.`,
			example: `share ${target} across layers 2..4`,
			amounts: ['rank', 'energy', 'ratio'],
			bare: true,
			clauses: ['across', 'except', 'by', 'align'],
			needs: ['across'],
			choices: {
				with: [
					{ word: 'best', summary: 'the tensors of one layer (default)' },
					{ word: 'mean', summary: 'the mean of the tensors' },
					{
						word: 'basis',
						summary:
							'one matrix of `rank` columns for all, and each layer its own coefficients (arXiv:2410.03765)',
					},
				],
			},
			metrics: ['l2'],
		},
		plan: (request) => planEither(request, kind),
		lower: ({ decision, ...task }) =>
			'matrices' in decision ? lowerFactors({ ...task, decision }) : lower({ ...task, decision }),
	});
}

export const shareFfn = shareLayers('ffn', 'ffn', ['neurons', 'intermediate']);
export const shareAttention = shareLayers('attention', 'attention', ['heads']);

/** An amount says how large the basis is, and means nothing without one. */
function planEither(request: PlanRequest, kind: Block['kind']): Promise<Planned<Sharing | Factors>> {
	const { step } = request;
	const hasAmount = step.amount !== undefined;
	if (hasAmount !== (step.with === 'basis')) {
		const span = step.spans.amount ?? step.spans.with ?? step.span;
		throw new Fault(basisAndAmount({ hasAmount }, { span }));
	}
	return hasAmount ? planBasis(request, kind) : plan(request, kind);
}

async function plan(request: PlanRequest, kind: Block['kind']): Promise<Planned<Sharing>> {
	const { step, numbering } = request;
	const { members, refused } = membersIn(request, kind);
	const roles = rolesOf(members);
	const { from, metric } = await choose(request, members, roles);
	const bytes = (members[0]?.tensors ?? []).reduce((sum, { tensor }) => sum + bytesOf(tensor), 0);
	const less = bytes * (members.length - 1);
	return {
		plan: {
			...saidOf(step),
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

function membersIn(request: PlanRequest, kind: Block['kind']): ReturnType<typeof membersOf> {
	const { step } = request;
	const placed = layersInScope({ ...request, step: { ...step, in: step.across } });
	const found = membersOf(placed, step.span, (block) => block.kind === kind);
	if (found.members.length > 1) return found;
	const reading = positionsInWords(
		'layer',
		found.members.map(({ given }) => given),
	);
	const place = { span: step.spans.across ?? step.span };
	throw new Fault(oneLayer({ what: 'sharing', reading }, place), ...found.refused);
}

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

function readingOne(net: Net, { roles, from }: Sharing): Edit[] {
	const fresh = freshNames(net.model.graph);
	const edits: Edit[] = [];
	const reads = roles.flatMap((role): Read[] => {
		const name = nameAt(net, present(role.reads[from === 'mean' ? 0 : from], 'a layer'));
		const shared = from === 'mean' ? fresh(`${name}_mean`) : name;
		if (from === 'mean')
			edits.push({ kind: 'constant', tensor: combined(net, role, sharesOf(role), shared) });
		return role.reads.map((place) => ({ place, name: shared }));
	});
	return [...edits, ...readEdits(net, reads)];
}

const sharesOf = ({ reads }: Role): number[] => reads.map(() => 1 / reads.length);

function readingOwn(net: Net, { roles, from }: Sharing): Edit[] {
	const fresh = freshNames(net.model.graph);
	const edits: Edit[] = [];
	const reads = roles.flatMap((role) =>
		role.reads.map((place): Read => {
			const name = fresh(`${nameAt(net, place)}_own`);
			if (from === 'mean') edits.push(...combinedInGraph(net, role, sharesOf(role), name, fresh));
			else {
				const tensor = constantAt(net, present(role.reads[from], 'a layer'));
				edits.push({ kind: 'constant', tensor: { ...tensor, name } });
			}
			return { place, name };
		}),
	);
	return [...edits, ...readEdits(net, reads)];
}
