/**
 * One walk: labels a letter's coordinates at one node and carries the labels along the rows until nothing moves.
 * Positions that must go together end in one class; positions that cannot go are pinned, with the reason.
 */
import { nodeLabel } from '../graph/graph.ts';
import { Classes, NONE } from './classes.ts';
import { operandOf, termKey, type NetNode, type NetTensor } from './net.ts';
import { type Part, type Role, type Term } from './row.ts';

export type Seed = { readonly node: NetNode; readonly letter: number };

/** Which letter a composite axis is read as, where labels alone do not say: by `<node>/<term>`. */
export type Choices = ReadonlyMap<string, number>;

/** A composite axis where the walk must branch: one walk for each of its letters. */
export type Fork = { readonly key: string; readonly ways: number };

/**
 * What stands in the way unless a permit lets it pass: an operator's role, or the fixed shape of a graph input or output. A
 * walk goes on behind it either way, so that one walk serves every permit.
 */
export type Barrier = {
	readonly at: Role | NetTensor;
	readonly labels: Int32Array;
	readonly why: string;
};

const blocking: ReadonlySet<Role> = new Set(['statistic', 'competing', 'indexed', 'scale', 'gate']);

type NodeState = { readonly letters: (Int32Array | undefined)[]; readonly active: Map<string, number[]> };

export class Walk {
	readonly axes = new Map<NetTensor, (Int32Array | undefined)[]>();
	readonly states = new Map<NetNode, NodeState>();
	readonly classes: Classes;
	/** By the labels that they stop. */
	readonly barriers = new Map<Int32Array, Barrier>();
	fork: Fork | undefined;
	readonly seed: Seed;
	private readonly queue: NetNode[] = [];
	private readonly queued = new Set<NetNode>();
	private readonly choices: Choices;

	constructor(seed: Seed, covered: Uint8Array | undefined, choices: Choices) {
		this.seed = seed;
		this.choices = choices;
		const size = seed.node.row?.letters[seed.letter]?.size ?? 0;
		this.classes = Classes.of(size);
		this.state(seed.node).letters[seed.letter] = Int32Array.from({ length: size }, (_, at) =>
			covered?.[at] ? NONE : at + 2,
		);
	}

	run(): this {
		this.enqueue(this.seed.node);
		for (
			let node = this.queue.pop();
			node !== undefined && this.fork === undefined;
			node = this.queue.pop()
		) {
			this.queued.delete(node);
			this.visit(node);
		}
		return this;
	}

	private union(left: number, right: number, node: NetNode): void {
		this.classes.union(left, right, () => `coupled to a pinned position at ${nodeLabel(node.node)}`);
	}

	private state(node: NetNode): NodeState {
		const known = this.states.get(node);
		if (known !== undefined) return known;
		const fresh: NodeState = { letters: (node.row?.letters ?? []).map(() => undefined), active: new Map() };
		this.states.set(node, fresh);
		return fresh;
	}

	private enqueue(node: NetNode | undefined): void {
		if (node === undefined || this.queued.has(node)) return;
		this.queued.add(node);
		this.queue.push(node);
	}

	private labels(tensor: NetTensor, axis: number): Int32Array {
		const axes = this.axes.get(tensor) ?? [];
		this.axes.set(tensor, axes);
		return (axes[axis] ??= new Int32Array(tensor.sizes[axis] ?? 0));
	}

	private visit(node: NetNode): void {
		if (node.row === undefined) {
			if (!node.readsShape) this.pinOperands(node, () => true, node.why);
			return;
		}
		this.pinOperands(
			node,
			(key, size) => size > 1 && !node.terms.has(key),
			`no axis of ${nodeLabel(node.node)} carries this one`,
		);
		const touched = new Set<Term>();
		for (let moved = true, rounds = 0; moved && rounds < 8; rounds++) {
			moved = false;
			for (const term of node.row.terms) {
				if (this.relate(node, term, touched)) moved = true;
				if (this.fork !== undefined) return;
			}
		}
		this.pinLetters(node);
		touched.forEach((term) => {
			this.spread(operandOf(node, term.side, term.slot), term.axis);
		});
	}

