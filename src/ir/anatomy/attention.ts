/** Attentions: a softmax of a product of two activations, multiplied with a third; or a fused operator. */
import { type Family } from '../axes/families.ts';
import { operandOf, type Net, type NetNode, type NetTensor } from '../axes/net.ts';
import { type Term } from '../axes/row.ts';
import { intAttribute } from '../axes/view.ts';
import {
	isActivationContraction,
	matrixOf,
	operandsOf,
	quantization,
	type Block,
	type Choke,
	type Linear,
} from './parts.ts';

/** Operators that are an attention as a whole. */
export const fusedAttentions: ReadonlySet<string> = new Set([
	'Attention',
	'MultiHeadAttention',
	'GroupQueryAttention',
	'QAttention',
	'DecoderMaskedMultiHeadAttention',
]);
/** Operators that a search for the two products may cross: they move or rescale, and mix nothing. */
const crossable: ReadonlySet<string> = new Set([
	'Add',
	'Sub',
	'Mul',
	'Div',
	'Where',
	'Cast',
	...quantization,
	'Identity',
	'Dropout',
	'Reshape',
	'Transpose',
	'Expand',
	'Squeeze',
	'Unsqueeze',
	'Clip',
	'IsNaN',
	'Softmax',
	'Slice',
	'Max',
	'Min',
	'Concat',
	'Split',
	...['QLinearAdd', 'QLinearMul', 'QLinearSoftmax', 'QLinearWhere', 'QLinearConcat'],
]);
const softmaxes: ReadonlySet<string> = new Set(['Softmax', 'QLinearSoftmax']);

export function findAttentions(net: Net, families: readonly Family[]): Block[] {
	const fused = net.nodes
		.filter(({ node }) => fusedAttentions.has(node.op))
		.map((node) => fusedBlock(node, families));
	const decomposed = net.nodes
		.filter(({ node }) => softmaxes.has(node.op))
		.flatMap((softmax) => decomposedBlock(softmax, families) ?? []);
	const byNode = new Map([...fused, ...decomposed].map((block) => [block.node, block]));
	return [...byNode.values()];
}

function decomposedBlock(softmax: NetNode, families: readonly Family[]): Block | undefined {
	const scores = search(
		softmax,
		(node) => node.inputs,
		(tensor) => (tensor.producer ? [tensor.producer] : []),
	);
	const found = search(
		softmax,
		(node) => node.outputs,
		(tensor) => tensor.consumers,
	);
	const output = found?.node.outputs[0];
	if (scores === undefined || found === undefined || output === undefined) return undefined;
	const { family, queries, linears } = headsOf(found, families);
	const choke = family && (chokeAt(output, family) ?? chokeAtProjection(family));
	const heads = family === undefined ? 1 : Math.max(1, family.units || pinnedHeads(output, family));
	const width = output.sizes.at(-1) ?? 1;
	const cross = crossOf(scores.node);
	return { ...block(found.node, family, choke, heads, width, cross), linears, ...(queries && { queries }) };
}

type Heads = { readonly family?: Family; readonly queries?: Family; readonly linears: readonly Linear[] };

/**
 * The family of heads at a product with values; where several queries share keys, of the keys, and then of the queries: each by itself,
 * or, where they lie on an axis beside that of their keys, the same of every group. Heads that cannot go may be several families, which
 * other attentions may reach too: their projections are those of all of them, for `apart` to tell whose they are.
 */
function headsOf(values: Found, families: readonly Family[]): Heads {
	const letters = headLetters(values);
	const lettersOf = (family: Family): string =>
		letters.filter((at) => family.letters.get(values.node)?.[at] !== undefined).join();
	const reaching = families.filter((family) => lettersOf(family) !== '' && touchesMatrix(family));
	const candidates = reaching.filter((family) => !isByQuery(family));
	const family = candidates.find(({ units }) => units > 0) ?? candidates[0];
	const queries =
		reaching.find((one) => isByQuery(one) && one.units > 1) ??
		candidates.find((one) => one.units > 1 && family !== undefined && lettersOf(one) !== lettersOf(family));
	const own = family !== undefined && family.units > 0 ? [family] : candidates;
	const linears = [...new Map(own.flatMap(linearsOf).map((linear) => [linear.node, linear])).values()];
	return {
		...(family && { family }),
		...(queries && { queries }),
		linears: linears.sort((a, b) => a.node.index - b.node.index),
	};
}

function block(
	node: NetNode,
	family: Family | undefined,
	choke: Choke | undefined,
	units: number,
	width: number,
	cross: boolean,
): Block {
	const removable = family !== undefined && family.units > 1 && choke !== undefined;
	return {
		kind: 'attention',
		node,
		units,
		width,
		choke,
		family: removable ? family : undefined,
		reasons: removable ? [] : (family?.reasons ?? ['one head']),
		linears: family === undefined ? [] : linearsOf(family),
		gated: false,
		cross,
	};
}

function fusedBlock(node: NetNode, families: readonly Family[]): Block {
	const letter = node.row?.letters.findIndex(({ name }) => name === 'h' || name === 'k') ?? -1;
	const found = families.filter((family) => family.letters.get(node)?.[letter] !== undefined);
	const family = found.find(({ units }) => units > 0) ?? found[0];
	const [output] = node.outputs;
	const choke = family && output && chokeAt(output, family);
	const heads = node.row?.letters[letter]?.size ?? 1;
	const width = widthOf(node, heads);
	const each = node.row?.letters.findIndex(({ name }) => name === 'g') ?? -1;
	const queries = families.find(
		(one) => one.units > 1 && one.letters.get(node)?.[each] !== undefined && !found.includes(one),
	);
	return {
		...block(node, family, choke, heads, width, crossOf(node)),
		...(queries && { queries }),
		fused: node.node.op,
	};
}

