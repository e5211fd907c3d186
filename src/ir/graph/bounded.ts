/** Outputs whose values lie in [-1, 1] by what makes them. */
import { type Model, type Node, type ValueName } from './graph.ts';
import { opened } from './open.ts';

const bounding: ReadonlySet<string> = new Set(['Sigmoid', 'HardSigmoid', 'Tanh', 'Softmax']);
/** Operators whose values are among those of their first operand, or means of them. */
const passing: ReadonlySet<string> = new Set([
	...['Identity', 'Cast', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze', 'Transpose'],
	...['Slice', 'Gather', 'Split', 'ReduceMean', 'ReduceMax', 'ReduceMin'],
]);

/** Names of the graph outputs that come out of a sigmoid, tanh or softmax, moved and averaged at most. */
export function boundedOutputs(model: Model): Set<ValueName> {
	const { graph } = opened(model);
	const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
	const isBounded = (name: ValueName, steps: number): boolean => {
		const node = makers.get(name);
		if (node === undefined || steps > 32) return false;
		if (bounding.has(node.op)) return true;
		return sources(node, name).length > 0 && sources(node, name).every((one) => isBounded(one, steps + 1));
	};
	return new Set(graph.outputs.map(({ name }) => name).filter((name) => isBounded(name, 0)));
}

function sources(node: Node, value: ValueName): ValueName[] {
	if (passing.has(node.op)) return node.inputs.slice(0, 1);
	if (node.op === 'Concat') return [...node.inputs];
	if (node.op !== 'If' || node.bodies === undefined) return [];
	const results = node.outputs.length;
	const slot = 1 + node.outputs.indexOf(value);
	return [node.inputs[slot] ?? '', node.inputs[slot + results] ?? ''];
}
