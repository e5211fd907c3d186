/** Loops that take the same number of turns whatever the input, one turn after the other, and sequences as the values that they hold. */
import { present } from '../../diagnostic.ts';
import { type Net, type NetNode } from '../../ir/axes/net.ts';
import { fixedInts } from '../../ir/axes/view.ts';
import { BOOL, INT64 } from '../../ir/graph/dtype.ts';
import {
	flowDomain,
	type Node,
	type Scope,
	type Tensor,
	type ValueInfo,
	type ValueName,
} from '../../ir/graph/graph.ts';
import { freshNames, type Edit } from '../../ir/graph/patch.ts';
import { tensorOf } from '../../ir/graph/tensor.ts';
import { insert } from '../edits.ts';

/** A loop of an opened graph: the node behind it, how often it turns, and what it does in a turn. */
export type Turning = {
	readonly exit: Node;
	readonly entry: Node;
	readonly body: readonly Node[];
	readonly count: number;
};

/** More nodes than this make a model harder to read than what it was. */
const roomFor = 4096;

/** Every loop outside of bodies and calls; as a text why it stays. */
export function loopsOf(net: Net): { readonly exit: Node; readonly turning: Turning | string }[] {
	return net.nodes
		.filter(({ node }) => node.domain === flowDomain && node.op === 'Loop' && node.scope === undefined)
		.map((exit) => ({ exit: exit.node, turning: turningOf(net, exit) }));
}

function turningOf(net: Net, exit: NetNode): Turning | string {
	const [scope] = exit.node.bodies ?? [];
	const entry = net.nodes.find(({ node }) => node.op === 'LoopIn' && node.bodies?.[0] === scope);
	if (scope === undefined || entry === undefined) return 'its body is closed';
	const inside = net.nodes.map(({ node }) => node).filter((node) => isIn(node.scope, scope));
	if (inside.some((node) => node.scope !== scope || node.domain === flowDomain))
		return 'there are bodies or calls in it';
	const count = fixedInts(entry.view, 0)?.[0];
	if (count === undefined) return 'how often it turns comes from the input';
	const starts = entry.node.inputs[1] === '' || fixedInts(entry.view, 1)?.[0] === 1;
	if (!starts || fixedInts(exit.view, 0)?.[0] !== 1) return 'a condition ends it';
	if (exit.node.outputs.length !== entry.node.inputs.length - 2) return 'it stacks a value of every turn';
	if (count * inside.length > roomFor) return `it would come to more than ${roomFor} nodes`;
	return { exit: exit.node, entry: entry.node, body: inside, count };
}

function isIn(scope: Scope | undefined, outer: Scope): boolean {
	return scope === outer || (scope?.parent !== undefined && isIn(scope.parent, outer));
}

/** Nodes that go on taking a value out of a sequence, each with why. */
export type Kept = ReadonlyMap<Node, string>;

/**
 * What puts the turns in the place of the loops, and values in that of what takes them out of sequences; ids of the nodes that did, and
 * the nodes that stay, those in turns of the loops too.
 */
export function unrolled(
	net: Net,
	loops: readonly Turning[],
	inScope: (node: Node) => boolean,
): { readonly edits: readonly Edit[]; readonly taken: readonly number[]; readonly kept: Kept } {
	const unrolling = new Unrolling(net, loops, inScope);
	return { edits: unrolling.run(), taken: unrolling.taken, kept: unrolling.kept };
}

class Unrolling {
	readonly taken: number[] = [];
	readonly kept = new Map<Node, string>();
	private readonly edits: Edit[] = [];
	private readonly rewires: Edit[] = [];
	private readonly values = new Map<ValueName, ValueName>();
	/** What a sequence holds, in order. */
	private readonly held = new Map<ValueName, readonly ValueName[]>();
	/** Sequences that nothing makes any more: of turns, and what others make of those. */
	private readonly gone = new Set<ValueName>();
	private readonly numbers = new Map<ValueName, number>();
	private readonly fresh: (base: string) => ValueName;
	private readonly net: Net;
	private readonly loops: readonly Turning[];
	private readonly inScope: (node: Node) => boolean;

	constructor(net: Net, loops: readonly Turning[], inScope: (node: Node) => boolean) {
		this.net = net;
		this.loops = loops;
		this.inScope = inScope;
		this.fresh = freshNames(net.model.graph);
	}

	run(): Edit[] {
		const inside = new Set(this.loops.flatMap(({ entry, body }) => [entry, ...body]));
		for (const { node } of this.net.nodes) {
			const loop = this.loops.find(({ exit }) => exit === node);
			if (loop !== undefined) this.unroll(loop);
			else if (!inside.has(node)) this.settle(node);
		}
		for (const { name } of this.net.model.graph.outputs)
			if (this.gone.has(name)) this.rewires.push({ kind: 'rewire', from: name, to: this.real(name) });
		return [...this.edits, ...this.rewires];
	}

	private unroll({ exit, entry, body, count }: Turning): void {
		const initial = entry.inputs.slice(2);
		const [turn = '', going = '', ...before] = entry.outputs.slice(0, 2 + initial.length);
		const next = exit.inputs.slice(1, 1 + initial.length);
		const [counted, asked] = entry.bodies?.[0]?.body?.graph.inputs ?? [];
		const condition = entry.inputs[1] === '' ? this.constant('going', BOOL, 1, asked) : entry.inputs[1];
		this.keepTensors(body);
		let states = initial.map((name) => this.now(name));
		for (let at = 0; at < count; at++) {
			const names = new Map<ValueName, ValueName>(
				before.map((name, slot) => [name, present(states[slot], 'a state')]),
			);
			names.set(turn, this.constant('turn', INT64, at, counted)).set(going, condition ?? '');
			for (const node of body) this.copy(node, names, at);
			states = next.map((name) => names.get(name) ?? this.now(name));
		}
		exit.outputs.forEach((name, slot) => {
			if (name !== '') this.standsFor(name, present(states[slot], 'a state'));
		});
	}

