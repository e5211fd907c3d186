/** Which model-local functions a graph still needs. */
import { subgraphs, type Graph, type Model, type Node } from './graph.ts';

/** Functions that nodes call, directly or through other functions. */
export function calledFrom(graph: Graph, { functions }: Model): Set<string> {
	const names = new Set<string>();
	const note = (nodes: readonly Node[]): void => {
		for (const node of nodes) {
			const name = `${node.domain}:${node.op}`;
			subgraphs(node).forEach((inner) => {
				note(inner.nodes);
			});
			if (names.has(name)) continue;
			names.add(name);
			functions
				.filter((made) => `${made.domain}:${made.name}` === name)
				.forEach((made) => {
					note(made.nodes);
				});
		}
	};
	note(graph.nodes);
	return names;
}
