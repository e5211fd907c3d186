/** What a model costs: parameters, bytes of weights, multiply–adds. */
import { buildNet, type NetNode } from './axes/net.ts';
import { type Facts } from './graph/facts.ts';
import { constantTensor } from './graph/constants.ts';
import { elementType } from './graph/dtype.ts';
import { elementCount, subgraphs, type Graph, type Model, type Tensor } from './graph/graph.ts';

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
	const constants = graph.nodes.flatMap((node) =>
		node.op === 'Constant' ? (constantTensor(node) ?? []) : [],
	);
	const own = [...graph.initializers.values(), ...constants].reduce(
		(sum, tensor) => sum + parametersOf(tensor),
		0,
	);
	return graph.nodes.flatMap(subgraphs).reduce((sum, inner) => sum + countParameters(inner), own);
}

function parametersOf({ type, dims }: Tensor): number {
	const kind = elementType(type)?.kind;
	const integral = type === 6 || type === 7;
	return kind === undefined || kind === 'string' || kind === 'bool' || integral ? 0 : elementCount(dims);
}

/** Multiply–adds of products and convolutions at the first sample's sizes. */
function countMacs(model: Model, facts: Facts): number {
	return buildNet(model, facts).nodes.reduce((sum, node) => sum + macsOfNode(node), 0);
}

/** The product of all letters of the row, for products and convolutions. */
export function macsOfNode({ node, row }: NetNode): number {
	if (!products.has(node.op)) return 0;
	return elementCount((row?.letters ?? []).filter(({ name }) => !/^x\d/.test(name)).map(({ size }) => size));
}
