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

/**
 * Products, sums, scalings and softmaxes of signed bytes by operators of their own, and bytes in between wherever nothing else reads
 * them: `quantize_static` with `QuantFormat.QOperator`. Norms compute with floats, a `Relu` is left to the sum before it.
 */
export function quantizedAsOperators(model: Model): Model {
	const { nodes, initializers } = new AsOperators(model).run();
	return { ...model, graph: { ...model.graph, nodes, initializers } };
}

/** A value as bytes, and what its scale and zero point are called. */
type Bytes = readonly [name: string, scale: string, zero: string];

class AsOperators {
	private readonly nodes: Node[] = [];
	private readonly initializers: Map<string, Tensor>;
	private readonly bytes = new Map<string, Bytes>();
	private readonly asFloats = new Set<string>();
	private id: number;
	private readonly model: Model;

	constructor(model: Model) {
		this.model = model;
		this.initializers = new Map(model.graph.initializers);
		this.id = highestId(model.graph);
	}

	run(): { nodes: Node[]; initializers: Map<string, Tensor> } {
		for (const node of this.model.graph.nodes) this.write(node);
		for (const { name } of this.model.graph.outputs) this.float(name);
		return { nodes: this.nodes, initializers: this.initializers };
	}

	private write(node: Node): void {
		const { op, inputs, outputs } = node;
		const [x = '', w = ''] = inputs;
		const [y = ''] = outputs;
		if (op === 'MatMul') this.joined('QLinearMatMul', '', [x, w], y);
		else if (op === 'Add' || op === 'Mul') this.joined(`QLinear${op}`, 'com.microsoft', [x, w], y);
		else if (op === 'Softmax') {
			const result = this.steps(y, 1 / 256, -128);
			const attributes = new Map([
				...node.attributes,
				['opset', { kind: 'int' as const, value: 17 }] as const,
			]);
			this.push(
				'QLinearSoftmax',
				'com.microsoft',
				[...this.byte(x), ...result.slice(1)],
				result[0],
				attributes,
			);
		} else if (op === 'Relu' && this.bytes.has(x)) {
			// Bytes from the least one on, which stands for zero, write nothing below it.
			const [, , zero] = this.byte(x);
			this.initializers.set(zero, tensorOf(zero, INT8, [], [-128]));
			this.bytes.set(y, this.byte(x));
		} else if ((op === 'Reshape' || op === 'Transpose') && this.bytes.has(x)) {
			const [from, scale, zero] = this.byte(x);
			this.bytes.set(y, [`${y}_i8`, scale, zero]);
			this.push(op, '', [from, ...inputs.slice(1)], `${y}_i8`, node.attributes);
		} else {
			inputs.forEach((name) => {
				this.float(name);
			});
			this.nodes.push(node);
		}
	}

	private joined(op: string, domain: string, [left, right]: readonly [string, string], y: string): void {
		const [a, b] = [this.byte(left), this.byte(right)];
		const result = this.steps(y, 0.05, 0);
		this.push(op, domain, [...a, ...b, ...result.slice(1)], result[0]);
	}

	/** Names for a value as bytes, and constants for how it is scaled. */
	private steps(value: string, scale: number, zero: number): Bytes {
		const names = [`${value}_i8`, `${value}_scale`, `${value}_zero`] as const;
		this.initializers.set(names[1], floats(names[1], [], [scale]));
		this.initializers.set(names[2], tensorOf(names[2], INT8, [], [zero]));
		this.bytes.set(value, names);
		return names;
	}

	private byte(value: string): Bytes {
		const known = this.bytes.get(value);
		if (known !== undefined) return known;
		const constant = this.model.graph.initializers.get(value);
		if (constant === undefined) {
			const made = this.steps(value, 0.05, 0);
			this.asFloats.add(value);
			this.push('QuantizeLinear', '', [value, made[1], made[2]], made[0]);
			return made;
		}
		const { whole, scale } = rounded(constant);
		const made = this.steps(value, scale, 0);
		this.initializers.set(made[0], tensorOf(made[0], INT8, constant.dims, whole));
		this.initializers.delete(value);
		return made;
	}

	/** Makes floats of a value that is only there as bytes. */
	private float(value: string): void {
		const known = this.bytes.get(value);
		if (known === undefined || this.asFloats.has(value)) return;
		this.asFloats.add(value);
		this.push('DequantizeLinear', '', known, value);
	}

	private push(
		op: string,
		domain: string,
		inputs: readonly string[],
		output: string,
		attributes: Node['attributes'] = new Map(),
	): void {
		const id = ++this.id;
		this.nodes.push({ id, name: `${op}_${id}`, op, domain, inputs, outputs: [output], attributes });
	}
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
