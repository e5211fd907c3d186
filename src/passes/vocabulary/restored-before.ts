/** Columns of an output that an earlier statement has put back: found again, so that a later one does it in the same two nodes. */
import { constantsOf } from '../../ir/graph/constants.ts';
import { inferFacts } from '../../ir/graph/facts.ts';
import { type Attribute, type Model, type Node, type ValueName } from '../../ir/graph/graph.ts';
import { isReadable, numbersOf } from '../../ir/graph/tensor.ts';
import { intOf } from '../edits.ts';

/** The node that puts columns back, for each the column that it picks, and which of those holds nothing. */
export type Before = { readonly node: Node; readonly columns: readonly number[]; readonly none: number };

/** The pads of one more column at the end. https://onnx.ai/onnx/operators/onnx__Pad.html */
export function oneBehind(rank: number, axis: number): number[] {
	return Array.from({ length: 2 * rank }, (_, at) => Number(at === rank + axis));
}

/** Undefined where nothing has put back columns of the output that is computed now, or something in the graph reads it too. */
export function restoredBefore(
	model: Model,
	{ output, axis, rank }: { readonly output: ValueName; readonly axis: number; readonly rank: number },
): Before | undefined {
	const { nodes } = model.graph;
	const makerOf = (name = ''): Node | undefined => nodes.find(({ outputs }) => outputs.includes(name));
	const node = makerOf(output);
	const pad = makerOf(node?.inputs[0]);
	if (node?.op !== 'Gather' || intOf(node, 'axis', 0) !== axis || pad?.op !== 'Pad') return undefined;
	const numbers = numbersIn(model);
	const columns = numbers(node, 1);
	const pads = listOf(pad.attributes.get('pads')) ?? numbers(pad, 1);
	const [filling] = listOf(pad.attributes.get('value')) ?? numbers(pad, 2) ?? [];
	const isOurs = pads?.join() === oneBehind(rank, axis).join() && filling === -Infinity;
	const isRead = nodes.some(({ inputs }) => inputs.includes(output));
	if (!isOurs || isRead || columns === undefined) return undefined;
	const width = inferFacts(model, new Map()).of(pad.outputs[0] ?? '')?.sizes?.[axis];
	return width === undefined ? undefined : { node, columns, none: width - 1 };
}

function numbersIn({ graph }: Model): (node: Node, slot: number) => number[] | undefined {
	const constants = constantsOf(graph);
	return ({ inputs }, slot) => {
		const tensor = constants.get(inputs[slot] ?? '');
		return tensor && isReadable(tensor) ? Array.from(numbersOf(tensor)) : undefined;
	};
}

function listOf(attribute: Attribute | undefined): readonly number[] | undefined {
	if (attribute?.kind === 'ints') return attribute.value;
	return attribute?.kind === 'float' ? [attribute.value] : undefined;
}
