/**
 * An opened model: one flat graph in which bodies of `If`, `Loop` and `Scan` stand beside everything else, and a call of a model-local
 * function is what the function does. Whoever looks for axes or edits nodes sees no difference between a body and the main graph;
 * `close.ts` puts the nodes back where they belong.
 *
 *     If (cond)               -> out      If     (cond, then…, else…)                          -> out…
 *     Loop (m, cond, init…)   -> out…     LoopIn (m, cond, init…)                              -> i, cond, state…, trips
 *                                         Loop   (cond, next…, element…, i, cond, state…, trips) -> last…, stacked…
 *     Scan (init…, series…)   -> out…     ScanIn (init…, series…)                              -> state…, element…, trips
 *                                         Scan   (next…, element…, state…, element…, trips)    -> last…, stacked…
 *
 * The nodes on the right are of the domain `prunec.flow`; how axes run through them is said in `axes/rows-flow.ts`.
 */
import { present } from '../../diagnostic.ts';
import { closed, rememberClosed } from './close.ts';
import { asRead, isOpened } from './scope.ts';
import {
	capturedNames,
	flowDomain,
	highestId,
	subgraphs,
	type Attribute,
	type Graph,
	type LocalFunction,
	type Model,
	type Node,
	type Scope,
	type Tensor,
	type ValueName,
} from './graph.ts';

const flowOps: ReadonlySet<string> = new Set(['If', 'Loop', 'Scan']);

/** Calls are opened until a graph has this many nodes: functions that call functions grow without bound. */
const roomFor = 500_000;

const known = new WeakMap<Model, Model>();

/** The model with its bodies and calls opened; itself when it has none that can be. */
export function opened(model: Model): Model {
	const before = known.get(model);
	if (before !== undefined) return before;
	const flat = open(model);
	known.set(model, flat);
	known.set(flat, flat);
	return flat;
}

function open(model: Model): Model {
	const opener = new Opener(model);
	if (!model.graph.nodes.some((node) => opener.opens(node))) return model;
	// A patch has put bodies into an opened graph: what it moved into them is named from inside.
	if (isOpened(model.graph)) return open(closed(model));
	const flat = opener.run();
	rememberClosed(flat, model);
	return flat;
}

/** How names and attributes of a stretch of nodes read in the opened graph. */
type Reading = {
	readonly scope?: Scope;
	/** Names that are others there. */
	readonly names: ReadonlyMap<ValueName, ValueName>;
	/** Inside a call: the attributes that are referred to, and the functions that are being opened. */
	readonly given?: ReadonlyMap<string, Attribute>;
	/** Inside a call: what names of nodes begin with, so that two calls have no node of one name. */
	readonly mark?: string;
	readonly calls: readonly LocalFunction[];
};

class Opener {
	private readonly nodes: Node[] = [];
	private readonly tensors: Tensor[] = [];
	private readonly taken: Set<ValueName>;
	private readonly functions: ReadonlyMap<string, LocalFunction>;
	private readonly opsets: Map<string, number>;
	private readonly model: Model;
	private nextId: number;

	constructor(model: Model) {
		const { graph, functions, opsets } = model;
		this.model = model;
		this.taken = new Set([
			...graph.inputs.map(({ name }) => name),
			...graph.initializers.keys(),
			...graph.nodes.flatMap(({ outputs }) => outputs),
		]);
		this.functions = new Map(functions.map((made) => [`${made.domain}:${made.name}`, made]));
		this.opsets = new Map(opsets);
		this.nextId = highestId(graph) + 1;
	}

	run(): Model {
		const { graph } = this.model;
		for (const node of graph.nodes) this.add(node, { names: new Map(), calls: [] });
		const initializers = new Map(graph.initializers);
		for (const tensor of this.tensors) initializers.set(tensor.name, tensor);
		return { ...this.model, opsets: this.opsets, graph: { ...graph, nodes: this.nodes, initializers } };
	}

	/** Whether a node of the main graph is opened. */
	opens(node: Node): boolean {
		return this.canFlow(node) || this.callOf(node, []) !== undefined;
	}

