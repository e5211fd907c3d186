/**
 * A model in single precision. Half precision rounds so coarsely that no negative control stands out from it; a rewrite does to
 * positions what it does in any precision, so its proof may run in the wider one.
 */
import { constantsOf } from './constants.ts';
import { FLOAT, FLOAT16 } from './dtype.ts';
import {
	type Attribute,
	type Graph,
	type Model,
	type Node,
	type Tensor,
	type ValueInfo,
	withBodies,
} from './graph.ts';
import { isReadable, numbersOf, tensorOf } from './tensor.ts';

/** The model with every half-precision weight, cast and annotation in float32; the same nodes under the same ids. */
export function widened(model: Model): Model {
	return { ...model, graph: widenGraph(model.graph) };
}

/** Whether any weight or input is in half precision. */
export function hasHalf({ graph }: Model): boolean {
	const all = [...graph.inputs, ...constantsOf(graph).values()];
	return all.some(({ type }) => type === FLOAT16);
}

function widenGraph(graph: Graph): Graph {
	const infos = (all: readonly ValueInfo[]): ValueInfo[] => all.map(widenInfo);
	return {
		...graph,
		inputs: infos(graph.inputs),
		outputs: infos(graph.outputs),
		nodes: graph.nodes.map(widenNode),
		initializers: new Map([...graph.initializers].map(([name, tensor]) => [name, widenTensor(tensor)])),
		valueInfo: new Map([...graph.valueInfo].map(([name, info]) => [name, widenInfo(info)])),
	};
}

const widenInfo = (info: ValueInfo): ValueInfo => (info.type === FLOAT16 ? { ...info, type: FLOAT } : info);

/** In float32 what is in half precision. */
export function widenTensor(tensor: Tensor): Tensor {
	return tensor.type === FLOAT16 && isReadable(tensor)
		? tensorOf(tensor.name, FLOAT, tensor.dims, numbersOf(tensor))
		: tensor;
}

/** Attributes that name an element type: of Cast, and of operators that make numbers. */
const typed: ReadonlySet<string> = new Set(['to', 'dtype', 'output_dtype']);

function widenNode(node: Node): Node {
	const attributes = new Map(
		[...node.attributes].map(([name, attribute]) => [name, widenAttribute(name, attribute)] as const),
	);
	const isSame = [...attributes].every(([name, attribute]) => node.attributes.get(name) === attribute);
	return isSame ? node : { ...node, attributes };
}

function widenAttribute(name: string, attribute: Attribute): Attribute {
	switch (attribute.kind) {
		case 'int':
			return typed.has(name) && attribute.value === FLOAT16 ? { kind: 'int', value: FLOAT } : attribute;
		case 'tensor': {
			const value = widenTensor(attribute.value);
			return value === attribute.value ? attribute : { kind: 'tensor', value };
		}
		default:
			return withBodies(attribute, widenGraph);
	}
}
