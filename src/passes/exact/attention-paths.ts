/** The two products of an attention written in single operators, and the ways between them. */
import { isFloat } from '../../ir/graph/dtype.ts';
import { elementCount, nodeLabel, type Node, type ValueName } from '../../ir/graph/graph.ts';
import { biasOf, projectionAt, resultAxis, resultOf, type Projection } from './projection.ts';
import { type Rewriting } from './rewriting.ts';
import { channelsOf, leavesOf, movedInput, otherLeaf, scalarOf, type Channels, type Leaf } from './trace.ts';

export function isActivationMatMul(r: Rewriting, node: Node | undefined): boolean {
	return node?.op === 'MatMul' && node.inputs.every((name) => r.constantOf(name) === undefined);
}

/** Whether a softmax normalizes the last axis of what it reads. */
export function isOverLast(r: Rewriting, { inputs, attributes }: Node): boolean {
	const rank = r.sizesOf(inputs[0] ?? '')?.length ?? 0;
	const attribute = attributes.get('axis');
	const axis = attribute?.kind === 'int' ? attribute.value : r.opset() >= 13 ? -1 : 1;
	return axis === -1 || axis === rank - 1;
}

/** Whether a softmax follows before the next product. */
export function leadsToSoftmax(r: Rewriting, product: Node): boolean {
	let names = [...product.outputs];
	for (let steps = 0; steps < 8; steps++) {
		const readers = names.flatMap((name) => r.readersOf(name));
		if (readers.some(({ op }) => op === 'Softmax')) return true;
		names = readers
			.filter(({ op }) => op !== 'MatMul' && op !== 'Gemm')
			.flatMap(({ outputs }) => [...outputs]);
	}
	return false;
}

/** From the scores to their softmax by steps that leave a shift of a whole row a shift of the whole row; else what stops it. */
export function softmaxAfter(r: Rewriting, product: Node): Node | string {
	let node = product;
	for (let steps = 0; steps < 8; steps++) {
		const [value = ''] = node.outputs;
		const outside = r.seenOutside(value);
		if (outside !== undefined) return outside;
		const [reader, other] = r.numbersReaders(value);
		if (reader === undefined || other !== undefined) return `the scores are read by more than their softmax`;
		if (reader.op === 'Softmax')
			return isOverLast(r, reader) ? reader : `${nodeLabel(reader)} is over another axis`;
		if (!keepsShifts(r, reader, value))
			return `${nodeLabel(reader)} stands between the scores and their softmax`;
		node = reader;
	}
	return 'no softmax follows the scores';
}

function keepsShifts(r: Rewriting, reader: Node, value: ValueName): boolean {
	if (scalarOf(r, reader) !== undefined || reader.op === 'Identity' || reader.op === 'Dropout') return true;
	if (reader.op === 'Cast') return castsFloats(r, reader);
	if (reader.op === 'Add') return reader.inputs.filter((name) => name === value).length === 1;
	if (reader.op === 'Mul' || (reader.op === 'Div' && reader.inputs[0] === value))
		return isOneARow(r, reader.inputs.find((name) => name !== value) ?? value);
	const [from, to] = [r.sizesOf(value), r.sizesOf(reader.outputs[0] ?? '')];
	if (reader.op === 'Reshape') return from !== undefined && from.at(-1) === to?.at(-1);
	const isFilled = reader.op === 'Where' && reader.inputs[0] !== value;
	if (!isFilled && reader.op !== 'Max') return false;
	const others = reader.inputs.slice(isFilled ? 1 : 0).filter((name) => name !== value);
	return others.length === 1 && isAtMost(r, others[0], isFilled ? weightless : absorbing);
}

/** What fills masked places must weigh nothing beside any score. */
const weightless = -1e4;
/** A floor under scores must be met by masked ones alone, whose own score is lost in the mask that was added to it. */
const absorbing = -1e30;

function isAtMost(r: Rewriting, constant: ValueName | undefined, most: number): boolean {
	const numbers = r.numbers(constant);
	return numbers !== undefined && Array.from(numbers).every((one) => one <= most);
}

/** Whether a Cast goes from one floating type to another: all that it changes is rounding. */
export function castsFloats(
	r: Rewriting,
	{ op, inputs: [input = ''], outputs: [output = ''] }: Node,
): boolean {
	return op === 'Cast' && [input, output].every((name) => isFloat(r.typeOf(name) ?? 0));
}

/** Whether a value has the same number for all positions of the last axis. */
function isOneARow(r: Rewriting, value: ValueName): boolean {
	const sizes = r.sizesOf(value);
	const isFixed = r.net.facts.of(value)?.dynamic.at(-1) !== true;
	return sizes !== undefined && isFixed && (sizes.at(-1) ?? 1) === 1;
}

