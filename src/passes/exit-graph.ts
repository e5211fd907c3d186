/**
 * The graph of a model with exits. The model's head is copied onto the result of a layer; an `If`
 * (https://onnx.ai/onnx/operators/onnx__If.html) gives what the copy says when every row of the batch meets the condition, and runs the
 * layers behind, with the next exit or the model's own head, when not. Weights stay where they are: branches capture them.
 */
import { bug } from '../diagnostic.ts';
import { downstream, upstream } from '../ir/graph/flow.ts';
import {
	type Attribute,
	type Graph,
	type Model,
	type Node,
	type Tensor,
	type ValueInfo,
	type ValueName,
} from '../ir/graph/graph.ts';
import { INT64 } from '../ir/graph/dtype.ts';
import { sortNodes } from '../ir/graph/order.ts';
import { freshNames, type Edit } from '../ir/graph/patch.ts';
import { tensorOf } from '../ir/graph/tensor.ts';
import { type Predicate } from '../ir/recipe/recipe.ts';
import {
	conditionOf,
	patienceOf,
	saturationOf,
	signalsIn,
	type Emit,
	type Patience,
	type Scores,
	type Threshold,
} from './exit-condition.ts';

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
	readonly when: Predicate;
};

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

export type ExitGraph = {
	readonly edits: readonly Edit[];
	/** Of each exit. */
	readonly thresholds: readonly (readonly Threshold[])[];
};

/** The edits that give a model its exits. */
export function withExits(
	{ graph }: Model,
	decision: Exits,
	tensors: ReadonlyMap<string, Tensor>,
): ExitGraph {
	return new ExitBuilder(graph, decision, tensors).build();
}

class ExitBuilder {
	private readonly fresh: (base: string) => ValueName;
	private readonly staging: Staging;
	private readonly constants: Tensor[] = [];
	private readonly thresholds: (readonly Threshold[])[] = [];
	private readonly decision: Exits;
	/** What the exit before said; later ones stand inside its branch and see it. */
	private patience: Patience | undefined;
	private readonly tensors: ReadonlyMap<string, Tensor>;

	constructor(graph: Graph, decision: Exits, tensors: ReadonlyMap<string, Tensor>) {
		this.decision = decision;
		this.tensors = tensors;
		this.fresh = freshNames(graph);
		this.staging = stagesOf(graph, decision);
	}

	build(): ExitGraph {
		const { outputs, head } = this.staging;
		const names = outputs.map(({ name }) => name);
		const nodes = this.exit(0, names);
		// The makers of outputs leave their names to the `If`; nobody reads them there any more, and they go.
		const left = new Map(names.map((name) => [name, this.fresh(`${name}_unread`)]));
		const makers = head.filter((node) => node.outputs.some((name) => left.has(name)));
		return {
			edits: [
				...this.constants.map((tensor): Edit => ({ kind: 'constant', tensor })),
				...makers.map((node): Edit => ({
					kind: 'node',
					node: { ...node, outputs: node.outputs.map((name) => left.get(name) ?? name) },
				})),
				...nodes.map(({ id: _, ...node }): Edit => ({ kind: 'insert', node })),
			],
			thresholds: this.thresholds,
		};
	}

	/** The head on the result of an exit's layer, the condition, and the branches; makes values of the names given. */
	private exit(at: number, names: readonly ValueName[]): Node[] {
		const exit = this.decision.exits[at] ?? bug('an exit that was not decided', { at });
		const label = `exit_after_${exit.layer}`;
		const nodes: Node[] = [];
		const emit = this.emitInto(nodes, label);
		const own = new Map([[this.decision.final, this.mapped(exit, emit)]]);
		nodes.push(...this.copied(own, this.staging.head, label));
		const scores = { ...this.decision.scores, value: own.get(this.decision.scores.value) ?? '' };
		const patient = signalsIn(this.decision.when).has('patience');
		if (patient) this.patience = patienceOf(scores, this.patience, emit);
		const condition = conditionOf(this.decision.when, scores, `${label}_when`, emit, {
			patience: () => this.patience?.count ?? '',
			saturation: () => this.saturation(exit, emit),
		});
		this.thresholds[at] = condition.thresholds;
		const taken = this.taken(
			this.staging.outputs.map(({ name }) => own.get(name) ?? ''),
			label,
		);
		const attributes = new Map<string, Attribute>([
			['then_branch', { kind: 'graph', value: taken }],
			['else_branch', { kind: 'graph', value: this.goOn(at + 1) }],
		]);
		return [
			...nodes,
			{ ...plain('If', [condition.met], names), name: this.fresh(`${label}_if`), attributes },
		];
	}

