/** A model with exits as several, one a stage: for servers in which each row of a batch leaves by itself. */
import { bug } from '../../diagnostic.ts';
import { BOOL, FLOAT } from '../../ir/graph/dtype.ts';
import { constantsOf } from '../../ir/graph/constants.ts';
import { inferFacts, type Facts } from '../../ir/graph/facts.ts';
import {
	type Graph,
	type Model,
	type Node,
	type Tensor,
	type ValueInfo,
	type ValueName,
} from '../../ir/graph/graph.ts';
import { bindShapes, samples, type Shapes } from '../../ir/graph/bindings.ts';
import { opened } from '../../ir/graph/open.ts';
import { readsOfNode, sortNodes } from '../../ir/graph/order.ts';
import { tensorOf } from '../../ir/graph/tensor.ts';
import { exitLayerOf } from './exit-taken.ts';

/** A value that one stage makes, or the model is fed, and a later one reads. */
export type Carried = {
	readonly name: ValueName;
	/** The axis along which rows of the batch lie; absent where all rows share the value, or the batch is fixed. */
	readonly batch?: number;
};

export type SplitStage = {
	readonly model: Model;
	/** After which layer it may leave, and the output, bool [rows, 1], that says which rows do; absent in the last. */
	readonly exit?: { readonly layer: number; readonly leaves: ValueName };
	/** By the model's names: inputs of the model, and what stages before carry. */
	readonly inputs: readonly Carried[];
	/** The model's outputs by name, as this stage calls them. */
	readonly outputs: readonly { readonly name: ValueName; readonly of: ValueName }[];
	/** What later stages read. */
	readonly carries: readonly Carried[];
};

/** Stages in the order in which they run; a word of why not, where there are no exits or something stands behind them. */
export function splitExits(model: Model, shapes: Shapes = new Map()): readonly SplitStage[] | string {
	const levels = levelsOf(model.graph);
	if (levels.length < 2) return 'it has no exits';
	const [main] = levels;
	const made = new Set(main?.exit?.outputs);
	const reader = model.graph.nodes.find(({ inputs }) => inputs.some((name) => made.has(name)));
	if (reader !== undefined) return `${reader.op} '${reader.name}' reads what the exits give`;
	return new Splitting(model, levels, shapes).run();
}

/** What stands between two exits: its own nodes, the exit at its end, and what the model's outputs are called here. */
type Level = { readonly graph: Graph; readonly exit: Node | undefined };

function levelsOf(graph: Graph): Level[] {
	const exit = graph.nodes.find((node) => exitLayerOf(node) !== undefined);
	return [{ graph, exit }, ...(exit === undefined ? [] : levelsOf(branchOf(exit, 'else_branch')))];
}

function branchOf({ attributes }: Node, name: string): Graph {
	const branch = attributes.get(name);
	return branch?.kind === 'graph' ? branch.value : bug('an exit without a branch', { name });
}

class Splitting {
	private readonly model: Model;
	private readonly levels: readonly Level[];
	private readonly constants: ReadonlyMap<ValueName, Tensor>;
	private readonly facts: Facts;
	/** With every symbol open: an axis that moves is dynamic. */
	private readonly given: Facts;
	/** At another size of the batch: an axis that differs is its own. */
	private readonly wider: Facts;

	constructor(model: Model, levels: readonly Level[], shapes: Shapes) {
		this.model = model;
		this.levels = levels;
		const flat = opened(model);
		this.constants = new Map(levels.flatMap(({ graph }) => [...constantsOf(graph)]));
		const [sample] = samples;
		this.given = inferFacts(flat, shapes);
		this.facts = inferFacts(flat, bindShapes(flat, sample, shapes));
		this.wider = inferFacts(flat, bindShapes(flat, { ...sample, batch: 2 * sample.batch + 1 }, shapes));
	}

	run(): readonly SplitStage[] {
		const reads = this.levels.map((level) => this.readsOf(level));
		return this.levels.map((level, at) => {
			const later = new Set(reads.slice(at + 1).flatMap((names) => [...names]));
			return this.stageOf(level, reads[at] ?? new Set(), later);
		});
	}

	/** Values from outside that the nodes of a level need, constants apart. */
	private readsOf(level: Level): Set<ValueName> {
		const nodes = this.nodesOf(level);
		const shown = level.exit === undefined ? level.graph.outputs.map(({ name }) => name) : [];
		const needed = [...nodes.flatMap((node) => [...readsOfNode(node)]), ...shown];
		return new Set(needed.filter((name) => name !== '' && !this.constants.has(name) && !makes(nodes, name)));
	}

	/** Its own nodes, and those of the branch that leaves. */
	private nodesOf({ graph, exit }: Level): readonly Node[] {
		const own = graph.nodes.filter((node) => node !== exit);
		return exit === undefined ? own : [...own, ...branchOf(exit, 'then_branch').nodes];
	}

