/** Convolutions become chains of thinner ones: by channels, by spatial axes, Tucker and canonical decompositions. */
import { Fault, present } from '../../diagnostic.ts';
import { type Node, type Tensor } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { numbersOf, tensorOf } from '../../ir/graph/tensor.ts';
import { type Certificate } from '../../ir/proof.ts';
import { notFactorized } from '../../messages/factorize.ts';
import { noAnatomy } from '../../messages/plan.ts';
import { joinedChain, type Link, type Scheme, type Stage } from '../../numerics/conv-chain.ts';
import { isConvolution, measureWindows, slidingAlong, type ConvSite } from './conv-sites.ts';
import { bestChain, candidate, type Chosen, type Tried } from './conv-ways.ts';
import { addBehind, addToBias, type Fresh } from '../exact/bias.ts';
import { sitesInScope } from '../sites.ts';
import {
	defineTechnique,
	type Lowered,
	type LowerTask,
	type Planned,
	type PlanRequest,
	saidOf,
} from '../technique.ts';

type Chained = {
	readonly node: number;
	readonly scheme: Scheme;
	readonly ranks: readonly number[];
	/** Names of the kernels in the plan's tensors, and how each slides. */
	readonly links: readonly (Pick<Link, 'axes' | 'depthwise'> & { readonly kernel: string })[];
	/** What is added to every output, by channel; absent without data. */
	readonly shift?: string;
};
type Chains = { readonly convolutions: readonly Chained[] };

export const factorizeFilters = defineTechnique<Chains>({
	words: {
		name: 'factorize-filters',
		verb: 'factorize',
		target: 'filters',
		aliases: ['convolutions', 'conv', 'kernels'],
		summary:
			'Replace convolutions by chains of thinner ones, in the way that loses least at a `ratio`, costs least at an `energy`, or that `with` says; with data by the variance of what they put out.',
		example: 'factorize filters rank 16 with tucker',
		amounts: ['rank', 'energy', 'ratio', 'auto'],
		bare: false,
		clauses: ['in', 'except', 'align'],
		choices: {
			with: [
				{
					word: 'channels',
					summary: 'the window to `rank` channels, then 1×1: singular values (arXiv:1505.06798)',
				},
				{ word: 'spatial', summary: 'k×1 to `rank` channels, then 1×k (arXiv:1405.3866)' },
				{
					word: 'tucker',
					summary: '1×1, the window between `rank` channels, 1×1: Tucker-2 (arXiv:1511.06530)',
				},
				{
					word: 'cp',
					summary: '1×1, a depthwise one along each axis, 1×1: CP by least squares (arXiv:1412.6553)',
				},
			],
		},
		metrics: [],
	},
	plan,
	lower,
});

async function plan(request: PlanRequest): Promise<Planned<Chains>> {
	const { step, net, numbering } = request;
	const inScope = sitesInScope(request);
	const found = net.nodes.filter((node) => isConvolution(node) && inScope(node.node));
	if (found.length === 0) throw new Fault(noAnatomy({ target: 'convolutions' }, { span: step.span }));
	const refusals = new Refusals();
	const tried = found.flatMap((node): Tried[] => {
		const ways = candidate(node, request);
		if (typeof ways !== 'string') return [ways];
		refusals.add(node.node, ways);
		return [];
	});
	const { tensors, ...decided } = await chains(tried, refusals, request);
	return {
		plan: {
			...saidOf(step),
			selected: decided.convolutions.length,
			of: found.length,
			unit: 'convolutions',
			removed: [],
			refused: refusals.list(request),
			certificates: decided.certificates,
			decision: { convolutions: decided.convolutions },
		},
		tensors,
		numbering,
	};
}

type Decided = {
	readonly convolutions: readonly Chained[];
	readonly certificates: readonly Certificate[];
	readonly tensors: ReadonlyMap<string, Tensor>;
};

/** What is measured on the inputs is measured for all convolutions at once. */
async function chains(tried: readonly Tried[], refusals: Refusals, request: PlanRequest): Promise<Decided> {
	const sites = tried.map(({ site }) => site);
	const inputs = await measureWindows(request.model, request.lab, sites);
	const tensors = new Map<string, Tensor>();
	const convolutions: Chained[] = [];
	const certificates: Certificate[] = [];
	for (const [at, one] of tried.entries()) {
		const { node } = one.site.node;
		const chosen = await bestChain(one, request, inputs[at]);
		if (typeof chosen === 'string') refusals.add(node, chosen);
		else {
			convolutions.push(kept(one.site, chosen, tensors));
			certificates.push({ of: node.name || (node.outputs[0] ?? ''), ...chosen.certificate });
		}
	}
	return { convolutions, certificates, tensors };
}

