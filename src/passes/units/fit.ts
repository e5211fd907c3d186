/** Tensors at the positions that a cut leaves of a node's operands. */
import { cutTensor } from '../../ir/graph/gather.ts';
import { type Tensor } from '../../ir/graph/graph.ts';

/** Positions that stay of each axis of a node's operand; undefined where all do. */
export type Fit = (node: number, slot: number) => readonly (Int32Array | undefined)[];

/** A tensor at the positions that stay. */
export function cutAxes(tensor: Tensor, axes: readonly (Int32Array | undefined)[]): Tensor {
	return axes.reduce((current, kept, axis) => (kept ? cutTensor(current, axis, [...kept]) : current), tensor);
}
