/** An opened model put together again: nodes go back into the bodies they belong to, calls that nobody touched stay calls. */
import { present } from '../../diagnostic.ts';
import { calledFrom } from './called.ts';
import { inferFacts, type Facts } from './facts.ts';
import { sortNodes } from './order.ts';
import { around, asRead, commonScope, deepest, isInside, isOpened } from './scope.ts';
import {
	flowDomain,
	highestId,
	subgraphs,
	type Attribute,
	type Graph,
	type Model,
	type Node,
	type Scope,
	type Tensor,
	type ValueInfo,
	type ValueName,
} from './graph.ts';

const known = new WeakMap<Model, Model>();

/** Notes what an opened model was read as. */
export function rememberClosed(flat: Model, model: Model): void {
	known.set(flat, model);
}

/** The model as ONNX has it; itself where nothing is opened. */
export function closed(model: Model): Model {
	const before = known.get(model);
	if (before !== undefined) return before;
	if (!holdsOpened(model.graph)) return model;
	const graph = closedGraph(model.graph, () => inferFacts(model));
	const called = calledFrom(graph, model);
	const functions = model.functions.filter((made) => called.has(`${made.domain}:${made.name}`));
	const nested = { ...model, graph, ...(functions.length < model.functions.length && { functions }) };
	known.set(model, nested);
	return nested;
}

/** Bodies that a patch has put together from opened nodes are opened inside. */
function holdsOpened(graph: Graph): boolean {
	return isOpened(graph) || graph.nodes.some((node) => subgraphs(node).some(holdsOpened));
}

function closedGraph(graph: Graph, facts: () => Facts | undefined): Graph {
	return holdsOpened(graph) ? new Closer(graph, facts).run() : graph;
}

class Closer {
	private readonly nodes: readonly Node[];
	private readonly standing: ReadonlySet<Node>;
	private readonly intact: ReadonlySet<Scope>;
	private readonly home = new Map<Node, Scope | undefined>();
	private readonly valueHome = new Map<ValueName, Scope | undefined>();
	private readonly entries = new Map<Scope, Node>();
	private readonly graph: Graph;
	private readonly facts: () => Facts | undefined;
	private nextId: number;

	constructor(graph: Graph, facts: () => Facts | undefined) {
		this.graph = graph;
		this.facts = facts;
		this.nextId = highestId(graph) + 1;
		this.nodes = sortNodes(graph.nodes);
		this.standing = new Set(this.nodes);
		this.intact = this.intactCalls();
		for (const node of this.nodes)
			if (isEntry(node)) this.entries.set(present(node.bodies?.[0], 'a body'), node);
	}

	run(): Graph {
		this.settle();
		this.hoist();
		return { ...this.graph, nodes: this.nodesIn(undefined), initializers: this.tensorsIn(undefined) };
	}

	/** Calls whose every node is as it was opened, and whose insides nobody else reads. */
	private intactCalls(): ReadonlySet<Scope> {
		const calls = new Set(
			this.nodes.flatMap(({ scope }) => around(scope).filter(({ body }) => body === undefined)),
		);
		const reads = new Map<ValueName, Node[]>();
		for (const node of this.nodes)
			for (const name of node.inputs) reads.set(name, [...(reads.get(name) ?? []), node]);
		const shown = new Set(this.graph.outputs.map(({ name }) => name));
		const isIntact = (call: Scope): boolean => {
			const own = new Set(asRead.get(call)?.nodes);
			const results = new Set(call.owner.outputs);
			return [...own].every(
				(node) =>
					this.standing.has(node) &&
					node.outputs.every(
						(name) =>
							results.has(name) ||
							(!shown.has(name) && (reads.get(name) ?? []).every((reader) => own.has(reader))),
					),
			);
		};
		return new Set([...calls].filter(isIntact));
	}

	/** The scope as it is written: calls that did not stay are part of what is around them. */
	private written(scope: Scope | undefined): Scope | undefined {
		return around(scope).find((one) => one.body !== undefined || this.intact.has(one));
	}

	/** A call that stays is one node: who looks from outside sees it where the call stands. */
	private seenAt(scope: Scope | undefined): Scope | undefined {
		const call = around(scope).findLast((one) => this.intact.has(one));
		return call === undefined ? scope : this.written(call.parent);
	}

