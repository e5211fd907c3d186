/** Which exit a run took, as one more output of a model: for measuring, never for use. */
import { INT64 } from '../../ir/graph/dtype.ts';
import {
	type Attribute,
	type Graph,
	type Model,
	type Node,
	type ValueInfo,
	type ValueName,
} from '../../ir/graph/graph.ts';
import { freshNames } from '../../ir/graph/patch.ts';
import { tensorOf } from '../../ir/graph/tensor.ts';

/** The number that stands for a run to the end. */
export const toTheEnd = -1;

/** The model with an output [1] that holds the layer whose exit was taken; undefined for a model without exits. */
export function withTaken(model: Model): { readonly model: Model; readonly output: ValueName } | undefined {
	const fresh = freshNames(model.graph);
	const told = telling(model.graph, fresh);
	if (told === undefined) return undefined;
	const { graph, output } = told;
	return { model: { ...model, graph: { ...graph, outputs: [...graph.outputs, infoOf(output)] } }, output };
}

/** The layer after which an `If` leaves, by the name that the statement gave it. */
export function exitLayerOf({ op, name }: Node): number | undefined {
	const layer = op === 'If' ? /^exit_after_(\d+)_if/.exec(name)?.[1] : undefined;
	return layer === undefined ? undefined : Number(layer);
}

function infoOf(name: ValueName): ValueInfo {
	return { name, type: INT64, dims: [1] };
}

function telling(
	graph: Graph,
	fresh: (base: string) => ValueName,
): { readonly graph: Graph; readonly output: ValueName } | undefined {
	const exit = graph.nodes.find((node) => exitLayerOf(node) !== undefined);
	if (exit === undefined) return undefined;
	const output = fresh('exit_taken');
	const attributes = new Map(
		[...exit.attributes].map(([name, attribute]): [string, Attribute] => {
			if (attribute.kind !== 'graph') return [name, attribute];
			const number = name === 'then_branch' ? (exitLayerOf(exit) ?? toTheEnd) : toTheEnd;
			const inner = name === 'then_branch' ? undefined : telling(attribute.value, fresh);
			const branch = inner ?? saying(attribute.value, number, fresh);
			return [
				name,
				{
					kind: 'graph',
					value: { ...branch.graph, outputs: [...branch.graph.outputs, infoOf(branch.output)] },
				},
			];
		}),
	);
	const told = { ...exit, outputs: [...exit.outputs, output], attributes };
	return { graph: { ...graph, nodes: graph.nodes.map((node) => (node === exit ? told : node)) }, output };
}

/** A branch that also says a number. */
function saying(
	graph: Graph,
	number: number,
	fresh: (base: string) => ValueName,
): { readonly graph: Graph; readonly output: ValueName } {
	const output = fresh('exit_number');
	const value: Attribute = { kind: 'tensor', value: tensorOf(output, INT64, [1], [number]) };
	const id = Math.max(0, ...graph.nodes.map((node) => node.id)) + 1;
	const constant: Node = {
		...{ id, name: '', op: 'Constant', domain: '', inputs: [], outputs: [output] },
		attributes: new Map([['value', value]]),
	};
	return { graph: { ...graph, nodes: [...graph.nodes, constant] }, output };
}
