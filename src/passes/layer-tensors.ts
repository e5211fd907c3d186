/** The constants that the blocks of a layer multiply with and add, in an order that is the same in every layer of a kind. */
import { elementType } from '../ir/graph/dtype.ts';
import { type Attribute, type Tensor } from '../ir/graph/graph.ts';
import { isReadable } from '../ir/graph/tensor.ts';
import { type Block } from '../ir/anatomy/parts.ts';
import { type NetNode } from '../ir/axes/net.ts';
import { biasOf, type BiasPlace } from './bias.ts';

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
export function misfit(own: readonly LayerTensor[], other: readonly LayerTensor[]): string | undefined {
	if (own.length !== other.length) return `it holds ${own.length} tensors, not ${other.length}`;
	const odd = own.find(({ kind }, index) => kind !== other[index]?.kind);
	return odd && `'${odd.tensor.name}' [${odd.tensor.dims.join(', ')}] is of another size or layout`;
}
