/** What a model costs: parameters, bytes of weights, multiply–adds. */
import { relatedNode, type Related } from './axes/net.ts';
import { turnsOf } from './axes/rows-flow.ts';
import { type Facts } from './graph/facts.ts';
import { constantTensor } from './graph/constants.ts';
import { byteLength, elementType } from './graph/dtype.ts';
import { elementCount, subgraphs, type Graph, type Model, type Scope, type Tensor } from './graph/graph.ts';
import { around } from './graph/scope.ts';
import { isCounted, productsOf } from './products.ts';

export type Cost = {
	readonly params: number;
	readonly macs: number;
	/** Operators that multiply, and whose sizes cannot be told: `macs` leaves them out. */
	readonly uncounted?: number;
};

/** Costs of an opened model. */
export function costOf(model: Model, facts: Facts): Cost {
	const multiplying = relatedNodes(model, facts);
	const uncounted = multiplying.filter(isUncounted).length;
	const macs = macsIn(undefined, byBody(multiplying));
	return { params: countParameters(model.graph), macs, ...(uncounted > 0 && { uncounted }) };
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

/** Operators that multiply, and those that say how often a body runs. */
function relatedNodes({ graph }: Model, facts: Facts): Related[] {
	return graph.nodes
		.filter(({ op, bodies }) => isCounted(op) || bodies !== undefined)
		.map((node) => relatedNode(node, facts));
}

function isUncounted({ node, row }: Related): boolean {
	return row === undefined && node.bodies === undefined;
}

/** Nodes by the body that they stand in; none is the main graph. */
function byBody(nodes: readonly Related[]): ReadonlyMap<Scope | undefined, readonly Related[]> {
	const standing = new Map<Scope | undefined, Related[]>();
	for (const one of nodes) {
		const body = around(one.node.scope).find((scope) => scope.body !== undefined);
		standing.set(body, [...(standing.get(body) ?? []), one]);
	}
	return standing;
}

/**
 * Multiply–adds of products, convolutions, recurrent layers and fused attention at the first sample's sizes: of an `If` those of the branch that has more, of a loop
 * those of a turn times the turns it takes, or once where its condition may end it.
 */
function macsIn(
	scope: Scope | undefined,
	standing: ReadonlyMap<Scope | undefined, readonly Related[]>,
): number {
	return (standing.get(scope) ?? []).reduce((sum, one) => {
		const { bodies = [], op } = one.node;
		if (bodies.length === 0) return sum + macsOfNode(one);
		if (op === 'LoopIn' || op === 'ScanIn') return sum;
		const inside = bodies.map((body) => macsIn(body, standing));
		return sum + Math.max(...inside) * (op === 'If' ? 1 : (turnsOf(one.view) ?? 1));
	}, 0);
}

/** What its products come to, each the sizes of its letters multiplied; 0 of other operators. */
export function macsOfNode(related: Related): number {
	const size = (at: number): number => related.row?.letters[at]?.size ?? 1;
	return productsOf(related).reduce(
		(sum, { letters, times }) => sum + times * elementCount(letters.map(size)),
		0,
	);
}
