/** The parts of a network, as types, and the matrix products they are told by. */
import { type ValueName } from '../graph/graph.ts';
import { type Family } from '../axes/families.ts';
import { type NetNode, type NetTensor } from '../axes/net.ts';

/** A value where a structure's units lie on one axis, just before everybody who reads them. */
export type Choke = {
	readonly tensor: NetTensor;
	readonly axis: number;
	/** The unit at each position, -1 for none. */
	readonly unitAt: Int32Array;
};

/** A matrix product with a weight: a constant, or what is computed from constants alone. */
export type Linear = {
	readonly node: NetNode;
	/** Which input is the weight, and which is what it multiplies. */
	readonly slot: number;
	readonly input: number;
	readonly weight: NetTensor;
	/** Axes of the weight: the one that is summed over, and the one that is written. */
	readonly inAxis: number;
	readonly outAxis: number;
};

/** A structure with removable units. */
export type Block = {
	readonly kind: 'attention' | 'ffn';
	/** The node it is told by: the product with the values, the fused operator, or the projection that ends it. */
	readonly node: NetNode;
	/** Heads or hidden neurons. */
	readonly units: number;
	/** Width of one unit: of a head's values, 1 for neurons. */
	readonly width: number;
	readonly choke: Choke | undefined;
	/** What goes with the units; absent when nothing of them can go. */
	readonly family: Family | undefined;
	/** Of attention whose heads share keys and values: its query heads, each by itself. */
	readonly queries?: Family;
	/** Why units cannot go, most frequent reason first. */
	readonly reasons: readonly string[];
	readonly linears: readonly Linear[];
	/** Gated feed-forward: two projections in, one out. */
	readonly gated: boolean;
	/** Fused operator's name, where it is one. */
	readonly fused?: string;
	readonly cross: boolean;
};

/** A block on its residual branch: `after` is `before` plus what the block adds, normalised if norms follow the sum. */
export type Residual = {
	readonly block: Block;
	readonly before: ValueName;
	readonly after: ValueName;
	/** Either of them is of bytes, with a scale of its own: such values cannot stand for each other as they are. */
	readonly ofBytes: boolean;
};

export type Layer = {
	readonly index: number;
	readonly blocks: readonly Block[];
	/** Whole residual steps, in order; empty where the residual path could not be followed. */
	readonly residuals: readonly Residual[];
	/** The same between bytes. */
	readonly ofBytes: readonly Residual[];
	/** A label made of the names of its nodes, when they share one. */
	readonly name: string;
};

/** Products of floating-point numbers, and with those of quantized ones the slots of their two factors. */
const plain: ReadonlySet<string> = new Set(['MatMul', 'Gemm', 'FusedMatMul', 'FusedGemm']);
const products: ReadonlyMap<string, readonly number[]> = new Map<string, readonly number[]>([
	...[...plain, 'MatMulInteger', 'MatMulIntegerToFloat', 'DynamicQuantizeMatMul'].map(
		(op): [string, number[]] => [op, [0, 1]],
	),
	['QLinearMatMul', [0, 3]],
	['QGemm', [0, 3]],
]);

/** The two operands that a node takes together: of quantized ones, without scales and zero points. */
export function operandsOf({
	node,
	inputs,
}: NetNode): readonly [NetTensor | undefined, NetTensor | undefined] {
	const [left = 0, right = 1] = products.get(node.op) ?? quantizedSlots.get(node.op) ?? [];
	return [inputs[left], inputs[right]];
}

/** Where the operands of sums and scalings of quantized numbers stand. */
const quantizedSlots: ReadonlyMap<string, readonly number[]> = new Map([
	['QLinearAdd', [0, 3]],
	['QLinearMul', [0, 3]],
]);

export function isProduct({ node }: NetNode): boolean {
	return products.has(node.op);
}

/** The node as a product of floating-point numbers with a constant matrix, if it is one. */
export function linearOf(node: NetNode): Linear | undefined {
	return plain.has(node.node.op) ? matrixOf(node) : undefined;
}

/** The same of quantized numbers too. */
export function matrixOf(node: NetNode): Linear | undefined {
	const factors = products.get(node.node.op) ?? [];
	const slot = factors.findLast((at) => node.inputs[at]?.fixed);
	const input = factors.find((at) => at !== slot);
	if (slot === undefined || input === undefined || node.row === undefined) return undefined;
	const weight = node.inputs[slot];
	if (weight?.sizes.length !== 2 || node.inputs[input]?.fixed !== false) return undefined;
	const contracted = node.row.terms.find(
		(term) =>
			term.side === 'in' &&
			term.slot === slot &&
			node.row?.letters[term.parts[0]?.letter ?? -1]?.role === 'contracted',
	);
	if (contracted === undefined) return undefined;
	return { node, slot, input, weight, inAxis: contracted.axis, outAxis: 1 - contracted.axis };
}

/** Both operands come from the model's input: a product of activations. */
export function isActivationProduct(node: NetNode): boolean {
	return products.get(node.node.op)?.every((slot) => node.inputs[slot]?.fixed !== true) ?? false;
}

/** The same, or an `Einsum` of two activations. */
export function isActivationContraction(node: NetNode): boolean {
	const { op, inputs } = node.node;
	const isEinsum = op === 'Einsum' && inputs.length === 2;
	return isEinsum ? node.inputs.every((input) => input?.fixed === false) : isActivationProduct(node);
}

const quantizers: ReadonlySet<string> = new Set(['QuantizeLinear', 'DynamicQuantizeLinear']);
/** Operators between numbers and the integers that stand for them: they mix nothing. */
export const quantization: readonly string[] = [...quantizers, 'DequantizeLinear'];

/** What was quantized, where a value is the integers that it became: those cannot be measured. */
export function unquantized(value: NetTensor | undefined): NetTensor | undefined {
	const maker = value?.producer;
	return maker !== undefined && quantizers.has(maker.node.op) ? maker.inputs[0] : value;
}