	private pinOperands(node: NetNode, which: (key: string, size: number) => boolean, why: string): void {
		for (const [side, operands] of [
			['in', node.inputs],
			['out', node.outputs],
		] as const) {
			for (const [slot, tensor] of operands.entries()) {
				const axes = tensor && this.axes.get(tensor);
				axes?.forEach((labels, axis) => {
					if (labels && which(termKey({ side, slot, axis }), labels.length)) this.classes.pinAll(labels, why);
				});
			}
		}
	}

	/** Roles that stop labels, and positions an operator picks by number. */
	private pinLetters(node: NetNode): void {
		const { letters } = this.state(node);
		node.row?.letters.forEach(({ role, size }, at) => {
			const labels = letters[at];
			if (labels === undefined || size < 2) return;
			if (role === 'pinned') this.classes.pinAll(labels, roleReason(role, node));
			else if (blocking.has(role) && !this.barriers.has(labels))
				this.barriers.set(labels, { at: role, labels, why: roleReason(role, node) });
		});
		for (const { letter, coordinates } of node.row?.selected ?? []) {
			for (const at of coordinates)
				this.classes.pin(letters[letter]?.[at] ?? NONE, `picked by number at ${nodeLabel(node.node)}`);
		}
	}

	/** Carries labels between an axis and its letters, both ways; says whether anything moved. */
	private relate(node: NetNode, term: Term, touched: Set<Term>): boolean {
		const tensor = operandOf(node, term.side, term.slot);
		if (tensor === undefined) return false;
		const chosen = term.parts.length === 1 || this.state(node).active.has(termKey(term));
		const parts = term.parts.length === 1 ? term.parts : this.activeParts(node, term, tensor);
		// Choosing the letters of a composite axis labels them.
		let moved = !chosen && parts.length > 0;
		for (const part of parts) {
			if (this.readAxis(node, part, this.axes.get(tensor)?.[term.axis], parts)) moved = true;
			if (this.writeAxis(node, part, tensor, term.axis)) {
				touched.add(term);
				moved = true;
			}
		}
		return moved;
	}

	private readAxis(
		node: NetNode,
		part: Part,
		labels: Int32Array | undefined,
		parts: readonly Part[],
	): boolean {
		if (labels === undefined) return false;
		const state = this.state(node);
		let moved = false;
		// Indexed loops here and below: these run over every position of every axis, at every visit.
		for (let position = 0; position < labels.length; position++) {
			const label = labels[position] ?? NONE;
			if (label === NONE) continue;
			const at = part.index === null ? position : (part.index[position] ?? -1);
			const before = state.letters[part.letter]?.[at] ?? NONE;
			if (before === label) continue;
			if (at < 0 || (parts.length > 1 && before === NONE)) {
				if (!this.isCovered(state, parts, position))
					this.classes.pin(label, `two factors at once at ${nodeLabel(node.node)}`);
				continue;
			}
			if (this.setLetter(node, part.letter, at, label)) moved = true;
		}
		return moved;
	}

	private isCovered(state: NodeState, parts: readonly Part[], position: number): boolean {
		return parts.some((part) => {
			const at = part.index === null ? position : (part.index[position] ?? -1);
			return at >= 0 && Boolean(state.letters[part.letter]?.[at]);
		});
	}

	private setLetter(node: NetNode, letter: number, at: number, label: number): boolean {
		const { letters } = this.state(node);
		const labels = (letters[letter] ??= new Int32Array(node.row?.letters[letter]?.size ?? 0));
		const before = labels[at] ?? NONE;
		if (before !== NONE) {
			if (before !== label) this.union(before, label, node);
			return false;
		}
		labels[at] = label;
		return true;
	}

	private writeAxis(node: NetNode, part: Part, tensor: NetTensor, axis: number): boolean {
		const letter = this.state(node).letters[part.letter];
		if (letter === undefined) return false;
		let moved = false;
		const size = tensor.sizes[axis] ?? 0;
		let labels = this.axes.get(tensor)?.[axis];
		for (let position = 0; position < size; position++) {
			const at = part.index === null ? position : (part.index[position] ?? -1);
			const label = at < 0 ? NONE : (letter[at] ?? NONE);
			if (label === NONE) continue;
			labels ??= this.labels(tensor, axis);
			const before = labels[position] ?? NONE;
			if (before === NONE) {
				labels[position] = label;
				moved = true;
			} else if (before !== label) this.union(before, label, node);
		}
		return moved;
	}