	/** Constants of the body become the model's. */
	private keepTensors(body: readonly Node[]): void {
		const { initializers } = this.net.model.graph;
		for (const name of new Set(body.flatMap(({ inputs }) => inputs))) {
			const tensor = initializers.get(name);
			if (tensor?.scope === undefined) continue;
			const { scope: _, ...rest } = tensor;
			this.edits.push({ kind: 'constant', tensor: rest satisfies Tensor });
		}
	}

	private copy(node: Node, names: Map<ValueName, ValueName>, turn: number): void {
		const inputs = node.inputs.map((name) => names.get(name) ?? this.now(name));
		const outputs = node.outputs.map((name) => (name === '' ? '' : this.fresh(`${name}_turn`)));
		node.outputs.forEach((name, slot) => names.set(name, outputs[slot] ?? ''));
		const placed = { ...node, inputs, outputs, name: node.name === '' ? '' : `${node.name}_turn${turn}` };
		if (this.hold(placed)) {
			this.gone.add(outputs[0] ?? '');
			return;
		}
		const item = this.itemOf(placed, node);
		if (item !== undefined) node.outputs.slice(0, 1).forEach((name) => names.set(name, item));
		else this.insert({ ...placed, inputs: inputs.map((name) => this.real(name)) });
	}

	/** A node that stays where it is, unless it only takes a value out of a sequence that is known. */
	private settle(node: Node): void {
		const placed = { ...node, inputs: node.inputs.map((name) => this.now(name)) };
		const reads = placed.inputs.some((name) => this.gone.has(name));
		if (this.hold(placed)) {
			if (reads) this.gone.add(node.outputs[0] ?? '');
			return;
		}
		const item = this.inScope(node) ? this.itemOf(placed, node) : undefined;
		if (item !== undefined) {
			this.taken.push(node.id);
			this.standsFor(node.outputs[0] ?? '', item);
		} else if (reads)
			this.edits.push({
				kind: 'node',
				node: { ...placed, inputs: placed.inputs.map((name) => this.real(name)) },
			});
	}

	/** Notes what a sequence holds; false for anything else. */
	private hold({ op, domain, inputs, outputs: [output = ''] }: Node): boolean {
		const list = this.held.get(inputs[0] ?? '');
		if (domain !== '') return false;
		if (op === 'SequenceEmpty') this.held.set(output, []);
		else if (op === 'SequenceConstruct') this.held.set(output, inputs);
		else if (op === 'SequenceInsert' && list !== undefined && (inputs[2] ?? '') === '')
			this.held.set(output, [...list, inputs[1] ?? '']);
		else if (op === 'Identity' && list !== undefined) this.held.set(output, list);
		else return false;
		return true;
	}

	/** What is taken out of a known sequence, by a known number; where either is not known, why the node stays is noted. */
	private itemOf({ op, inputs }: Node, before: Node): ValueName | undefined {
		if (op !== 'SequenceAt') return undefined;
		const list = this.held.get(inputs[0] ?? '');
		const given = this.net.facts.of(before.inputs[1] ?? '');
		const at =
			this.numbers.get(inputs[1] ?? '') ?? (given?.constant === true ? given.known?.values[0] : undefined);
		const item = at === undefined ? undefined : list?.at(at);
		if (item === undefined)
			this.kept.set(
				before,
				list === undefined ? this.unknown(before) : 'which value it takes comes from the input',
			);
		return item;
	}

	private unknown({ inputs }: Node): string {
		const [sequence = ''] = inputs;
		const maker = this.net.nodes.find(({ node }) => node.outputs.includes(sequence))?.node;
		return `what its sequence holds, made by ${maker?.op ?? 'an input'}, is not known`;
	}

	/** A value that others can read: a sequence is made of what it holds. */
	private real(name: ValueName): ValueName {
		const list = this.gone.has(name) ? this.held.get(name) : undefined;
		if (list === undefined) return name;
		const made = this.fresh(`${name}_held`);
		const op = list.length === 0 ? 'SequenceEmpty' : 'SequenceConstruct';
		this.edits.push(insert(op, list, made));
		return made;
	}

	private standsFor(name: ValueName, value: ValueName): void {
		const list = this.held.get(value);
		this.values.set(name, value);
		if (list === undefined) {
			this.rewires.push({ kind: 'rewire', from: name, to: value });
			return;
		}
		this.held.set(name, list);
		this.gone.add(name);
	}

	private now(name: ValueName): ValueName {
		return this.values.get(name) ?? name;
	}

	/** A number as a body declares it: a scalar, or a vector of one. */
	private constant(base: string, type: number, value: number, as: ValueInfo | undefined): ValueName {
		const name = this.fresh(base);
		this.numbers.set(name, value);
		const dims = as?.dims?.length === 1 ? [1] : [];
		this.edits.push({ kind: 'constant', tensor: tensorOf(name, type, dims, [value]) });
		return name;
	}

	private insert({ id: _, scope: _scope, origin: _origin, ...node }: Node): void {
		this.edits.push({ kind: 'insert', node });
	}
}
