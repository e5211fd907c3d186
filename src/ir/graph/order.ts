/** The order of nodes: makers before readers. Files need not keep it; onnxruntime sorts them, and so do we. */
import { capturedNames, subgraphs, type Node, type ValueName } from './graph.ts';

/** Values that a node reads, those its bodies capture among them. */
export function readsOfNode(node: Node): readonly ValueName[] {
	const bodies = subgraphs(node);
	return bodies.length === 0
		? node.inputs
		: [...node.inputs, ...bodies.flatMap((inner) => [...capturedNames(inner)])];
}

function isSorted(nodes: readonly Node[], makers: ReadonlyMap<ValueName, Node>): boolean {
	const seen = new Set<Node>();
	return nodes.every((node) => {
		const ready = readsOfNode(node).every((name) => {
			const maker = name === '' ? undefined : makers.get(name);
			return maker === undefined || seen.has(maker);
		});
		seen.add(node);
		return ready;
	});
}

/** Graphs never change, and several readers of one ask for its order. */
const known = new WeakMap<readonly Node[], readonly Node[]>();

/** Stable topological order: a node keeps its place unless something it reads comes later. A cycle is left as it is. */
export function sortNodes(nodes: readonly Node[]): readonly Node[] {
	const order = known.get(nodes) ?? sorted(nodes);
	known.set(nodes, order);
	return order;
}

function sorted(nodes: readonly Node[]): readonly Node[] {
	const makers = new Map<ValueName, Node>();
	for (const node of nodes) for (const name of node.outputs) makers.set(name, node);
	if (isSorted(nodes, makers)) return nodes;
	const readsOf = (node: Node): Node[] =>
		readsOfNode(node).flatMap((name) => (name === '' ? [] : (makers.get(name) ?? [])));
	const seen = new Set<Node>();
	const order: Node[] = [];
	for (const start of nodes) {
		if (seen.has(start)) continue;
		seen.add(start);
		const stack = [{ node: start, reads: readsOf(start) }];
		for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
			const next = top.reads.shift();
			if (next === undefined) {
				order.push(top.node);
				stack.pop();
			} else if (!seen.has(next)) {
				seen.add(next);
				stack.push({ node: next, reads: readsOf(next) });
			}
		}
	}
	return order;
}
