/** The graph as propagation walks it: nodes with their rows, tensors with their readers, one tensor per use of a constant. */
import { constantsOf } from '../graph/constants.ts';
import { type Facts } from '../graph/facts.ts';
import {
	capturedNames,
	flowDomain,
	nodeLabel,
	subgraphs,
	type Bytes,
	type Model,
	type Node,
	type Tensor,
	type ValueName,
} from '../graph/graph.ts';
import { sortNodes } from '../graph/order.ts';
import { valuesInBodies } from '../graph/scope.ts';
import { operatorOf } from './table.ts';
import { numberedRow } from './numbers.ts';
import { isRow, termKey, type Row, type Term } from './row.ts';
import { shufflesOf, type Shuffle } from './shuffles.ts';
import { type NodeView } from './view.ts';

export type NetTensor = {
	/** The value's name; for a constant, the name and the use, since equal constants are edited per use. */
	readonly key: string;
	readonly name: ValueName;
	readonly sizes: readonly number[];
	readonly dynamic: readonly boolean[];
	readonly constant?: Tensor;
	/** The name under which the constant's numbers stand first: constants behind an `Identity` are one. */
	readonly source: ValueName;
	readonly io: readonly ('input' | 'output')[];
	/** Read inside a body that is not opened, where no row follows. */
	readonly captured: boolean;
	/** Made inside an opened body: it cannot be an output of the model, as what is measured must be. */
	readonly inBody: boolean;
	/** Of integers that number the positions of an axis, how many there are (`numbers.ts`). */
	numbers?: number;
	/** Made of constants alone: a weight, whatever unpacks, dequantizes or casts it. */
	fixed: boolean;
	producer?: NetNode;
	readonly consumers: NetNode[];
};

export type NetNode = {
	readonly index: number;
	readonly node: Node;
	readonly view: NodeView;
	readonly row: Row | undefined;
	/** Why there is no row, naming the operator. */
	readonly why: string;
	/** Is no node of the model but means the same as some (`shuffles.ts`): it takes their place where it is touched. */
	readonly standsIn: boolean;
	/** Of a node that stands in, the values inside of what it stands for: only their sizes are read. */
	readonly inner: readonly ValueName[];
	/** Reads sizes only: its output is kept as it was, and nothing is pinned. */
	readonly readsShape: boolean;
	/** Of a node that stands in, also what those that it stands for read; no row speaks of that. */
	readonly inputs: readonly (NetTensor | undefined)[];
	readonly outputs: readonly (NetTensor | undefined)[];
	/** Terms by operand axis. */
	readonly terms: ReadonlyMap<string, Term>;
};

export type Net = {
	readonly model: Model;
	readonly facts: Facts;
	readonly nodes: readonly NetNode[];
	readonly tensors: ReadonlyMap<string, NetTensor>;
	readonly byNode: ReadonlyMap<number, NetNode>;
};

export function operandOf(node: NetNode, side: 'in' | 'out', slot: number): NetTensor | undefined {
	return side === 'in' ? node.inputs[slot] : node.outputs[slot];
}

/** Nets built before, by the facts of their model. */
const built = new WeakMap<Facts, Net>();

/** A node and how its operator relates its axes. */
export type Related = Pick<NetNode, 'node' | 'view' | 'row'>;

/** One node by itself: that of the net where there is one, else without what surrounds it. */
export function relatedNode(node: Node, facts: Facts): Related {
	const known = built.get(facts)?.byNode.get(node.id);
	if (known !== undefined) return known;
	const view = facts.view(node);
	return { node, view, row: rowOf(node, view).row };
}

/** Builds the net of the main graph. Nodes that only make constants are left out: constants are operands. */
export function buildNet(model: Model, facts: Facts): Net {
	const net = built.get(facts) ?? new NetBuilder(model, facts).build();
	built.set(facts, net);
	return net;
}

class NetBuilder {
	private readonly tensors = new Map<string, NetTensor>();
	private readonly constants: Map<ValueName, Tensor>;
	private readonly sources = new Map<Bytes, ValueName>();
	private readonly captured: ReadonlySet<ValueName>;
	private readonly io = new Map<ValueName, ('input' | 'output')[]>();
	private readonly inBodies: ReadonlySet<ValueName>;
	private readonly lost = new Map<ValueName, Node>();
	private readonly model: Model;
	private readonly facts: Facts;

	constructor(model: Model, facts: Facts) {
		this.model = model;
		this.facts = facts;
		this.constants = constantsOf(model.graph);
		for (const [name, { bytes }] of this.constants)
			if (bytes !== undefined && !this.sources.has(bytes)) this.sources.set(bytes, name);
		this.captured = new Set(
			model.graph.nodes.flatMap(subgraphs).flatMap((inner) => [...capturedNames(inner)]),
		);
		this.inBodies = valuesInBodies(model.graph);
		model.graph.inputs.forEach(({ name }) => this.io.set(name, ['input']));
		model.graph.outputs.forEach(({ name }) => this.io.set(name, [...(this.io.get(name) ?? []), 'output']));
	}

