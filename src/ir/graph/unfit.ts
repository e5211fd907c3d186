/** What says that a model does not run at the sizes that were tried. */
import { elementCount, type Node, type ValueName } from './graph.ts';
import { type Operand } from '../axes/view.ts';

type Values = ReadonlyMap<ValueName, Operand>;

/** Nodes of the main graph weigh more than any in bodies, which may not be run. */
const weighed = (nodes: readonly Node[], of: readonly Node[]): number =>
	nodes.reduce((sum, { scope }) => sum + (scope === undefined ? of.length : 1), 0);

/** How many nodes make a value without elements. */
export function emptiedIn(values: Values, order: readonly Node[]): number {
	const empty = ({ outputs }: Node): boolean =>
		outputs.some((name) => values.get(name)?.sizes?.some((size) => size <= 0));
	return weighed(order.filter(empty), order);
}

/** How many reshapes would make another number of elements than they read. */
export function tornIn(values: Values, order: readonly Node[]): number {
	const torn = ({ op, domain, inputs, outputs }: Node): boolean => {
		if (op !== 'Reshape' || domain !== '') return false;
		const [from, to] = [inputs[0], outputs[0]].map((name) => values.get(name ?? '')?.sizes);
		return from !== undefined && to !== undefined && elementCount(from) !== elementCount(to);
	};
	return weighed(order.filter(torn), order);
}
