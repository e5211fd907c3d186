/** Which values of a graph are constants: initializers, `Constant` nodes, and `Identity` of those. */
import { floats, inMemory, ints, isReadable, numbersOf } from './tensor.ts';
import { sortNodes } from './order.ts';
import { elementCount, type Graph, type Node, type Tensor, type ValueName } from './graph.ts';

/** The tensor a `Constant` node makes, whichever attribute form it uses; undefined for sparse ones and strings. */
export function constantTensor(node: Node): Tensor | undefined {
	const [name = ''] = node.outputs;
	for (const [key, attribute] of node.attributes) {
		if (key === 'value' && attribute.kind === 'tensor') return { ...attribute.value, name };
		if (key === 'value_int' && attribute.kind === 'int') return ints(name, [], [attribute.value]);
		if (key === 'value_ints' && attribute.kind === 'ints')
			return ints(name, [attribute.value.length], attribute.value);
		if (key === 'value_float' && attribute.kind === 'float') return floats(name, [], [attribute.value]);
		if (key === 'value_floats' && attribute.kind === 'floats')
			return floats(name, [attribute.value.length], attribute.value);
	}
	return undefined;
}

/** Every constant value of the graph by name. Initializers that are also graph inputs count: IR 3 lists them there. */
export function constantsOf(graph: Graph): Map<ValueName, Tensor> {
	const constants = new Map<ValueName, Tensor>(graph.initializers);
	for (const node of sortNodes(graph.nodes)) {
		const [output = ''] = node.outputs;
		const source = node.inputs[0] === undefined ? undefined : constants.get(node.inputs[0]);
		const tensor =
			node.op === 'Constant'
				? constantTensor(node)
				: node.op === 'Identity' && source
					? { ...source, name: output }
					: undefined;
		if (tensor !== undefined && output !== '') constants.set(output, tensor);
	}
	return constants;
}

/** Elements of a small constant as plain numbers; undefined when it is large, absent or of strings. */
export function smallNumbers(tensor: Tensor, limit = 4096): readonly number[] | undefined {
	if (elementCount(tensor.dims) > limit || !isReadable(tensor)) return undefined;
	return Array.from(numbersOf(tensor));
}

/** An empty tensor's bytes, for constants of zero elements. */
export const nothing = inMemory(new Uint8Array(0));
