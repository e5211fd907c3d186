/**
 * Where the channels of a projection go: index arrays pushed through operators that only move numbers. Every element of a
 * value holds the channel it came from, at the first sample's sizes, so that packed, split and transposed heads need no
 * rule of their own.
 */
import { elementCount, nodeLabel, type Node, type ValueName } from '../../ir/graph/graph.ts';
import { type Part } from '../../ir/axes/row.ts';
import { axisOf } from '../edits.ts';
import { type Rewriting } from './rewriting.ts';

/** The channel behind each element, row-major, and what it was multiplied with on the way. */
export type Channels = {
	readonly sizes: readonly number[];
	readonly at: Int32Array;
	readonly gain: number;
};

/** A reader that does more than move numbers, or the outside (`reader` absent). */
export type Leaf = {
	readonly reader: Node | undefined;
	readonly value: ValueName;
	readonly channels: Channels;
	/** Constant multiplications passed. */
	readonly scalers: readonly Node[];
};

/** Above this many elements a trace is given up. */
const limit = 1 << 22;

/** Channels along an axis of a value; undefined where its sizes are unknown or large. */
export function channelsOf(r: Rewriting, value: ValueName, axis: number): Channels | undefined {
	const sizes = r.sizesOf(value);
	const size = sizes?.[axis] ?? 0;
	const count = elementCount(sizes ?? []);
	if (sizes === undefined || size === 0 || count > limit) return undefined;
	const inner = elementCount(sizes.slice(axis + 1));
	return { sizes, at: Int32Array.from({ length: count }, (_, at) => Math.floor(at / inner) % size), gain: 1 };
}

/** Everybody who reads the channels for their numbers. */
export function leavesOf(
	r: Rewriting,
	value: ValueName,
	channels: Channels,
	scalers: readonly Node[] = [],
): Leaf[] {
	const outside = r.seenOutside(value) === undefined ? [] : [{ reader: undefined, value, channels, scalers }];
	return [
		...outside,
		...r.numbersReaders(value).flatMap((reader): Leaf[] => {
			const moved = moveThrough(r, reader, value, channels);
			if (moved === undefined) return [{ reader, value, channels, scalers }];
			const passed = scalarOf(r, reader) === undefined ? scalers : [...scalers, reader];
			return moved.flatMap((next, slot) => leavesOf(r, reader.outputs[slot] ?? '', next, passed));
		}),
	];
}

/** The number that a Mul or Div applies to everything, if it does. */
export function scalarOf(r: Rewriting, node: Node): number | undefined {
	if (node.op !== 'Mul' && node.op !== 'Div') return undefined;
	const slot = r.constantOf(node.inputs[1]) !== undefined ? 1 : node.op === 'Mul' ? 0 : -1;
	const values = r.numbers(node.inputs[slot]);
	if (values?.length !== 1 || r.constantOf(node.inputs[1 - slot]) !== undefined) return undefined;
	const value = values[0] ?? 0;
	return node.op === 'Mul' ? value : 1 / value;
}

/** The input that a mover moves. */
export function movedInput(r: Rewriting, node: Node): ValueName | undefined {
	if (scalarOf(r, node) !== undefined) return node.inputs.find((name) => r.constantOf(name) === undefined);
	return isMover(r, node) ? node.inputs[0] : undefined;
}

/** Whether a node only moves the numbers of its first input. */
export function isMover(r: Rewriting, node: Node): boolean {
	if (node.domain !== '' || movers[node.op] === undefined) return false;
	return node.op !== 'Cast' || keepsType(r, node);
}

/** Whether a Cast changes nothing, as those do that ask for single precision where it is. */
function keepsType(r: Rewriting, { inputs: [input = ''], outputs: [output = ''] }: Node): boolean {
	const type = r.typeOf(input);
	return type !== undefined && type === r.typeOf(output);
}

/** An axis of what a node only moves, all positions of which lie along one axis of the result; that axis. */
export function carriedAxis(r: Rewriting, node: Node, axis: number): number | undefined {
	const row = r.net.byNode.get(node.id)?.row;
	if (row === undefined || !isMover(r, node) || node.outputs.length !== 1) return undefined;
	const letterOf = (parts: readonly Part[]): number | undefined =>
		parts.length === 1 && parts[0]?.index === null ? parts[0].letter : undefined;
	const from = row.terms.find((term) => term.side === 'in' && term.slot === 0 && term.axis === axis);
	const letter = from && letterOf(from.parts);
	const to = row.terms.filter((term) => term.side === 'out' && letterOf(term.parts) === letter);
	return letter === undefined || to.length !== 1 ? undefined : to[0]?.axis;
}

function moveThrough(
	r: Rewriting,
	node: Node,
	value: ValueName,
	channels: Channels,
): readonly Channels[] | undefined {
	if (movedInput(r, node) !== value || node.inputs.filter((name) => name === value).length > 1)
		return undefined;
	const scalar = scalarOf(r, node);
	if (scalar !== undefined) {
		const same = r.sizesOf(node.outputs[0] ?? '')?.length === channels.sizes.length;
		return same ? [{ ...channels, gain: channels.gain * scalar }] : undefined;
	}
	const sizes = node.outputs.map((name) => r.sizesOf(name));
	if (sizes.some((one) => one === undefined || elementCount(one) > limit)) return undefined;
	return movers[node.op]?.(
		r,
		node,
		channels,
		sizes.map((one) => one ?? []),
	);
}

type Mover = (
	r: Rewriting,
	node: Node,
	channels: Channels,
	sizes: readonly (readonly number[])[],
) => readonly Channels[] | undefined;

