/** Which parts of a model run when it has exits: what lies before each, and the head behind the last layer. */
import { downstream, upstream } from '../../ir/graph/flow.ts';
import { type Graph, type Model, type Node, type ValueInfo, type ValueName } from '../../ir/graph/graph.ts';
import { INT64 } from '../../ir/graph/dtype.ts';
import { sortNodes } from '../../ir/graph/order.ts';
import { tensorOf } from '../../ir/graph/tensor.ts';
import { type Predicate } from '../../ir/recipe/recipe.ts';
import { type Scores } from './exit-condition.ts';

export type Exit = {
	/** Given index of the layer, and the residual value that it ends with. */
	readonly layer: number;
	readonly value: ValueName;
	/** The value is the last position of this one: the head of a next-token model reads no other. */
	readonly of?: ValueName;
	/** What the layer begins with, and how many features it has. */
	readonly before: ValueName;
	readonly features: number;
};

export type Exits = {
	/** In the order of the layers. */
	readonly exits: readonly Exit[];
	/** What the last layer ends with: the head is whatever reads it. */
	readonly final: ValueName;
	/** The output that holds the scores of classes. */
	readonly scores: Scores;
	/** What their softmax reads: the scores themselves, unless they are probabilities. */
	readonly logits: ValueName;
	/** What the last matrix before them reads, where exits have matrices of their own in its place. */
	readonly features?: ValueName;
	readonly when: Predicate;
};

/** The head in two: what makes the logits, or the features where a new matrix stands behind them, and what reads the logits. */
export type Halves = { readonly before: readonly Node[]; readonly behind: readonly Node[] };

export function halvesOf(
	{ head, outputs }: Staging,
	logits: ValueName,
	features: ValueName | undefined,
): Halves {
	const before = upstream(head, [features ?? logits]);
	const rest = head.filter(({ outputs: made }) => !made.includes(logits));
	const needed = upstream(
		rest,
		outputs.map(({ name }) => name),
	);
	return {
		before: head.filter((node) => before.has(node)),
		behind: rest.filter((node) => needed.has(node) && !before.has(node)),
	};
}

/** Copies of nodes with names of their own; `names` says what to read instead, and learns what they make. */
export function copied(
	names: Map<ValueName, ValueName>,
	nodes: readonly Node[],
	label: string,
	fresh: (base: string) => ValueName,
): Node[] {
	return nodes.map((node) => {
		const inputs = node.inputs.map((name) => names.get(name) ?? name);
		const outputs = node.outputs.map((name) => name && fresh(`${name}_${label}`));
		node.outputs.forEach((name, slot) => names.set(name, outputs[slot] ?? ''));
		return { ...node, name: node.name && `${node.name}_${label}`, inputs, outputs };
	});
}

/** Names under which planning leaves what is fitted for the exit of a layer. */
export const mapNames = (layer: number): readonly string[] => [`${layer}_map`, `${layer}_map_bias`];
export const headNames = (layer: number): readonly string[] => [`${layer}_head`, `${layer}_head_bias`];
export const temperatureName = (layer: number): string => `${layer}_temperature`;

export type Staging = {
	/** Nodes up to each exit that no stage before holds, and as the last what is behind all exits, the head included. */
	readonly stages: readonly (readonly Node[])[];
	/** Nodes behind the last layer, makers before readers. */
	readonly head: readonly Node[];
	/** Outputs that the head makes. */
	readonly outputs: readonly ValueInfo[];
};

/** Which nodes run when. What the head reads besides the last layer runs first, as do outputs that it does not make. */
export function stagesOf(graph: Graph, { exits, final }: Pick<Exits, 'exits' | 'final'>): Staging {
	const nodes = sortNodes(graph.nodes);
	const live = upstream(
		nodes,
		graph.outputs.map(({ name }) => name),
	);
	const behind = downstream(nodes, final);
	const head = nodes.filter((node) => live.has(node) && behind.has(node));
	const made = new Set(head.flatMap((node) => node.outputs));
	const isMade = ({ name }: ValueInfo): boolean => made.has(name);
	const beside = [
		...head.flatMap(({ inputs }) => inputs.filter((name) => name !== final && !made.has(name))),
		...graph.outputs.filter((output) => !isMade(output)).map(({ name }) => name),
	];
	const seen = new Set<Node>();
	const take = (needed: ReadonlySet<Node>): Node[] => {
		const own = nodes.filter((node) => needed.has(node) && !seen.has(node));
		own.forEach((node) => seen.add(node));
		return own;
	};
	const stages = exits.map(({ value, before }) => take(upstream(nodes, [value, before, ...beside])));
	return { stages: [...stages, take(live)], head, outputs: graph.outputs.filter(isMade) };
}

/** The model with the last positions that exits read. Nothing reads them yet, which a patch would not leave standing. */
export function withLastPositions(model: Model, exits: readonly Exit[]): Model {
	const { graph } = model;
	let id = Math.max(...graph.nodes.map((node) => node.id));
	const added = exits.flatMap(({ value, of }) =>
		of === undefined ? [] : lastOf(value, of).map((node): Node => ({ ...node, id: ++id })),
	);
	return { ...model, graph: { ...graph, nodes: [...graph.nodes, ...added] } };
}

/** The nodes that make the last position of a value. */
export function lastOf(value: ValueName, of: ValueName): readonly Omit<Node, 'id'>[] {
	const end = `${value}_place`;
	const place = tensorOf(end, INT64, [1], [-1]);
	return [
		{ ...plain('Constant', [], [end]), attributes: new Map([['value', { kind: 'tensor', value: place }]]) },
		{ ...plain('Gather', [of, end], [value]), attributes: new Map([['axis', { kind: 'int', value: 1 }]]) },
	];
}

/** A node of the default domain; a patch gives it its id. */
export function plain(op: string, inputs: readonly ValueName[], outputs: readonly ValueName[]): Node {
	return { id: 0, name: '', op, domain: '', inputs, outputs, attributes: new Map() };
}
