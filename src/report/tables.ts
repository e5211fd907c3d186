/** What people read: tables of plain text. */
import { type Anatomy } from '../ir/anatomy/anatomy.ts';
import { type Survey } from '../ir/anatomy/groups.ts';
import { type Block } from '../ir/anatomy/parts.ts';

/** Rows with their columns lined up; numbers to the right. */
export function table(rows: readonly (readonly string[])[]): string {
	const widths = (rows[0] ?? []).map((_, column) =>
		Math.max(...rows.map((row) => (row[column] ?? '').length)),
	);
	const isNumber = (cell: string): boolean => /^[\d.,]+( ?[kMG%x]?)?$/.test(cell);
	return rows
		.map((row) =>
			row
				.map((cell, column) =>
					isNumber(cell) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
				)
				.join('  ')
				.trimEnd(),
		)
		.join('\n');
}

/** 1234567 → 1.23 M. */
export function count(value: number): string {
	const unit =
		(['', 'k', 'M', 'G', 'T'] as const)[
			Math.max(0, Math.min(4, Math.floor(Math.log10(Math.max(1, value)) / 3)))
		] ?? '';
	const scaled = value / 10 ** (3 * ['', 'k', 'M', 'G', 'T'].indexOf(unit));
	return unit === '' ? String(value) : `${scaled.toFixed(scaled < 10 ? 2 : scaled < 100 ? 1 : 0)} ${unit}`;
}

export function percent(part: number, whole: number): string {
	return `${((100 * part) / Math.max(1, whole)).toFixed(1)}%`;
}

function blockText(block: Block | undefined): string {
	if (block === undefined) return '-';
	const kind = block.kind === 'attention' ? `${block.units} x ${block.width}` : String(block.units);
	const extra = [block.fused, block.gated ? 'gated' : undefined, block.cross ? 'cross' : undefined].filter(
		(word) => word !== undefined,
	);
	return extra.length > 0 ? `${kind} (${extra.join(', ')})` : kind;
}

/** Numbers in the matrices of a block. */
export function blockParameters(block: Block): number {
	return block.linears.reduce(
		(sum, { weight }) => sum + weight.sizes.reduce((product, size) => product * size, 1),
		0,
	);
}

export function anatomyTable({ layers }: Anatomy): string {
	if (layers.length === 0) return 'no attention and no feed-forward block was found';
	const rows = layers.map(({ index, blocks, residuals, ofBytes, name }) => [
		String(index),
		blocks
			.filter(({ kind }) => kind === 'attention')
			.map(blockText)
			.join(' + ') || '-',
		blocks
			.filter(({ kind }) => kind === 'ffn')
			.map(blockText)
			.join(' + ') || '-',
		count(blocks.reduce((sum, block) => sum + blockParameters(block), 0)),
		residuals.length + ofBytes.length === blocks.length ? 'yes' : 'no',
		name || '-',
	]);
	return table([['layer', 'heads x width', 'ffn', 'matrices', 'removable', 'name'], ...rows]);
}

/** What cannot be pruned, and the operator that stands in the way. */
export function blockers({ layers }: Anatomy): string[] {
	return layers.flatMap(({ index, blocks }) =>
		blocks
			.filter(({ family }) => family === undefined)
			.map(
				({ kind, reasons }) =>
					`layer ${index}: ${kind === 'attention' ? 'heads' : 'neurons'} stay: ${reasons[0] ?? 'nothing there can go'}`,
			),
	);
}

/** Rows of a table of groups before the rest is only counted. */
const longest = 24;

/** Groups outside of the layers' blocks: what goes together, and what cannot go and why. The largest, in graph order. */
export function groupTable({ groups, stuck }: Pick<Survey, 'groups' | 'stuck'>): string {
	const shown = new Set(groups.toSorted((a, b) => b.params - a.params).slice(0, longest));
	const rows = groups
		.filter((group) => shown.has(group))
		.map(({ target, name, units, pinned, params, members }) => [
			target,
			String(units),
			String(pinned),
			count(params),
			`${name || '-'}${members.length > 1 ? ` and ${members.length - 1} more` : ''}`,
		]);
	const more = groups.length - rows.length;
	return [
		...(rows.length > 0
			? [table([['target', 'units', 'stay', 'in weights of', 'nodes and weights'], ...rows])]
			: []),
		...(more > 0 ? [`${more} smaller groups: --json lists them with their members`] : []),
		...stuck.slice(0, longest).map(({ target, why }) => `${target}: ${why}`),
		...(stuck.length > longest ? [`${stuck.length - longest} more stay: --json says why`] : []),
	].join('\n');
}
