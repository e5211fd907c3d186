/** How nothing runs through operators: values that are all zeros, or that have no position on some axis. */
import { type NetNode, type NetTensor } from '../../ir/axes/net.ts';
import { type Tensor } from '../../ir/graph/graph.ts';
import { numbersOf, isReadable } from '../../ir/graph/tensor.ts';

/** All zeros; without a position on some axis; sizes of such a value. */
export type Silence = 'zero' | 'empty' | 'size';

const set = (ops: string): ReadonlySet<string> => new Set(ops.split(' '));
/** Zeros in the first operand come out as zeros. */
const carrying = set(
	'Cast Identity Transpose Reshape Flatten Squeeze Unsqueeze Slice Split Expand Gather GatherElements GatherND Neg Abs Relu Div ReduceSum ReduceMax ReduceMean',
);
/** Zeros in any operand come out as zeros. */
const multiplying = set('Mul And MatMul');
/** Work on each position by itself: without positions, nothing comes out. Broadcasting lines none up with one. */
const rowwise = set(
	'Cast Identity Transpose Reshape Flatten Squeeze Unsqueeze Slice Split Expand Gather GatherElements GatherND Neg Abs Relu Div Mul Add Sub And Or Not Where Pow MatMul Gemm Concat Sigmoid Tanh Gelu Erf Silu Swish HardSwish HardSigmoid Elu LeakyRelu Clip Sqrt Exp Softmax LayerNormalization SimplifiedLayerNormalization RMSNormalization FastGelu QuickGelu BiasGelu Dropout Equal Mod Tile QuantizeLinear DequantizeLinear MatMulNBits MatMulInteger DynamicQuantizeLinear FusedMatMul',
);
const sizing = set(
	'Gather Concat Mul Add Sub Div Squeeze Unsqueeze Cast Slice Equal Where ConstantOfShape ReduceProd Range Reshape',
);

/** What comes of silent operands: silence, or the operands that are handed on; undefined where something may. */
export function silenceAt(
	node: NetNode,
	states: readonly (Silence | undefined)[],
): Silence | readonly number[] | undefined {
	const { op } = node.node;
	const has = (silence: Silence): boolean => states.includes(silence);
	if (op === 'Shape' || op === 'Size') return 'size';
	if (op === 'NonZero') return 'empty';
	if (isWrite(node)) return written(node, states);
	if (has('empty')) return rowwise.has(op) ? 'empty' : undefined;
	if (has('zero')) return ofZeros(node, states);
	return sizing.has(op) && (states[0] === 'size' || node.node.op === 'Concat' || isScalarOp(op))
		? 'size'
		: undefined;
}

const isScalarOp = (op: string): boolean => /^(Mul|Add|Sub|Div|Equal|Where)$/.test(op);

/** Whether a node writes into what it is given. */
export const isWrite = ({ node }: NetNode): boolean => /^Scatter(Elements|ND)?$/.test(node.op);

/** Nothing is written, or zeros are added. */
function written(
	node: NetNode,
	[, indices, updates]: readonly (Silence | undefined)[],
): Silence | readonly number[] | undefined {
	const reduction = node.node.attributes.get('reduction');
	const adds = reduction?.kind === 'string' && reduction.value === 'add';
	const isNothing = indices === 'empty' || updates === 'empty' || (updates === 'zero' && adds);
	return isNothing ? [0] : undefined;
}

function ofZeros(
	node: NetNode,
	states: readonly (Silence | undefined)[],
): Silence | readonly number[] | undefined {
	const { op } = node.node;
	if (multiplying.has(op) || (op === 'Gemm' && node.inputs[2] === undefined)) return 'zero';
	if (carrying.has(op)) return states[0] === 'zero' ? 'zero' : undefined;
	if (op === 'Where') return chosen(node, states);
	if (!/^(Add|Sum|Or|Sub)$/.test(op) || (op === 'Sub' && states[0] === 'zero' && states[1] === undefined))
		return undefined;
	const rest = [...states.keys()].filter((slot) => states[slot] === undefined);
	return rest.length === 0 ? 'zero' : handedOn(node, rest);
}

/** Where nothing is true, what stands for false is chosen. */
function chosen(
	node: NetNode,
	[condition, yes, no]: readonly (Silence | undefined)[],
): Silence | readonly number[] | undefined {
	const isNothing = (slot: number, silence: Silence | undefined): boolean =>
		silence === 'zero' || isZero(node.inputs[slot]);
	if (isNothing(2, no) && (condition === 'zero' || isNothing(1, yes))) return 'zero';
	return condition === 'zero' ? handedOn(node, [2]) : undefined;
}

/** Operands that have the whole shape of the result, or several that are still joined. */
function handedOn({ inputs, outputs }: NetNode, rest: readonly number[]): readonly number[] | undefined {
	const wanted = outputs[0]?.sizes.join();
	return rest.some((slot) => inputs[slot]?.sizes.join() === wanted) ? rest : undefined;
}

const holdsZeros = (tensor: Tensor): boolean =>
	isReadable(tensor) && numbersOf(tensor).every((value) => value === 0);

/** Whether a value is zeros for every input. */
export function isZero(tensor: NetTensor | undefined): boolean {
	const { constant, producer } = tensor ?? {};
	if (constant !== undefined) return holdsZeros(constant);
	if (producer?.node.op === 'ConstantOfShape') {
		const value = producer.node.attributes.get('value');
		return value === undefined || (value.kind === 'tensor' && holdsZeros(value.value));
	}
	return /^(Expand|Cast|Reshape|Identity)$/.test(producer?.node.op ?? '') && isZero(producer?.inputs[0]);
}