/** A projection found upstream of a value through operators that only move numbers, and the leaf that the value feeds. */
export type Source = {
	readonly projection: Projection;
	/** The projection's result, its bias included. */
	readonly value: ValueName;
	readonly bias: Float64Array | undefined;
	readonly leaf: Leaf;
	readonly leaves: readonly Leaf[];
};

/** The projection, as `at` sees it, whose channels reach input `slot` of `reader`, and nobody else; or why not. */
export function sourceOf(r: Rewriting, reader: Node, slot: number, at = projectionAt): Source | string {
	const { value, maker } = madeBefore(r, reader.inputs[slot] ?? '');
	if (maker === undefined) return `'${value}' is a model input`;
	const product =
		maker.op === 'Add'
			? madeBefore(r, maker.inputs.find((name) => r.constantOf(name) === undefined) ?? '').maker
			: maker;
	const projection = product === undefined ? nodeLabel(maker) : at(r, product);
	if (typeof projection === 'string')
		return product !== undefined && products.has(product.op) ? projection : `${nodeLabel(maker)} makes it`;
	if (resultOf(r, projection).id !== maker.id || projection.node.domain !== '')
		return `${nodeLabel(maker)} makes it`;
	return withLeaves(r, projection, value, reader, slot);
}

const products: ReadonlySet<string> = new Set(['MatMul', 'Gemm', 'Conv']);

/** Whether a bias, or another constant that lies along channels, is added to what a value is made of, from the nearest products on. */
export function isBiased(r: Rewriting, value: ValueName | undefined): boolean {
	const [open, seen] = [[value], new Set<number>()];
	for (const name of open) {
		const maker = r.makerOf(name);
		if (maker === undefined || seen.has(maker.id)) continue;
		seen.add(maker.id);
		const { op, inputs } = maker;
		if (addsAlong(r, maker)) return true;
		const isProduct = products.has(op) || op === 'Softmax';
		// The sizes that a value is brought to are no part of it.
		if (!isProduct) open.push(...(isMoved.has(op) ? inputs.slice(0, 1) : inputs));
	}
	return false;
}

const isMoved: ReadonlySet<string> = new Set([
	'Reshape',
	'Expand',
	'Slice',
	'Split',
	'Squeeze',
	'Unsqueeze',
	'Gather',
	'Tile',
]);

/** Whether an operator adds a stored number for each of several channels. */
function addsAlong(r: Rewriting, { op, inputs, domain }: Node): boolean {
	const slots = { Add: [0, 1], Gemm: [2], Conv: [2], ConvTranspose: [2], LayerNormalization: [2] }[op] ?? [];
	return (
		domain === '' &&
		slots.some((slot) => {
			const constant = r.constantOf(inputs[slot]);
			return constant !== undefined && isFloat(constant.type) && elementCount(constant.dims) > 1;
		})
	);
}

/** What the numbers of a value were before operators moved them, and who made it. */
function madeBefore(
	r: Rewriting,
	moved: ValueName,
): { readonly value: ValueName; readonly maker: Node | undefined } {
	let value = moved;
	let maker = r.makerOf(value);
	for (let steps = 0; maker !== undefined && steps < 16; steps++) {
		const from = movedInput(r, maker);
		if (from === undefined) break;
		value = from;
		maker = r.makerOf(value);
	}
	return { value, maker };
}

function withLeaves(
	r: Rewriting,
	projection: Projection,
	value: ValueName,
	reader: Node,
	slot: number,
): Source | string {
	const bias = biasOf(r, projection);
	if (typeof bias === 'string') return bias;
	const channels = channelsOf(r, value, resultAxis(r, projection));
	if (channels === undefined) return `sizes at ${nodeLabel(projection.node)} cannot be told`;
	const leaves = leavesOf(r, value, channels);
	const [leaf, twice] = leaves.filter(
		(one) => one.reader?.id === reader.id && one.value === reader.inputs[slot],
	);
	if (leaf === undefined) return `${nodeLabel(leaves[0]?.reader ?? reader)} stands in between`;
	if (twice !== undefined || reader.inputs[0] === reader.inputs[1])
		return `${nodeLabel(reader)} reads it in two places`;
	return otherLeaf(leaves, leaf) ?? { projection, value, bias, leaf, leaves };
}

/** One number a channel: `inside` for those that a leaf holds, `outside` for others. */
export function onChannels(
	{ at }: Channels,
	size: number,
	inside: (channel: number) => number,
	outside: (channel: number) => number,
): Float64Array {
	const reached = new Set(at);
	return Float64Array.from({ length: size }, (_, channel) =>
		reached.has(channel) ? inside(channel) : outside(channel),
	);
}