	private saturation({ value, of, before, features }: Exit, emit: Emit): ValueName {
		const place = (): ValueName => emit.constant('place', INT64, [1], [-1]);
		const began =
			of === undefined ? before : emit.node('Gather', [before, place()], { axis: { kind: 'int', value: 1 } });
		return saturationOf(began, value, features, emit);
	}

	/** The residual value as the head reads it: through the fitted map where there is one. */
	private mapped({ layer, value }: Exit, emit: Emit): ValueName {
		const [weight, bias] = mapNames(layer).map((name) => this.tensors.get(name));
		if (weight === undefined || bias === undefined) return value;
		const stored = [weight, bias].map((tensor) => {
			const name = this.fresh(`exit_after_${tensor.name}`);
			this.constants.push({ ...tensor, name });
			return name;
		});
		return emit.node('Add', [emit.node('MatMul', [value, stored[0] ?? '']), stored[1] ?? '']);
	}

	/** What the copied head says, as a branch must: made inside. */
	private taken(values: readonly ValueName[], label: string): Graph {
		const names = this.staging.outputs.map(({ name }) => this.fresh(`${name}_${label}_taken`));
		return this.branch(
			`${label}_taken`,
			names.map((name, slot) => plain('Identity', [values[slot] ?? ''], [name])),
			names,
		);
	}

	/** The next stage and its exit, or the rest of the model. */
	private goOn(stage: number): Graph {
		const names = this.staging.outputs.map(({ name }) => this.fresh(`${name}_stage_${stage}`));
		const own = this.staging.stages[stage] ?? [];
		if (stage < this.decision.exits.length)
			return this.branch(`stage_${stage}`, [...own, ...this.exit(stage, names)], names);
		const renamed = new Map(this.staging.outputs.map(({ name }, slot) => [name, names[slot] ?? '']));
		const nodes = own.map((node) => ({
			...node,
			inputs: node.inputs.map((name) => renamed.get(name) ?? name),
			outputs: node.outputs.map((name) => renamed.get(name) ?? name),
		}));
		return this.branch(`stage_${stage}`, nodes, names);
	}

	private branch(name: string, nodes: readonly Node[], names: readonly ValueName[]): Graph {
		const outputs = this.staging.outputs.map(({ type, dims }, slot) => ({
			name: names[slot] ?? '',
			type,
			...(dims && { dims }),
		}));
		return { name, inputs: [], outputs, nodes, initializers: new Map(), valueInfo: new Map() };
	}

	/** Copies with names of their own; `names` says what to read instead, and learns what they make. */
	private copied(names: Map<ValueName, ValueName>, nodes: readonly Node[], label: string): Node[] {
		return nodes.map((node) => {
			const inputs = node.inputs.map((name) => names.get(name) ?? name);
			const outputs = node.outputs.map((name) => name && this.fresh(`${name}_${label}`));
			node.outputs.forEach((name, slot) => names.set(name, outputs[slot] ?? ''));
			return { ...node, name: node.name && `${node.name}_${label}`, inputs, outputs };
		});
	}

	private emitInto(nodes: Node[], label: string): Emit {
		return {
			node: (op, inputs, attributes = {}, count = 1) => {
				const outputs = Array.from({ length: count }, () => this.fresh(`${label}_${op}`));
				nodes.push({ ...plain(op, inputs, outputs), attributes: new Map(Object.entries(attributes)) });
				return outputs[0] ?? '';
			},
			constant: (base, type, dims, values) => {
				const name = this.fresh(base);
				this.constants.push(tensorOf(name, type, dims, values));
				return name;
			},
		};
	}
}

/** Names under which planning leaves the weight and the bias of a layer's map. */
export function mapNames(layer: number): readonly [weight: string, bias: string] {
	return [`${layer}_map`, `${layer}_map_bias`];
}

/** A node of the default domain; a patch gives it its id. */
function plain(op: string, inputs: readonly ValueName[], outputs: readonly ValueName[]): Node {
	return { id: 0, name: '', op, domain: '', inputs, outputs, attributes: new Map() };
}
