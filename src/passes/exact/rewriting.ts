/** A graph under exact rewriting: every fold sees what the folds before it left, and the edits come out at the end. */
import { present } from '../../diagnostic.ts';
import { type Net } from '../../ir/axes/net.ts';
import { constantsOf } from '../../ir/graph/constants.ts';
import {
	capturedNames,
	nodeLabel,
	subgraphs,
	type Node,
	type Tensor,
	type ValueName,
} from '../../ir/graph/graph.ts';
import { freshNames, type Edit } from '../../ir/graph/patch.ts';
import { isReadable, numbersOf, tensorOf } from '../../ir/graph/tensor.ts';

export class Rewriting {
	readonly net: Net;
	private readonly nodes = new Map<number, Node>();
	private readonly makers = new Map<ValueName, number>();
	private readonly readers = new Map<ValueName, Set<number>>();
	private readonly changed = new Set<number>();
	private readonly added = new Map<ValueName, Tensor>();
	private readonly constants: Map<ValueName, Tensor>;
	private readonly outputs: ReadonlySet<ValueName>;
	private readonly captured: ReadonlySet<ValueName>;
	private readonly fresh: (base: string) => ValueName;
	private readonly repeated = new Map<string, ValueName>();
	private readonly sizes = new Map<ValueName, readonly number[]>();
	private readonly aliases = new Map<Tensor['bytes'], ValueName[]>();
	private inserted = 0;

	constructor(net: Net) {
		const { graph } = net.model;
		this.net = net;
		this.constants = new Map(constantsOf(graph));
		for (const [name, { bytes }] of this.constants)
			this.aliases.set(bytes, [...(this.aliases.get(bytes) ?? []), name]);
		this.outputs = new Set(graph.outputs.map(({ name }) => name));
		this.captured = new Set(graph.nodes.flatMap(subgraphs).flatMap((inner) => [...capturedNames(inner)]));
		this.fresh = freshNames(graph);
		net.nodes.forEach(({ node }) => {
			this.index(node);
		});
	}

	/** The node with this id as it is now; undefined once it is gone. */
	node(id: number): Node | undefined {
		return this.nodes.get(id);
	}

	/** Nodes that still stand, in the order of the graph. */
	standing(): Node[] {
		return [...this.nodes.values()];
	}

	makerOf(value: ValueName | undefined): Node | undefined {
		const id = value === undefined ? undefined : this.makers.get(value);
		return id === undefined ? undefined : this.nodes.get(id);
	}

	readersOf(value: ValueName): Node[] {
		return [...(this.readers.get(value) ?? [])].flatMap((id) => this.nodes.get(id) ?? []);
	}

	/** Readers of a value's numbers: `Shape` and `Size` read none. */
	numbersReaders(value: ValueName): Node[] {
		return this.readersOf(value).filter(({ op }) => op !== 'Shape' && op !== 'Size');
	}

	/** Why a value is not for its readers alone to see, or undefined when it is. */
	seenOutside(value: ValueName): string | undefined {
		if (this.outputs.has(value)) return `'${value}' is a model output`;
		return this.captured.has(value) ? `'${value}' is read inside a body` : undefined;
	}

	/** Why another node sees the numbers of a value, or undefined; one that asks for its sizes does not. */
	sharedWith(value: ValueName, reader: Node): string | undefined {
		const outside = this.seenOutside(value);
		if (outside !== undefined) return outside;
		const other = this.numbersReaders(value).find(({ id }) => id !== reader.id);
		if (other !== undefined) return `${nodeLabel(other)} reads the same value`;
		return reader.inputs.filter((name) => name === value).length > 1
			? `${nodeLabel(reader)} reads it twice`
			: undefined;
	}

	constantOf(value: ValueName | undefined): Tensor | undefined {
		return value === undefined ? undefined : this.constants.get(value);
	}

	/** The numbers of a constant; undefined when it is none, or its data is absent or of an unknown kind. */
	numbers(value: ValueName | undefined): ArrayLike<number> | undefined {
		const tensor = this.constantOf(value);
		return tensor !== undefined && isReadable(tensor) ? numbersOf(tensor) : undefined;
	}

	/** Numbers that are stored, or whole ones that the model's sizes settle. */
	settled(value: ValueName | undefined): ArrayLike<number> | undefined {
		const known = value === undefined ? undefined : this.net.facts.of(value)?.known;
		return this.numbers(value) ?? (known?.fixed.every(Boolean) ? known.values : undefined);
	}

	/** What a value's numbers are stored as; undefined where that cannot be told. */
	typeOf(value: ValueName): number | undefined {
		const type = this.constants.get(value)?.type ?? this.net.facts.of(value)?.type;
		return type === 0 ? undefined : type;
	}

	/** Another node that reads the same stored numbers, under whatever name. */
	otherReader(tensor: Tensor, node: Node): Node | undefined {
		return this.everyReader(tensor).find(({ id }) => id !== node.id);
	}