/** Same elements in the same order. */
const relabel: Mover = (_r, _node, { at, gain }, [sizes = []]) =>
	elementCount(sizes) === at.length ? [{ sizes, at, gain }] : undefined;

const movers: Readonly<Record<string, Mover>> = {
	Identity: relabel,
	Dropout: relabel,
	Cast: relabel,
	Reshape: relabel,
	Flatten: relabel,
	Squeeze: relabel,
	Unsqueeze: relabel,
	Transpose: (_r, node, channels, [sizes = []]) => {
		const perm = node.attributes.get('perm');
		const rank = sizes.length;
		const order = perm?.kind === 'ints' ? perm.value : Array.from({ length: rank }, (_, at) => rank - 1 - at);
		return [pick(channels, sizes, (place) => inverse(place, order))];
	},
	Expand: (_r, _node, channels, [sizes = []]) => {
		const missing = sizes.length - channels.sizes.length;
		return [
			pick(channels, sizes, (place) =>
				channels.sizes.map((size, axis) => (size === 1 ? 0 : (place[axis + missing] ?? 0))),
			),
		];
	},
	Split: (_r, node, channels, sizes) => {
		const axis = axisOf(node, channels.sizes.length, 0);
		let start = 0;
		return sizes.map((one) => {
			const from = start;
			start += one[axis] ?? 0;
			return pick(channels, one, (place) => place.map((at, on) => (on === axis ? at + from : at)));
		});
	},
	Gather: (r, node, channels, [sizes = []]) => {
		const indices = r.settled(node.inputs[1]);
		const axis = axisOf(node, channels.sizes.length, 0);
		const scalar = r.sizesOf(node.inputs[1] ?? '')?.length === 0;
		if (indices === undefined || (!scalar && r.sizesOf(node.inputs[1] ?? '')?.length !== 1)) return undefined;
		const size = channels.sizes[axis] ?? 0;
		const indexAt = (at: number): number => ((indices[at] ?? 0) + size) % size;
		return [
			pick(channels, sizes, (place) =>
				scalar
					? [...place.slice(0, axis), indexAt(0), ...place.slice(axis)]
					: place.map((at, on) => (on === axis ? indexAt(at) : at)),
			),
		];
	},
	Slice: (r, node, channels, [sizes = []]) => {
		const [starts, , axes, steps] = [1, 2, 3, 4].map((slot) => r.settled(node.inputs[slot]));
		if (starts === undefined || (node.inputs[3] ?? '') === '' || axes === undefined) return undefined;
		if (
			(node.inputs[4] ?? '') !== '' &&
			(steps === undefined || !Array.from(steps).every((step) => step === 1))
		)
			return undefined;
		const rank = channels.sizes.length;
		const offsets = new Map(Array.from(axes, (axis, at) => [(axis + rank) % rank, starts[at] ?? 0]));
		const startOn = (axis: number): number => {
			const start = offsets.get(axis) ?? 0;
			return start < 0 ? start + (channels.sizes[axis] ?? 0) : start;
		};
		return [pick(channels, sizes, (place) => place.map((at, axis) => at + startOn(axis)))];
	},
};

function inverse(place: readonly number[], order: readonly number[]): number[] {
	const from: number[] = [];
	order.forEach((axis, at) => {
		from[axis] = place[at] ?? 0;
	});
	return from;
}

/** An array of `sizes` whose element at a place is the one of `channels` at `from(place)`. */
export function pick(
	channels: Channels,
	sizes: readonly number[],
	from: (place: readonly number[]) => readonly number[],
): Channels {
	const place = sizes.map(() => 0);
	const at = new Int32Array(elementCount(sizes));
	for (let index = 0; index < at.length; index++) {
		at[index] = channels.at[offsetOf(from(place), channels.sizes)] ?? -1;
		for (let axis = sizes.length - 1; axis >= 0; axis--) {
			place[axis] = (place[axis] ?? 0) + 1;
			if ((place[axis] ?? 0) < (sizes[axis] ?? 0)) break;
			place[axis] = 0;
		}
	}
	return { sizes, at, gain: channels.gain };
}

function offsetOf(place: readonly number[], sizes: readonly number[]): number {
	return place.reduce((offset, at, axis) => offset * (sizes[axis] ?? 1) + at, 0);
}

/** The channel at each position of an axis, when it depends on nothing else; undefined when it does. */
export function alongAxis({ sizes, at }: Channels, axis: number): Int32Array | undefined {
	const size = sizes[axis] ?? 0;
	const inner = elementCount(sizes.slice(axis + 1));
	const found = new Int32Array(size).fill(-2);
	for (let index = 0; index < at.length; index++) {
		const position = Math.floor(index / inner) % size;
		if (found[position] === -2) found[position] = at[index] ?? -1;
		else if (found[position] !== at[index]) return undefined;
	}
	return found;
}

/** Whether the channel never depends on the position along an axis. */
export function ignoresAxis({ sizes, at }: Channels, axis: number): boolean {
	const size = sizes[axis] ?? 1;
	const inner = elementCount(sizes.slice(axis + 1));
	return at.every((channel, index) => {
		const position = Math.floor(index / inner) % size;
		return channel === at[index - position * inner];
	});
}

/** Who else sees one of these channels, in words; undefined when nobody but `owner` does. */
export function otherLeaf(leaves: readonly Leaf[], own: Leaf): string | undefined {
	const channels = new Set(own.channels.at);
	const other = leaves.find(
		(leaf) => leaf !== own && leaf.channels.at.some((channel) => channels.has(channel)),
	);
	if (other === undefined) return undefined;
	return other.reader === undefined
		? `'${other.value}' is seen outside`
		: `${nodeLabel(other.reader)} reads it too`;
}
