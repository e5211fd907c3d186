/** Edits: the only way a graph changes. */
import { bug } from '../../diagnostic.ts';
import { sortNodes } from './order.ts';
import {
	capturedNames,
	highestId,
	nodeLabel,
	subgraphs,
	type Graph,
	type Model,
	type Node,
	type Tensor,
	type ValueInfo,
	type ValueName,
} from './graph.ts';

export type Edit =
	/** Sets a constant by name: an initializer or a `Constant` node's tensor is replaced, a new name is added. */
	| { readonly kind: 'constant'; readonly tensor: Tensor }
	/** Puts another node in the place of the one with the same id. */
	| { readonly kind: 'node'; readonly node: Node }
	/** Adds a node; its `id`, and those of the nodes in its bodies, are given by `applyPatch`; its place follows from what it reads. */
	| { readonly kind: 'insert'; readonly node: Omit<Node, 'id'> }
	/** Every reader of `from`, graph outputs included, reads `to` instead. */
	| { readonly kind: 'rewire'; readonly from: ValueName; readonly to: ValueName }
	/** New sizes of a graph input or output. */
	| { readonly kind: 'interface'; readonly side: 'inputs' | 'outputs'; readonly info: ValueInfo }
	/** Removes a graph input or output that nothing needs any more. */
	| { readonly kind: 'drop'; readonly side: 'inputs' | 'outputs'; readonly name: ValueName };

export type Patch = { readonly label: string; readonly edits: readonly Edit[] };

/** One line an edit, for `--dump patch` and goldens. */
export function describeEdit(edit: Edit): string {
	switch (edit.kind) {
		case 'constant':
			return `constant ${edit.tensor.name} [${edit.tensor.dims.join(', ')}]`;
		case 'node':
			return `node ${nodeLabel(edit.node)} (${edit.node.inputs.join(', ')})`;
		case 'insert':
			return `insert ${edit.node.op} (${edit.node.inputs.join(', ')}) -> ${edit.node.outputs.join(', ')}`;
		case 'rewire':
			return `rewire ${edit.from} -> ${edit.to}`;
		case 'interface':
			return `${edit.side} ${edit.info.name} [${(edit.info.dims ?? []).join(', ')}]`;
		case 'drop':
			return `drop ${edit.side} ${edit.name}`;
	}
}

/** The model after the edits: dead nodes and constants gone, nodes in an order that onnxruntime accepts. */
export function applyPatch(model: Model, patch: Patch): Model {
	if (patch.edits.length === 0) return model;
	const draft = new Draft(model);
	patch.edits.forEach((edit) => {
		draft.apply(edit);
	});
	return { ...model, graph: draft.finish() };
}

/** A name that the graph does not have yet. */
export function freshNames(graph: Graph): (base: string) => ValueName {
	const taken = new Set<ValueName>([...graph.initializers.keys(), ...graph.inputs.map(({ name }) => name)]);
	const note = (inner: Graph): void => {
		for (const node of inner.nodes) {
			node.outputs.forEach((name) => taken.add(name));
			subgraphs(node).forEach(note);
		}
	};
	note(graph);
	return (base) => {
		let name = base;
		for (let at = 1; taken.has(name); at++) name = `${base}_${at}`;
		taken.add(name);
		return name;
	};
}

class Draft {
	private readonly nodes: Map<number, Node>;
	private readonly initializers: Map<ValueName, Tensor>;
	/** The `Constant` nodes by what they make. */
	private readonly constants: Map<ValueName, number>;
	private inputs: readonly ValueInfo[];
	private outputs: readonly ValueInfo[];
	private readonly model: Model;
	private nextId: number;

	constructor(model: Model) {
		this.model = model;
		this.nodes = new Map(model.graph.nodes.map((node) => [node.id, node]));
		this.constants = new Map(
			model.graph.nodes.flatMap(({ op, id, outputs }) => (op === 'Constant' ? [[outputs[0] ?? '', id]] : [])),
		);
		this.initializers = new Map(model.graph.initializers);
		this.inputs = model.graph.inputs;
		this.outputs = model.graph.outputs;
		this.nextId = highestId(model.graph) + 1;
	}

