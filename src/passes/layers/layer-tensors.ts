/** The constants that the blocks of a layer multiply with and add, in an order that is the same in every layer of a kind. */
import { bug, present, type Diagnostic, type Span } from '../../diagnostic.ts';
import { elementType } from '../../ir/graph/dtype.ts';
import { elementCount, type Attribute, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { type Edit } from '../../ir/graph/patch.ts';
import { isReadable, numbersOf, tensorOf } from '../../ir/graph/tensor.ts';
import { type Block } from '../../ir/anatomy/parts.ts';
import { type Net, type NetNode } from '../../ir/axes/net.ts';
import { layerStays } from '../../messages/layers.ts';
import { biasOf, withInput, type BiasPlace, type Fresh } from '../exact/bias.ts';
import { insert } from '../edits.ts';
import { type Placed } from '../scope.ts';

export type LayerTensor = BiasPlace & {
	readonly tensor: Tensor;
	/** What must agree before one layer can read another's: operator, operand, sizes, type, attributes. */
	readonly kind: string;
};

/** Matrices and biases of blocks, by where they are read; a sentence where one is not stored as numbers. */
export function tensorsOf(blocks: readonly Block[]): readonly LayerTensor[] | string {
	const found: LayerTensor[] = [];
	for (const block of blocks) {
		const own = tensorsOfBlock(block);
		if (typeof own === 'string') return own;
		found.push(...own);
	}
	return found.length === 0 ? 'its matrices were not found' : found;
}

function tensorsOfBlock({ linears, fused, node }: Block): readonly LayerTensor[] | string {
	const found: LayerTensor[] = fused === undefined ? [] : operandsOf(node);
	for (const { node: product, slot, weight, outAxis } of linears) {
		const matrix = weight.constant;
		if (matrix === undefined) return `the matrix of '${labelOf(product)}' is computed from other constants`;
		if (!isReadable(matrix)) return `the numbers of '${matrix.name}' are not there`;
		const { place, constant } = biasOf(product, weight.sizes[outAxis] ?? 0);
		found.push(
			at(product, slot, matrix),
			...(place && constant ? [{ ...at(product, place.slot, constant), node: place.node }] : []),
		);
	}
	return found;
}

/** What a fused attention holds itself: packed matrices and biases. */
function operandsOf(node: NetNode): LayerTensor[] {
	return node.inputs.flatMap((input, slot) => {
		const tensor = input?.constant;
		const isWeight = tensor !== undefined && elementType(tensor.type)?.kind === 'float' && isReadable(tensor);
		return isWeight ? [at(node, slot, tensor)] : [];
	});
}

function at({ node }: NetNode, slot: number, tensor: Tensor): LayerTensor {
	const settings = [...node.attributes].map(([name, one]) => `${name}=${valueOf(one)}`).sort();
	const kind = [node.op, slot, tensor.type, tensor.dims.join('x'), ...settings].join(' ');
	return { node: node.id, slot, tensor, kind };
}

const valueOf = (attribute: Attribute): string =>
	'value' in attribute && ['int', 'float', 'string', 'ints', 'floats'].includes(attribute.kind)
		? JSON.stringify(attribute.value)
		: attribute.kind;

const labelOf = ({ node }: NetNode): string => node.name || (node.outputs[0] ?? '');

/** Why the tensors of two layers cannot stand for each other; undefined when they can. */
function misfit(own: readonly LayerTensor[], other: readonly LayerTensor[]): string | undefined {
	if (own.length !== other.length) return `it holds ${own.length} tensors, not ${other.length}`;
	const odd = own.find(({ kind }, index) => kind !== other[index]?.kind);
	return odd && `'${odd.tensor.name}' [${odd.tensor.dims.join(', ')}] is of another size or layout`;
}

export type Member = { readonly given: number; readonly tensors: readonly LayerTensor[] };

/** Layers whose tensors can stand for those of the first of them, and why the others cannot. */
export function membersOf(
	placed: readonly Placed[],
	span: Span,
	isWanted: (block: Block) => boolean = () => true,
): { readonly members: readonly Member[]; readonly refused: readonly Diagnostic[] } {
	const members: Member[] = [];
	const refused: Diagnostic[] = [];
	for (const { layer, given } of placed) {
		const tensors = tensorsOf(layer.blocks.filter(isWanted));
		const why = typeof tensors === 'string' ? tensors : misfit(tensors, members[0]?.tensors ?? tensors);
		if (typeof tensors === 'string' || why !== undefined)
			refused.push(layerStays({ layer: given, why: why ?? '' }, { span, at: `layer ${given}` }));
		else members.push({ given, tensors });
	}
	return { members, refused };
}

/** One tensor of a kind of layer: where each layer reads its own, layers in order. */
export type Role = { readonly reads: readonly BiasPlace[] };

export function rolesOf(members: readonly Member[]): Role[] {
	return (members[0]?.tensors ?? []).map((_, role) => ({
		reads: members.map(({ tensors }) => {
			const { node, slot } = present(tensors[role], 'a tensor of this role');
			return { node, slot };
		}),
	}));
}

const nodeAt = (net: Net, id: number): NetNode =>
	net.byNode.get(id) ?? bug('a plan names a node that is not there', { id });

export function nameAt(net: Net, { node, slot }: BiasPlace): ValueName {
	return nodeAt(net, node).node.inputs[slot] ?? '';
}

export function constantAt(net: Net, place: BiasPlace): Tensor {
	return present(
		nodeAt(net, place.node).inputs[place.slot]?.constant,
		`the constant '${nameAt(net, place)}'`,
	);
}

/** The sum of a role's tensors, each times its layer's share: in double precision, stored in the tensors' own type. */
export function combined(net: Net, { reads }: Role, shares: readonly number[], name: ValueName): Tensor {
	const tensors = reads.map((place) => constantAt(net, place));
	const { type, dims } = present(tensors[0], 'a tensor');
	const sum = new Float64Array(elementCount(dims));
	tensors.forEach((tensor, layer) => {
		const [values, share] = [numbersOf(tensor), shares[layer] ?? 0];
		for (let at = 0; at < sum.length; at++) sum[at] = (sum[at] ?? 0) + share * (values[at] ?? 0);
	});
	return tensorOf(name, type, dims, sum);
}

/** The same, made by the graph itself. */
export function combinedInGraph(
	net: Net,
	{ reads }: Role,
	shares: readonly number[],
	name: ValueName,
	fresh: Fresh,
): Edit[] {
	const edits: Edit[] = [];
	const parts = reads.map((place, layer) => {
		const [part, share] = [fresh(`${name}_part`), fresh(`${name}_share`)];
		const { type } = constantAt(net, place);
		edits.push({ kind: 'constant', tensor: tensorOf(share, type, [], [shares[layer] ?? 0]) });
		edits.push(insert('Mul', [nameAt(net, place), share], part));
		return part;
	});
	parts.slice(1).reduce((sum, part, at) => {
		const next = at === parts.length - 2 ? name : fresh(`${name}_sum`);
		edits.push(insert('Add', [sum, part], next));
		return next;
	}, parts[0] ?? '');
	return edits;
}

export type Read = { readonly place: BiasPlace; readonly name: ValueName };

/** Each node once, with all the constants that it reads from now on. */
export function readEdits(net: Net, reads: readonly Read[]): Edit[] {
	const nodes = new Map(reads.map(({ place }) => [place.node, nodeAt(net, place.node).node]));
	for (const { place, name } of reads)
		nodes.set(place.node, withInput(present(nodes.get(place.node), 'a node'), place.slot, name));
	return [...nodes.values()].map((node) => ({ kind: 'node', node }));
}
