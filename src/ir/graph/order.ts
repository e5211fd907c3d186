/** The order of nodes: makers before readers. Files need not keep it; onnxruntime sorts them, and so do we. */
import { capturedNames, subgraphs, type Node } from './graph.ts';

/** Stable topological order: a node keeps its place unless something it reads comes later. A cycle is left as it is. */
export function sortNodes(nodes: readonly Node[]): Node[] {
	const makers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
	const readsOf = (node: Node): Node[] =>
		[...node.inputs, ...subgraphs(node).flatMap((inner) => [...capturedNames(inner)])].flatMap((name) =>
			name === '' ? [] : (makers.get(name) ?? []),
		);
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
