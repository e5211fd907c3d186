/** Integer products that come out the same on every processor. */
import { constantsOf } from './constants.ts';
import { INT8, UINT8 } from './dtype.ts';
import { elementCount, type Model, type Node, type Tensor, type ValueName } from './graph.ts';
import { numbersOf, tensorOf } from './tensor.ts';

/** Slots of the right-hand matrix and of its zero point. */
const slots: ReadonlyMap<string, readonly [matrix: number, zero: number]> = new Map([
	['MatMulInteger', [1, 3]],
	['DynamicQuantizeMatMul', [1, 3]],
	['MatMulIntegerToFloat', [1, 5]],
	['QLinearMatMul', [3, 5]],
]);

/**
 * The model with its constant matrices of int8 as uint8, zero points moved along: the same products. Without VNNI, x86 adds products of
 * unsigned and signed bytes in pairs that saturate at 16 bits, so that what a sum comes to depends on which terms stand next to each other;
 * products of unsigned bytes are exact (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html, "U8S8").
 */
export function unsignedMatrices(model: Model): Model {
	if (!model.graph.nodes.some(({ op }) => slots.has(op))) return model;
	const constants = constantsOf(model.graph);
	const initializers = new Map(model.graph.initializers);
	const moved = (tensor: Tensor): ValueName => {
		const name = `${tensor.name}_unsigned`;
		if (!initializers.has(name)) initializers.set(name, unsigned(tensor, name));
		return name;
	};
	const nodes = model.graph.nodes.map((node): Node => {
		const [at, zeroAt] = slots.get(node.op) ?? [];
		const matrix = constants.get(node.inputs[at ?? -1] ?? '');
		if (at === undefined || zeroAt === undefined || matrix?.type !== INT8) return node;
		const given = node.inputs[zeroAt] ?? '';
		const zero = given === '' ? signedZero : constants.get(given);
		if (zero?.type !== INT8) return node;
		const inputs = Array.from({ length: Math.max(zeroAt + 1, node.inputs.length) }, (_, slot) =>
			slot === at ? moved(matrix) : slot === zeroAt ? moved(zero) : (node.inputs[slot] ?? ''),
		);
		return { ...node, inputs };
	});
	const isSame = nodes.every((node, at) => node === model.graph.nodes[at]);
	return isSame ? model : { ...model, graph: { ...model.graph, nodes, initializers } };
}

const signedZero: Tensor = tensorOf('prunec_zero', INT8, [], [0]);

/** Moved by 128 when it is read, and not held afterwards. */
function unsigned(tensor: Tensor, name: ValueName): Tensor {
	const read = (): Uint8Array => Uint8Array.from(numbersOf(tensor), (value) => value + 128);
	return { name, type: UINT8, dims: tensor.dims, bytes: { length: elementCount(tensor.dims), read } };
}
