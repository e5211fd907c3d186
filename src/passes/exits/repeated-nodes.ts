/**
 * Nodes that compute what one before them has computed (value numbering: Cocke and Schwartz, "Programming Languages and Their
 * Compilers", 1970). onnxruntime finds them in a graph, but not in its branches, where an exporter's arithmetic on sizes would run once
 * for every use of each layer.
 */
import { constantsOf } from '../../ir/graph/constants.ts';
import {
	subgraphs,
	type Attribute,
	type Graph,
	type Node,
	type Tensor,
	type ValueName,
} from '../../ir/graph/graph.ts';

/** Two of them with the same inputs give different results. */
const drawing: ReadonlySet<string> = new Set([
	'Bernoulli',
	'Dropout',
	'Multinomial',
	'RandomNormal',
	'RandomNormalLike',
	'RandomUniform',
	'RandomUniformLike',
]);
/** Constants of more bytes are told apart by name. */
const small = 1024;

export class Repetitions {
	/** What nodes make, by what they compute. */
	private readonly known = new Map<string, readonly ValueName[]>();
	/** What stands in the place of values that are made twice. */
	private readonly same = new Map<ValueName, ValueName>();
	private readonly constants: ReadonlyMap<ValueName, Tensor>;
	/** Names that something else than the nodes handed over reads. */
	private readonly bound: ReadonlySet<ValueName>;
	private readonly isClosed: boolean;

	/** Nothing is left out of a graph with bodies, which read by name. */
	constructor(graph: Graph, bound: Iterable<ValueName>) {
		const given = new Set(graph.inputs.map(({ name }) => name));
		this.constants = new Map([...constantsOf(graph)].filter(([name]) => !given.has(name)));
		this.bound = new Set(bound);
		this.isClosed = graph.nodes.some((node) => node.bodies !== undefined || subgraphs(node).length > 0);
	}

	/** The nodes, makers before readers, without those that repeat one of them or of an earlier call. */
	without(nodes: readonly Node[]): readonly Node[] {
		return this.isClosed ? nodes : nodes.flatMap((node) => this.once(node) ?? []);
	}

	private once(node: Node): Node | undefined {
		const inputs = node.inputs.map((name) => this.same.get(name) ?? name);
		const own = inputs.some((name, slot) => name !== node.inputs[slot]) ? { ...node, inputs } : node;
		const key = this.keyOf(own);
		if (key === undefined) return own;
		const before = this.known.get(key);
		if (before === undefined || node.outputs.some((name) => this.bound.has(name))) {
			this.known.set(key, before ?? node.outputs);
			return own;
		}
		node.outputs.forEach((name, slot) => this.same.set(name, before[slot] ?? ''));
		return undefined;
	}

	/** Undefined where it cannot be told what a node computes. */
	private keyOf({ op, domain, inputs, outputs, attributes }: Node): string | undefined {
		if (domain !== '' || drawing.has(op)) return undefined;
		const said = [...attributes].map(([name, value]) => [name, plain(value)] as const);
		if (said.some(([, value]) => value === undefined)) return undefined;
		const read = inputs.map((name) => this.contentOf(name) ?? name);
		const made = outputs.map((name) => name !== '');
		return JSON.stringify([op, read, made, said.sort(([a], [b]) => (a < b ? -1 : 1))]);
	}

	private contentOf(name: ValueName): string | undefined {
		const tensor = this.constants.get(name);
		return tensor === undefined ? undefined : contents(tensor);
	}
}

function contents({ type, dims, bytes }: Tensor): string | undefined {
	if (bytes === undefined || bytes.length > small) return undefined;
	return `${type}/${dims.join('x')}/${bytes.read().join()}`;
}

function plain(attribute: Attribute): unknown {
	switch (attribute.kind) {
		case 'tensor':
			return contents(attribute.value);
		case 'graph':
		case 'graphs':
		case 'other':
			return undefined;
		default:
			return [attribute.kind, attribute.value];
	}
}
