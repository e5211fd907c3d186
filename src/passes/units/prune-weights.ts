/**
 * Single weights become zeros: the smallest of each tensor (magnitude pruning, Han et al., arXiv:1506.02626), or all but n of every m
 * neighbours along what is summed over (N:M, Zhou et al., arXiv:2102.04010). Shapes stay, and so does the time on a CPU.
 */
import { bug, Fault, present, type Diagnostic } from '../../diagnostic.ts';
import { linearOf } from '../../ir/anatomy/parts.ts';
import { elementType } from '../../ir/graph/dtype.ts';
import { constantsOf } from '../../ir/graph/constants.ts';
import { elementCount, type Node, type Tensor } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { isReadable, numbersOf, tensorOf } from '../../ir/graph/tensor.ts';
import { intAttribute } from '../../ir/axes/view.ts';
import { type NetNode } from '../../ir/axes/net.ts';
import { type Amount } from '../../ir/recipe/recipe.ts';
import { stays } from '../../messages/exact.ts';
import { noAnatomy } from '../../messages/plan.ts';
import { isRecurrent } from '../exact/bias.ts';
import { insert } from '../edits.ts';
import { sitesInScope } from '../sites.ts';
import { zeroed, type Rule } from './weight-masks.ts';
import {
	defineTechnique,
	type Lowered,
	type LowerTask,
	type Planned,
	type PlanRequest,
	saidOf,
} from '../technique.ts';

type Zeros = {
	readonly rule: Rule;
	/** The constant that a node reads, and the axis that the node sums over. */
	readonly weights: readonly { readonly node: number; readonly slot: number; readonly axis: number }[];
};
type Site = Zeros['weights'][number] & { readonly tensor: Tensor; readonly label: string };

export const pruneWeights = defineTechnique<Zeros>({
	words: {
		name: 'prune-weights',
		verb: 'prune',
		target: 'weights',
		aliases: ['weight'],
		summary:
			'Set single weights of products, convolutions and recurrent layers to zero: the smallest of each tensor, or with `2:4` all but two of every four. Smaller when compressed, not faster on a CPU.',
		example: 'prune weights 50%',
		amounts: ['remove-share', 'keep-share', 'pattern'],
		bare: false,
		clauses: ['in', 'except'],
		metrics: [],
	},
	plan: (request) => Promise.resolve(plan(request)),
	lower,
});

function ruleOf(amount: Amount | undefined): Rule {
	switch (amount?.kind) {
		case 'pattern':
			return { keep: amount.keep, of: amount.of };
		case 'remove-share':
			return { share: amount.share };
		case 'keep-share':
			return { share: 1 - amount.share };
		default:
			return bug('an amount that single weights do not have', { amount });
	}
}

function plan(request: PlanRequest): Planned<Zeros> {
	const { step, net, numbering } = request;
	const inScope = sitesInScope(request);
	const sites = net.nodes.flatMap((node) => (inScope(node.node) ? sitesAt(node) : []));
	if (sites.length === 0)
		throw new Fault(
			noAnatomy({ target: 'weights in floating point', scoped: step.in.length > 0 }, { span: step.span }),
		);
	const rule = ruleOf(step.amount);
	const own = sites.filter((site) => isOwn(site, sites, net.nodes));
	const shared = sites.filter((site) => !own.includes(site)).map(({ label }) => label);
	const why = 'an operator that is no product reads the same weights';
	const refused: Diagnostic[] =
		shared.length === 0 ? [] : [stays({ unit: 'weights', why, labels: shared }, { span: step.span })];
	const tensors = [...new Map(own.map((site) => [site.tensor.name, site])).values()];
	const zeros = tensors.reduce((sum, site) => sum + zeroed(site.tensor, site.axis, rule).zeros, 0);
	return {
		plan: {
			...saidOf(step),
			selected: zeros,
			of: tensors.reduce((sum, { tensor }) => sum + elementCount(tensor.dims), 0),
			unit: 'weights (zeros: smaller when compressed, not faster on a CPU)',
			removed: [],
			refused,
			decision: { rule, weights: own.map(({ node, slot, axis }) => ({ node, slot, axis })) },
		},
		tensors: new Map(),
		numbering,
	};
}

