/**
 * The graph of a model with exits. The model's head is copied onto the result of a layer; an `If`
 * (https://onnx.ai/onnx/operators/onnx__If.html) gives what the copy says when every row of the batch meets the condition, and runs the
 * layers behind, with the next exit or the model's own head, when not. Weights stay where they are: branches capture them.
 */
import { bug } from '../../diagnostic.ts';
import {
	type Attribute,
	type Graph,
	type Model,
	type Node,
	type Tensor,
	type ValueName,
} from '../../ir/graph/graph.ts';
import { INT64 } from '../../ir/graph/dtype.ts';
import { freshNames, type Edit } from '../../ir/graph/patch.ts';
import { tensorOf } from '../../ir/graph/tensor.ts';
import {
	conditionOf,
	patienceOf,
	saturationOf,
	signalsIn,
	type Emit,
	type Patience,
	type Threshold,
} from './exit-condition.ts';
import {
	copied,
	halvesOf,
	headNames,
	mapNames,
	plain,
	stagesOf,
	temperatureName,
	type Exit,
	type Exits,
	type Staging,
} from './exit-stages.ts';
import { Repetitions } from './repeated-nodes.ts';

export type ExitGraph = {
	readonly edits: readonly Edit[];
	/** Of each exit. */
	readonly thresholds: readonly (readonly Threshold[])[];
};

/** The edits that give a model its exits. */
export function withExits(
	{ graph, opsets }: Model,
	decision: Exits,
	tensors: ReadonlyMap<string, Tensor>,
): ExitGraph {
	return new ExitBuilder(graph, opsets.get('') ?? 1, decision, tensors).build();
}

/** Values that exits, outputs and copies of the head read by name. */
function boundIn({ head, outputs }: Staging, { exits, final }: Exits): readonly ValueName[] {
	const places = exits.flatMap(({ value, of, before }) => [value, before, ...(of === undefined ? [] : [of])]);
	const made = new Set(head.flatMap((node) => node.outputs));
	const beside = head.flatMap(({ inputs }) => inputs.filter((name) => !made.has(name)));
	return [final, ...places, ...beside, ...outputs.map(({ name }) => name)];
}

class ExitBuilder {
	private readonly fresh: (base: string) => ValueName;
	private readonly opset: number;
	private readonly staging: Staging;
	private readonly constants: Tensor[] = [];
	private readonly thresholds: (readonly Threshold[])[] = [];
	private readonly decision: Exits;
	/** What the exit before said; later ones stand inside its branch and see it. */
	private patience: Patience | undefined;
	private readonly tensors: ReadonlyMap<string, Tensor>;

	constructor(graph: Graph, opset: number, decision: Exits, tensors: ReadonlyMap<string, Tensor>) {
		this.opset = opset;
		this.decision = decision;
		this.tensors = tensors;
		this.fresh = freshNames(graph);
		const staging = stagesOf(graph, decision);
		const repetitions = new Repetitions(graph, boundIn(staging, decision));
		this.staging = { ...staging, stages: staging.stages.map((nodes) => repetitions.without(nodes)) };
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
		const own = this.copyHead(exit, label, nodes, emit);
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

	/** The head on the result of an exit's layer, with what is fitted for it; names of the model's values to those of the copy. */
	private copyHead(exit: Exit, label: string, nodes: Node[], emit: Emit): ReadonlyMap<ValueName, ValueName> {
		const { final, logits, features } = this.decision;
		const own = new Map([[final, this.fitted(exit.value, mapNames(exit.layer), emit)]]);
		const matrix = this.tensors.has(headNames(exit.layer)[0] ?? '') ? features : undefined;
		const { before, behind } = halvesOf(this.staging, logits, matrix);
		nodes.push(...copied(own, before, label, this.fresh));
		const scores = own.get(matrix ?? logits) ?? matrix ?? logits;
		own.set(logits, this.scaled(exit, this.fitted(scores, headNames(exit.layer), emit), emit));
		nodes.push(...copied(own, behind, label, this.fresh));
		return own;
	}

	/** The value times a fitted matrix, and its bias; the value itself where there is none. */
	private fitted(value: ValueName, names: readonly string[], emit: Emit): ValueName {
		const [weight, bias] = names.map((name) => this.stored(name));
		if (weight === undefined || bias === undefined) return value;
		return emit.node('Add', [emit.node('MatMul', [value, weight]), bias]);
	}

	private scaled({ layer }: Exit, scores: ValueName, emit: Emit): ValueName {
		const temperature = this.stored(temperatureName(layer));
		return temperature === undefined ? scores : emit.node('Div', [scores, temperature]);
	}

	/** The name of a fitted constant in the model. */
	private stored(name: string): ValueName | undefined {
		const tensor = this.tensors.get(name);
		if (tensor === undefined) return undefined;
		const own = this.fresh(`exit_after_${name}`);
		this.constants.push({ ...tensor, name: own });
		return own;
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

	private emitInto(nodes: Node[], label: string): Emit {
		return {
			opset: this.opset,
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
