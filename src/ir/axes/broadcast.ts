/** Broadcasting of sizes and of small integer tensors. https://onnx.ai/onnx/repo-docs/Broadcasting.html */
import { elementCount } from '../graph/graph.ts';
import { type NodeView, type Operand, type Sizes } from './view.ts';

/** Sizes of operands lined up from the end; undefined when they do not fit. */
export function broadcastSizes(all: readonly Sizes[]): number[] | undefined {
	const rank = Math.max(0, ...all.map((sizes) => sizes.length));
	const result = new Array<number>(rank).fill(1);
	for (const sizes of all) {
		for (const [at, size] of sizes.entries()) {
			const axis = rank - sizes.length + at;
			const before = result[axis] ?? 1;
			if (before !== 1 && size !== 1 && before !== size) return undefined;
			if (size !== 1) result[axis] = size;
		}
	}
	return result;
}

/** Index into a tensor of `sizes` for element `flat` of a result of `target` sizes. */
function sourceIndex(flat: number, target: Sizes, sizes: Sizes): number {
	let [rest, index, stride] = [flat, 0, 1];
	for (let axis = target.length - 1, own = sizes.length - 1; axis >= 0; axis--, own--) {
		const size = target[axis] ?? 1;
		const at = rest % size;
		rest = Math.floor(rest / size);
		if (own < 0) continue;
		const extent = sizes[own] ?? 1;
		index += (extent === 1 ? 0 : at) * stride;
		stride *= extent;
	}
	return index;
}

/** Applies a function over known operands, element by element. */
export function mapKnown(
	view: NodeView,
	apply: (...values: number[]) => number,
): readonly number[] | undefined {
	const operands = view.inputs.filter((operand): operand is Operand => operand !== undefined);
	if (operands.some((operand) => operand.known === undefined || operand.sizes === undefined))
		return undefined;
	const target = broadcastSizes(operands.map((operand) => operand.sizes ?? []));
	if (target === undefined || elementCount(target) > 4096) return undefined;
	return Array.from({ length: elementCount(target) }, (_, flat) =>
		apply(...operands.map(({ known, sizes }) => known?.values[sourceIndex(flat, target, sizes ?? [])] ?? 0)),
	);
}
