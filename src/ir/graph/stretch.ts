/** The part of a graph between values that are known and values that are wanted. */
import { type Model, type Node, type ValueInfo, type ValueName } from './graph.ts';
import { readsOfNode } from './order.ts';

export type Stretch = {
	/** From the graph's inputs and the known values to the wanted and the carried ones; only what is needed on the way. */
	readonly model: Model;
	/** Values that nodes behind the wanted ones read: with them known, a later stretch starts where this one ends. */
	readonly carried: readonly ValueName[];
};

/** `known` are values and what an input of theirs looks like. */
export function stretchOf(
	{ graph, ...rest }: Model,
	wanted: readonly ValueName[],
	known: ReadonlyMap<ValueName, ValueInfo>,
): Stretch {
	const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
	const done = before([...wanted, ...known.keys()], makers, new Map());
	const carried = carriedBy(graph, done, wanted, known);
	const needed = before(
		[...wanted, ...carried].filter((name) => !known.has(name)),
		makers,
		known,
	);
	const read = new Set([...[...needed].flatMap(readsOfNode), ...wanted]);
	const inputs = [
		...graph.inputs.filter(({ name }) => read.has(name) || graph.initializers.has(name)),
		...[...known].flatMap(([name, info]) => (read.has(name) ? [info] : [])),
	];
	const initializers = new Map([...graph.initializers].filter(([name]) => read.has(name)));
	const nodes = graph.nodes.filter((node) => needed.has(node));
	return {
		model: {
			...rest,
			graph: {
				...graph,
				...{ nodes, initializers, outputs: [], valueInfo: new Map() },
				inputs: inputs.filter(({ name }) => read.has(name)),
			},
		},
		carried,
	};
}

/** Nodes that values are made of, up to the known ones. */
function before(
	values: readonly ValueName[],
	makers: ReadonlyMap<ValueName, Node>,
	known: ReadonlyMap<ValueName, unknown>,
): Set<Node> {
	const found = new Set<Node>();
	const pending = [...values];
	for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
		const node = makers.get(name);
		if (node === undefined || found.has(node)) continue;
		found.add(node);
		pending.push(...readsOfNode(node).filter((read) => !known.has(read)));
	}
	return found;
}

/** What is made of inputs, and read by nodes that are not done. */
function carriedBy(
	{ nodes, inputs, initializers }: Model['graph'],
	done: ReadonlySet<Node>,
	wanted: readonly ValueName[],
	known: ReadonlyMap<ValueName, unknown>,
): ValueName[] {
	const moving = new Set(inputs.flatMap(({ name }) => (initializers.has(name) ? [] : [name])));
	for (const node of nodes)
		if (readsOfNode(node).some((name) => moving.has(name))) node.outputs.forEach((name) => moving.add(name));
	const behind = new Set(nodes.flatMap((node) => (done.has(node) ? [] : readsOfNode(node))));
	const made = new Set([...wanted, ...known.keys(), ...[...done].flatMap(({ outputs }) => outputs)]);
	const fed = new Set(inputs.map(({ name }) => name));
	return [...made].filter((name) => behind.has(name) && moving.has(name) && !fed.has(name));
}
