/**
 * The reference of a removal: zeros multiplied in at the input of every node that sums the units up. On the producer's weights
 * they would leak (biases and batch-norm shifts stay); at the reader nothing is left of the unit.
 */
import { present } from '../diagnostic.ts';
import { type Chosen } from '../ir/axes/cut.ts';
import { operandOf, type Net, type NetNode } from '../ir/axes/net.ts';
import { FLOAT } from '../ir/graph/dtype.ts';
import { type Model } from '../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../ir/graph/patch.ts';
import { tensorOf } from '../ir/graph/tensor.ts';

/** Positions of one operand of one node that are multiplied with zero. */
export type Mask = {
	readonly node: number;
	readonly slot: number;
	readonly axis: number;
	readonly dead: readonly number[];
};

/** Where the chosen units are summed up: operands that are activations, on axes with a contracted letter of the family. */
export function masksOf({ family, units }: Chosen): Mask[] {
	return [...family.letters].flatMap(([node, classes]) =>
		(node.row?.letters ?? []).flatMap((letter, at) => {
			const owners = classes[at];
			if (letter.role !== 'contracted' || !owners?.some((unit) => units.has(unit))) return [];
			return masksAt(node, at, owners, units);
		}),
	);
}

function masksAt(node: NetNode, letter: number, owners: Int32Array, units: ReadonlySet<number>): Mask[] {
	return (node.row?.terms ?? []).flatMap(({ side, slot, axis, parts }): Mask[] => {
		const part = parts.find((one) => one.letter === letter);
		const operand = operandOf(node, 'in', slot);
		if (side !== 'in' || part === undefined || operand === undefined || operand.constant !== undefined)
			return [];
		const dead: number[] = [];
		for (let position = 0; position < (operand.sizes[axis] ?? 0); position++) {
			const at = part.index === null ? position : (part.index[position] ?? -1);
			if (at >= 0 && units.has(owners[at] ?? -1)) dead.push(position);
		}
		return dead.length === 0 ? [] : [{ node: node.node.id, slot, axis, dead }];
	});
}

/** The model with the masks multiplied in. */
export function maskModel(net: Net, masks: readonly Mask[], label: string): Model {
	const fresh = freshNames(net.model.graph);
	const byNode = new Map<number, Mask[]>();
	for (const mask of masks) byNode.set(mask.node, [...(byNode.get(mask.node) ?? []), mask]);
	const edits = [...byNode].flatMap(([id, own]): Edit[] => {
		const { node } = present(net.byNode.get(id), 'a masked node');
		const inputs = [...node.inputs];
		const inserted = merge(own).flatMap((mask) => maskEdits(net, mask, inputs, fresh));
		return [...inserted, { kind: 'node', node: { ...node, inputs } }];
	});
	return applyPatch(net.model, { label, edits });
}

/** One mask an operand axis. */
function merge(masks: readonly Mask[]): Mask[] {
	const merged = new Map<string, Mask>();
	for (const mask of masks) {
		const key = `${mask.slot}.${mask.axis}`;
		merged.set(key, { ...mask, dead: [...(merged.get(key)?.dead ?? []), ...mask.dead] });
	}
	return [...merged.values()];
}

function maskEdits(
	net: Net,
	{ node, slot, axis, dead }: Mask,
	inputs: string[],
	fresh: (base: string) => string,
): Edit[] {
	const operand = present(net.byNode.get(node)?.inputs[slot], 'a masked operand');
	const size = operand.sizes[axis] ?? 0;
	const gone = new Set(dead);
	const zeros = Array.from({ length: size }, (_, position) => (gone.has(position) ? 0 : 1));
	const dims = operand.sizes.map((_, at) => (at === axis ? size : 1));
	const type = net.facts.of(operand.name)?.type ?? FLOAT;
	const value = inputs[slot] ?? '';
	const [mask, masked] = [fresh(`${operand.name}_mask`), fresh(`${operand.name}_masked`)];
	inputs[slot] = masked;
	return [
		{ kind: 'constant', tensor: tensorOf(mask, type, dims, zeros) },
		{
			kind: 'insert',
			node: {
				name: '',
				op: 'Mul',
				domain: '',
				inputs: [value, mask],
				outputs: [masked],
				attributes: new Map(),
			},
		},
	];
}