	/** Nodes stand where they stood; new ones where what they read is made. */
	private settle(): void {
		for (const { name, scope } of this.graph.initializers.values())
			this.valueHome.set(name, this.written(scope));
		for (const node of this.nodes) {
			const home =
				node.scope === undefined && node.bodies === undefined
					? deepest(node.inputs.map((name) => this.valueHome.get(name)))
					: this.written(node.scope);
			this.home.set(node, home);
			const seen = this.seenAt(isEntry(node) ? node.bodies?.[0] : home);
			for (const name of node.outputs) this.valueHome.set(name, seen);
		}
	}

	/** What is read from elsewhere too moves out to where all its readers see it. */
	private hoist(): void {
		for (const { name } of this.graph.outputs) this.valueHome.set(name, undefined);
		for (const node of [...this.nodes].reverse()) {
			if (!isEntry(node) && this.seenAt(this.home.get(node)) === this.home.get(node))
				this.home.set(node, this.commonHome(node));
			node.inputs.forEach((name, slot) => {
				if (name !== '') this.seeFrom(name, this.seenAt(this.readerScope(node, slot)));
			});
			for (const inner of subgraphs(node))
				for (const name of namesRead(inner)) this.seeFrom(name, this.home.get(node));
		}
	}

	private commonHome(node: Node): Scope | undefined {
		const named = node.outputs.filter((name) => name !== '');
		return named.reduce((home, name) => commonScope(home, this.valueHome.get(name)), this.home.get(node));
	}

	private seeFrom(name: ValueName, reader: Scope | undefined): void {
		if (this.valueHome.has(name)) this.valueHome.set(name, commonScope(this.valueHome.get(name), reader));
	}

	/** From where an input is read: results of a body from inside it. */
	private readerScope(node: Node, slot: number): Scope | undefined {
		if (node.bodies === undefined || isEntry(node)) return this.home.get(node);
		if (node.op !== 'If') return node.bodies[0];
		if (slot === 0) return this.home.get(node);
		return node.bodies[slot <= resultsOf(node) ? 0 : 1];
	}

	private tensorsIn(scope: Scope | undefined): Map<ValueName, Tensor> {
		return new Map([...this.graph.initializers].filter(([name]) => this.valueHome.get(name) === scope));
	}

	private nodesIn(scope: Scope | undefined): readonly Node[] {
		const made: Node[] = [];
		const calls = new Set<Scope>();
		for (const node of this.nodes) {
			const home = this.home.get(node);
			const call = around(home).find(
				(one, at, all) => this.intact.has(one) && this.written(all[at + 1]) === scope,
			);
			if (call !== undefined && !calls.has(call)) made.push(call.owner);
			if (call !== undefined) calls.add(call);
			else if (home === scope && !isEntry(node)) made.push(this.closedNode(node));
		}
		return sortNodes(made);
	}

	private closedNode(node: Node): Node {
		const { bodies, scope: _, ...rest } = node;
		if (bodies !== undefined) return this.owner(node, bodies);
		if (!subgraphs(node).some(holdsOpened)) return node.scope === undefined ? node : rest;
		const attributes = new Map(
			[...node.attributes].map(([name, attribute]): [string, Attribute] => [
				name,
				attribute.kind === 'graph'
					? { kind: 'graph', value: closedGraph(attribute.value, () => undefined) }
					: attribute,
			]),
		);
		return { ...rest, attributes };
	}

	/** The If, Loop or Scan that a node stands for. */
	private owner(node: Node, bodies: readonly Scope[]): Node {
		const { bodies: _bodies, scope: _scope, ...rest } = node;
		const [first] = bodies;
		const entry = first && this.entries.get(first);
		const count = resultsOf(node);
		const offset = node.op === 'If' ? 1 : 0;
		const graphs = bodies.map((scope, at) => {
			const from = offset + at * count;
			return this.body(scope, node.inputs.slice(from, from + count), entry);
		});
		const inputs = entry?.inputs ?? node.inputs.slice(0, 1);
		const before = first?.owner;
		const same =
			before !== undefined &&
			bodies.every(({ body }, at) => body?.graph === graphs[at]) &&
			sameNames(inputs, before.inputs) &&
			sameNames(node.outputs, before.outputs);
		if (same) return before;
		const held = bodies.map(({ body }, at): [string, Attribute] => [
			present(body, 'a body').attribute,
			{ kind: 'graph', value: present(graphs[at], 'a closed body') },
		]);
		return { ...rest, domain: '', inputs, attributes: new Map([...node.attributes, ...held]) };
	}

