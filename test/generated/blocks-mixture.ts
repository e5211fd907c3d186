/** Blocks that choose: the largest of several rows, and experts by the scores of a router. */
import { type Block } from './blocks.ts';
import { project, type Flow, type Kit } from './kit.ts';

type Build = Block['build'];

/** The largest along rows or columns of a vector. */
const largest: Build = (kit, x) => {
	const [rows, columns] = [kit.draw.from(2, 5), kit.draw.from(2, 4)];
	const wide = project(kit, x, rows * columns);
	const apart = kit.reshape(wide.name, 1, [rows, columns]);
	const axis = kit.draw.pick([1, 2]);
	const count = kit.draw.from(1, axis === 1 ? rows : columns);
	const top = kit.b.node('TopK', [apart, kit.b.ints([count])], { axis }, '', 2);
	const width = axis === 1 ? count * columns : rows * count;
	return { ...x, name: kit.reshape(top, 1, [width]), width };
};

type Routed = {
	readonly experts: number;
	/** Of the experts that are chosen, [..., count]: their weights, and their numbers. */
	readonly weights: string;
	readonly chosen: string;
};

/** So many experts a row, by the scores of a product. */
function routed(kit: Kit, x: Flow): Routed {
	const experts = kit.draw.from(3, 5);
	const scores = kit.node('MatMul', [x.name, kit.weight([x.width, experts])]);
	const count = kit.draw.from(1, 2);
	const top = kit.b.node('TopK', [scores, kit.b.ints([count])], { axis: -1 }, '', 2);
	const weights = kit.exact ? kit.bounded(top) : kit.node('Softmax', [top], { axis: -1 });
	return { experts, weights, chosen: `${top}_1` };
}

/** The matrices of the chosen, picked by their numbers. */
const picked: Build = (kit, x) => {
	const { experts, weights, chosen } = routed(kit, x);
	const hidden = kit.draw.from(2, 5);
	const pick = (from: number, to: number): string =>
		kit.node('Gather', [kit.weight([experts, from, to], from), chosen]);
	const each = kit.node('Unsqueeze', [x.name, kit.b.ints([-2, -3])]);
	const up = kit.activation(kit.bounded(kit.node('MatMul', [each, pick(x.width, hidden)])));
	const down = kit.bounded(kit.node('MatMul', [up, pick(hidden, x.width)]));
	const flat = kit.node('Squeeze', [down, kit.b.ints([-2])]);
	const weighed = kit.node('Mul', [flat, kit.node('Unsqueeze', [weights, kit.b.ints([-1])])]);
	const rank = x.kind === 'sequence' ? 3 : 2;
	return { ...x, name: kit.bounded(kit.reduce('ReduceSum', weighed, [rank - 1])) };
};

/** Every expert on every row, with weights of zero where it is not among the chosen. */
const scattered: Build = (kit, x) => {
	const { experts, weights, chosen } = routed(kit, x);
	const hidden = kit.draw.from(2, 5);
	const sizes = kit.node('Concat', [kit.sizeAt(x.name, 0), kit.b.ints([experts])], { axis: 0 });
	const none = kit.node('ConstantOfShape', [sizes]);
	const all = kit.node('ScatterElements', [none, chosen, weights], { axis: 1 });
	const each = (equation: string, from: string, dims: readonly number[]): string =>
		kit.bounded(kit.node('Einsum', [from, kit.weight(dims, dims[1])], { equation }));
	const up = kit.activation(each('bw,ewh->beh', x.name, [experts, x.width, hidden]));
	const down = each('beh,ehw->bew', up, [experts, hidden, x.width]);
	const weighed = kit.node('Mul', [down, kit.node('Unsqueeze', [all, kit.b.ints([2])])]);
	return { ...x, name: kit.bounded(kit.reduce('ReduceSum', weighed, [1])) };
};

/** onnxruntime's operator for the whole of it. */
const fused: Build = (kit, x) => {
	const [experts, hidden] = [kit.draw.from(3, 5), kit.draw.from(2, 5)];
	const scores = kit.node('MatMul', [x.name, kit.weight([x.width, experts])]);
	const up = [kit.weight([experts, hidden, x.width], x.width), kit.weight([experts, hidden], 4)];
	const down = [kit.weight([experts, x.width, hidden], hidden), kit.weight([experts, x.width], 4)];
	const attributes = { k: kit.draw.from(1, 2), activation_type: 'relu', normalize_routing_weights: 1 };
	return { ...x, name: kit.node('MoE', [x.name, scores, ...up, ...down], attributes, 'com.microsoft') };
};

export const mixtureBlocks: Readonly<Record<string, Block>> = {
	largest: { takes: ['vector'], build: largest },
	experts_picked: { takes: ['vector', 'sequence'], build: picked },
	experts_scattered: { takes: ['vector'], build: scattered },
	experts_fused: { takes: ['vector'], only: 'float', build: fused },
};
