/** Loops that count: they go on while a state that grows by one is less than another one that stays, as a `while` of TensorFlow does. */
import { constantsOf } from '../graph/constants.ts';
import { type Graph, type Node, type ValueName } from '../graph/graph.ts';
import { numbersOf } from '../graph/tensor.ts';

/** Which state counts, and which one it stays below; both from 0, in the order of the loop's states. */
export type Counting = { readonly counter: number; readonly bound: number };

/** How a loop counts, told by its body as it was read; undefined where anything else ends it. */
export function countingOf({ bodies }: Node): Counting | undefined {
	const graph = bodies?.[0]?.body?.graph;
	return graph && countingIn(graph);
}

function countingIn(graph: Graph): Counting | undefined {
	const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
	const source = (name: ValueName): ValueName => {
		const maker = makers.get(name);
		const passes = maker?.op === 'Cast' || maker?.op === 'Identity';
		return passes ? source(maker.inputs[0] ?? '') : name;
	};
	const [going = '', ...next] = graph.outputs.map(({ name }) => source(name));
	const states = graph.inputs.slice(2).map(({ name }) => name);
	const test = makers.get(going);
	const [less, most] = (test?.op === 'Less' ? test.inputs : []).map(source);
	const step = makers.get(less ?? '');
	const summands = step?.op === 'Add' ? step.inputs.map(source) : [];
	const bound = states.findIndex((name, at) => name === most && next[at] === name);
	const counter = states.findIndex((name, at) => summands.includes(name) && next[at] === less);
	const by = summands.find((name) => name !== states[counter]);
	return bound >= 0 && counter >= 0 && isOne(graph, by) ? { counter, bound } : undefined;
}

function isOne(graph: Graph, name: ValueName | undefined): boolean {
	const constant = constantsOf(graph).get(name ?? '');
	return constant !== undefined && constant.dims.length <= 1 && numbersOf(constant).join() === '1';
}
