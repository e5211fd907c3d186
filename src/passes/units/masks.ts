/**
 * The reference of a removal. Where units are summed up, zeros are multiplied in at the reader's input: on the producer's weights they
 * would leak (biases and batch-norm shifts stay). Where a mean or norm runs over them, it runs over the kept positions: gathered
 * before the operator, put back among zeros behind it.
 */
import { present } from '../../diagnostic.ts';
import { goneOf, type Chosen } from '../../ir/axes/cut.ts';
import { operandOf, type Net, type NetNode } from '../../ir/axes/net.ts';
import { termKey, type Role } from '../../ir/axes/row.ts';
import { operatorOf } from '../../ir/axes/table.ts';
import { BOOL, FLOAT, INT32, UINT8 } from '../../ir/graph/dtype.ts';
import { type Model, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { ints, tensorOf } from '../../ir/graph/tensor.ts';
import { attributeInt, insert } from '../edits.ts';

/** Positions of one axis of one operand that mean nothing any more, and how the reference says so. */
export type Mask = {
	readonly node: number;
	readonly side: 'in' | 'out';
	readonly slot: number;
	readonly axis: number;
	/**
	 * `zero`: multiplied with zero. `without`: the operator works on the other positions only. `shunned`: scores of minus infinity, so
	 * that they are never chosen.
	 */
	readonly how: 'zero' | 'without' | 'shunned';
	readonly dead: readonly number[];
};

const hows: Partial<Record<Role, Mask['how']>> = {
	contracted: 'zero',
	recurrent: 'zero',
	statistic: 'without',
	competing: 'without',
	routed: 'shunned',
};

/** Where the chosen units act on others: on axes whose letter is summed over, fed back, or averaged. */
export function masksOf(one: Chosen): Mask[] {
	const goneAt = goneOf(one);
	return [...one.family.letters].flatMap(([node, owners]) =>
		(node.row?.letters ?? []).flatMap((letter, at) => {
			const how = hows[letter.role];
			const gone = how && owners[at] && goneAt(owners[at]);
			if (how === undefined || gone === undefined) return [];
			const masks = masksAt(node, at, how, gone);
			if (letter.role === 'contracted') return oneFactor(node, masks);
			return how === 'shunned' ? masks.filter((mask) => isActivation(node, mask)) : masks;
		}),
	);
}

/**
 * Zeros in one factor of a sum of products are enough, and weights are left as they are, unless all factors are weights: then one in which
 * zeros silence a unit.
 */
function oneFactor(node: NetNode, masks: readonly Mask[]): readonly Mask[] {
	const activations = masks.filter((mask) => isActivation(node, mask));
	if (activations.length > 0) return activations;
	const zeros = operatorOf(node.node)?.zeroPoints;
	return masks.filter(({ slot }) => zeros?.[slot] !== null).slice(0, 1);
}

function isActivation(node: NetNode, { slot }: Mask): boolean {
	return operandOf(node, 'in', slot)?.fixed === false;
}

function masksAt(node: NetNode, letter: number, how: Mask['how'], gone: Uint8Array): Mask[] {
	return (node.row?.terms ?? []).flatMap(({ side, slot, axis, parts }): Mask[] => {
		const part = parts.find((one) => one.letter === letter);
		const operand = operandOf(node, side, slot);
		if (part === undefined || operand === undefined || (side === 'out' && how !== 'without')) return [];
		const dead: number[] = [];
		for (let position = 0; position < (operand.sizes[axis] ?? 0); position++) {
			const at = part.index === null ? position : (part.index[position] ?? -1);
			if (at >= 0 && gone[at] === 1) dead.push(position);
		}
		return dead.length === 0 ? [] : [{ node: node.node.id, side, slot, axis, how, dead }];
	});
}

/** The model with the masks put in. */
export function maskModel(net: Net, masks: readonly Mask[], label: string): Model {
	const fresh = freshNames(net.model.graph);
	const byNode = new Map<number, Mask[]>();
	for (const mask of masks) byNode.set(mask.node, [...(byNode.get(mask.node) ?? []), mask]);
	const edits = [...byNode].flatMap(([id, own]): Edit[] => {
		const net_ = present(net.byNode.get(id), 'a masked node');
		const names = { in: [...net_.node.inputs], out: [...net_.node.outputs] };
		const inserted = merge(own).flatMap((mask) => maskEdits(net, net_, mask, names[mask.side], fresh));
		return [...inserted, { kind: 'node', node: { ...net_.node, inputs: names.in, outputs: names.out } }];
	});
	return applyPatch(net.model, { label, edits });
}

/** One mask an operand axis. */
function merge(masks: readonly Mask[]): Mask[] {
	const merged = new Map<string, Mask>();
	for (const mask of masks) {
		const key = `${mask.side}${mask.slot}.${mask.axis}.${mask.how}`;
		merged.set(key, { ...mask, dead: [...new Set([...(merged.get(key)?.dead ?? []), ...mask.dead])] });
	}
	return [...merged.values()];
}

type Names = ValueName[];
type Fresh = (base: string) => ValueName;

function maskEdits(net: Net, node: NetNode, mask: Mask, names: Names, fresh: Fresh): Edit[] {
	if (mask.how === 'shunned') return shunEdits(net, node, mask, names, fresh);
	if (mask.how === 'zero') return zeroEdits(net, node, mask, names, fresh);
	return mask.side === 'in'
		? gatherEdits(node, mask, names, fresh)
		: putBackEdits(net, node, mask, names, fresh);
}

/** The operand with zeros at the dead positions: a product, or a choice where zero is another number (quantized operands). */
function zeroEdits(net: Net, net_: NetNode, mask: Mask, names: Names, fresh: Fresh): Edit[] {
	const { slot, axis, dead } = mask;
	const operand = present(net_.inputs[slot], 'a masked operand');
	const size = operand.sizes[axis] ?? 0;
	const dims = operand.sizes.map((_, at) => (at === axis ? size : 1));
	const type = operand.constant?.type ?? net.facts.of(operand.name)?.type ?? FLOAT;
	const value = names[slot] ?? '';
	const [keep, masked] = [fresh(`${operand.name}_mask`), fresh(`${operand.name}_masked`)];
	const flags = flagsOf(size, dead);
	names[slot] = masked;
	const { zero, edits } = zeroPointOf(net_, slot, fresh);
	if (zero === '')
		return [
			{ kind: 'constant', tensor: tensorOf(keep, type, dims, flags) },
			insert('Mul', [value, keep], masked),
		];
	const kept: Edit = { kind: 'constant', tensor: tensorOf(keep, BOOL, dims, flags) };
	if (type === UINT8) return [...edits, kept, insert('Where', [keep, value, zero], masked)];
	// onnxruntime chooses among no other narrow integers.
	const [wide, point, chosen] = [fresh(`${value}_wide`), fresh(`${zero}_wide`), fresh(`${masked}_wide`)];
	return [
		...edits,
		kept,
		insert('Cast', [value], wide, attributeInt('to', INT32)),
		insert('Cast', [zero], point, attributeInt('to', INT32)),
		insert('Where', [keep, wide, point], chosen),
		insert('Cast', [chosen], masked, attributeInt('to', type)),
	];
}

/** What stands for zero in an operand, '' where 0 does; laid along the operand's axes where those it has are not the last ones. */
function zeroPointOf(
	{ node, inputs, terms }: NetNode,
	slot: number,
	fresh: Fresh,
): { readonly zero: ValueName; readonly edits: readonly Edit[] } {
	const from = operatorOf(node)?.zeroPoints?.[slot] ?? -1;
	const zero = node.inputs[from] ?? '';
	const sizes = inputs[from]?.sizes ?? [];
	const lettersOf = (at: number, axis: number): string =>
		(terms.get(termKey({ side: 'in', slot: at, axis }))?.parts ?? []).map(({ letter }) => letter).join();
	const own = sizes.map((_, axis) => lettersOf(from, axis));
	const dims = (inputs[slot]?.sizes ?? []).map((_, axis) => {
		const letters = lettersOf(slot, axis);
		return letters === '' ? 1 : (sizes[own.indexOf(letters)] ?? 1);
	});
	const isLast = sizes.every((size, axis) => dims.at(axis - sizes.length) === size);
	if (zero === '' || isLast) return { zero, edits: [] };
	const [laid, shape] = [fresh(`${zero}_laid`), fresh(`${zero}_dims`)];
	return {
		zero: laid,
		edits: [
			{ kind: 'constant', tensor: ints(shape, [dims.length], dims) },
			insert('Reshape', [zero, shape], laid),
		],
	};
}

/** The scores with minus infinity at the dead positions. */
function shunEdits(net: Net, { inputs }: NetNode, mask: Mask, names: Names, fresh: Fresh): Edit[] {
	const { slot, axis, dead } = mask;
	const operand = present(inputs[slot], 'a masked operand');
	const dims = operand.sizes.map((size, at) => (at === axis ? size : 1));
	const type = net.facts.of(operand.name)?.type ?? FLOAT;
	const value = names[slot] ?? '';
	const [least, shunned] = [fresh(`${operand.name}_least`), fresh(`${operand.name}_shunned`)];
	names[slot] = shunned;
	const added = flagsOf(operand.sizes[axis] ?? 0, dead).map((stays) => (stays === 1 ? 0 : -Infinity));
	return [
		{ kind: 'constant', tensor: tensorOf(least, type, dims, added) },
		insert('Add', [value, least], shunned),
	];
}

/** 1 where a position stays. */
function flagsOf(size: number, dead: readonly number[]): number[] {
	const gone = new Set(dead);
	return Array.from({ length: size }, (_, position) => (gone.has(position) ? 0 : 1));
}

const keptOf = (size: number, dead: readonly number[]): number[] =>
	flagsOf(size, dead).flatMap((stays, position) => (stays === 1 ? [position] : []));

function gatherEdits({ inputs }: NetNode, { slot, axis, dead }: Mask, names: Names, fresh: Fresh): Edit[] {
	const operand = present(inputs[slot], 'a masked operand');
	const kept = keptOf(operand.sizes[axis] ?? 0, dead);
	const [index, part] = [fresh(`${operand.name}_kept`), fresh(`${operand.name}_part`)];
	const value = names[slot] ?? '';
	names[slot] = part;
	return [
		{ kind: 'constant', tensor: ints(index, [kept.length], kept) },
		insert('Gather', [value, index], part, attributeInt('axis', axis)),
	];
}

/** The output at its full width: zeros where positions were left out. */
function putBackEdits(
	net: Net,
	{ outputs }: NetNode,
	{ slot, axis, dead }: Mask,
	names: Names,
	fresh: Fresh,
): Edit[] {
	const operand = present(outputs[slot], 'an output');
	const type = net.facts.of(operand.name)?.type ?? FLOAT;
	const size = operand.sizes[axis] ?? 0;
	const kept = keptOf(size, dead);
	const whole = names[slot] ?? '';
	const [part, one, none, zero, padded, map, first] = [
		fresh(`${whole}_part`),
		fresh(`${whole}_first`),
		fresh(`${whole}_none`),
		fresh(`${whole}_zero`),
		fresh(`${whole}_padded`),
		fresh(`${whole}_places`),
		fresh(`${whole}_index`),
	];
	names[slot] = part;
	const places = Array.from({ length: size }, (_, position) => kept.indexOf(position));
	return [
		{ kind: 'constant', tensor: ints(first, [1], [0]) },
		{ kind: 'constant', tensor: tensorOf(none, type, [1], [0]) },
		{
			kind: 'constant',
			tensor: ints(
				map,
				[size],
				places.map((at) => (at < 0 ? kept.length : at)),
			),
		},
		insert('Gather', [part, first], one, attributeInt('axis', axis)),
		insert('Mul', [one, none], zero),
		insert('Concat', [part, zero], padded, attributeInt('axis', axis)),
		insert('Gather', [padded, map], whole, attributeInt('axis', axis)),
	];
}
