/** Rows in the notation they are written in, for people. */
import { type Part, type Row, type Side } from './row.ts';
import { type NodeView } from './view.ts';

/**
 * What a row says, operand by operand: a letter an axis, `!` where it is pinned, `(h d)` for a product, `a+b` for
 * stretches, `a[2:9]` for some of its positions, `_` for an axis nothing runs through.
 */
export function rowText(row: Row, view: NodeView): string {
	const side = (operands: NodeView['inputs'], where: Side): string =>
		operands
			.map((operand, slot) => {
				if (operand?.sizes === undefined) return '_';
				return operand.sizes.map((_, axis) => axisText(row, where, slot, axis)).join(' ') || '()';
			})
			.join(', ');
	return `${side(view.inputs, 'in')} -> ${side(view.outputs, 'out')}`;
}

function axisText(row: Row, side: Side, slot: number, axis: number): string {
	const term = row.terms.find((one) => one.side === side && one.slot === slot && one.axis === axis);
	const [first] = term?.parts ?? [];
	if (term === undefined || first === undefined) return '_';
	if (term.parts.length === 1) return nameOf(row, first) + positions(first.index);
	return stretchesOf(term.parts)
		.map((parts) => (parts.length === 1 ? parts : [...parts].sort((a, b) => turn(a) - turn(b))))
		.map((parts) => parts.map((part) => nameOf(row, part)))
		.map((names) => (names.length === 1 ? (names[0] ?? '') : `(${names.join(' ')})`))
		.join('+');
}

function nameOf(row: Row, { letter }: Part): string {
	const { name, role } = row.letters[letter] ?? { name: '?', role: 'pinned' };
	return role === 'pinned' ? `!${name}` : name;
}

/** Which coordinates the positions have, where they are not simply all. */
function positions(index: Int32Array | null): string {
	if (index === null) return '';
	const [start = 0] = index;
	if (index.every((at, place) => at === start + place)) return `[${start}:${start + index.length}]`;
	const shown = index.subarray(0, 4).join();
	return `[${shown}${index.length > 4 ? ',…' : ''}]`;
}

/** The slower a part's coordinate turns, the further left it stands. */
function turn({ index }: Part): number {
	const [start] = index ?? [];
	const moved = index?.findIndex((at) => at !== start) ?? 0;
	return moved < 0 ? -Infinity : -moved;
}

/** Parts of an axis by stretch: a new one begins where other parts own the positions, or all start again. */
function stretchesOf(parts: readonly Part[]): Part[][] {
	const found: Part[][] = [];
	let before = '';
	const size = parts[0]?.index?.length ?? 0;
	for (let position = 0; position < size; position++) {
		const own = parts.filter(({ index }) => (index?.[position] ?? 0) >= 0);
		const key = own.map(({ letter }) => letter).join();
		const again = own.every(({ index }) => index?.[position] === 0);
		if (key !== before || again) found.push(own);
		before = key;
	}
	return found;
}