	build(): Net {
		const active = sortNodes(this.model.graph.nodes).filter(
			(node) =>
				node.op !== 'Constant' && !(node.op === 'Identity' && this.constants.has(node.outputs[0] ?? '')),
		);
		const shuffles = shufflesOf(this.model.graph, active, this.facts);
		const inner = new Set([...shuffles.values()].flatMap((shuffle) => shuffle.inner));
		for (const { order } of shuffles.values()) this.constants.set(order.name, order);
		const nodes = active
			.filter((node) => !inner.has(node))
			.map((node, index) => this.node(node, index, shuffles.get(node.id)));
		return {
			model: this.model,
			facts: this.facts,
			nodes,
			tensors: this.tensors,
			byNode: new Map(nodes.map((net) => [net.node.id, net])),
		};
	}

	private node(given: Node, index: number, shuffle?: Shuffle): NetNode {
		const node = shuffle?.node ?? given;
		const view = this.facts.view(node, shuffle?.order);
		const inputs = [...node.inputs, ...(shuffle?.targets ?? [])].map((name, slot) =>
			this.operand(name, `@${node.id}.${slot}`),
		);
		const outputs = node.outputs.map((name) => this.operand(name, ''));
		const { row: own, why } = rowOf(node, view, this.lostAt(node, view));
		const row = own && numberedRow(view, own, inputs, outputs);
		const readsShape = operatorOf(node)?.reads === 'shape';
		const terms = new Map((row?.terms ?? []).map((term) => [termKey(term), term]));
		const standsIn = shuffle !== undefined;
		const inner = (shuffle?.inner ?? []).flatMap((one) => one.outputs);
		const net = { index, node, view, row, why, standsIn, inner, readsShape, inputs, outputs, terms };
		new Set(inputs).forEach((tensor) => tensor?.consumers.push(net));
		const fixed =
			inputs.length > 0 &&
			subgraphs(node).length === 0 &&
			node.domain !== flowDomain &&
			inputs.every((tensor) => tensor?.fixed ?? true);
		outputs.forEach((tensor) => {
			if (tensor === undefined) return;
			tensor.producer = net;
			tensor.fixed = fixed;
		});
		return net;
	}

	/** From which node on the sizes around this one cannot be told: what takes values out of a sequence is where they are lost. */
	private lostAt(node: Node, view: NodeView): Node {
		const earlier = node.inputs.flatMap((name) => this.lost.get(name) ?? [])[0];
		const origin = takesOut(node) ? node : (earlier ?? node);
		view.outputs.forEach((output, slot) => {
			if (output !== undefined && output.sizes === undefined) this.lost.set(node.outputs[slot] ?? '', origin);
		});
		return origin;
	}

	private operand(name: ValueName, use: string): NetTensor | undefined {
		if (name === '') return undefined;
		const constant = this.constants.get(name);
		const key = constant === undefined ? name : `${name}${use}`;
		const known = this.tensors.get(key);
		if (known !== undefined) return known;
		const fact = this.facts.of(name);
		const tensor: NetTensor = {
			key,
			name,
			sizes: constant?.dims ?? fact?.sizes ?? [],
			dynamic: constant === undefined ? (fact?.dynamic ?? []) : [],
			...(constant && { constant }),
			source: (constant?.bytes && this.sources.get(constant.bytes)) ?? name,
			io:
				constant === undefined
					? (this.io.get(name) ?? [])
					: (this.io.get(name) ?? []).filter((side) => side === 'output'),
			captured: this.captured.has(name),
			inBody: this.inBodies.has(name),
			fixed: constant !== undefined,
			consumers: [],
		};
		this.tensors.set(key, tensor);
		return tensor;
	}
}

const takesOut = ({ op }: Node): boolean => op === 'SequenceAt' || op === 'ConcatFromSequence';

/** Where sizes were lost, and what may bring them back. */
function lostText(node: Node, origin: Node): string {
	const from = origin === node ? '' : `, from ${nodeLabel(origin)} on`;
	return `sizes at ${nodeLabel(node)} cannot be told${from}${takesOut(origin) ? ' (`unroll loops` may help)' : ''}`;
}

function rowOf(node: Node, view: NodeView, origin = node): { row: Row | undefined; why: string } {
	const label = nodeLabel(node);
	const operator = operatorOf(node);
	if (subgraphs(node).length > 0) return { row: undefined, why: `${label} has a body` };
	if (operator === undefined) return { row: undefined, why: `${label} is an operator without a row` };
	const blind = [...view.inputs, ...view.outputs].some(
		(operand) => operand !== undefined && operand.sizes === undefined,
	);
	if (blind) return { row: undefined, why: lostText(node, origin) };
	const row = operator.row(view);
	return isRow(row) ? { row, why: '' } : { row: undefined, why: `${label}: ${row.unrelated}` };
}
