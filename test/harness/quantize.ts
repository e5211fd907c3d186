/** Models in 8 bits, as onnxruntime's quantizer writes them. */
import { FLOAT, INT8, UINT8 } from '../../src/ir/graph/dtype.ts';
import { highestId, type Model, type Node, type Tensor } from '../../src/ir/graph/graph.ts';
import { floats, numbersOf, tensorOf } from '../../src/ir/graph/tensor.ts';

type Written = { readonly nodes: Node[]; readonly constants: readonly Tensor[] };

/** Every product with a stored matrix reads what it multiplies by its range, as integers: `quantize_dynamic`. */
export function quantizedByRange(model: Model): Model {
	return rewriteProducts(model, ({ inputs: [x = '', w = ''], outputs: [y = ''] }, matrix, node) => {
		const { whole, scale } = rounded(matrix);
		const constants = [
			tensorOf(`${w}_i8`, INT8, matrix.dims, whole),
			floats(`${w}_scale`, [], [scale]),
			tensorOf(`${w}_zero`, INT8, [], [0]),
		];
		const nodes = [
			node('DynamicQuantizeLinear', [x], [`${y}_q`, `${y}_s`, `${y}_z`]),
			node('MatMulInteger', [`${y}_q`, `${w}_i8`, `${y}_z`, `${w}_zero`], [`${y}_i32`]),
			node('Cast', [`${y}_i32`], [`${y}_f32`], FLOAT),
			node('Mul', [`${y}_s`, `${w}_scale`], [`${y}_scale`]),
			node('Mul', [`${y}_f32`, `${y}_scale`], [y]),
		];
		return { nodes, constants };
	});
}

/** Pairs of quantization and dequantization around every product with a stored matrix, and dequantized matrices: `quantize_static`. */
export function quantizedInPairs(model: Model): Model {
	return rewriteProducts(model, ({ inputs: [x = '', w = ''], outputs: [y = ''] }, matrix, node) => {
		const { whole, scale } = rounded(matrix);
		const constants = [
			tensorOf(`${w}_i8`, INT8, matrix.dims, whole),
			floats(`${w}_scale`, [], [scale]),
			tensorOf(`${w}_zero`, INT8, [], [0]),
			floats(`${y}_step`, [], [0.05]),
			tensorOf(`${y}_middle`, UINT8, [], [128]),
		];
		const through = (value: string, to: string): Node[] => [
			node('QuantizeLinear', [value, `${y}_step`, `${y}_middle`], [`${to}_u8`]),
			node('DequantizeLinear', [`${to}_u8`, `${y}_step`, `${y}_middle`], [to]),
		];
		const nodes = [
			node('DequantizeLinear', [`${w}_i8`, `${w}_scale`, `${w}_zero`], [`${y}_w`]),
			...through(x, `${y}_x`),
			node('MatMul', [`${y}_x`, `${y}_w`], [`${y}_product`]),
			...through(`${y}_product`, y),
		];
		return { nodes, constants };
	});
}

type Make = (op: string, inputs: readonly string[], outputs: readonly string[], to?: number) => Node;

function rewriteProducts(model: Model, write: (product: Node, matrix: Tensor, node: Make) => Written): Model {
	const initializers = new Map(model.graph.initializers);
	let id = highestId(model.graph);
	const make: Make = (op, inputs, outputs, to) => ({
		...{ id: ++id, name: `${op}_${id}`, op, domain: '', inputs, outputs },
		attributes: new Map(to === undefined ? [] : [['to', { kind: 'int', value: to }]]),
	});
	const nodes = model.graph.nodes.flatMap((node) => {
		const matrix = node.op === 'MatMul' ? model.graph.initializers.get(node.inputs[1] ?? '') : undefined;
		if (matrix === undefined) return [node];
		const { nodes: written, constants } = write(node, matrix, make);
		for (const tensor of constants) initializers.set(tensor.name, tensor);
		initializers.delete(matrix.name);
		return written;
	});
	return { ...model, graph: { ...model.graph, nodes, initializers } };
}

function rounded(matrix: Tensor): { readonly whole: number[]; readonly scale: number } {
	const numbers = Array.from(numbersOf(matrix));
	const scale = Math.max(...numbers.map(Math.abs)) / 127;
	return { whole: numbers.map((value) => Math.round(value / scale)), scale };
}
