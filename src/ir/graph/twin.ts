/** Two models side by side in one graph: where a changed model differs from its original, it stands beside it under other names. */
import { flowDomain, subgraphs, type Model, type Node, type ValueName } from './graph.ts';
import { sortNodes } from './order.ts';

export type Twin = {
	/** Both graphs; the outputs are the original's. */
	readonly model: Model;
	/** The name of a value of the changed model; the same as the original's where nothing before it has changed. */
	readonly of: (name: ValueName) => ValueName;
};

/**
 * Nodes are the same where they have the same number and nothing they read has changed. Names follow from the changed model's alone, so that
 * twins of models that differ further behind call what comes before the same. For opened graphs without bodies (`hasBodies`).
 */
export function twinned(original: Model, changed: Model): Twin {
	const own = new Map(original.graph.nodes.map((node) => [node.id, node]));
	const suffix = suffixFor(original, changed);
	const renamed = new Set<ValueName>();
	const added: Node[] = [];
	for (const node of sortNodes(changed.graph.nodes)) {
		if (own.get(node.id) === node && !node.inputs.some((name) => renamed.has(name))) continue;
		node.outputs.forEach((name) => name !== '' && renamed.add(name));
		added.push(node);
	}
	const of = (name: ValueName): ValueName => (renamed.has(name) ? name + suffix : name);
	let next = 1 + Math.max(0, ...[...original.graph.nodes, ...added].map(({ id }) => id));
	const twins = added.map((node) => ({
		...node,
		...{ id: next++, name: '' },
		inputs: node.inputs.map(of),
		outputs: node.outputs.map(of),
	}));
	const nodes = [...sortNodes(original.graph.nodes), ...twins].map(uncalled);
	const { graph } = original;
	const initializers = new Map([...changed.graph.initializers, ...graph.initializers]);
	return {
		model: { ...original, graph: { ...graph, nodes, initializers } },
		of,
	};
}

/** An ending that no value of either model has. */
function suffixFor(...models: readonly Model[]): string {
	const names = models.flatMap(({ graph }) => graph.nodes.flatMap(({ outputs }) => outputs));
	let suffix = '/twin';
	while (names.some((name) => name.endsWith(suffix))) suffix += '_';
	return suffix;
}

/** A node of its own, wherever it was read: calls of functions are not put back together. */
function uncalled({ scope: _, ...node }: Node): Node {
	return node;
}

/** Whether nodes of an opened graph stand in bodies, or keep some. */
export function hasBodies({ graph }: Model): boolean {
	return graph.nodes.some((node) => node.domain === flowDomain || subgraphs(node).length > 0);
}