/** What stays, by reason. */
class Refusals {
	private readonly byReason = new Map<string, string[]>();

	add({ op, name, outputs }: Node, why: string): void {
		this.byReason.set(why, [...(this.byReason.get(why) ?? []), `${op} '${name || (outputs[0] ?? '')}'`]);
	}

	list({ step: { span } }: PlanRequest): ReturnType<typeof notFactorized>[] {
		return [...this.byReason].map(([why, labels]) => notFactorized({ why, labels }, { span }));
	}
}

function kept(
	{ node, kernel, type }: ConvSite,
	{ scheme, ranks, stages, shift }: Chosen,
	tensors: Map<string, Tensor>,
): Chained {
	const { id } = node.node;
	const links = stages.map(({ dims, data, axes, depthwise }, at) => {
		const name = `${id}.${at}`;
		tensors.set(name, tensorOf(name, type, dims, data));
		return { axes, depthwise, kernel: name };
	});
	const chained = { node: id, scheme, ranks, links };
	if (shift === undefined) return chained;
	const name = `${id}.shift`;
	tensors.set(name, tensorOf(name, type, [kernel.outputs, ...kernel.window.map(() => 1)], shift.data));
	return { ...chained, shift: name };
}

/**
 * Rewrite: the chain, what is added in the bias. Reference: one convolution with the kernel that the chain multiplies to, what is added
 * behind it.
 */
function lower({
	net: { model, byNode },
	decision: { convolutions },
	tensors,
	label,
}: LowerTask<Chains>): Lowered {
	const fresh = freshNames(model.graph);
	const edits: Edit[] = [];
	const plain: Edit[] = [];
	for (const { node: id, links, shift: added } of convolutions) {
		const product = present(byNode.get(id), 'a node of the plan');
		const { node } = product;
		const kernels = links.map(({ kernel }) => present(tensors.get(kernel), kernel));
		const stages = links.map((link, at): Stage => {
			const tensor = present(kernels[at], link.kernel);
			return { ...link, dims: tensor.dims, data: Float64Array.from(numbersOf(tensor)) };
		});
		const shift = added === undefined ? undefined : present(tensors.get(added), added);
		const small = shift === undefined ? { node, edits: [] } : addToBias(product, shift, fresh);
		edits.push(...chainFor(small.node, stages, kernels, fresh), ...small.edits);
		const whole = shift === undefined ? { node, edits: [] } : addBehind(node, shift, fresh);
		const joint = joinedChain(stages);
		const name = fresh(`${node.inputs[1] ?? 'kernel'}_joint`);
		const inputs = whole.node.inputs.map((input, at) => (at === 1 ? name : input));
		plain.push(
			{ kind: 'constant', tensor: tensorOf(name, kernels[0]?.type ?? 1, joint.dims, joint.data) },
			{ kind: 'node', node: { ...whole.node, inputs } },
			...whole.edits,
		);
	}
	const reference = applyPatch(model, { label: 'reference', edits: plain });
	const says = 'one convolution with the kernel that the chain multiplies to';
	return { patch: { label, edits }, claims: [{ says, reference, controls: [() => model] }] };
}

/** The bias, and the name of the output, stay with the last convolution. */
function chainFor(node: Node, stages: readonly Stage[], kernels: readonly Tensor[], fresh: Fresh): Edit[] {
	const edits: Edit[] = [];
	let [x = ''] = node.inputs;
	stages.forEach((stage, at) => {
		const kernel = fresh(`${node.inputs[1] ?? 'kernel'}_${at + 1}`);
		const attributes = slidingAlong(node, stage);
		edits.push({ kind: 'constant', tensor: { ...present(kernels[at], kernel), name: kernel } });
		if (at === stages.length - 1) {
			const inputs = [x, kernel, ...node.inputs.slice(2)];
			edits.push({ kind: 'node', node: { ...node, inputs, attributes } });
			return;
		}
		const output = fresh(`${node.outputs[0] ?? 'convolution'}_${at + 1}`);
		const name = node.name === '' ? '' : `${node.name}_${at + 1}`;
		const { op, domain } = node;
		edits.push({
			kind: 'insert',
			node: { name, op, domain, inputs: [x, kernel], outputs: [output], attributes },
		});
		x = output;
	});
	return edits;
}
