/**
 * One walk: labels a letter's coordinates at one node and carries the labels along the rows until nothing moves.
 * Positions that must go together end in one class; positions that cannot go are pinned, with the reason.
 */
import { nodeLabel } from '../graph/graph.ts';
import { blocking, frozenReason, roleReason, type Barrier } from './barriers.ts';
import { Classes, Labels, NONE } from './classes.ts';
import { areDisjoint, fits } from './composite.ts';
import { operandOf, type NetNode, type NetTensor } from './net.ts';
import { extentOf } from './numbers.ts';
import { termKey, type Part, type Term } from './row.ts';

export type Seed = { readonly node: NetNode; readonly letter: number };

/** Which letter a composite axis is read as, where labels alone do not say: by `<node>/<term>`. */
export type Choices = ReadonlyMap<string, number>;

/** How a walk goes on where labels alone do not say. */
export type Course = {
	readonly choices: Choices;
	/** Of every coordinate of the seed the first that shares its class, by those choices: what would become one is labelled as one. */
	readonly groups?: Int32Array;
};

/** A composite axis where the walk must branch: one walk for each of its letters, which makes some of the labels one. */
export type Fork = { readonly key: string; readonly ways: readonly Part[]; readonly labels: Int32Array };

type NodeState = {
	readonly letters: (Labels | undefined)[];
	/** The parts by which a composite axis is read. */
	readonly active: Map<Term, readonly Part[]>;
	/** How many labels there were on a term's axis and letters when they last agreed. */
	readonly agreed: Map<Term, number>;
};

export class Walk {
	readonly axes = new Map<NetTensor, (Labels | undefined)[]>();
	readonly states = new Map<NetNode, NodeState>();
	readonly classes: Classes;
	/** By the labels that they stop, or what picks some of them. */
	readonly barriers = new Map<object, Barrier>();
	fork: Fork | undefined;
	readonly seed: Seed;
	private readonly queue: NetNode[] = [];
	private readonly queued = new Set<NetNode>();
	private readonly choices: Choices;

