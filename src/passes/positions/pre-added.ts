/**
 * `prune positions with sums`: what is added to every row of a position table goes into the table, as the row of token types of a model that knows
 * one type. A look-up and a sum fewer; exact but for rounding.
 */
import { nodeLabel, type Node, type ValueName } from '../../ir/graph/graph.ts';
import { numbersOf } from '../../ir/graph/tensor.ts';
import { type Folded, type Rule } from '../exact/exact.ts';
import { positionTable } from './position-tables.ts';
import { liesAlong } from '../exact/projection.ts';
import { type Rewriting } from '../exact/rewriting.ts';

export const sums: readonly Rule[] = [{ name: 'sums', fold: foldSums }];

/** A summand that is the same row everywhere, and the addition that adds it. */
type Row = { readonly add: Node; readonly slot: number; readonly numbers: Float64Array };

function foldSums(r: Rewriting, node: Node): Folded | string | undefined {
	const net = r.net.byNode.get(node.id);
	const site = net === undefined ? undefined : positionTable(net);
	const [output = ''] = node.outputs;
	const size = r.sizesOf(output)?.at(-1);
	if (site === undefined || size === undefined || site.axis === site.table.dims.length - 1) return undefined;
	// A table that is asked for one row alone is what goes into another.
	if (node.op === 'Gather' && sameNumber(r, node.inputs[1] ?? '') !== undefined) return undefined;
	const root = rootOf(r, output);
	const summands = root === undefined ? [] : summandsOf(r, root);
	const rows = summands.flatMap(({ add, slot }) => rowAt(r, add, slot, size) ?? []);
	if (root === undefined || rows.length === 0)
		return 'nothing that is the same for all positions is added to it';
	const sizes = r.sizesOf(root.outputs[0] ?? '')?.join();
	const rest = summands.filter(
		({ add, slot }) => !rows.some((row) => row.add.id === add.id && row.slot === slot),
	);
	if (!rest.some(({ add, slot }) => r.sizesOf(add.inputs[slot] ?? '')?.join() === sizes))
		return 'the sum would have another size';
	const other = r.everyReader(site.table).find(({ id }) => id !== node.id);
	if (other !== undefined) return `${nodeLabel(other)} reads its table`;
	const table = Float64Array.from(numbersOf(site.table), (value, at) =>
		rows.reduce((sum, { numbers }) => sum + (numbers[at % size] ?? 0), value),
	);
	const { name, type, dims } = site.table;
	r.setInput(node, 0, r.constant(`${name}_summed`, type, dims, table));
	for (const { add, slot } of rows) r.bypass(add.id, 1 - slot);
	return {};
}

/** The last of the additions that a value goes through alone. */
function rootOf(r: Rewriting, value: ValueName): Node | undefined {
	let root: Node | undefined;
	let current = value;
	for (;;) {
		const [reader, more] = r.numbersReaders(current);
		if (reader?.op !== 'Add' || more !== undefined || r.seenOutside(current) !== undefined) return root;
		root = reader;
		current = reader.outputs[0] ?? '';
	}
}

type Summand = { readonly add: Node; readonly slot: number };

/** Everything that an addition adds, through additions that it alone reads. */
function summandsOf(r: Rewriting, add: Node): Summand[] {
	return add.inputs.flatMap((name, slot) => {
		const maker = r.makerOf(name);
		const isSum = maker?.op === 'Add' && r.sharedWith(name, add) === undefined;
		return isSum ? summandsOf(r, maker) : [{ add, slot }];
	});
}

/** A vector, or a row that is looked up by one number whatever the input. */
function rowAt(r: Rewriting, add: Node, slot: number, size: number): Row | undefined {
	const name = add.inputs[slot] ?? '';
	const constant = r.constantOf(name);
	const numbers = r.numbers(name);
	if (constant !== undefined) {
		const rank = Math.max(1, constant.dims.length);
		if (numbers?.length !== size || !liesAlong(constant.dims, rank - 1, rank, size)) return undefined;
		return { add, slot, numbers: Float64Array.from(numbers) };
	}
	const maker = r.makerOf(name);
	const table = r.constantOf(maker?.inputs[0]);
	const values = r.numbers(maker?.inputs[0]);
	const axis = maker?.attributes.get('axis');
	if (maker?.op !== 'Gather' || values === undefined || table?.dims.length !== 2) return undefined;
	const id = sameNumber(r, maker.inputs[1] ?? '');
	if (id === undefined || id < 0 || (axis?.kind === 'int' && axis.value !== 0) || table.dims[1] !== size)
		return undefined;
	return { add, slot, numbers: Float64Array.from({ length: size }, (_, at) => values[id * size + at] ?? 0) };
}

const passing = new Set(['Slice', 'Expand', 'Reshape', 'Cast', 'Identity', 'Unsqueeze', 'Squeeze', 'Gather']);

/** The number that all elements of a value are, however many there are. */
function sameNumber(r: Rewriting, value: ValueName, steps = 0): number | undefined {
	const numbers = r.numbers(value);
	if (numbers !== undefined)
		return Array.from(numbers).every((one) => one === numbers[0]) ? numbers[0] : undefined;
	const maker = r.makerOf(value);
	if (maker === undefined || steps > 8) return undefined;
	if (maker.op !== 'ConstantOfShape')
		return passing.has(maker.op) ? sameNumber(r, maker.inputs[0] ?? '', steps + 1) : undefined;
	const attribute = maker.attributes.get('value');
	return attribute?.kind === 'tensor' ? numbersOf(attribute.value)[0] : 0;
}
