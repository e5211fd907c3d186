/** How far rounding alone moves what a model puts out. */
import { FLOAT } from './dtype.ts';
import { type Attribute, type Bytes, type Graph, type Model, type Node, type Tensor } from './graph.ts';
import { drawAt } from './random.ts';
import { isReadable, numbersOf } from './tensor.ts';

/**
 * The model with every float32 weight of two axes or more moved by one unit in the last place, up or down by `seed`: about what rounding
 * does to the sums that the weights are multiplied into, carried to the outputs by whatever stands behind. Vectors and scalars stay: sizes
 * and thresholds are among them.
 */
export function jittered(model: Model, seed: number): Model {
	return { ...model, graph: jitterGraph(model.graph, seed) };
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
	switch (attribute.kind) {
		case 'tensor': {
			const value = jitterTensor(attribute.value, seed);
			return value === attribute.value ? attribute : { kind: 'tensor', value };
		}
		case 'graph':
			return { kind: 'graph', value: jitterGraph(attribute.value, seed) };
		case 'graphs':
			return { kind: 'graphs', value: attribute.value.map((graph) => jitterGraph(graph, seed)) };
		default:
			return attribute;
	}
}

function jitterTensor(tensor: Tensor, seed: number): Tensor {
	if (tensor.type !== FLOAT || tensor.dims.length < 2 || !isReadable(tensor)) return tensor;
	const { origin: _, ...rest } = tensor;
	return { ...rest, bytes: movedBytes(tensor, seed) };
}

/** Moved when they are read, and not held afterwards. */
function movedBytes(tensor: Tensor, seed: number): Bytes {
	const read = (): Uint8Array => {
		const values = Float32Array.from(numbersOf(tensor));
		const bits = new Int32Array(values.buffer);
		for (const [at, value] of values.entries())
			if (value !== 0 && Number.isFinite(value))
				bits[at] = (bits[at] ?? 0) + (drawAt(seed, at) < 0.5 ? 1 : -1);
		return new Uint8Array(values.buffer);
	};
	return { length: tensor.bytes?.length ?? 0, read };
}