	constructor(seed: Seed, covered: Uint8Array | undefined, { choices, groups }: Course) {
		this.seed = seed;
		this.choices = choices;
		const size = seed.node.row?.letters[seed.letter]?.size ?? 0;
		this.classes = Classes.of(size);
		this.state(seed.node).letters[seed.letter] = Labels.ofSeed(size, covered, groups);
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

	/** Two labels on one position are of one class. */
	private meet(node: NetNode): (left: number, right: number) => void {
		return (left, right) => {
			this.union(left, right, node);
		};
	}

	private state(node: NetNode): NodeState {
		const known = this.states.get(node);
		if (known !== undefined) return known;
		const letters = (node.row?.letters ?? []).map(() => undefined);
		const fresh: NodeState = { letters, active: new Map(), agreed: new Map() };
		this.states.set(node, fresh);
		return fresh;
	}

	private enqueue(node: NetNode | undefined): void {
		if (node === undefined || this.queued.has(node)) return;
		this.queued.add(node);
		this.queue.push(node);
	}

	private labels(tensor: NetTensor, axis: number): Labels {
		const axes = this.axes.get(tensor) ?? [];
		this.axes.set(tensor, axes);
		return (axes[axis] ??= new Labels(extentOf(tensor, axis)));
	}

	private letter(node: NetNode, letter: number): Labels {
		return (this.state(node).letters[letter] ??= new Labels(node.row?.letters[letter]?.size ?? 0));
	}

	private visit(node: NetNode): void {
		if (node.row === undefined) {
			if (!node.readsShape) this.pinOperands(node);
			return;
		}
		for (const { tensor, axis } of uncarried(node)) {
			const labels = this.axes.get(tensor)?.[axis];
			if (labels) this.classes.pinAll(labels, `no axis of ${nodeLabel(node.node)} carries this one`);
		}
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

	private pinOperands(node: NetNode): void {
		for (const tensor of [...node.inputs, ...node.outputs]) {
			for (const labels of (tensor && this.axes.get(tensor)) ?? [])
				if (labels) this.classes.pinAll(labels, node.why);
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
		for (const picked of node.row?.selected ?? []) {
			const [from, labels] = [letters[picked.letter], new Labels(picked.coordinates.length)];
			picked.coordinates.forEach((at, place) => {
				labels.put(place, from?.at[at] ?? NONE);
			});
			const why = `picked by number at ${nodeLabel(node.node)}`;
			if (from !== undefined) this.barriers.set(picked, { at: 'picked', labels, why });
		}
	}

	/** Carries labels between an axis and its letters, both ways; says whether anything moved. */
	private relate(node: NetNode, term: Term, touched: Set<Term>): boolean {
		const tensor = operandOf(node, term.side, term.slot);
		if (tensor === undefined) return false;
		const state = this.state(node);
		const before = this.countOf(state, term, tensor);
		if (before === 0 || state.agreed.get(term) === before) return false;
		const chosen = term.parts.length === 1 || state.active.has(term);
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
		if (!moved) state.agreed.set(term, before);
		return moved;
	}

	/** How many labels lie on a term's axis and letters: while it stays the same there is nothing to carry. */
	private countOf({ letters }: NodeState, { axis, parts }: Term, tensor: NetTensor): number {
		let count = this.axes.get(tensor)?.[axis]?.count ?? 0;
		for (const { letter } of parts) count += letters[letter]?.count ?? 0;
		return count;
	}

	/** Labels of an axis to one of its letters; where several make the axis, they are only compared. */
	private readAxis(node: NetNode, part: Part, labels: Labels | undefined, parts: readonly Part[]): boolean {
		if (labels === undefined || labels.count === 0) return false;
		if (parts.length === 1 && part.index === null)
			return this.letter(node, part.letter).take(labels, null, this.meet(node));
		const { letters } = this.state(node);
		let moved = false;
		// Indexed loops here and below: these run over every position of every axis, at every visit.
		for (let position = 0; position < labels.at.length; position++) {
			const label = labels.at[position] ?? NONE;
			if (label === NONE) continue;
			const at = part.index === null ? position : (part.index[position] ?? -1);
			const before = letters[part.letter]?.at[at] ?? NONE;
			if (before === label) continue;
			if (before !== NONE) this.union(before, label, node);
			else if (at >= 0 && parts.length === 1) {
				this.letter(node, part.letter).put(at, label);
				moved = true;
			} else if (!isCovered(letters, parts, position))
				this.classes.pin(label, `two factors at once at ${nodeLabel(node.node)}`);
		}
		return moved;
	}

	private writeAxis(node: NetNode, part: Part, tensor: NetTensor, axis: number): boolean {
		const letter = this.state(node).letters[part.letter];
		if (letter === undefined) return false;
		const axes = this.axes.get(tensor) ?? [];
		const labels = axes[axis] ?? new Labels(extentOf(tensor, axis));
		const moved = labels.take(letter, part.index, this.meet(node));
		if (moved) {
			axes[axis] = labels;
			this.axes.set(tensor, axes);
		}
		return moved;
	}

	/** The letters of a composite axis that this walk reads it by; empty while nothing is labelled, or at a fork. */
	private activeParts(node: NetNode, term: Term, tensor: NetTensor): readonly Part[] {
		const state = this.state(node);
		const known = state.active.get(term);
		const live = term.parts.filter(
			(part) => state.letters[part.letter] !== undefined && known?.includes(part) !== true,
		);
		if (known !== undefined && live.length === 0) return known;
		const chosen = known === undefined && live.length === 0 ? this.choose(node, term, tensor) : undefined;
		const active = chosen ?? [...(known ?? []), ...live];
		if (active.length > 0) state.active.set(term, active);
		return active;
	}

	/** The letters that an axis with labels on it is read by for the first time: they get its labels. */
	private choose(node: NetNode, term: Term, tensor: NetTensor): readonly Part[] {
		const labels = this.axes.get(tensor)?.[term.axis];
		if (labels === undefined || labels.count === 0) return [];
		const chosen = this.chooseParts(node, term, labels);
		for (const part of chosen) this.adopt(node, part, labels);
		return chosen;
	}

	/** Labels of an axis become labels of the letter; positions that share a coordinate become one class. */
	private adopt(node: NetNode, part: Part, labels: Labels): void {
		const letter = this.letter(node, part.letter);
		for (let position = 0; position < labels.at.length; position++) {
			const label = labels.at[position] ?? NONE;
			const at = part.index === null ? position : (part.index[position] ?? -1);
			if (label === NONE || at < 0) continue;
			const before = letter.at[at] ?? NONE;
			if (before === NONE) letter.put(at, label);
			else if (before !== label) this.union(before, label, node);
		}
	}

	private chooseParts(node: NetNode, term: Term, { at: labels }: Labels): readonly Part[] {
		const size = (part: Part): number => node.row?.letters[part.letter]?.size ?? 0;
		const fitting = term.parts.find((part) => fits(part, size(part), labels, this.classes));
		if (fitting !== undefined) return [fitting];
		if (areDisjoint(term.parts, labels.length)) return term.parts;
		const key = `${node.index}/${termKey(term)}`;
		const choice = this.choices.get(key);
		if (choice !== undefined) return term.parts.slice(choice, choice + 1);
		this.fork = { key, ways: term.parts, labels };
		return [];
	}

	/** Labels have arrived at a tensor: pins of its place, then everybody who makes or reads it. */
	private spread(tensor: NetTensor | undefined, axis: number): void {
		if (tensor === undefined) return;
		const labels = this.labels(tensor, axis);
		const only = `the only position of an axis of '${tensor.name}'`;
		if (labels.at.length === 1 && isPicked(tensor))
			this.barriers.set(labels, { at: 'picked', labels, why: only });
		else if (labels.at.length === 1) this.classes.pinAll(labels, only);
		if (tensor.io.length > 0 && !this.barriers.has(labels)) {
			this.barriers.set(labels, { at: tensor, labels, why: frozenReason(tensor) });
		}
		if (tensor.captured) this.classes.pinAll(labels, `'${tensor.name}' is read inside a body`);
		this.enqueue(tensor.producer);
		tensor.consumers.forEach((consumer) => {
			this.enqueue(consumer);
		});
	}
}

/** Whether an axis of one position can be what is picked of a longer one, or put into it: of no weight, input or output. */
export function isPicked({ fixed, io }: NetTensor): boolean {
	return !fixed && io.length === 0;
}

/** Axes that no term of their node carries, by node: every visit asks. */
const loose = new WeakMap<NetNode, readonly { readonly tensor: NetTensor; readonly axis: number }[]>();

function uncarried(node: NetNode): readonly { readonly tensor: NetTensor; readonly axis: number }[] {
	const known = loose.get(node);
	if (known !== undefined) return known;
	const axesOf = (side: 'in' | 'out', tensors: NetNode['inputs']): { tensor: NetTensor; axis: number }[] =>
		tensors.flatMap((tensor, slot) =>
			[...(tensor?.sizes ?? []), tensor?.numbers ?? 0].flatMap((size, axis) =>
				tensor === undefined || size < 2 || node.terms.has(termKey({ side, slot, axis }))
					? []
					: [{ tensor, axis }],
			),
		);
	const found = [...axesOf('in', node.inputs), ...axesOf('out', node.outputs)];
	loose.set(node, found);
	return found;
}

/** Whether one of the letters that make an axis has a label at a position of it. */
function isCovered(letters: NodeState['letters'], parts: readonly Part[], position: number): boolean {
	return parts.some((part) => {
		const at = part.index === null ? position : (part.index[position] ?? -1);
		return at >= 0 && Boolean(letters[part.letter]?.at[at]);
	});
}
