/** Broadcasting of sizes and of small integer tensors. https://onnx.ai/onnx/repo-docs/Broadcasting.html */
import { type NodeView, type Sizes } from './view.ts';
import { heldAs, reader, tabulate } from './values.ts';

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

/** Applies a function over known operands, element by element, and holds the results as elements of `type`. Absent operands are NaN. */
export function mapKnown(
	view: NodeView,
	type: number,
	apply: (...values: number[]) => number,
): readonly number[] | undefined {
	const readers = view.inputs.map((input, slot) => (input === undefined ? () => NaN : reader(view, slot)));
	if (!readers.every((read) => read !== undefined)) return undefined;
	const target = broadcastSizes(view.inputs.flatMap((input) => (input?.sizes ? [input.sizes] : [])));
	return target && tabulate(target, (at) => heldAs(type, apply(...readers.map((read) => read(at)))));
}