	apply(edit: Edit): void {
		switch (edit.kind) {
			case 'constant':
				this.setConstant(edit.tensor);
				return;
			case 'node':
				if (!this.nodes.has(edit.node.id)) bug('a patch replaces a node that is gone', { id: edit.node.id });
				this.nodes.set(edit.node.id, edit.node);
				return;
			case 'insert':
				this.insert(edit.node);
				return;
			case 'rewire':
				this.rewire(edit.from, edit.to);
				return;
			case 'interface':
				this[edit.side] = this[edit.side].map((info) => (info.name === edit.info.name ? edit.info : info));
				return;
			case 'drop':
				this[edit.side] = this[edit.side].filter(({ name }) => name !== edit.name);
				return;
		}
	}

	finish(): Graph {
		const live = liveNodes([...this.nodes.values()], this.outputs);
		const used = new Set(this.outputs.map(({ name }) => name));
		for (const node of live) {
			node.inputs.forEach((name) => used.add(name));
			subgraphs(node).forEach((inner) => {
				capturedNames(inner).forEach((name) => used.add(name));
			});
		}
		const initializers = new Map([...this.initializers].filter(([name]) => used.has(name)));
		const gone = (name: ValueName): boolean =>
			this.model.graph.initializers.has(name) && !initializers.has(name);
		const resized = (info: ValueInfo): ValueInfo => {
			const tensor = initializers.get(info.name);
			return tensor === undefined || sameDims(tensor.dims, info.dims) ? info : { ...info, dims: tensor.dims };
		};
		return {
			...this.model.graph,
			nodes: sortNodes(live),
			initializers,
			inputs: this.inputs.filter(({ name }) => !gone(name)).map(resized),
			outputs: this.outputs,
			valueInfo: new Map(),
		};
	}

	private setConstant(tensor: Tensor): void {
		const id = this.constants.get(tensor.name);
		const maker = id === undefined ? undefined : this.nodes.get(id);
		if (maker?.op === 'Constant') {
			this.nodes.set(maker.id, {
				...maker,
				attributes: new Map([['value', { kind: 'tensor', value: tensor }]]),
			});
		} else if (this.initializers.has(tensor.name) || this.model.irVersion >= 4) {
			this.initializers.set(tensor.name, tensor);
		} else {
			// IR 3 wants every initializer listed as a graph input; a Constant node leaves the interface as it was.
			const attributes = new Map([['value', { kind: 'tensor' as const, value: tensor }]]);
			this.insert({ name: '', op: 'Constant', domain: '', inputs: [], outputs: [tensor.name], attributes });
		}
	}

	private insert(node: Omit<Node, 'id'>): void {
		const added = this.numbered(node);
		this.nodes.set(added.id, added);
		if (added.op === 'Constant') this.constants.set(added.outputs[0] ?? '', added.id);
	}

	/** Bodies get ids of their own too: what moves into one is a copy for as long as the patch is under way. */
	private numbered(node: Omit<Node, 'id'>): Node {
		const id = this.nextId++;
		const attributes = new Map(
			[...node.attributes].map(([name, attribute]) => [
				name,
				attribute.kind === 'graph' ? { ...attribute, value: this.numberedGraph(attribute.value) } : attribute,
			]),
		);
		return { ...node, id, attributes };
	}

	private numberedGraph(graph: Graph): Graph {
		return { ...graph, nodes: graph.nodes.map((node) => this.numbered(node)) };
	}

	private rewire(from: ValueName, to: ValueName): void {
		for (const node of this.nodes.values()) {
			if (!node.inputs.includes(from)) continue;
			this.nodes.set(node.id, { ...node, inputs: node.inputs.map((name) => (name === from ? to : name)) });
		}
		if (!this.outputs.some(({ name }) => name === from)) return;
		const maker = [...this.nodes.values()].find((node) => node.outputs.includes(from));
		if (maker !== undefined) this.nodes.delete(maker.id);
		this.insert({
			name: '',
			op: 'Identity',
			domain: '',
			inputs: [to],
			outputs: [from],
			attributes: new Map(),
		});
	}
}

function sameDims(left: readonly number[], right: ValueInfo['dims']): boolean {
	return right?.length === left.length && left.every((dim, at) => dim === right[at]);
}

/** Nodes that some graph output depends on, in their old order. */
function liveNodes(nodes: readonly Node[], outputs: readonly ValueInfo[]): Node[] {
	const makers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
	const live = new Set<Node>();
	const pending: ValueName[] = outputs.map(({ name }) => name);
	for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
		const node = name === '' ? undefined : makers.get(name);
		if (node === undefined || live.has(node)) continue;
		live.add(node);
		pending.push(...node.inputs, ...subgraphs(node).flatMap((inner) => [...capturedNames(inner)]));
	}
	return nodes.filter((node) => live.has(node));
}
