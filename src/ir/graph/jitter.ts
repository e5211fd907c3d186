/** How far rounding alone moves what a model puts out. */
import { FLOAT, FLOAT16 } from './dtype.ts';
import {
	type Attribute,
	type Bytes,
	type Graph,
	highestId,
	type Model,
	type Node,
	type Tensor,
	type ValueName,
	withBodies,
} from './graph.ts';
import { drawAt } from './random.ts';
import { floats, halfBits, isReadable, numbersOf } from './tensor.ts';

/**
 * The model with every floating-point weight of two axes or more moved by one unit in the last place, up or down by `seed`: about what rounding
 * does to the sums that the weights are multiplied into, carried to the outputs by whatever stands behind. Vectors and scalars stay: sizes
 * and thresholds are among them. What is quantized is moved too, by as much: weights of quantized models are no floating-point numbers, and
 * a number on the other side of the boundary between two steps is another step.
 */
export function jittered(model: Model, seed: number): Model {
	return { ...model, graph: jitterQuantized(jitterGraph(model.graph, seed)) };
}

/** Quantizers read x · (1 + 2⁻²² · sin(2¹⁷ · x)): numbers next to each other are moved up and down. */
function jitterQuantized(graph: Graph): Graph {
	let id = highestId(graph);
	const names = ['one', 'fast', 'small'].map((name) => `prunec_jitter_${name}`);
	const [one = '', fast = '', small = ''] = names;
	const node = (op: string, inputs: readonly ValueName[], output: ValueName): Node => ({
		...{ id: ++id, name: '', op, domain: '', inputs, outputs: [output], attributes: new Map() },
	});
	const nodes = graph.nodes.flatMap((quantizer): Node[] => {
		const [value = '', ...others] = quantizer.inputs;
		if (!quantizesFloats(quantizer, graph)) return [quantizer];
		const at = (step: string): ValueName => `${value}_${quantizer.id}_${step}`;
		return [
			node('Mul', [value, fast], at('fast')),
			node('Sin', [at('fast')], at('wave')),
			node('Mul', [at('wave'), small], at('small')),
			node('Add', [at('small'), one], at('factor')),
			node('Mul', [value, at('factor')], at('moved')),
			{ ...quantizer, inputs: [at('moved'), ...others] },
		];
	});
	if (nodes.length === graph.nodes.length) return graph;
	const constants = [1, 2 ** 17, 2 ** -22].map((number, at) => floats(names[at] ?? '', [], [number]));
	const initializers = new Map([
		...graph.initializers,
		...constants.map((tensor) => [tensor.name, tensor] as const),
	]);
	return { ...graph, initializers, nodes };
}

function quantizesFloats({ op, inputs }: Node, { initializers }: Graph): boolean {
	const isDynamic = op === 'DynamicQuantizeLinear' || op === 'DynamicQuantizeMatMul';
	return isDynamic || (op === 'QuantizeLinear' && initializers.get(inputs[1] ?? '')?.type === FLOAT);
}

function jitterGraph(graph: Graph, seed: number): Graph {
	const initializers = new Map(
		[...graph.initializers].map(([name, tensor]) => [name, jitterTensor(tensor, seed)] as const),
	);
	return { ...graph, initializers, nodes: graph.nodes.map((node) => jitterNode(node, seed)) };
}

function jitterNode(node: Node, seed: number): Node {
	const attributes = [...node.attributes].map(
		([name, attribute]) => [name, jitterAttribute(attribute, seed)] as const,
	);
	const isSame = attributes.every(([name, attribute]) => node.attributes.get(name) === attribute);
	return isSame ? node : { ...node, attributes: new Map(attributes) };
}

function jitterAttribute(attribute: Attribute, seed: number): Attribute {
	if (attribute.kind !== 'tensor') return withBodies(attribute, (body) => jitterGraph(body, seed));
	const value = jitterTensor(attribute.value, seed);
	return value === attribute.value ? attribute : { kind: 'tensor', value };
}

function jitterTensor(tensor: Tensor, seed: number): Tensor {
	if (![FLOAT, FLOAT16].includes(tensor.type) || tensor.dims.length < 2 || !isReadable(tensor)) return tensor;
	const { origin: _, ...rest } = tensor;
	return { ...rest, bytes: movedBytes(tensor, seed) };
}

/** Moved when they are read, and not held afterwards. */
function movedBytes(tensor: Tensor, seed: number): Bytes {
	const read = (): Uint8Array => {
		const values = numbersOf(tensor);
		const bits = bitsOf(tensor.type, values);
		const limit = tensor.type === FLOAT ? Infinity : largestHalf;
		for (const [at, value] of values.entries())
			if (value !== 0 && Math.abs(value) < limit)
				bits[at] = (bits[at] ?? 0) + (drawAt(seed, at) < 0.5 ? 1 : -1);
		return new Uint8Array(bits.buffer);
	};
	return { length: tensor.bytes?.length ?? 0, read };
}

/** Behind it lies infinity. */
const largestHalf = 65504;

/** Numbers as they are stored: the next integer is the next number. */
function bitsOf(type: number, values: ArrayLike<number>): Int32Array | Uint16Array {
	return type === FLOAT
		? new Int32Array(Float32Array.from(values).buffer)
		: Uint16Array.from(values, halfBits);
}
