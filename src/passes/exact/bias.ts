/** Where the bias of a product or convolution stands, and how constants are added to what it puts out. */
import { elementCount, type Node, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { numbersOf, tensorOf } from '../../ir/graph/tensor.ts';
import { type Edit } from '../../ir/graph/patch.ts';
import { type NetNode } from '../../ir/axes/net.ts';
import { insert } from '../edits.ts';

/** An operand that holds a bias: of the node itself or of an addition after it. */
export type BiasPlace = { readonly node: number; readonly slot: number };

export type Bias = {
	/** Absent where there is none and none can be: an addition must be put in. */
	readonly place?: BiasPlace;
	/** What stands there; absent where the place is free. */
	readonly constant?: Tensor;
	/** What the constant is multiplied with before it is added. */
	readonly scale: number;
};

const none: Bias = { scale: 1 };

const recurrent: ReadonlySet<string> = new Set(['LSTM', 'GRU', 'RNN']);

/** A recurrent layer of ONNX itself: its operands are the sequence, the matrices of sequence and state, and the biases of both. */
export function isRecurrent({ node }: NetNode): boolean {
	return node.domain === '' && recurrent.has(node.op);
}

/** Of a product with `width` outputs: the third operand of a Gemm or convolution, or the constant that the only addition after it adds. */
export function biasOf(node: NetNode, width: number): Bias {
	const { op, attributes } = node.node;
	if (op === 'Conv') return ownBias(node, width, 1);
	if (op !== 'Gemm') return nextBias(node, width);
	const beta = attributes.get('beta');
	const scale = beta?.kind === 'float' ? beta.value : 1;
	return scale === 0 ? none : ownBias(node, width, scale);
}

function ownBias(node: NetNode, width: number, scale: number): Bias {
	const constant = vectorAt(node, 2, width);
	if (constant === undefined && node.inputs[2] !== undefined) return none;
	return { place: { node: node.node.id, slot: 2 }, ...(constant && { constant }), scale };
}

function nextBias(node: NetNode, width: number): Bias {
	const [output] = node.outputs;
	const [next, ...others] = output?.consumers ?? [];
	if (output === undefined || next?.node.op !== 'Add' || others.length > 0) return none;
	if (output.io.length > 0 || output.captured) return none;
	const slot = 1 - next.inputs.indexOf(output);
	const constant = vectorAt(next, slot, width);
	return constant ? { place: { node: next.node.id, slot }, constant, scale: 1 } : none;
}

function vectorAt(node: NetNode, slot: number, width: number): Tensor | undefined {
	const constant = node.inputs[slot]?.constant;
	if (constant?.bytes === undefined || constant.dims.at(-1) !== width) return undefined;
	return elementCount(constant.dims) === width ? constant : undefined;
}

export type Fresh = (base: string) => ValueName;
/** The product's node as it becomes, and the edits beside it. */
export type Shifted = { readonly node: Node; readonly edits: readonly Edit[] };

/** In an `Add` of its own behind the product: the plainest graph. */
export function addBehind(node: Node, shift: Tensor, fresh: Fresh): Shifted {
	const [output = ''] = node.outputs;
	const [raw, name] = [fresh(`${output}_unshifted`), fresh(`${output}_shift`)];
	return {
		node: { ...node, outputs: [raw, ...node.outputs.slice(1)] },
		edits: [{ kind: 'constant', tensor: { ...shift, name } }, insert('Add', [raw, name], output)],
	};
}

/**
 * In the bias that the product has or that is added next, where that is a constant; else in an `Add`. The shift of a convolution lies
 * along channels, with an axis of 1 for every spatial one.
 */
export function addToBias(product: NetNode, shift: Tensor, fresh: Fresh): Shifted {
	const { node } = product;
	const { place, constant, scale } = biasOf(product, elementCount(shift.dims));
	if (place === undefined) return addBehind(node, shift, fresh);
	const dims = constant?.dims ?? [elementCount(shift.dims)];
	const old = constant && numbersOf(constant);
	const sum = Array.from(numbersOf(shift), (value, at) => (old?.[at] ?? 0) + value / scale);
	const name = fresh(`${constant?.name ?? node.outputs[0] ?? ''}_shifted`);
	const edit: Edit = { kind: 'constant', tensor: tensorOf(name, shift.type, dims, sum) };
	if (place.node === node.id) return { node: withInput(node, place.slot, name), edits: [edit] };
	const [next] = product.outputs[0]?.consumers ?? [];
	if (next === undefined) return addBehind(node, shift, fresh);
	return { node, edits: [edit, { kind: 'node', node: withInput(next.node, place.slot, name) }] };
}

/** The node with another input, also one behind those that it has. */
export function withInput(node: Node, slot: number, name: ValueName): Node {
	const inputs = Array.from(
		{ length: Math.max(node.inputs.length, slot + 1) },
		(_, at) => node.inputs[at] ?? '',
	);
	return { ...node, inputs: inputs.with(slot, name) };
}
