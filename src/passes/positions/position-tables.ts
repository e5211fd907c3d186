/** Tables of positions, and how far they are read. */
import { elementType } from '../../ir/graph/dtype.ts';
import { subgraphs, type Tensor } from '../../ir/graph/graph.ts';
import { isReadable } from '../../ir/graph/tensor.ts';
import { fixedInts, intAttribute } from '../../ir/axes/view.ts';
import { type NetNode, type NetTensor } from '../../ir/axes/net.ts';
import { reachOf } from './reach.ts';

/** A node that reads rows of a stored table by position. */
export type PositionTable = {
	readonly node: NetNode;
	readonly table: Tensor;
	readonly axis: number;
	/** Rows that are read whatever the input is; undefined when that depends on its length. */
	readonly read: number | undefined;
	/** Rows that every input reads. */
	readonly least: number;
	/** Rows more than there are positions that the longest input reads; undefined where that cannot be told. */
	readonly more: number | undefined;
};

export const rowsOf = ({ table, axis }: Pick<PositionTable, 'table' | 'axis'>): number =>
	table.dims[axis] ?? 0;

export function positionTable(node: NetNode): PositionTable | undefined {
	const table = node.inputs[0]?.constant;
	if (table === undefined || elementType(table.type)?.kind !== 'float' || !isReadable(table))
		return undefined;
	if (node.node.domain !== '' || table.dims.length < 2) return undefined;
	if (node.node.op === 'Gather') return gathered(node, table);
	return node.node.op === 'Slice' ? sliced(node, table) : undefined;
}

/** https://onnx.ai/onnx/operators/onnx__Gather.html */
function gathered(node: NetNode, table: Tensor): PositionTable | undefined {
	const ids = node.inputs[1];
	if (ids === undefined || intAttribute(node.view, 'axis', 0) !== 0 || !countsPositions(ids))
		return undefined;
	const reach = reachOf(ids);
	const read = reach?.counts === false ? 1 + reach.most : undefined;
	// Counted positions along an axis of a size that does not change are at least that many.
	const length = ids.dynamic.at(-1) === true ? 1 : (ids.sizes.at(-1) ?? 1);
	return { node, table, axis: 0, read, least: read ?? length, more: reach && reach.most + 1 };
}

/** From row 0 on; https://onnx.ai/onnx/operators/onnx__Slice.html, the form with inputs (version 10 and later). */
function sliced(node: NetNode, table: Tensor): PositionTable | undefined {
	const [starts, axes, steps] = [1, 3, 4].map((slot) => fixedInts(node.view, slot));
	const [axis = 0, more] = axes ?? [0];
	const forward = node.inputs[4] === undefined || steps?.[0] === 1;
	if (starts?.length !== 1 || starts[0] !== 0 || more !== undefined || !forward) return undefined;
	const at = axis < 0 ? axis + table.dims.length : axis;
	const [end] = fixedInts(node.view, 2) ?? [];
	const size = table.dims[at] ?? 0;
	const read = end === undefined ? undefined : Math.min(size, end < 0 ? end + size : end);
	return { node, table, axis: at, read, least: read ?? 1, more: reachOf(node.inputs[2])?.most };
}

/** Whether a value counts positions: by sizes alone, or along a mask, whose padding is then no position. */
export function countsPositions(tensor: NetTensor): boolean {
	return isCounted(tensor) || reachOf(tensor)?.counts === true;
}

/** Whether a value is made of sizes and constants alone, or is an input that is named for positions: numbers counted up. */
export function isCounted(tensor: NetTensor, seen = new Set<NetTensor>()): boolean {
	if (seen.has(tensor) || tensor.constant !== undefined) return true;
	seen.add(tensor);
	if (tensor.io.includes('input')) return tensor.name.toLowerCase().includes('position');
	const { producer } = tensor;
	if (producer === undefined || subgraphs(producer.node).length > 0) return tensor.fixed;
	if (producer.readsShape) return true;
	return producer.inputs.every((input) => input === undefined || isCounted(input, seen));
}