	/** The letters of a composite axis that this walk reads it by; empty while nothing is labelled, or at a fork. */
	private activeParts(node: NetNode, term: Term, tensor: NetTensor): readonly Part[] {
		const state = this.state(node);
		const key = termKey(term);
		const known = state.active.get(key);
		const live = term.parts.flatMap((part, at) => (state.letters[part.letter] === undefined ? [] : [at]));
		if (known !== undefined || live.length > 0) {
			const active = [...new Set([...(known ?? []), ...live])];
			state.active.set(key, active);
			return active.flatMap((at) => term.parts[at] ?? []);
		}
		const labels = this.axes.get(tensor)?.[term.axis];
		if (!labels?.some((label) => label !== NONE)) return [];
		const chosen = this.chooseParts(node, term, labels);
		state.active.set(key, chosen);
		chosen.forEach((at) => {
			const part = term.parts[at];
			if (part !== undefined) this.adopt(node, part, labels);
		});
		return chosen.flatMap((at) => term.parts[at] ?? []);
	}

	/** Labels of an axis become labels of the letter; positions that share a coordinate become one class. */
	private adopt(node: NetNode, part: Part, labels: Int32Array): void {
		for (let position = 0; position < labels.length; position++) {
			const label = labels[position] ?? NONE;
			const at = part.index === null ? position : (part.index[position] ?? -1);
			if (label !== NONE && at >= 0) this.setLetter(node, part.letter, at, label);
		}
	}

	private chooseParts(node: NetNode, term: Term, labels: Int32Array): number[] {
		const fitting = term.parts.findIndex((part) => this.fits(node, part, labels));
		if (fitting >= 0) return [fitting];
		if (areDisjoint(term.parts, labels.length)) return term.parts.map((_, at) => at);
		const key = `${node.index}/${termKey(term)}`;
		const choice = this.choices.get(key);
		if (choice !== undefined) return [choice];
		this.fork = { key, ways: term.parts.length };
		return [];
	}

	/** Whether the labels of an axis depend on this letter's coordinate alone. */
	private fits(node: NetNode, part: Part, labels: Int32Array): boolean {
		const size = node.row?.letters[part.letter]?.size ?? 0;
		if (size < 2) return false;
		const seen = new Int32Array(size);
		for (let position = 0; position < labels.length; position++) {
			const label = labels[position] ?? NONE;
			if (label === NONE) continue;
			const at = part.index === null ? position : (part.index[position] ?? -1);
			if (at < 0) return false;
			const root = this.classes.find(label);
			if (seen[at] === NONE) seen[at] = root;
			else if (this.classes.find(seen[at] ?? NONE) !== root) return false;
		}
		return true;
	}

	/** Labels have arrived at a tensor: pins of its place, then everybody who makes or reads it. */
	private spread(tensor: NetTensor | undefined, axis: number): void {
		if (tensor === undefined) return;
		const labels = this.labels(tensor, axis);
		if (labels.length === 1) this.classes.pinAll(labels, `the only position of an axis of '${tensor.name}'`);
		if (tensor.io.length > 0 && !this.barriers.has(labels)) {
			const why = `graph ${tensor.io.join(' and ')} '${tensor.name}' is frozen`;
			this.barriers.set(labels, { at: tensor, labels, why });
		}
		if (tensor.captured) this.classes.pinAll(labels, `'${tensor.name}' is read inside a body`);
		this.enqueue(tensor.producer);
		tensor.consumers.forEach((consumer) => {
			this.enqueue(consumer);
		});
	}
}

function areDisjoint(parts: readonly Part[], size: number): boolean {
	for (let position = 0; position < size; position++) {
		const owners = parts.filter((part) => part.index === null || (part.index[position] ?? -1) >= 0);
		if (owners.length > 1) return false;
	}
	return true;
}

function roleReason(role: Role, node: NetNode): string {
	const label = nodeLabel(node.node);
	const reasons: Partial<Record<Role, string>> = {
		pinned: `${label} mixes every position of this axis`,
		competing: `${label} mixes every position of this axis`,
		statistic: `${label} takes a statistic over this axis`,
		indexed: `${label} selects rows of this axis by run-time index`,
		scale: `${label} computes its scale from this axis`,
		gate: `positions of this axis have fixed meanings at ${label}`,
	};
	return reasons[role] ?? label;
}
