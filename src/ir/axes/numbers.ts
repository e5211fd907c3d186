/**
 * Numbers that a graph computes and picks by: the experts that a router chooses. An integer value that numbers the positions of an axis
 * has, behind its own axes, one more in a row's terms: what it numbers. `TopK` makes it of the axis it searches, operators that only
 * move values hand it on, and who picks or writes by the numbers ties it to the axis where that is done. Numbers are told anew by the
 * smaller `TopK`, so nothing need be remapped; who else reads them pins what they number.
 */
import { type NetTensor } from './net.ts';
import { indexBy, type Letter, type Row, type Term } from './row.ts';
import { type Removal, type Resized } from './operator.ts';
import { fixedInts, frontAxis, inputSizes, intAttribute, type NodeView } from './view.ts';

/** How many positions a tensor's axis has; the axis behind its own is that of what it numbers. */
export function extentOf({ sizes, numbers }: NetTensor, axis: number): number {
	return (axis === sizes.length ? numbers : sizes[axis]) ?? 0;
}

type Operands = readonly (NetTensor | undefined)[];

/** Operators whose outputs hold some of the values of their first input. */
const moving: ReadonlySet<string> = new Set(
	'Reshape Flatten Squeeze Unsqueeze Transpose Expand Identity Cast Slice Split'.split(' '),
);
/** Operators that pick or write along an axis of their first input by the numbers in the second. */
const picking: ReadonlySet<string> = new Set(['Gather', 'GatherElements', 'ScatterElements']);

/** A node's row with the axes of what its operands number; marks its outputs that number something. */
export function numberedRow(view: NodeView, row: Row, inputs: Operands, outputs: Operands): Row {
	const { op, domain } = view.node;
	if (domain !== '') return row;
	if (op === 'TopK') return searched(view, row, inputs, outputs);
	if (moving.has(op) && inputs[0]?.numbers !== undefined) return moved(row, inputs[0], outputs);
	if (op === 'OneHot' && inputs[0]?.numbers !== undefined) return spread(view, row, inputs[0]);
	if (op === 'Equal') return compared(view, row, inputs);
	return picking.has(op) && inputs[1]?.numbers !== undefined ? picked(view, row, inputs, outputs) : row;
}

const whole = (letter: number): Term['parts'] => [{ letter, index: null }];
const added = (
	{ letters, terms, ...rest }: Row,
	letter: Letter,
	own: readonly Omit<Term, 'parts'>[],
): Row => ({
	...rest,
	letters: [...letters, letter],
	terms: [...terms, ...own.map((term) => ({ ...term, parts: whole(letters.length) }))],
});

function searched(view: NodeView, row: Row, [from]: Operands, outputs: Operands): Row {
	const axis = frontAxis(intAttribute(view, 'axis', -1), from?.sizes.length ?? 1);
	const [size, result] = [from?.sizes[axis] ?? 0, outputs[1]];
	if (from === undefined || result === undefined || from.dynamic[axis] === true || size < 2) return row;
	result.numbers = size;
	return added(row, { name: 'chosen', size, role: 'routed' }, [
		{ side: 'in', slot: 0, axis },
		{ side: 'out', slot: 1, axis: result.sizes.length },
	]);
}

function moved(row: Row, from: NetTensor, outputs: Operands): Row {
	const size = from.numbers ?? 0;
	const made = outputs.flatMap((tensor, slot) => (tensor === undefined ? [] : [{ tensor, slot }]));
	for (const { tensor } of made) tensor.numbers = size;
	return added(row, { name: 'numbered', size, role: 'carried' }, [
		{ side: 'in', slot: 0, axis: from.sizes.length },
		...made.map(({ tensor, slot }) => ({ side: 'out' as const, slot, axis: tensor.sizes.length })),
	]);
}

/** The row's own letter of the axis, or a new one, is what the numbers speak of. */
function picked(view: NodeView, row: Row, [data, by]: Operands, [result]: Operands): Row {
	const axis = frontAxis(intAttribute(view, 'axis', 0), data?.sizes.length ?? 1);
	if (by === undefined || data === undefined || data.sizes[axis] !== by.numbers) return row;
	const told = { side: 'in', slot: 1, axis: by.sizes.length } as const;
	const own = row.terms.find((term) => term.side === 'in' && term.slot === 0 && term.axis === axis);
	const at = own?.parts[0]?.letter;
	if (at === undefined) {
		const letter: Letter = { name: 'picked', size: by.numbers ?? 0, role: 'carried' };
		const written = result === undefined ? [] : [{ side: 'out' as const, slot: 0, axis }];
		return added(row, letter, [{ side: 'in', slot: 0, axis }, ...written, told]);
	}
	const letters = row.letters.map((letter, index): Letter =>
		index === at ? { ...letter, role: 'carried' } : letter,
	);
	return { ...row, letters, terms: [...row.terms, { ...told, parts: whole(at) }] };
}

/** The axis that `OneHot` makes is the one that its indices number. */
function spread(view: NodeView, row: Row, by: NetTensor): Row {
	const rank = by.sizes.length;
	const axis = frontAxis(intAttribute(view, 'axis', -1), rank + 1);
	if (fixedInts(view, 1)?.[0] !== by.numbers) return row;
	return added(row, { name: 'numbered', size: by.numbers ?? 0, role: 'carried' }, [
		{ side: 'in', slot: 0, axis: rank },
		{ side: 'out', slot: 0, axis },
	]);
}

/** Numbers held against one number, which is picked by it, or against several along an axis that they have no part in. */
function compared(view: NodeView, row: Row, inputs: Operands): Row {
	const slot = inputs.findIndex((operand) => operand?.numbers !== undefined);
	const [by, other, values] = [inputs[slot], inputs[1 - slot], fixedInts(view, 1 - slot)];
	if (by === undefined || other === undefined || values === undefined || other.sizes.length > 1) return row;
	const told = { side: 'in', slot, axis: by.sizes.length } as const;
	if (values.length === 1) {
		const letter: Letter = { name: 'numbered', size: by.numbers ?? 0, role: 'carried' };
		const picked = { letter: row.letters.length, coordinates: values };
		return { ...added(row, letter, [told]), selected: [...(row.selected ?? []), picked] };
	}
	const letter = row.terms.find((term) => term.side === 'in' && term.slot === 1 - slot)?.parts[0]?.letter;
	if (letter === undefined || (by.sizes.at(-1) ?? 1) !== 1) return row;
	const index = indexBy(by.numbers ?? 0, (number) => values.indexOf(number));
	return { ...row, terms: [...row.terms, { ...told, parts: [{ letter, index }] }] };
}

/** Constants that are compared with numbers, as they are when some of what is numbered has gone. */
export function resizeCompared(view: NodeView, removal: Removal): Resized {
	for (const slot of [0, 1]) {
		const [sizes, other] = [inputSizes(view, 1 - slot), inputSizes(view, slot)];
		const kept = removal.kept('in', 1 - slot, sizes?.length ?? 0);
		const values = fixedInts(view, slot);
		if (kept === undefined || values === undefined || other === undefined) continue;
		const pieces = values.flatMap((number) => (kept.includes(number) ? [kept.indexOf(number)] : []));
		return { inputs: new Map([[slot, { pieces, ...(other.length === 0 && { dims: [] }) }]]) };
	}
	return {};
}
