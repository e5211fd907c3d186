/** Units that are ranked together, and the operators that read them. */
import { operandOf, type NetNode, type NetTensor } from '../../ir/axes/net.ts';
import { type Part, type Term } from '../../ir/axes/row.ts';
import { unquantized } from '../../ir/anatomy/parts.ts';
import { isFloat } from '../../ir/graph/dtype.ts';
import { type Chosen } from '../../ir/axes/cut.ts';
import { type Family } from '../../ir/axes/families.ts';

/** The heads of one layer, the neurons of one block, the channels of one set of coupled convolutions. */
export type UnitGroup = {
	readonly family: Family;
	/** The layer's number in the model as given; for structures outside of layers, the group's own number. */
	readonly layer: number;
	/** What the group is called in a plan's numbering: the same before and after earlier steps. */
	readonly key: string;
	/** `layer 3`, `the channels of 'conv1'`. */
	readonly label: string;
	/** Names of its nodes and weights, for globs. */
	readonly names: readonly string[];
	/** Of units with operators of their own, the weights of each, which go whole with it; who added what they make hands on the rest. */
	readonly own?: readonly (readonly NetTensor[])[];
	/** What several units share, and what goes when all of those have: keys and values of query heads. */
	readonly shared?: Family;
};

/** An operand of a node that sums a family's units up together with a weight. */
export type Reader = {
	readonly node: NetNode;
	/** The activation that is read, and its axis; of a quantized one what was quantized, where that is at hand. */
	readonly input: NetTensor;
	readonly isFloat: boolean;
	readonly inputAxis: number;
	readonly weight: NetTensor;
	readonly weightAxis: number;
	/** The unit of each coordinate that is summed over, -1 for none. */
	readonly owners: Int32Array;
	/** The summed coordinate at each position of the input's and the weight's axis. */
	readonly inputIndex: Part['index'];
	readonly weightIndex: Part['index'];
};

/** What is shared by units that are gone, and by none that stays. */
export function unshared({ family, shared }: UnitGroup, gone: ReadonlySet<number>): Chosen | undefined {
	const [left, used] = [new Set<number>(), new Set<number>()];
	for (const [node, letters] of family.letters) {
		const at = (name: string): number => node.row?.letters.findIndex((letter) => letter.name === name) ?? -1;
		const [users, sources] = [letters[at('place')], shared?.letters.get(node)?.[at('picked')]];
		const picks = node.row?.terms
			.flatMap(({ side, parts }) => (side === 'out' ? parts : []))
			.find(({ letter }) => letter === at('picked'))?.index;
		users?.forEach((user, place) => {
			const source = sources?.[picks?.[place] ?? -1] ?? -1;
			if (source >= 0) (gone.has(user) ? left : used).add(source);
		});
	}
	const units = new Set([...left].filter((source) => !used.has(source)));
	return shared && units.size > 0 ? { family: shared, units } : undefined;
}

export const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b));

/** What divides the number of positions of a unit on every axis of a matrix or kernel that it cuts. */
export function widthOfUnits({ axes, units }: Family): number {
	let width = 0;
	for (const [{ constant, sizes }, own] of axes) {
		if (constant === undefined || sizes.length < 2) continue;
		for (const unitAt of own) {
			const counts = new Int32Array(units);
			unitAt?.forEach((unit) => {
				if (unit >= 0) counts[unit] = (counts[unit] ?? 0) + 1;
			});
			for (const count of counts) if (count > 0) width = commonDivisor(width, count);
		}
	}
	return Math.max(1, width);
}

/** Everybody who reads the units through a weight, in graph order. */
export function readersOf(family: Family): Reader[] {
	return [...family.letters]
		.sort(([a], [b]) => a.index - b.index)
		.flatMap(([node, classes]) =>
			(node.row?.letters ?? []).flatMap((letter, at) => {
				const owners = classes[at];
				return letter.role === 'contracted' && owners ? (readerAt(node, at, owners) ?? []) : [];
			}),
		);
}

/** Whether what a reader reads can be measured: a value inside the body of an If, Loop or Scan, or one of integers, cannot. */
export const isMeasurable = ({ input, isFloat }: Reader): boolean => isFloat && !input.inBody;

function readerAt(node: NetNode, letter: number, owners: Int32Array): Reader | undefined {
	const terms = (node.row?.terms ?? []).filter(
		({ side, parts }) => side === 'in' && parts.some((part) => part.letter === letter),
	);
	const isWeight = (term: Term): boolean => operandOf(node, 'in', term.slot)?.fixed === true;
	const [read, weigh] = [terms.find((term) => !isWeight(term)), terms.find(isWeight)];
	const quantized = read && operandOf(node, 'in', read.slot);
	const input = unquantized(quantized);
	const weight = weigh && operandOf(node, 'in', weigh.slot);
	if (input === undefined || weight === undefined) return undefined;
	const indexOf = (term: Term): Part['index'] =>
		term.parts.find((part) => part.letter === letter)?.index ?? null;
	return {
		node,
		input,
		isFloat: input !== quantized || isFloat(node.view.inputs[read?.slot ?? -1]?.type ?? 0),
		inputAxis: read?.axis ?? 0,
		weight,
		weightAxis: weigh?.axis ?? 0,
		owners,
		inputIndex: read ? indexOf(read) : null,
		weightIndex: weigh ? indexOf(weigh) : null,
	};
}

/** The unit at a position of an axis whose coordinates are owned. */
export function ownerAt(owners: Int32Array, index: Part['index'], position: number): number {
	const at = index === null ? position : (index[position] ?? -1);
	return at < 0 ? -1 : (owners[at] ?? -1);
}