	private canFlow(node: Node): boolean {
		if (node.domain !== '' || !flowOps.has(node.op)) return false;
		const bodies = bodiesOf(node);
		if (bodies.length !== (node.op === 'If' ? 2 : 1)) return false;
		// Scan of opset 8 has a batch axis and lengths of its own.
		if (node.op === 'Scan' && (this.model.opsets.get('') ?? 0) < 9) return false;
		return bodies.every(({ graph }) => this.isClear(graph.nodes));
	}

	/** Whether nothing in a body keeps its own bodies closed: names that are read from there could not be followed. */
	private isClear(nodes: readonly Node[]): boolean {
		return nodes.every((node) => subgraphs(node).length === 0 || this.canFlow(node));
	}

	/** The function that a node calls, unless it cannot be put in its place: other versions of operators, recursion, no room. */
	private callOf({ domain, op }: Node, calls: readonly LocalFunction[]): LocalFunction | undefined {
		const made = this.functions.get(`${domain}:${op}`);
		if (made?.overload !== '' || calls.includes(made)) return undefined;
		const same = [...made.opsets].every(([name, version]) => (this.opsets.get(name) ?? version) === version);
		return same && this.nodes.length < roomFor && this.isClear(made.nodes) ? made : undefined;
	}

	private add(node: Node, reading: Reading): void {
		const placed = this.placed(node, reading);
		const made = this.callOf(node, reading.calls);
		if (made !== undefined) this.call(placed, made, reading);
		else if (this.canFlow(node)) this.flow(placed, reading);
		else this.nodes.push(placed);
	}

	/** The node with the names, the scope and the attributes that it has in the opened graph. */
	private placed(node: Node, { scope, names, given, mark, calls }: Reading): Node {
		if (scope === undefined && names.size === 0) return node;
		const rename = (name: ValueName): ValueName => names.get(name) ?? name;
		return {
			...node,
			...(calls.length > 0 && { id: this.nextId++ }),
			...(mark !== undefined && node.name !== '' && { name: `${mark}/${node.name}` }),
			inputs: node.inputs.map(rename),
			outputs: node.outputs.map(rename),
			attributes: given === undefined ? node.attributes : resolved(node.attributes, given),
			...(scope && { scope }),
		};
	}

	private fresh(name: ValueName): ValueName {
		let free = name;
		for (let at = 1; this.taken.has(free); at++) free = `${name}_${at}`;
		this.taken.add(free);
		return free;
	}

	private flow(owner: Node, reading: Reading): void {
		const scopes = bodiesOf(owner).map((body): Scope => ({
			...(reading.scope && { parent: reading.scope }),
			owner,
			body,
		}));
		const inner = scopes.map((scope) => this.declare(scope, reading));
		const entry = owner.op === 'If' ? [] : this.enter(owner, present(scopes[0], 'a body'), inner[0]);
		const results = scopes.flatMap((scope, at) => this.fill(scope, present(inner[at], 'a reading')));
		const given = owner.op === 'If' ? owner.inputs.slice(0, 1) : [];
		this.nodes.push({
			...owner,
			domain: flowDomain,
			inputs: [...given, ...results, ...entry],
			attributes: ownAttributes(owner),
			bodies: scopes,
		});
	}

	/** Names of a body: those that are free stay, others are made so. */
	private declare({ body, ...scope }: Scope, reading: Reading): Reading {
		const { graph } = present(body, 'a body');
		const names = new Map(reading.names);
		const own = [
			...graph.inputs.map(({ name }) => name),
			...graph.initializers.keys(),
			...graph.nodes.flatMap(({ outputs }) => outputs),
		];
		for (const name of new Set(own)) {
			if (name === '') continue;
			const free = this.fresh(name);
			if (free === name) names.delete(name);
			else names.set(name, free);
		}
		return { ...reading, scope: { body, ...scope } as Scope, names };
	}

