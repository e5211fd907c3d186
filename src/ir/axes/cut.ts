/** A cut: which positions of which axes go, as plain sets, and the check that every operator's relation holds. */
import { nodeLabel } from '../graph/graph.ts';
import { operandOf, type Net, type NetNode, type NetTensor } from './net.ts';
import { type Family } from './families.ts';
import { extentOf } from './numbers.ts';
import { termKey, type Term } from './row.ts';
import { joinStretches } from './stretches.ts';

export type Cut = {
	/** 1 where a position of a tensor's axis goes. */
	readonly dead: ReadonlyMap<NetTensor, readonly (Uint8Array | undefined)[]>;
	/** 1 where a coordinate of a node's letter goes. */
	readonly letters: ReadonlyMap<NetNode, readonly (Uint8Array | undefined)[]>;
};

export type Chosen = { readonly family: Family; readonly units: ReadonlySet<number> };

/** The union of removals; those of different families commute, kept positions are the product of what each keeps. */
export function cutOf(chosen: readonly Chosen[]): Cut {
	const dead = new Map<NetTensor, (Uint8Array | undefined)[]>();
	const letters = new Map<NetNode, (Uint8Array | undefined)[]>();
	for (const one of chosen) {
		const goneAt = goneOf(one);
		for (const [tensor, axes] of one.family.axes) mark(dead, tensor, axes, goneAt);
		for (const [node, classes] of one.family.letters) mark(letters, node, classes, goneAt);
	}
	joinStretches(dead, letters);
	return { dead, letters };
}

/** 1 where the unit that owns a position goes, undefined where none does. Most axes of a family have the same owners: those share a set. */
export function goneOf({ family, units }: Chosen): (owners: Int32Array) => Uint8Array | undefined {
	const goes = new Uint8Array(family.units);
	for (const unit of units) goes[unit] = 1;
	const known = new Map<Int32Array, Uint8Array | undefined>();
	return (owners) => {
		if (!known.has(owners)) known.set(owners, marked(owners, goes));
		return known.get(owners);
	};
}

/** Plain loops here and below: they run over every position of every axis of a model. */
function marked(owners: Int32Array, goes: Uint8Array): Uint8Array | undefined {
	let set: Uint8Array | undefined;
	for (let position = 0; position < owners.length; position++) {
		const unit = owners[position] ?? -1;
		if (unit < 0 || goes[unit] !== 1) continue;
		set ??= new Uint8Array(owners.length);
		set[position] = 1;
	}
	return set;
}

function mark<K>(
	into: Map<K, (Uint8Array | undefined)[]>,
	key: K,
	owners: readonly (Int32Array | undefined)[],
	goneAt: (owners: Int32Array) => Uint8Array | undefined,
): void {
	owners.forEach((own, at) => {
		const set = own && goneAt(own);
		if (set === undefined) return;
		const sets = into.get(key) ?? [];
		into.set(key, sets);
		sets[at] = either(sets[at], set);
	});
}

function either(left: Uint8Array | undefined, right: Uint8Array): Uint8Array {
	if (left === undefined || left === right) return right;
	const set = left.slice();
	for (let position = 0; position < set.length; position++) if (right[position] === 1) set[position] = 1;
	return set;
}

/** What stays, by what goes: those who ask of axes that share a set share the answer. */
const keptBy = new WeakMap<Uint8Array, Int32Array>();

/** Kept positions in order, or undefined when none of the axis goes. */
export function keptPositions(cut: Cut, tensor: NetTensor, axis: number): Int32Array | undefined {
	const set = cut.dead.get(tensor)?.[axis];
	if (set === undefined) return undefined;
	const kept = keptBy.get(set) ?? positionsOf(set, 0);
	keptBy.set(set, kept);
	return kept;
}

/** Where a set says `what`, in order. */
export function positionsOf(set: Uint8Array, what: 0 | 1): Int32Array {
	const found = new Int32Array(set.length);
	let count = 0;
	for (let position = 0; position < set.length; position++)
		if (set[position] === what) found[count++] = position;
	return found.slice(0, count);
}

/**
 * Checks the relation of every row at every node, independently of how the cut was found.
 * @returns what is broken, one sentence each; empty when the cut is sound.
 */
export function verifyCut(net: Net, cut: Cut): string[] {
	return net.nodes.flatMap((node) => [...checkReach(node, cut), ...checkRelation(node, cut)]);
}

function checkReach(node: NetNode, cut: Cut): string[] {
	const problems: string[] = [];
	for (const [side, operands] of [
		['in', node.inputs],
		['out', node.outputs],
	] as const) {
		operands.forEach((tensor, slot) => {
			const axes = tensor && cut.dead.get(tensor);
			axes?.forEach((set, axis) => {
				if (set === undefined) return;
				if (set.every(Boolean)) problems.push(`axis ${axis} of '${tensor?.name ?? ''}' would be empty`);
				if (node.row === undefined ? !node.readsShape : !node.terms.has(termKey({ side, slot, axis }))) {
					problems.push(
						node.row === undefined ? node.why : `${nodeLabel(node.node)} does not carry axis ${axis}`,
					);
				}
			});
		});
	}
	return problems;
}

function checkRelation(node: NetNode, cut: Cut): string[] {
	const letters = cut.letters.get(node) ?? [];
	for (const term of node.row?.terms ?? []) {
		const tensor = operandOf(node, term.side, term.slot);
		if (tensor === undefined) continue;
		const set = cut.dead.get(tensor)?.[term.axis];
		const [only, other] = term.parts;
		// One and the same set says the same, and so does none.
		if (other === undefined && only?.index === null && letters[only.letter] === set) continue;
		if (set === undefined && !term.parts.some((part) => letters[part.letter])) continue;
		const said = deadBy(term, letters, extentOf(tensor, term.axis));
		const position = said.findIndex((says, at) => says !== (set?.[at] ?? 0));
		if (position >= 0) {
			const where = `position ${position} of axis ${term.axis} (${term.side}put ${term.slot})`;
			return [`${nodeLabel(node.node)}: ${where} disagrees`];
		}
	}
	return [];
}

/** Which positions of an axis are dead by what its letters say. */
function deadBy({ parts }: Term, letters: readonly (Uint8Array | undefined)[], size: number): Uint8Array {
	const dead = new Uint8Array(size);
	for (const { letter, index } of parts) {
		const gone = letters[letter];
		if (gone === undefined) continue;
		for (let position = 0; position < size; position++) {
			const at = index === null ? position : (index[position] ?? -1);
			if (at >= 0 && gone[at] === 1) dead[position] = 1;
		}
	}
	return dead;
}
