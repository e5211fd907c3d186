/** Small tensors whose numbers are known without running: shapes, bounds, indices, masks made of them. */
import { DOUBLE, elementType, FLOAT } from '../graph/dtype.ts';
import { elementCount } from '../graph/graph.ts';
import { inputSizes, sampledInts, type NodeView, type Sizes } from './view.ts';

/** More than this many elements are data, not arithmetic of shapes. */
const limit = 4096;

/** Row-major elements of a tensor of `sizes`, each from its coordinates; undefined when there are too many. */
export function tabulate(sizes: Sizes, element: (at: readonly number[]) => number): number[] | undefined {
	const count = elementCount(sizes);
	if (count > limit) return undefined;
	const at = sizes.map(() => 0);
	return Array.from({ length: count }, () => {
		const value = element(at);
		for (let axis = sizes.length - 1; axis >= 0; axis--) {
			at[axis] = (at[axis] ?? 0) + 1;
			if ((at[axis] ?? 0) < (sizes[axis] ?? 0)) break;
			at[axis] = 0;
		}
		return value;
	});
}

/** A reader of elements by coordinates; axes in front of the tensor's own are ignored and axes of size 1 repeat. */
export type Reader = (at: readonly number[]) => number;

/** Known input `slot` as a reader, undefined when its numbers cannot be told. */
export function reader(view: NodeView, slot: number): Reader | undefined {
	const [values, sizes] = [sampledInts(view, slot), inputSizes(view, slot)];
	if (values === undefined || sizes === undefined) return undefined;
	return (at) => {
		const skipped = at.length - sizes.length;
		let flat = 0;
		for (const [axis, size] of sizes.entries())
			flat = flat * size + (size === 1 ? 0 : (at[axis + skipped] ?? 0));
		return values[flat] ?? NaN;
	};
}

export function isInteger(type: number): boolean {
	const kind = elementType(type)?.kind;
	return kind === 'int' || kind === 'uint';
}

/** A number as an element of this type holds it: float32 rounds, integers drop the fraction, bool is 0 or 1. */
export function heldAs(type: number, value: number): number {
	if (type === DOUBLE) return value;
	if (type === FLOAT) return Math.fround(value);
	if (elementType(type)?.kind === 'bool') return Number(value !== 0);
	return isInteger(type) ? Math.trunc(value) : value;
}
