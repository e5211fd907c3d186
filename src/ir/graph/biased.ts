/** Fused attention that onnxruntime can run. */
import { constantsOf } from './constants.ts';
import { subgraphs, type Graph, type Model, type Node, type Tensor, withBodies } from './graph.ts';
import { tensorOf } from './tensor.ts';

const isBare = ({ op, domain, inputs }: Node): boolean =>
	op === 'Attention' && domain === 'com.microsoft' && (inputs[2] ?? '') === '';

/**
 * The model with a bias of zeros in every fused `Attention` that has none: the same numbers. Its bias is optional
 * (https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.Attention), but onnxruntime 1.30 reads it
 * all the same, on a CPU, and ends the process. One whose projection is no constant stays: `bareAttention` tells of it.
 */
export function biased(model: Model): Model {
	const graph = biasedGraph(model.graph, new Map());
	return graph === model.graph ? model : { ...model, graph };
}

/** An `Attention` without a bias, in the graph or in a body of it. */
export function bareAttention({ nodes }: Graph): Node | undefined {
	for (const node of nodes) {
		const inside = isBare(node) ? node : subgraphs(node).map(bareAttention).find(Boolean);
		if (inside !== undefined) return inside;
	}
	return undefined;
}

function biasedGraph(graph: Graph, outside: ReadonlyMap<string, Tensor>): Graph {
	if (bareAttention(graph) === undefined) return graph;
	const constants = new Map([...outside, ...constantsOf(graph)]);
	const initializers = new Map(graph.initializers);
	const within = (body: Graph): Graph => biasedGraph(body, constants);
	const nodes = graph.nodes.map((node): Node => {
		const weight = constants.get(node.inputs[1] ?? '');
		if (!isBare(node)) return { ...node, attributes: attributesOf(node, within) };
		if (weight === undefined) return node;
		const columns = weight.dims.at(-1) ?? 0;
		const zero = tensorOf(
			`${node.outputs[0] ?? ''}_no_bias`,
			weight.type,
			[columns],
			new Float32Array(columns),
		);
		initializers.set(zero.name, zero);
		return {
			...node,
			inputs: node.inputs.length < 3 ? [...node.inputs, zero.name] : node.inputs.with(2, zero.name),
		};
	});
	return { ...graph, nodes, initializers };
}

function attributesOf({ attributes }: Node, within: (body: Graph) => Graph): Node['attributes'] {
	return new Map([...attributes].map(([name, attribute]) => [name, withBodies(attribute, within)]));
}
