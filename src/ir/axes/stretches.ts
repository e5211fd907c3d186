/** Weights that are read a stretch at a time, by slices: what one slice loses may go from the weight of all of them. */
import { type NetNode, type NetTensor } from './net.ts';
import { termKey } from './row.ts';

/** The only node that reads a constant (constants are one tensor a use), and its letter on an axis. */
type Use = { readonly node: NetNode; readonly letter: number; readonly reads: Uint8Array };

/** How a use reads an axis; undefined where the axis is no letter by itself, or all of it is read. */
function useOf(tensor: NetTensor, axis: number): Use | undefined {
	const [node] = tensor.consumers;
	const slot = node?.inputs.indexOf(tensor) ?? -1;
	const term = node?.terms.get(termKey({ side: 'in', slot, axis }));
	const [part] = term?.parts ?? [];
	if (node === undefined || part === undefined || term?.parts.length !== 1 || part.index !== null)
		return undefined;
	const others = (node.row?.terms ?? []).filter((one) => one !== term);
	const indices = others.flatMap(({ parts }) => parts.filter(({ letter }) => letter === part.letter));
	if (indices.length === 0 || indices.some(({ index }) => index === null)) return undefined;
	const reads = new Uint8Array(tensor.sizes[axis] ?? 0);
	for (const { index } of indices) for (const at of index ?? []) if (at >= 0) reads[at] = 1;
	return { node, letter: part.letter, reads };
}

/** 1 where a use reads an axis of its constant. */
export function readsOf(tensor: NetTensor, axis: number): Uint8Array {
	return useOf(tensor, axis)?.reads ?? new Uint8Array(tensor.sizes[axis] ?? 0).fill(1);
}

/** 1 at coordinates of a letter that nobody reads: positions of a constant that a slice of it leaves out. */
export function unreadOf(node: NetNode, letter: number): Uint8Array | undefined {
	for (const { side, slot, axis, parts } of node.row?.terms ?? []) {
		const tensor = side === 'in' && parts[0]?.letter === letter ? node.inputs[slot] : undefined;
		const use = tensor?.constant === undefined ? undefined : useOf(tensor, axis);
		if (use?.letter === letter) return use.reads.map((read) => 1 - read);
	}
	return undefined;
}

type Sets<K> = Map<K, (Uint8Array | undefined)[]>;

/** Lets every use of a constant lose what any of them loses, where none reads more than it did. */
export function joinStretches(dead: Sets<NetTensor>, letters: Sets<NetNode>): void {
	const uses = new Map<string, NetTensor[]>();
	for (const tensor of dead.keys())
		if (tensor.constant !== undefined) uses.set(tensor.name, [...(uses.get(tensor.name) ?? []), tensor]);
	for (const tensors of uses.values())
		if (tensors.length > 1)
			tensors[0]?.sizes.forEach((_, axis) => {
				joinAxis(tensors, axis, dead, letters);
			});
}

function joinAxis(
	tensors: readonly NetTensor[],
	axis: number,
	dead: Sets<NetTensor>,
	letters: Sets<NetNode>,
): void {
	const union = new Uint8Array(tensors[0]?.sizes[axis] ?? 0);
	for (const tensor of tensors)
		dead.get(tensor)?.[axis]?.forEach((gone, at) => {
			if (gone === 1) union[at] = 1;
		});
	const missing = (tensor: NetTensor): number[] =>
		[...union.keys()].filter((at) => union[at] === 1 && dead.get(tensor)?.[axis]?.[at] !== 1);
	if (tensors.some((tensor) => missing(tensor).some((at) => readsOf(tensor, axis)[at] === 1))) return;
	for (const tensor of tensors) {
		const use = missing(tensor).length > 0 ? useOf(tensor, axis) : undefined;
		if (use === undefined) continue;
		(dead.get(tensor) ?? [])[axis] = union.slice();
		const sets = letters.get(use.node) ?? [];
		letters.set(use.node, sets);
		sets[use.letter] = union.slice();
	}
}
