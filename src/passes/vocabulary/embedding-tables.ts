/** Tables of embeddings: stored matrices that ids of the input pick rows of, and who else reads them. */
import { present } from '../../diagnostic.ts';
import { elementType } from '../../ir/graph/dtype.ts';
import { nodeLabel, type Node, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { isReadable } from '../../ir/graph/tensor.ts';
import { intAttribute } from '../../ir/axes/view.ts';
import { type Net, type NetNode } from '../../ir/axes/net.ts';
import { countsPositions } from '../positions/position-tables.ts';
import { sitesInScope } from '../sites.ts';
import { type PlanRequest } from '../technique.ts';

/** A matrix whose rows are looked up. */
export type Table = {
	readonly table: Tensor;
	readonly lookups: readonly NetNode[];
	/** Why it cannot be factored. */
	readonly why: string | undefined;
};

/** Stored matrices whose rows ids of the input pick; positions, which are counted and no ids, are another matter. */
export function tablesIn(request: PlanRequest): Table[] {
	const { net } = request;
	const inScope = sitesInScope(request);
	const lookups = net.nodes.filter((node) => isLookup(node) && inScope(node.node));
	const names = [...new Set(lookups.map(({ node }) => node.inputs[0] ?? ''))];
	const plain = names.map((name): Table => {
		const own = lookups.filter(({ node }) => node.inputs[0] === name);
		const table = present(own[0]?.inputs[0]?.constant, name);
		return { table, lookups: own, why: otherReader(net, name) };
	});
	const fused = net.nodes.filter(({ node }) => inScope(node)).flatMap(fusedTable);
	return [...plain, ...fused.filter(({ table }) => !names.includes(table.name))];
}

/**
 * Where the table stands among the inputs of operators that do more than look up, and what they do.
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
const fusedLookups: Readonly<Record<string, readonly [slot: number, does: string]>> = {
	EmbedLayerNormalization: [2, 'sums and normalizes what it looks up'],
	GatherBlockQuantized: [0, 'looks up quantized rows'],
};

function fusedTable({ node, inputs }: NetNode): Table[] {
	const [slot = 0, does] = fusedLookups[node.op] ?? [];
	const table = inputs[slot]?.constant;
	if (does === undefined || table === undefined) return [];
	return [{ table, lookups: [], why: `${nodeLabel(node)} ${does}` }];
}

/** https://onnx.ai/onnx/operators/onnx__Gather.html along the rows. */
function isLookup({ node, view, inputs: [table, ids] }: NetNode): boolean {
	const { constant } = table ?? {};
	if (node.op !== 'Gather' || constant?.dims.length !== 2 || intAttribute(view, 'axis', 0) !== 0)
		return false;
	const isFloat = elementType(constant.type)?.kind === 'float' && isReadable(constant);
	return isFloat && ids !== undefined && !ids.fixed && !countsPositions(ids);
}

/** A reader that is neither a lookup nor a product tied to the table. */
function otherReader({ model }: Net, table: ValueName): string | undefined {
	const { nodes, outputs } = model.graph;
	if (outputs.some(({ name }) => name === table)) return 'it is a model output';
	const odd = nodes.find((node) => node.inputs.includes(table) && !readsWell(nodes, node, table));
	return odd && `${nodeLabel(odd)} reads it too`;
}

/** Lookups, and products whose other operand has the table's width: with the table turned by the product, or by a Transpose before it. */
function readsWell(
	nodes: readonly Node[],
	{ op, inputs, outputs, attributes }: Node,
	table: ValueName,
): boolean {
	const isOne = (name: string): boolean => {
		const attribute = attributes.get(name);
		return attribute?.kind === 'int' && attribute.value === 1;
	};
	if (op === 'Gather') return inputs[0] === table;
	if (op === 'Gemm') return inputs[1] === table && inputs[0] !== table && isOne('transB') && !isOne('transA');
	const readers = nodes.filter((node) => node.inputs.includes(outputs[0] ?? ''));
	return op === 'Transpose' && readers.every((node) => node.op === 'MatMul' && node.inputs[1] === outputs[0]);
}
