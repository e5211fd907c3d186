/** Graphs whose attentions are linear maps: what a decision of `prune softmax with linear` says, and the plain graph. */
import { present } from '../../diagnostic.ts';
import { FLOAT } from '../../ir/graph/dtype.ts';
import { type Model, type Node, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { tensorOf } from '../../ir/graph/tensor.ts';
import { type Net, type NetNode } from '../../ir/axes/net.ts';
import { addToBias, type Fresh } from '../exact/bias.ts';
import { insert } from '../edits.ts';
import { type Lowered, type LowerTask } from '../technique.ts';
import { nodeAt } from './attention-changes.ts';

export type LinearMap = {
	/** What the attention reads, and what the map of it takes the place of. */
	readonly from: ValueName;
	readonly to: ValueName;
	/** The output projection, where the map takes its place. */
	readonly projection?: number;
	/** Names in the plan's tensors: the map [inputs, outputs], and what is added to it. */
	readonly weight: string;
	readonly bias: string;
};
export type LinearMaps = { readonly maps: readonly LinearMap[] };

type Tensors = ReadonlyMap<string, Tensor>;

/** Output projections read what the attentions read, with other numbers; or a product and a sum of their own stand before the residual sum. */
export function editsFor(net: Net, maps: readonly LinearMap[], tensors: Tensors): Edit[] {
	const fresh = freshNames(net.model.graph);
	return maps.flatMap((map): Edit[] => {
		if (map.projection === undefined) {
			const { edits, mapped } = productEdits(map, tensors, fresh);
			return [...edits, { kind: 'rewire', from: map.to, to: mapped }];
		}
		const weight = { ...present(tensors.get(map.weight), map.weight), name: fresh(`${map.from}_map`) };
		const product = nodeAt(net, map.projection);
		const { node, edits } = projected(product, map, weight.name, tensors, fresh);
		return [{ kind: 'constant', tensor: weight }, { kind: 'node', node }, ...edits];
	});
}

/** A Gemm holds its bias itself, and gets a new one; behind other products the bias takes up the map's. */
function projected(
	product: NetNode,
	{ from, bias }: LinearMap,
	weight: ValueName,
	tensors: Tensors,
	fresh: Fresh,
): { readonly node: Node; readonly edits: readonly Edit[] } {
	const shift = present(tensors.get(bias), bias);
	const plain = { ...product.node, domain: '', attributes: new Map() };
	if (plain.op === 'Gemm') {
		const name = fresh(`${from}_map_bias`);
		const node = { ...plain, inputs: [from, weight, name] };
		return { node, edits: [{ kind: 'constant', tensor: { ...shift, name } }] };
	}
	const { node, edits } = addToBias(product, shift, fresh);
	return { node: { ...plain, op: 'MatMul', inputs: [from, weight], outputs: node.outputs }, edits };
}

/** A product with the map and its bias, of nodes of their own. */
function productEdits(
	{ from, to, ...names }: LinearMap,
	tensors: Tensors,
	fresh: Fresh,
): { readonly edits: readonly Edit[]; readonly mapped: ValueName } {
	const [weight, bias, product, mapped] = [
		fresh(`${to}_map`),
		fresh(`${to}_shift`),
		fresh(`${to}_product`),
		fresh(`${to}_mapped`),
	];
	const constant = (of: string, name: ValueName): Edit => ({
		kind: 'constant',
		tensor: { ...present(tensors.get(of), of), name },
	});
	return {
		mapped,
		edits: [
			constant(names.weight, weight),
			constant(names.bias, bias),
			insert('MatMul', [from, weight], product),
			insert('Add', [product, bias], mapped),
		],
	};
}

/**
 * Rewrite: the output projection reads what the attention reads, or a product stands before the sum. Reference: 0 · what was put out + the
 * product with the map. Controls: nothing in the attentions' places, and the model before.
 */
export function lowerLinear({ net, decision: { maps }, tensors, label }: LowerTask<LinearMaps>): Lowered {
	const { model } = net;
	const muted = (isMapped: boolean): Model =>
		applyPatch(model, { label: 'reference', edits: mutedEdits(net, maps, tensors, isMapped) });
	return {
		patch: { label, edits: editsFor(net, maps, tensors) },
		claims: [
			{
				says: '0 · what attentions put out + a product of what they read',
				reference: muted(true),
				controls: [() => muted(false), () => model],
			},
		],
	};
}

function mutedEdits(net: Net, maps: readonly LinearMap[], tensors: Tensors, isMapped: boolean): Edit[] {
	const fresh = freshNames(net.model.graph);
	return maps.flatMap((map): Edit[] => {
		const { to } = map;
		const node = present(net.tensors.get(to)?.producer, to).node;
		const [whole, none, zero] = [fresh(`${to}_whole`), fresh(`${to}_none`), fresh('zero')];
		const outputs = node.outputs.map((name) => (name === to ? whole : name));
		const type = net.facts.of(to)?.type ?? FLOAT;
		const { edits, mapped } = productEdits(map, tensors, fresh);
		return [
			{ kind: 'node', node: { ...node, outputs } },
			{ kind: 'constant', tensor: tensorOf(zero, type, [], [0]) },
			insert('Mul', [whole, zero], isMapped ? none : to),
			...(isMapped ? [...edits, insert('Add', [none, mapped], to)] : []),
		];
	});
}
