/**
 * Rotations of queries and keys by position (RoPE, Su et al., arXiv:2104.09864): x·cos + turned(x)·sin in single operators, RotaryEmbedding
 * (https://onnx.ai/onnx/operators/onnx__RotaryEmbedding.html and onnxruntime's), and inside GroupQueryAttention (`do_rotary`).
 */
import { nodeLabel, type ValueName } from '../../ir/graph/graph.ts';
import { intAttribute } from '../../ir/axes/view.ts';
import { type Net, type NetNode, type NetTensor } from '../../ir/axes/net.ts';
import { isActivationContraction } from '../../ir/anatomy/parts.ts';

/** One rotation: what is turned and the result; for those inside an attention both are absent. */
export type Rotation = {
	readonly node: NetNode;
	readonly input?: ValueName;
	readonly output?: ValueName;
	/** What it is turned by; an absent one is none that the operator is given. */
	readonly cosine?: NetTensor | undefined;
	readonly sine?: NetTensor | undefined;
	/** Who multiplies by them. */
	readonly readers: readonly NetNode[];
};

/** The rotations of one attention: of its queries and of its keys. */
export type Turned = {
	/** The product of queries and keys, or the fused attention. */
	readonly attention: NetNode;
	readonly rotations: readonly Rotation[];
	/** Outputs of the model that the turned keys are. */
	readonly outputs: readonly ValueName[];
};

/** Every attention whose queries and keys are turned, and those that cannot be told, with the reason. */
export function rotationsOf(net: Net): {
	readonly turned: readonly Turned[];
	readonly refused: ReadonlyMap<string, string>;
} {
	const byAttention = new Map<NetNode, Turned>();
	const refused = new Map<string, string>();
	for (const node of net.nodes) {
		const rotation = rotationAt(node);
		if (rotation === undefined) continue;
		const seen = rotation.output === undefined ? fusedUses(node) : usesOf(node.outputs[0]);
		if (typeof seen === 'string') {
			refused.set(nodeLabel(node.node), seen);
			continue;
		}
		const known = byAttention.get(seen.attention);
		byAttention.set(seen.attention, {
			attention: seen.attention,
			rotations: [...(known?.rotations ?? []), rotation],
			outputs: [...(known?.outputs ?? []), ...seen.outputs],
		});
	}
	return { turned: [...byAttention.values()], refused };
}

export function rotationAt(node: NetNode): Rotation | undefined {
	const [input = ''] = node.node.inputs;
	const [output = ''] = node.node.outputs;
	const { op, domain } = node.node;
	if (op === 'RotaryEmbedding') {
		// onnxruntime's has the positions before the tables, ONNX's behind them.
		const first = domain === '' ? 1 : 2;
		return { node, input, output, ...tables(node, first) };
	}
	if (op === 'GroupQueryAttention')
		return intAttribute(node.view, 'do_rotary', 0) === 1 ? { node, ...tables(node, 7) } : undefined;
	const written = op === 'Add' ? writtenIn(node) : undefined;
	return written === undefined ? undefined : { node, output, ...written };
}

function tables(node: NetNode, first: number): Pick<Rotation, 'cosine' | 'sine' | 'readers'> {
	return { cosine: node.inputs[first], sine: node.inputs[first + 1], readers: [node] };
}

/** The parts of x·cos + turned(x)·sin. */
function writtenIn({ inputs }: NetNode): Omit<Rotation, 'node' | 'output'> | undefined {
	const [left, right] = inputs.map((input) => input?.producer);
	if (left?.node.op !== 'Mul' || right?.node.op !== 'Mul') return undefined;
	for (const [straight, other] of [
		[left, right],
		[right, left],
	] as const)
		for (const x of straight.inputs)
			for (const turned of other.inputs)
				if (x !== undefined && turned !== undefined && x !== turned && turns(turned, x.name))
					return {
						input: x.name,
						cosine: straight.inputs.find((one) => one !== x),
						sine: other.inputs.find((one) => one !== turned),
						readers: [straight, other],
					};
	return undefined;
}

const movers = new Set([
	'Slice',
	'Split',
	'Neg',
	'Concat',
	'Unsqueeze',
	'Squeeze',
	'Reshape',
	'Gather',
	'Mul',
]);

/** Whether a value is another's numbers moved, some of them negated, and nothing else's. */
function turns(value: NetTensor, x: ValueName): boolean {
	const queue = [value];
	const seen = new Set<NetTensor>();
	let [negated, joined] = [false, false];
	for (let tensor = queue.pop(); tensor !== undefined; tensor = queue.pop()) {
		const { producer } = tensor;
		if (tensor.name === x || tensor.fixed || seen.has(tensor)) continue;
		seen.add(tensor);
		if (producer === undefined || !movers.has(producer.node.op) || seen.size > 12) return false;
		negated ||= producer.node.op === 'Neg' || producer.node.op === 'Mul';
		joined ||= producer.node.op === 'Concat';
		// What says where to cut or how to lay out is no number of the value.
		const count = producer.node.op === 'Concat' || producer.node.op === 'Mul' ? producer.inputs.length : 1;
		queue.push(...producer.inputs.slice(0, count).filter((input) => input !== undefined));
	}
	return negated && joined;
}

type Uses = { readonly attention: NetNode; readonly outputs: readonly ValueName[] };

const fused = new Set(['GroupQueryAttention', 'MultiHeadAttention', 'Attention']);
const carrying = new Set([
	...['Transpose', 'Reshape', 'Expand', 'Unsqueeze', 'Squeeze', 'Concat', 'Mul', 'Div', 'Cast', 'Identity'],
	...['ScatterND', 'ScatterElements', 'Gather', 'Slice', 'Where', 'Tile'],
]);

/** Keys of a fused attention come out turned where it has a cache. */
function fusedUses(node: NetNode): Uses {
	return { attention: node, outputs: node.outputs.slice(1, 2).flatMap((tensor) => outputNames(tensor)) };
}

const outputNames = (tensor: NetTensor | undefined): ValueName[] =>
	tensor?.io.includes('output') === true ? [tensor.name] : [];

/** The attention that a rotated value goes to, and the outputs of the model on the way; or what else it goes to. */
function usesOf(start: NetTensor | undefined): Uses | string {
	const found = new Set<NetNode>();
	const outputs: ValueName[] = [];
	const queue = start === undefined ? [] : [start];
	const seen = new Set<NetTensor>(queue);
	for (let tensor = queue.pop(); tensor !== undefined; tensor = queue.pop()) {
		outputs.push(...outputNames(tensor));
		for (const reader of tensor.consumers) {
			if (reader.readsShape) continue;
			if (isActivationContraction(reader) || fused.has(reader.node.op)) found.add(reader);
			else if (!carrying.has(reader.node.op)) return `${nodeLabel(reader.node)} reads it`;
			else
				for (const output of reader.outputs)
					if (output !== undefined && !seen.has(output)) {
						seen.add(output);
						queue.push(output);
					}
		}
	}
	const [attention, other] = found;
	if (attention === undefined) return 'no attention reads it';
	return other === undefined ? { attention, outputs } : 'more than one attention reads it';
}