	/** Everybody who reads the same stored numbers, under whatever name. */
	everyReader(tensor: Tensor): Node[] {
		return (this.aliases.get(tensor.bytes) ?? [tensor.name]).flatMap((name) => this.readersOf(name));
	}

	/** Sizes at the first sample; undefined where they cannot be told. */
	sizesOf(value: ValueName): readonly number[] | undefined {
		return this.constants.get(value)?.dims ?? this.sizes.get(value) ?? this.net.facts.of(value)?.sizes;
	}

	opset(domain = ''): number {
		return this.net.model.opsets.get(domain) ?? 1;
	}

	/** A new constant; its name is `base`, or the next free one. */
	constant(base: string, type: number, dims: readonly number[], values: ArrayLike<number>): ValueName {
		const tensor = tensorOf(this.fresh(base), type, dims, values);
		this.added.set(tensor.name, tensor);
		this.constants.set(tensor.name, tensor);
		return tensor.name;
	}

	/** A constant of one number over and over, made once a rewrite for each number and size. */
	repeat(value: number, type: number, size: number): ValueName {
		const key = `${value}/${type}/${size}`;
		const known = this.repeated.get(key);
		if (known !== undefined) return known;
		const base = value === 1 ? 'ones' : value === 0 ? 'zeros' : 'same';
		const name = this.constant(`${base}_${size}`, type, [size], new Float64Array(size).fill(value));
		this.repeated.set(key, name);
		return name;
	}

	/** A free name for a value with the sizes of `like`. */
	value(base: string, like?: ValueName): ValueName {
		const name = this.fresh(base);
		const sizes = like === undefined ? undefined : this.sizesOf(like);
		if (sizes !== undefined) this.sizes.set(name, sizes);
		return name;
	}

	/** Puts a node in the place of the one with its id. */
	put(node: Node): void {
		this.unindex(present(this.nodes.get(node.id), 'a node to replace'));
		this.index(node);
		this.changed.add(node.id);
	}

	/** Sets one input; '' takes an optional one away. */
	setInput(node: Node, slot: number, value: ValueName): Node {
		const inputs = Array.from({ length: Math.max(node.inputs.length, slot + 1) }, (_, at) =>
			at === slot ? value : (node.inputs[at] ?? ''),
		);
		while (inputs.at(-1) === '') inputs.pop();
		const next = { ...node, inputs };
		this.put(next);
		return next;
	}

	/** Adds a node; its id is negative and holds in this rewriting alone. */
	insert(node: Omit<Node, 'id'>): Node {
		const added = { ...node, id: -++this.inserted };
		this.index(added);
		this.changed.add(added.id);
		return added;
	}

	/** Takes a node away that nobody needs any more. */
	retire(node: Node): void {
		this.unindex(node);
		this.nodes.delete(node.id);
	}

	/** Readers of a node's output read its input instead, and the node goes; an output of the model keeps its name. */
	bypass(id: number, slot = 0): void {
		const node = present(this.nodes.get(id), 'a node to bypass');
		const [input, output] = [node.inputs[slot] ?? '', node.outputs[0] ?? ''];
		const maker = this.makerOf(input);
		if (this.seenOutside(output) === undefined) {
			this.retire(node);
			this.reroute(output, input);
		} else if (maker !== undefined && this.sharedWith(input, node) === undefined) {
			// The maker moves to the place of the node, so that one node makes the output's name.
			this.retire(maker);
			this.reroute(input, output);
			this.put({
				...maker,
				id: node.id,
				outputs: maker.outputs.map((name) => (name === input ? output : name)),
			});
		} else {
			const plain = { id: node.id, name: node.name, op: 'Identity', domain: '', attributes: new Map() };
			this.put({ ...plain, inputs: [input], outputs: [output] });
		}
	}

	/** Every reader of `from` reads `to`; outputs of the model and bodies are the caller's business. */
	reroute(from: ValueName, to: ValueName): void {
		for (const reader of this.readersOf(from))
			this.put({ ...reader, inputs: reader.inputs.map((name) => (name === from ? to : name)) });
	}

	/** What changed, as edits of the model the rewriting began with. */
	edits(): Edit[] {
		const nodes = [...this.changed].flatMap((id) => this.nodes.get(id) ?? []);
		return [
			...[...this.added.values()].map((tensor): Edit => ({ kind: 'constant', tensor })),
			...nodes.map((node): Edit => {
				const { id, ...rest } = node;
				return id < 0 ? { kind: 'insert', node: rest } : { kind: 'node', node };
			}),
		];
	}

	private index(node: Node): void {
		this.nodes.set(node.id, node);
		node.outputs.forEach((name) => this.makers.set(name, node.id));
		node.inputs.forEach((name) => {
			const ids = this.readers.get(name) ?? new Set();
			this.readers.set(name, ids.add(node.id));
		});
	}

	private unindex(node: Node): void {
		node.inputs.forEach((name) => this.readers.get(name)?.delete(node.id));
		node.outputs.forEach((name) => {
			if (this.makers.get(name) === node.id) this.makers.delete(name);
		});
	}
}
