/** The order of nodes: makers before readers. Files need not keep it; onnxruntime sorts them, and so do we. */
import { capturedNames, subgraphs, type Node } from './graph.ts';

/** Stable topological order: a node keeps its place unless something it reads comes later. */
export function sortNodes(nodes: readonly Node[]): Node[] {
	const makers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
	const placed = new Set<Node>();
	const order: Node[] = [];
	for (const start of nodes) {
		const stack = [start];
		for (let node = stack.at(-1); node !== undefined; node = stack.at(-1)) {
			const reads = [...node.inputs, ...subgraphs(node).flatMap((inner) => [...capturedNames(inner)])];
			const waiting = placed.has(node)
				? []
				: reads.flatMap((name) => makers.get(name) ?? []).filter((one) => !placed.has(one));
			if (waiting.length > 0 && stack.length <= nodes.length) {
				stack.push(...waiting);
				continue;
			}
			stack.pop();
			if (placed.has(node)) continue;
			placed.add(node);
			order.push(node);
		}
	}
	return order;
}