/** Heads of which none can go are not told apart by the family: their number is the size of their axis, where they have one. */
function pinnedHeads({ sizes, dynamic }: NetTensor, { pinned }: Family): number {
	return sizes.length === 4 && dynamic[1] !== true ? (sizes[1] ?? pinned) : pinned;
}

/** Width of one head: its values side by side on the last axis, or on an axis of their own. */
function widthOf({ view, outputs: [output] }: NetNode, heads: number): number {
	const queries = intAttribute(view, 'num_heads') ?? intAttribute(view, 'q_num_heads', heads);
	const last = output?.sizes.at(-1) ?? queries;
	return output?.sizes.length === 4 ? last : last / queries;
}

type Found = { readonly node: NetNode; readonly reached: NetTensor };

/** The nearest product of two activations on one side of a softmax, and by which of its operands it was reached. */
function search(
	from: NetNode,
	operands: (node: NetNode) => readonly (NetTensor | undefined)[],
	next: (tensor: NetTensor) => readonly NetNode[],
): Found | undefined {
	const seen = new Set<NetNode>([from]);
	const queue = [from];
	for (let node = queue.shift(); node !== undefined; node = queue.shift()) {
		for (const reached of operands(node)) {
			for (const neighbour of reached === undefined ? [] : next(reached)) {
				if (reached === undefined || seen.has(neighbour)) continue;
				seen.add(neighbour);
				if (isActivationContraction(neighbour)) return { node: neighbour, reached };
				if (crossable.has(neighbour.node.op)) queue.push(neighbour);
			}
		}
	}
	return undefined;
}

/** Letters of heads at the product with the values: its batch letters, of an `Einsum` those that the probabilities share with the result. */
function headLetters({ node, reached }: Found): number[] {
	const { letters = [], terms = [] } = node.row ?? {};
	const isEinsum = node.node.op === 'Einsum';
	const has = (letter: number, side: Term['side'], slot: number): boolean =>
		terms.some((term) => term.side === side && term.slot === slot && term.parts[0]?.letter === letter);
	const slot = node.inputs.indexOf(reached);
	return letters.flatMap(({ name, size }, at) => {
		const isHead = isEinsum ? has(at, 'in', slot) && has(at, 'out', 0) : name.startsWith('~');
		return isHead && size > 1 ? [at] : [];
	});
}

/** Whether units are query heads by themselves: what repeats keys and values for them is read by the place of each copy. */
function isByQuery(family: Family): boolean {
	return [...family.letters].some(
		([node, letters]) =>
			letters[node.row?.letters.findIndex(({ name }) => name === 'place') ?? -1] !== undefined,
	);
}

/** A family that reaches a projection; tables and masks alone make no head. */
export function touchesMatrix(family: Family): boolean {
	return [...family.axes.keys()].some(
		(tensor) =>
			tensor.fixed &&
			tensor.sizes.length > 1 &&
			tensor.consumers.some((node) => matrixOf(node) !== undefined || fusedAttentions.has(node.node.op)),
	);
}

/** The family's units on an axis of a value, when each position is one unit's and the axis does not grow with the input. */
export function chokeAt(tensor: NetTensor, family: Family): Choke | undefined {
	for (const [axis, unitAt] of (family.axes.get(tensor) ?? []).entries()) {
		if (unitAt?.some((unit) => unit >= 0) && !tensor.dynamic[axis]) return { tensor, axis, unitAt };
	}
	return undefined;
}

/** Where heads lie on an axis together with the batch, they are masked where the output projection reads them. */
export function chokeAtProjection(family: Family): Choke | undefined {
	for (const linear of linearsOf(family)) {
		const input = operandOf(linear.node, 'in', linear.input);
		const reads = family.axes.get(linear.weight)?.[linear.inAxis] !== undefined;
		const choke = reads && input ? chokeAt(input, family) : undefined;
		if (choke !== undefined) return choke;
	}
	return undefined;
}

/** Products with a weight that the family cuts. */
export function linearsOf(family: Family): Linear[] {
	return [...family.letters.keys()]
		.sort((a, b) => a.index - b.index)
		.flatMap((node) => matrixOf(node) ?? [])
		.filter(({ weight }) => family.axes.get(weight)?.some(Boolean));
}

/**
 * Attention across two sequences, of a product of scores or a fused operator: an input of the model is behind the queries, and not behind the keys. Behind a first such layer the other
 * sequence is behind the queries too; keys of a cache have more behind them.
 */
function crossOf(node: NetNode): boolean {
	const [queries, keys] = operandsOf(node);
	if (queries === undefined || keys === undefined || keys.fixed) return false;
	const [left, right] = [inputsBehind(queries), inputsBehind(keys)];
	return right.size > 0 && [...left].some((name) => !right.has(name));
}

/** Inputs whose numbers a value is made of: sizes alone, as of a batch that both sequences share, do not count. */
function inputsBehind(tensor: NetTensor): Set<string> {
	const names = new Set<string>();
	const seen = new Set<NetTensor>();
	const pending = [tensor];
	for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
		if (seen.has(next)) continue;
		seen.add(next);
		if (next.io.includes('input')) names.add(next.name);
		const { producer } = next;
		if (producer === undefined || producer.node.op === 'Shape') continue;
		pending.push(...producer.inputs.filter((input) => input !== undefined));
	}
	return names;
}
