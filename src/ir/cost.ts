/** What a model costs: parameters, bytes of weights, multiply–adds. */
import { buildNet, type NetNode } from './axes/net.ts';
import { inferFacts, type Facts } from './graph/facts.ts';
import { constantTensor } from './graph/constants.ts';
import { byteLength, elementType } from './graph/dtype.ts';
import {
	elementCount,
	subgraphs,
	type Attribute,
	type Graph,
	type Model,
	type Node,
	type Tensor,
} from './graph/graph.ts';

export type Cost = { readonly params: number; readonly macs: number };

const products = new Set([
	'MatMul',
	'Gemm',
	'FusedMatMul',
	'Conv',
	'ConvTranspose',
	'FusedConv',
	'Einsum',
	'Attention',
	'MatMulInteger',
	'ConvInteger',
]);

export function costOf(model: Model, facts: Facts): Cost {
	return { params: countParameters(model.graph), macs: countMacs(model, facts) };
}

/** Numbers in floating-point and quantized weights, bodies included; shapes and indices are no parameters. */
export function countParameters(graph: Graph): number {
	return sumOverConstants(graph, parametersOf);
}

/** Bytes of all constants as they are stored, bodies included. */
export function weightBytes(graph: Graph): number {
	return sumOverConstants(graph, ({ type, dims }) => byteLength(type, elementCount(dims)));
}

function sumOverConstants(graph: Graph, measure: (tensor: Tensor) => number): number {
	const constants = graph.nodes.flatMap((node) =>
		node.op === 'Constant' ? (constantTensor(node) ?? []) : [],
	);
	const own = [...graph.initializers.values(), ...constants].reduce(
		(sum, tensor) => sum + measure(tensor),
		0,
	);
	return graph.nodes.flatMap(subgraphs).reduce((sum, inner) => sum + sumOverConstants(inner, measure), own);
}

/** Numbers in a weight; none in shapes and indices. */
export function parametersOf({ type, dims }: Tensor): number {
	const kind = elementType(type)?.kind;
	const integral = type === 6 || type === 7;
	return kind === undefined || kind === 'string' || kind === 'bool' || integral ? 0 : elementCount(dims);
}

/**
 * Multiply–adds of products and convolutions at the first sample's sizes. Of an `If` those of the branch that has more, what its own
 * branches hold left aside; bodies of `Loop` and `Scan` are not counted.
 */
function countMacs(model: Model, facts: Facts): number {
	const branching = model.graph.nodes.find((node) => node.op === 'If' && subgraphs(node).some(hasProducts));
	if (branching === undefined) return ownMacs(model, facts);
	const [dearer] = subgraphs(branching)
		.map((branch) => {
			const taken = inlined(model, branching, branch);
			const own = inferFacts(taken, facts.shapes[0]);
			return { taken, own, macs: ownMacs(taken, own) };
		})
		.sort((a, b) => b.macs - a.macs);
	return dearer === undefined ? 0 : countMacs(dearer.taken, dearer.own);
}

function hasProducts({ nodes }: Graph): boolean {
	return nodes.some((node) => products.has(node.op) || subgraphs(node).some(hasProducts));
}

/** The model as it runs when a branch is taken; names are unique across scopes (https://onnx.ai/onnx/repo-docs/IR.html). */
function inlined(model: Model, branching: Node, branch: Graph): Model {
	const results = branch.outputs.map(({ name }, slot): Node => ({
		...{ id: -1, name: '', op: 'Identity', domain: '', attributes: new Map<string, Attribute>() },
		...{ inputs: [name], outputs: [branching.outputs[slot] ?? ''] },
	}));
	const nodes = model.graph.nodes.flatMap((node) =>
		node === branching ? [...branch.nodes, ...results] : [node],
	);
	const initializers = new Map([...model.graph.initializers, ...branch.initializers]);
	return { ...model, graph: { ...model.graph, nodes, initializers } };
}

function ownMacs(model: Model, facts: Facts): number {
	return buildNet(model, facts).nodes.reduce((sum, node) => sum + macsOfNode(node), 0);
}

/** Letters x0, x1 … are input positions of convolutions: the output's and the kernel's say how often each is used. */
export const isCounted = ({ name }: { readonly name: string }): boolean => !/^x\d/.test(name);

/** The product of all counted letters of the row, for products and convolutions. */
export function macsOfNode({ node, row }: NetNode): number {
	if (!products.has(node.op)) return 0;
	return elementCount((row?.letters ?? []).filter(isCounted).map(({ size }) => size));
}
