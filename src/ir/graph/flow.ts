/** What a value is made from, and what is made from it. */
import { readsOfNode } from './order.ts';
import { type Node, type ValueName } from './graph.ts';

/** Nodes that the values are made from, those that feed bodies among them. */
export function upstream(nodes: readonly Node[], values: Iterable<ValueName>): Set<Node> {
	const makers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
	const found = new Set<Node>();
	const pending = [...values];
	for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
		const node = name === '' ? undefined : makers.get(name);
		if (node === undefined || found.has(node)) continue;
		found.add(node);
		pending.push(...readsOfNode(node));
	}
	return found;
}

/** Nodes that read the value, or what is made from it. `nodes` in an order of makers before readers. */
export function downstream(nodes: readonly Node[], value: ValueName): Set<Node> {
	const made = new Set<ValueName>([value]);
	const found = new Set<Node>();
	for (const node of nodes) {
		if (!readsOfNode(node).some((name) => made.has(name))) continue;
		found.add(node);
		node.outputs.filter((name) => name !== '').forEach((name) => made.add(name));
	}
	return found;
}
