/** Rows picked by number: which operand holds the numbers, and how they go through a table of new ones. */
import { INT64 } from '../graph/dtype.ts';
import { type Attribute, type ValueName } from '../graph/graph.ts';
import { type Edit } from '../graph/patch.ts';
import { isReadable, numbersOf, tensorOf } from '../graph/tensor.ts';
import { type Net, type NetNode } from './net.ts';
import { operatorOf } from './table.ts';

export type Lookup = {
	/** The letter whose coordinates are picked, and how many there are. */
	readonly letter: number;
	readonly size: number;
	/** The input with the numbers; undefined where the operator's entry names none. */
	readonly slot: number | undefined;
};

/** The letters of a node that are picked from by number. */
export function lookupsOf(node: NetNode): Lookup[] {
	return (node.row?.letters ?? []).flatMap(({ name, size, role }, letter) =>
		role === 'indexed' ? [{ letter, size, slot: operatorOf(node.node)?.indices?.[name] }] : [],
	);
}

/** For each old number the new one; numbers of rows that go become that of the row `unknown`. */
export function newPlaces(dead: Uint8Array, unknown: number): number[] {
	let next = 0;
	const places = Array.from(dead, (gone) => (gone === 1 ? -1 : next++));
	return places.map((place) => (place < 0 ? (places[unknown] ?? 0) : place));
}

/** A table of numbers, and the value that they are picked by. */
export type Renumbering = {
	readonly indices: ValueName;
	readonly type: number;
	readonly table: readonly number[];
};

/** A table in front of a node's indices: what they pick is `table[index]`. A negative index counts from the end of it, as it did. */
export function renumbering(
	net: Net,
	{ node, inputs }: NetNode,
	slot: number,
	table: readonly number[],
): Renumbering {
	const indices = node.inputs[slot] ?? '';
	return { indices, type: inputs[slot]?.constant?.type ?? net.facts.of(indices)?.type ?? INT64, table };
}

/** The same where an earlier table makes the indices, both in one: `table[old[index]]`. */
export function composed(own: Renumbering, { inputs }: NetNode, slot: number): Renumbering {
	const { producer } = inputs[slot] ?? {};
	const [old, indices] = producer?.inputs ?? [];
	const { constant } = old ?? {};
	const isTable = producer?.node.op === 'Gather' && constant?.dims.length === 1 && isReadable(constant);
	if (!isTable || indices === undefined || indices.constant !== undefined) return own;
	const places = Array.from(numbersOf(constant), (place) => own.table.at(place) ?? -1);
	if (places.includes(-1)) return own;
	return { indices: indices.name, type: constant.type, table: places };
}

export function lookupEdits(
	{ indices, type, table }: Renumbering,
	fresh: (base: string) => ValueName,
): { readonly edits: readonly Edit[]; readonly output: ValueName } {
	const [map, output] = [fresh(`${indices}_numbers`), fresh(`${indices}_renumbered`)];
	const attributes = new Map<string, Attribute>([['axis', { kind: 'int', value: 0 }]]);
	return {
		output,
		edits: [
			{ kind: 'constant', tensor: tensorOf(map, type, [table.length], table) },
			{
				kind: 'insert',
				node: { name: '', op: 'Gather', domain: '', inputs: [map, indices], outputs: [output], attributes },
			},
		],
	};
}