/** Operands that an operator multiplies with what it reads, by slot, and the axis that it sums over. */
function operandsOf(node: NetNode): readonly (readonly [slot: number, axis: number])[] {
	const linear = linearOf(node);
	if (linear !== undefined) return [[linear.slot, linear.inAxis]];
	if (isRecurrent(node)) return [1, 2].map((slot) => [slot, 2]);
	if (node.node.domain !== '' || !/^Conv(Transpose)?$/.test(node.node.op)) return [];
	const { dims = [] } = node.inputs[1]?.constant ?? {};
	// A depthwise kernel sums over its window alone.
	if (intAttribute(node.view, 'group', 1) > 1 && dims[1] === 1) return [[1, dims.length - 1]];
	return [[1, node.node.op === 'Conv' ? 1 : 0]];
}

function sitesAt(node: NetNode): Site[] {
	return operandsOf(node).flatMap(([slot, axis]) => {
		const tensor = node.inputs[slot]?.constant;
		if (tensor === undefined || !isReadable(tensor)) return [];
		if (elementType(tensor.type)?.kind !== 'float') return [];
		const label = `${node.node.op} '${node.node.name || (node.node.outputs[0] ?? '')}'`;
		const name = node.inputs[slot]?.source ?? tensor.name;
		return [{ node: node.node.id, slot, axis, tensor: { ...tensor, name }, label }];
	});
}

/** Whether products alone read a site's weights, under whatever name. */
function isOwn({ tensor }: Site, sites: readonly Site[], nodes: readonly NetNode[]): boolean {
	const readers = nodes.filter(
		({ node, inputs }) => node.op !== 'Identity' && inputs.some((one) => one?.source === tensor.name),
	);
	return readers.every(({ node }) => sites.some((site) => site.node === node.id));
}

/** Reference: the weights as they were, times a mask of ones and zeros in the graph. */
function lower({ net: { model, byNode }, decision: { rule, weights }, label }: LowerTask<Zeros>): Lowered {
	const fresh = freshNames(model.graph);
	const constants = constantsOf(model.graph);
	const made = new Map<string, { readonly sparse: string; readonly product: string }>();
	const edits = new Map<number, Node>();
	const plain = new Map<number, Node>();
	const [own, others]: [Edit[], Edit[]] = [[], []];
	for (const { node: id, slot, axis } of weights) {
		const node =
			model.graph.nodes.find((one) => one.id === id) ?? bug('a plan names a node that is not there', { id });
		const name = byNode.get(id)?.inputs[slot]?.source ?? node.inputs[slot] ?? '';
		const tensor = present(constants.get(name), name);
		if (!made.has(name)) {
			const names = { sparse: fresh(`${name}_sparse`), product: fresh(`${name}_masked`) };
			const [ones, { mask }] = [fresh(`${name}_mask`), zeroed(tensor, axis, rule)];
			const values = Float64Array.from(numbersOf(tensor), (value, at) => value * (mask[at] ?? 0));
			own.push({ kind: 'constant', tensor: tensorOf(names.sparse, tensor.type, tensor.dims, values) });
			others.push({ kind: 'constant', tensor: tensorOf(ones, tensor.type, tensor.dims, mask) });
			others.push(insert('Mul', [name, ones], names.product));
			made.set(name, names);
		}
		const { sparse, product } = present(made.get(name), name);
		const reading = (from: Node | undefined, to: string): Node => ({
			...(from ?? node),
			inputs: (from ?? node).inputs.map((input, at) => (at === slot ? to : input)),
		});
		edits.set(id, reading(edits.get(id), sparse));
		plain.set(id, reading(plain.get(id), product));
	}
	const nodes = (of: ReadonlyMap<number, Node>): Edit[] =>
		[...of.values()].map((node) => ({ kind: 'node', node }));
	const reference = applyPatch(model, { label: 'reference', edits: [...others, ...nodes(plain)] });
	return {
		patch: { label, edits: [...own, ...nodes(edits)] },
		claims: [{ says: 'the weights times a mask of ones and zeros', reference, controls: [() => model] }],
	};
}
