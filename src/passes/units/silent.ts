/**
 * What a unit that is never chosen adds: nothing. An expert with operators of its own is fed the tokens for which it is chosen, or
 * weighs what it makes of all tokens by how much it is chosen. Where it never is, its weights are zeros and its tokens none; who adds
 * that to something, or writes it into something, hands the something on, and what nobody reads any more goes. Reference: scores
 * that are never chosen, with every operator in place.
 */
import { present } from '../../diagnostic.ts';
import { type Cut } from '../../ir/axes/cut.ts';
import { type Family } from '../../ir/axes/families.ts';
import { type Net, type NetNode, type NetTensor } from '../../ir/axes/net.ts';
import { isPicked } from '../../ir/axes/walk.ts';
import { nodeLabel } from '../../ir/graph/graph.ts';
import { type Edit } from '../../ir/graph/patch.ts';
import { isWrite, isZero, silenceAt, type Silence } from './silence.ts';

/** An operator, by its node's id, and the operands that stay: one is handed on, several are still joined. */
export type HandedOn = { readonly node: number; readonly keep: readonly number[] };

/** Who hands on what when some units of a family are never chosen, or why they cannot go. */
export function handedOnBy(
	net: Net,
	family: Family,
	units: ReadonlySet<number>,
): readonly HandedOn[] | { readonly why: string } {
	const { weights, joined, unsure } = picksOf(family, units);
	if (unsure !== undefined) return { why: `${unsure} gives them a part also where they are not chosen` };
	const silent = new Map<NetTensor, Silence>(weights.map((tensor) => [tensor, 'zero']));
	const handedOn = new Map(joined);
	const others: NetNode[] = [];
	/** Zeros that are handed on: who reads them finds them as they were. */
	const stillZero = ({ producer }: NetTensor): boolean => producer !== undefined && handedOn.has(producer);
	for (const node of net.nodes) {
		if (node.outputs.some((tensor) => tensor && silent.has(tensor))) continue;
		const states = node.inputs.map((tensor) => tensor && silent.get(tensor));
		if (!states.some(Boolean)) continue;
		const verdict = silenceAt(node, states);
		if (verdict === undefined) {
			if (node.inputs.some((tensor) => tensor && silent.has(tensor) && !stillZero(tensor))) others.push(node);
		} else if (typeof verdict === 'string')
			node.outputs.forEach((tensor) => tensor && silent.set(tensor, verdict));
		else {
			handedOn.set(node, verdict);
			if (isWrite(node) && (isZero(node.inputs[0]) || states[0] === 'zero'))
				node.outputs.forEach((tensor) => tensor && silent.set(tensor, 'zero'));
		}
	}
	const read = readNodes(net, handedOn);
	const makers = weights.flatMap(({ producer }) => producer ?? []);
	const stuck = others.find((node) => read.has(node));
	if (stuck !== undefined)
		return { why: `${nodeLabel(stuck.node)} may make something of an expert that is not chosen` };
	const left = makers.find((node) => read.has(node));
	if (left !== undefined) return { why: `${nodeLabel(left.node)} reaches an output of the model` };
	return [...handedOn].flatMap(([node, keep]) => (read.has(node) ? [{ node: node.node.id, keep }] : []));
}

type Picks = {
	/** How much a unit is chosen, by itself: zeros where it never is. */
	readonly weights: readonly NetTensor[];
	/** What joins one value a unit along an axis, and the operands that stay. */
	readonly joined: ReadonlyMap<NetNode, readonly number[]>;
	/** An operator on the way to such weights that may make something of nothing. */
	readonly unsure?: string;
};

/** Where single units are picked of the axes of a family, or put into one. */
function picksOf(family: Family, units: ReadonlySet<number>): Picks {
	const weights = new Set<NetTensor>();
	const joined = new Map<NetNode, readonly number[]>();
	for (const [node, letters] of family.letters)
		for (const { letter, coordinates } of node.row?.selected ?? [])
			if (coordinates.some((at) => units.has(letters[letter]?.[at] ?? -1)))
				node.outputs.forEach((tensor) => tensor && weights.add(tensor));
	for (const tensor of singles(family, units)) {
		const join = tensor.consumers.find(({ node }) => node.op === 'Concat');
		if (join === undefined || family.letters.get(present(tensor.producer, 'a joined value'))?.some(Boolean))
			weights.add(tensor);
		else {
			const all = join.inputs.map((_, slot) => slot);
			const keep = joined.get(join) ?? all;
			joined.set(
				join,
				keep.filter((slot) => join.inputs[slot] !== tensor),
			);
		}
	}
	const unsure = [...weights].flatMap((tensor) => unsureAt(tensor) ?? [])[0];
	return { weights: [...weights], joined, ...(unsure !== undefined && { unsure }) };
}