	/** The node that hands values to a body; what it puts out. */
	private enter(owner: Node, scope: Scope, reading: Reading | undefined): ValueName[] {
		const names = scope.body?.graph.inputs.map(({ name }) => reading?.names.get(name) ?? name) ?? [];
		const outputs = [...names, this.fresh(`${owner.name || owner.op}_trips`)];
		const { origin: _, ...rest } = owner;
		this.nodes.push({
			...rest,
			id: this.nextId++,
			op: `${owner.op}In`,
			domain: flowDomain,
			outputs,
			attributes: ownAttributes(owner),
			bodies: [scope],
		});
		return outputs;
	}

	/** Adds what a body holds; what comes out of it. */
	private fill(scope: Scope, reading: Reading): ValueName[] {
		const { graph } = present(scope.body, 'a body');
		const [firstNode, firstTensor] = [this.nodes.length, this.tensors.length];
		const rename = (name: ValueName): ValueName => reading.names.get(name) ?? name;
		for (const tensor of graph.initializers.values())
			this.tensors.push({ ...tensor, name: rename(tensor.name), scope });
		for (const node of graph.nodes) this.add(node, { ...reading, scope });
		const results = graph.outputs.map(({ name }) => rename(name));
		asRead.set(scope, {
			nodes: this.nodes.slice(firstNode),
			tensors: this.tensors.slice(firstTensor),
			results,
			renamed: reading.calls.length > 0 || [...capturedNames(graph)].some((name) => rename(name) !== name),
		});
		return results;
	}

	private call(owner: Node, made: LocalFunction, reading: Reading): void {
		const scope: Scope = { ...(reading.scope && { parent: reading.scope }), owner };
		const names = new Map<ValueName, ValueName>();
		made.inputs.forEach((name, slot) => names.set(name, owner.inputs[slot] ?? ''));
		const passed: [from: ValueName, to: ValueName][] = [];
		made.outputs.forEach((name, slot) => {
			const to = owner.outputs[slot] ?? '';
			if (names.has(name)) passed.push([names.get(name) ?? '', to]);
			else names.set(name, to === '' ? this.fresh(name) : to);
		});
		for (const name of made.nodes.flatMap(({ outputs }) => outputs))
			if (name !== '' && !names.has(name)) names.set(name, this.fresh(name));
		for (const [domain, version] of made.opsets) this.opsets.set(domain, version);
		const first = this.nodes.length;
		const given = new Map([...made.defaults, ...owner.attributes]);
		const mark = owner.name === '' ? `${owner.op}_${owner.id}` : owner.name;
		const inside = { scope, names, given, mark, calls: [...reading.calls, made] };
		for (const node of made.nodes) this.add(node, inside);
		for (const [from, to] of passed) if (to !== '') this.nodes.push(this.identity(from, to, scope));
		asRead.set(scope, { nodes: this.nodes.slice(first), tensors: [], results: [], renamed: false });
	}

	private identity(from: ValueName, to: ValueName, scope: Scope): Node {
		const plain = { id: this.nextId++, name: '', op: 'Identity', domain: '', attributes: new Map() };
		return { ...plain, inputs: [from], outputs: [to], scope };
	}
}

function bodiesOf({ op, attributes }: Node): { readonly graph: Graph; readonly attribute: string }[] {
	return (op === 'If' ? ['then_branch', 'else_branch'] : ['body']).flatMap((attribute) => {
		const held = attributes.get(attribute);
		return held?.kind === 'graph' ? [{ graph: held.value, attribute }] : [];
	});
}

function ownAttributes({ attributes }: Node): ReadonlyMap<string, Attribute> {
	return new Map([...attributes].filter(([, { kind }]) => kind !== 'graph'));
}

/** Attributes of a function's node at one call; what neither the call nor the function gives is left out. */
function resolved(
	attributes: ReadonlyMap<string, Attribute>,
	given: ReadonlyMap<string, Attribute>,
): ReadonlyMap<string, Attribute> {
	return new Map(
		[...attributes].flatMap(([name, attribute]): [string, Attribute][] => {
			if (attribute.kind !== 'reference') return [[name, attribute]];
			const value = given.get(attribute.value);
			return value === undefined ? [] : [[name, value]];
		}),
	);
}
