/** A convolution rewritten as a chain of thinner ones, and the one convolution that the chain must equal. */
import { present } from '../../diagnostic.ts';
import { type Node, type Tensor } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { numbersOf, tensorOf } from '../../ir/graph/tensor.ts';
import { joinedChain, type Link, type Scheme, type Stage } from '../../numerics/conv-chain.ts';
import { addBehind, addToBias, type Fresh } from '../exact/bias.ts';
import { type Lowered, type LowerTask } from '../technique.ts';
import { slidingAlong } from './conv-sites.ts';

export type Chained = {
	readonly node: number;
	readonly scheme: Scheme;
	readonly ranks: readonly number[];
	/** Names of the kernels in the plan's tensors, and how each slides. */
	readonly links: readonly (Pick<Link, 'axes' | 'depthwise'> & { readonly kernel: string })[];
	/** What is added to every output, by channel; absent without data. */
	readonly shift?: string;
};
export type Chains = { readonly convolutions: readonly Chained[] };

/**
 * Rewrite: the chain, what is added in the bias. Reference: one convolution with the kernel that the chain multiplies to, what is added
 * behind it.
 */
export function lowerChains({
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
export function chainFor(
	node: Node,
	stages: readonly Stage[],
	kernels: readonly Tensor[],
	fresh: Fresh,
): Edit[] {
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