	private body(scope: Scope, results: readonly ValueName[], entry: Node | undefined): Graph {
		const { graph } = present(scope.body, 'a body');
		const inputs = entry?.outputs.slice(0, -1) ?? [];
		if (this.isAsRead(scope, results) && this.areTrue(graph, inputs, results)) return graph;
		const nodes = [...this.nodesIn(scope)];
		const made = new Set(nodes.flatMap(({ outputs }) => outputs));
		const outputs = results.map((name) => {
			if (made.delete(name)) return name;
			const copy = this.identity(name);
			nodes.push(copy);
			return present(copy.outputs[0], 'an output');
		});
		return {
			...graph,
			nodes,
			inputs: inputs.map((name, slot) => this.info(name, name, graph.inputs[slot])),
			outputs: outputs.map((name, slot) => this.info(name, results[slot] ?? name, graph.outputs[slot])),
			initializers: this.tensorsIn(scope),
			valueInfo: new Map(),
		};
	}

	private isAsRead(scope: Scope, results: readonly ValueName[]): boolean {
		const read = asRead.get(scope);
		if (read === undefined || read.renamed || !sameNames(results, read.results)) return false;
		const own = this.nodes.filter((node) => isInside(this.home.get(node), scope));
		const tensors = this.tensorsIn(scope);
		return (
			own.length === read.nodes.length &&
			read.nodes.every((node) => this.standing.has(node)) &&
			read.tensors.every((tensor) => tensors.get(tensor.name) === tensor)
		);
	}

	/** Whether the sizes that a body says of its values are those they have now. */
	private areTrue(graph: Graph, inputs: readonly ValueName[], results: readonly ValueName[]): boolean {
		const said: [value: ValueName, info: ValueInfo][] = [
			...graph.inputs.map((info, slot): [ValueName, ValueInfo] => [inputs[slot] ?? '', info]),
			...graph.outputs.map((info, slot): [ValueName, ValueInfo] => [results[slot] ?? '', info]),
			...[...graph.valueInfo],
		];
		return said.every(([value, { dims }]) => {
			const sizes = this.facts()?.of(value)?.sizes;
			return (
				dims === undefined ||
				sizes === undefined ||
				dims.every((dim, axis) => typeof dim !== 'number' || dim === sizes[axis])
			);
		});
	}

	/** A body must make what it gives back, each value once. */
	private identity(from: ValueName): Node {
		const id = this.nextId++;
		const plain = { id, name: '', op: 'Identity', domain: '', attributes: new Map<string, Attribute>() };
		return { ...plain, inputs: [from], outputs: [`${from}_result_${id}`] };
	}

	/** What is said of a value: as before, with the sizes that it has now. */
	private info(name: ValueName, value: ValueName, before: ValueInfo | undefined): ValueInfo {
		const fact = this.facts()?.of(value);
		const dims = fact?.sizes?.map((size, axis) => (fact.dynamic[axis] === true ? null : size));
		const { dims: said, ...rest } = before ?? { type: 0 };
		const type = rest.type === 0 ? (fact?.type ?? 0) : rest.type;
		return { ...rest, name, type, ...(said !== undefined && dims !== undefined && { dims }) };
	}
}

function isEntry({ domain, op }: Node): boolean {
	return domain === flowDomain && op.endsWith('In');
}

/** How many values come out of each body. */
function resultsOf({ bodies }: Node): number {
	return bodies?.[0]?.body?.graph.outputs.length ?? 0;
}

function sameNames(left: readonly ValueName[], right: readonly ValueName[]): boolean {
	return left.length === right.length && left.every((name, at) => name === right[at]);
}

function namesRead(graph: Graph): ValueName[] {
	return graph.nodes.flatMap((node) => [...node.inputs, ...subgraphs(node).flatMap(namesRead)]);
}