/** Values with an axis that is one of the units alone. */
function singles({ axes }: Family, units: ReadonlySet<number>): NetTensor[] {
	return [...axes].flatMap(([tensor, own]) =>
		isPicked(tensor) && own.some((at) => at?.length === 1 && units.has(at[0] ?? -1)) ? [tensor] : [],
	);
}

const moving: ReadonlySet<string> = new Set(
	'Cast Identity Transpose Reshape Flatten Squeeze Unsqueeze Slice Split Gather Expand Div ReduceSum ReduceMax'.split(
		' ',
	),
);

/** Who stands in the way of a part in a choice that is zero where the unit is not chosen: nobody, or the name of an operator. */
function unsureAt(tensor: NetTensor): string | undefined {
	const { producer } = tensor;
	if (producer === undefined) return `'${tensor.name}'`;
	const { inputs, node } = producer;
	const [first, by] = inputs;
	const inner = (operand: NetTensor | undefined): string | undefined =>
		operand === undefined ? nodeLabel(node) : unsureAt(operand);
	if (node.op === 'Softmax') return undefined;
	if (node.op === 'Equal' && inputs.some((operand) => operand?.numbers !== undefined)) return undefined;
	if (node.op === 'OneHot' && offIsZero(producer)) return undefined;
	if (isWrite(producer) && by?.numbers !== undefined && isZero(first)) return undefined;
	if (moving.has(node.op)) return inner(first);
	if (
		node.op === 'Mul' &&
		inputs.some((operand) => operand && !operand.fixed && unsureAt(operand) === undefined)
	)
		return undefined;
	return nodeLabel(node);
}

function offIsZero({ view }: NetNode): boolean {
	return view.inputs[2]?.known?.values[0] === 0;
}

/** Every node that an output of the model is made by. */
function readNodes(net: Net, handedOn: ReadonlyMap<NetNode, readonly number[]>): ReadonlySet<NetNode> {
	const read = new Set<NetNode>();
	const ahead = [...net.tensors.values()].flatMap(({ io, producer }) =>
		io.includes('output') && producer ? [producer] : [],
	);
	for (let node = ahead.pop(); node !== undefined; node = ahead.pop()) {
		if (read.has(node)) continue;
		read.add(node);
		const keep = handedOn.get(node);
		for (const [slot, tensor] of node.inputs.entries())
			if (tensor?.producer !== undefined && (keep?.includes(slot) ?? true)) ahead.push(tensor.producer);
	}
	return read;
}

/** Weights of operators that go whole with a unit, where it is the only one to go. */
export function ownWeights(net: Net, family: Family, unit: number): readonly NetTensor[] {
	const handedOn = handedOnBy(net, family, new Set([unit]));
	if ('why' in handedOn) return [];
	const [before, after] = [readNodes(net, new Map()), readNodes(net, keptBy(net, handedOn))];
	return net.nodes
		.filter((node) => before.has(node) && !after.has(node))
		.flatMap(({ inputs }) => inputs.flatMap((tensor) => (tensor?.constant === undefined ? [] : [tensor])));
}

function keptBy(net: Net, handedOn: readonly HandedOn[]): ReadonlyMap<NetNode, readonly number[]> {
	return new Map(handedOn.map(({ node, keep }) => [present(net.byNode.get(node), 'who hands on'), keep]));
}

/** A net of the operators that are still read, and the cut of those; joins without what they lose. */
export function withoutSilent(net: Net, cut: Cut, handedOn: readonly HandedOn[]): { net: Net; cut: Cut } {
	if (handedOn.length === 0) return { net, cut };
	const kept = keptBy(net, handedOn);
	const read = readNodes(net, kept);
	const changed = new Map(
		[...kept].map(([node, keep]): [NetNode, NetNode] => [
			node,
			{ ...node, inputs: node.inputs.map((tensor, slot) => (keep.includes(slot) ? tensor : undefined)) },
		]),
	);
	const letters = new Map([...cut.letters].map(([node, sets]) => [changed.get(node) ?? node, sets]));
	const nodes = net.nodes.filter((node) => read.has(node)).map((node) => changed.get(node) ?? node);
	return { net: { ...net, nodes }, cut: { dead: cut.dead, letters } };
}

/** Joins of what stays; where that is one value, readers get it itself. */
export function handOnEdits(net: Net, handedOn: readonly HandedOn[]): Edit[] {
	const single = new Map<string, string>();
	const edits: Edit[] = [];
	for (const { node: id, keep } of handedOn) {
		const { node } = present(net.byNode.get(id), 'who hands on');
		const inputs = keep.map((slot) => node.inputs[slot] ?? '');
		if (inputs.length === 1) single.set(node.outputs[0] ?? '', inputs[0] ?? '');
		else edits.push({ kind: 'node', node: { ...node, inputs } });
	}
	const last = (name: string): string => {
		const next = single.get(name);
		return next === undefined ? name : last(next);
	};
	return [...edits, ...[...single.keys()].map((from): Edit => ({ kind: 'rewire', from, to: last(from) }))];
}
