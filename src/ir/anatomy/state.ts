/** State pairs: caches that go in as `past` and come out as `present`, found by where they meet. */
import { matchesGlob } from '../glob.ts';
import { elementCount } from '../graph/graph.ts';
import { type Net, type NetNode, type NetTensor } from '../axes/net.ts';

const layout: ReadonlySet<string> = new Set([
	'Identity',
	'Cast',
	'Transpose',
	'Reshape',
	'Squeeze',
	'Unsqueeze',
	'Gather',
	'Split',
	'Slice',
	'Concat',
	'Expand',
	'Flatten',
	'If',
]);
/** Operators that take a state in and give it out, a cache or what a recurrence remembers: its input slots. */
const caches: Readonly<Record<string, readonly number[]>> = {
	Attention: [4],
	MultiHeadAttention: [6, 7],
	GroupQueryAttention: [3, 4],
	DecoderMaskedMultiHeadAttention: [5, 6],
	QAttention: [8],
	LSTM: [5, 6],
	GRU: [5],
	RNN: [5],
};

/** Layout operators, and arithmetic with a single number. */
function passes({ node, inputs }: NetNode): boolean {
	if (layout.has(node.op)) return true;
	const single = inputs.some((input) => input !== undefined && elementCount(input.sizes) === 1);
	return ['Add', 'Sub', 'Mul', 'Div'].includes(node.op) && single;
}

/** Which graph inputs and outputs may lose positions: state, and those that `mayChange` names, by globs. */
export function mayLose(net: Net, mayChange: readonly string[]): (tensor: NetTensor) => boolean {
	return (tensor) => isStateTensor(net, tensor) || mayChange.some((glob) => matchesGlob(glob, tensor.name));
}

/** Whether a tensor is a graph input or output that carries state: its shape follows what it belongs to. */
export function isStateTensor(net: Net, tensor: NetTensor): boolean {
	if (tensor.io.includes('input')) return meetings(tensor).some((node) => reachesOutput(node));
	const met = ancestorsByLayout(tensor);
	return [...net.tensors.values()].some(
		(other) =>
			other.io.includes('input') &&
			other.constant === undefined &&
			other.sizes.length > 2 &&
			meetings(other).some((node) => met.has(node)),
	);
}

/** Where a graph input, through layout operators only, is joined with new positions. */
function meetings(tensor: NetTensor): NetNode[] {
	const found: NetNode[] = [];
	const seen = new Set<NetTensor>();
	const pending = [tensor];
	for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
		if (seen.has(next)) continue;
		seen.add(next);
		for (const node of next.consumers) {
			const slots = caches[node.node.op];
			if (slots?.some((slot) => node.inputs[slot] === next)) found.push(node);
			else if (node.node.op === 'Concat' && node.inputs.some((input) => input !== next)) found.push(node);
			else if (passes(node)) pending.push(...node.outputs.filter((output) => output !== undefined));
		}
	}
	return found;
}

function reachesOutput(node: NetNode): boolean {
	const seen = new Set<NetTensor>();
	const pending = node.outputs.filter((output) => output !== undefined);
	for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
		if (seen.has(next)) continue;
		seen.add(next);
		if (next.io.includes('output')) return true;
		for (const reader of next.consumers) {
			if (passes(reader)) pending.push(...reader.outputs.filter((output) => output !== undefined));
		}
	}
	return false;
}

function ancestorsByLayout(tensor: NetTensor): Set<NetNode> {
	const seen = new Set<NetNode>();
	const pending = [tensor];
	for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
		const { producer } = next;
		if (producer === undefined || seen.has(producer)) continue;
		seen.add(producer);
		if (passes(producer)) pending.push(...producer.inputs.filter((input) => input !== undefined));
	}
	return seen;
}
