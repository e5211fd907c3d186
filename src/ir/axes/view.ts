/** A node as its operator's row sees it: attributes, concrete sizes of its operands, and the integers it can know. */
import { type Node, type ValueName } from '../graph/graph.ts';

export type Sizes = readonly number[];

/** Small integers known of an operand: their values at the sampled sizes, and which of them never change. */
export type Known = { readonly values: readonly number[]; readonly fixed: readonly boolean[] };

export type Operand = {
	/** Element type, 0 when unknown. */
	readonly type: number;
	/** Concrete sizes at the sampled binding of symbols; undefined when they cannot be told. */
	readonly sizes: Sizes | undefined;
	/** Which axes change with the input. */
	readonly dynamic: readonly boolean[];
	readonly known?: Known | undefined;
	/** Whether the operand is a weight or another constant. */
	readonly constant: boolean;
};

export type NodeView = {
	readonly node: Node;
	/** Version of the operator set of the node's domain. */
	readonly opset: number;
	/** Which of the two samples is evaluated: a size that depends on data differs between them, so that nobody takes it for fixed. */
	readonly turn?: 0 | 1;
	/** Absent optional operands are undefined. */
	readonly inputs: readonly (Operand | undefined)[];
	readonly outputs: readonly (Operand | undefined)[];
};

export function intAttribute(view: NodeView, name: string): number | undefined;
export function intAttribute(view: NodeView, name: string, otherwise: number): number;
export function intAttribute(view: NodeView, name: string, otherwise?: number): number | undefined {
	const attribute = view.node.attributes.get(name);
	return attribute?.kind === 'int' || attribute?.kind === 'float' ? attribute.value : otherwise;
}

export function intsAttribute(view: NodeView, name: string): readonly number[] | undefined {
	const attribute = view.node.attributes.get(name);
	return attribute?.kind === 'ints' || attribute?.kind === 'floats' ? attribute.value : undefined;
}

export function stringAttribute(view: NodeView, name: string, otherwise: string): string {
	const attribute = view.node.attributes.get(name);
	return attribute?.kind === 'string' ? attribute.value : otherwise;
}

/** Sizes of input `slot`, undefined when the operand is absent or its sizes are unknown. */
export function inputSizes(view: NodeView, slot: number): Sizes | undefined {
	return view.inputs[slot]?.sizes;
}

export function outputSizes(view: NodeView, slot: number): Sizes | undefined {
	return view.outputs[slot]?.sizes;
}

/** Integers of input `slot` if all of them never change: constants and static shape arithmetic. */
export function fixedInts(view: NodeView, slot: number): readonly number[] | undefined {
	const known = view.inputs[slot]?.known;
	return known?.fixed.every(Boolean) ? known.values : undefined;
}

/** Integers of input `slot` at the sampled sizes, whether or not they change. */
export function sampledInts(view: NodeView, slot: number): readonly number[] | undefined {
	return view.inputs[slot]?.known?.values;
}

/** An axis counted from the front: -1 is the last of `rank`. */
export function frontAxis(axis: number, rank: number): number {
	return axis < 0 ? axis + rank : axis;
}

/** The attribute `axis`, counted from the front of the first operand. */
export function axisOf(view: NodeView, otherwise: number): number {
	return frontAxis(intAttribute(view, 'axis', otherwise), inputSizes(view, 0)?.length ?? 1);
}

/**
 * A size that data decide, as how many boxes are left: another number at each of the two samples, so that it is known to move; the same
 * for everybody who asks of the same value.
 */
export function decidedSize({ turn = 0 }: NodeView, by: ValueName): number {
	let mixed = 0;
	for (const letter of by) mixed = (31 * mixed + (letter.codePointAt(0) ?? 0)) % 7;
	return 5 + mixed + 2 * turn;
}