	private stageOf(level: Level, reads: ReadonlySet<ValueName>, later: ReadonlySet<ValueName>): SplitStage {
		const { graph, exit } = level;
		const nodes = this.nodesOf(level);
		const given = this.levels[0]?.exit?.outputs ?? [];
		const own = exit === undefined ? graph.outputs : branchOf(exit, 'then_branch').outputs;
		const beside =
			graph === this.model.graph ? graph.outputs.filter(({ name }) => !given.includes(name)) : [];
		const outputs = [
			...own.map(({ name }, slot) => ({ name, of: given[slot] ?? '' })),
			...beside.map(({ name }) => ({ name, of: name })),
		];
		const carries = [...later].filter((name) => makes(nodes, name));
		const leaves = exit === undefined ? undefined : rowsOf(exit, nodes);
		const layer = exit === undefined ? undefined : exitLayerOf(exit);
		const names = [...outputs.map(({ name }) => name), ...(leaves === undefined ? [] : [leaves]), ...carries];
		return {
			model: this.modelOf(nodes, [...reads], [...new Set(names)], outputs),
			...(leaves !== undefined && layer !== undefined && { exit: { layer, leaves } }),
			inputs: [...reads].map((name) => this.carried(name)),
			outputs,
			carries: carries.map((name) => this.carried(name)),
		};
	}

	private modelOf(
		nodes: readonly Node[],
		inputs: readonly ValueName[],
		names: readonly ValueName[],
		outputs: SplitStage['outputs'],
	): Model {
		const given = new Map(
			[...this.model.graph.inputs, ...this.model.graph.outputs].map((info) => [info.name, info]),
		);
		const original = new Map(outputs.map(({ name, of }) => [name, of]));
		const infoOf = (name: ValueName): ValueInfo => {
			const known = given.get(original.get(name) ?? name);
			return known === undefined ? this.infoOf(name) : { ...known, name };
		};
		const used = new Set(nodes.flatMap((node) => [...readsOfNode(node)]));
		const stored = [...this.constants].filter(([name]) => used.has(name) && !makes(nodes, name));
		const graph: Graph = {
			...this.model.graph,
			inputs: inputs.map(infoOf),
			outputs: names.map(infoOf),
			nodes: sortNodes(nodes.map((node, id) => ({ ...node, id }))),
			initializers: new Map(stored),
			valueInfo: new Map(),
		};
		return { ...this.model, graph };
	}

	private infoOf(name: ValueName): ValueInfo {
		const [known, wide] = [this.facts.of(name), this.wider.of(name)];
		const type = known?.type === 0 ? FLOAT : (known?.type ?? FLOAT);
		const { sizes } = known ?? {};
		if (sizes === undefined) return { name, type };
		// Sizes that no symbol of the model moves are fixed; the rest is left open, each by a name of its own.
		const dims = sizes.map((size, axis) =>
			size === wide?.sizes?.[axis] && this.given.of(name)?.dynamic[axis] === false ? size : `${name}_${axis}`,
		);
		return { name, type, dims };
	}

	private carried(name: ValueName): Carried {
		const [sizes, wide] = [this.facts.of(name)?.sizes, this.wider.of(name)?.sizes];
		const batch = sizes?.findIndex((size, axis) => size !== wide?.[axis]) ?? -1;
		return { name, ...(batch >= 0 && { batch }) };
	}
}

function makes(nodes: readonly Node[], name: ValueName): boolean {
	return nodes.some(({ outputs }) => outputs.includes(name));
}

/** The condition of each row: all of them together are cast, their least is taken, and cast back (`exit-condition.ts`). */
function rowsOf(exit: Node, nodes: readonly Node[]): ValueName {
	let name = exit.inputs[0] ?? '';
	for (const op of ['Cast', 'ReduceMin', 'Cast']) {
		const maker = nodes.find(({ outputs }) => outputs.includes(name));
		if (maker?.op !== op) return bug('the condition of an exit has another form', { name, op });
		name = maker.inputs[0] ?? '';
	}
	return name;
}

/** The model with every exit held: the one of that number taken, those before it not; without a number, none. */
export function withExitTaken(model: Model, taken: number | undefined): Model {
	const initializers = new Map(model.graph.initializers);
	const hold = (graph: Graph, at: number): Graph => ({
		...graph,
		nodes: graph.nodes.map((node) => {
			if (exitLayerOf(node) === undefined) return node;
			const name = `exit_held_${at}`;
			initializers.set(name, tensorOf(name, BOOL, [], [at === taken ? 1 : 0]));
			const attributes = new Map(node.attributes);
			attributes.set('else_branch', { kind: 'graph', value: hold(branchOf(node, 'else_branch'), at + 1) });
			return { ...node, inputs: [name], attributes };
		}),
	});
	const graph = hold(model.graph, 0);
	return { ...model, graph: { ...graph, initializers } };
}
