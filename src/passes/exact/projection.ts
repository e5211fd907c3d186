/** Linear operators with constant weights, whatever their layout: what folds multiply into them and add to them. */
import { present } from '../../diagnostic.ts';
import { isFloat } from '../../ir/graph/dtype.ts';
import { nodeLabel, type Attribute, type Node, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { numbersOf } from '../../ir/graph/tensor.ts';
import { type Rewriting } from './rewriting.ts';
import { carriedAxis } from './trace.ts';

/**
 * y = W·x + b along channels. The weight's first two axes are walked as (first, second); `inOf` and `outOf` say which
 * channel that is, groups of a convolution included. Operator pages: https://onnx.ai/onnx/operators/
 */
export type Projection = {
	readonly node: Node;
	readonly weight: Tensor;
	readonly inputs: number;
	readonly outputs: number;
	inOf(first: number, second: number): number;
	outOf(first: number, second: number): number;
	/** What the operator multiplies its product with (`alpha`). */
	readonly gain: number;
};

type Layout = Pick<Projection, 'inputs' | 'outputs' | 'inOf' | 'outOf'>;

function number(node: Node, name: string, otherwise: number): number {
	const attribute = node.attributes.get(name);
	return attribute?.kind === 'int' || attribute?.kind === 'float' ? attribute.value : otherwise;
}

const straight = (dims: readonly number[]): Layout => ({
	inputs: dims[0] ?? 0,
	outputs: dims[1] ?? 0,
	inOf: (first) => first,
	outOf: (_, second) => second,
});
const turned = (dims: readonly number[]): Layout => ({
	inputs: dims[1] ?? 0,
	outputs: dims[0] ?? 0,
	inOf: (_, second) => second,
	outOf: (first) => first,
});

function convolution(dims: readonly number[], node: Node): Layout {
	const [outputs = 0, inside = 0] = dims;
	const groups = number(node, 'group', 1);
	const inOf = (first: number, second: number): number =>
		Math.floor(first / (outputs / groups)) * inside + second;
	return { inputs: inside * groups, outputs, inOf, outOf: (first) => first };
}

function transposedConvolution(dims: readonly number[], node: Node): Layout {
	const [inputs = 0, inside = 0] = dims;
	const groups = number(node, 'group', 1);
	const outOf = (first: number, second: number): number =>
		Math.floor(first / (inputs / groups)) * inside + second;
	return { inputs, outputs: inside * groups, inOf: (first) => first, outOf };
}

const layouts: Readonly<Record<string, (dims: readonly number[], node: Node) => Layout>> = {
	MatMul: straight,
	Gemm: (dims, node) => (number(node, 'transB', 0) === 1 ? turned(dims) : straight(dims)),
	Conv: convolution,
	ConvTranspose: transposedConvolution,
};

/**
 * Operators that project their first input before they do anything else: they take up what is done to that input, and their
 * output is another matter. https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
const readers: typeof layouts = { ...layouts, 'com.microsoft.Attention': straight };

const operatorName = ({ domain, op }: Node): string => (domain === '' ? op : `${domain}.${op}`);

/** The node as a projection of its first input, or why it is none. */
export function projectionAt(r: Rewriting, node: Node): Projection | string {
	return laidOut(r, node, layouts);
}

/** The same where the weight stays as it is, so that others may share it. */
export function biasedAt(r: Rewriting, node: Node): Projection | string {
	return laidOut(r, node, layouts, { isShared: true });
}

/** What the node projects its first input with, whatever it makes of the product; or why nothing. */
export function readerAt(r: Rewriting, node: Node): Projection | string {
	return laidOut(r, node, readers);
}

function laidOut(
	r: Rewriting,
	node: Node,
	known: typeof layouts,
	{ isShared = false } = {},
): Projection | string {
	const layout = known[operatorName(node)];
	if (layout === undefined) return `${nodeLabel(node)} has no weight to fold into`;
	const weight = r.constantOf(node.inputs[1]);
	if (weight === undefined || r.constantOf(node.inputs[0]) !== undefined)
		return `the weight of ${nodeLabel(node)} is computed, not stored`;
	if (r.numbers(weight.name) === undefined || !isFloat(weight.type))
		return `the weight of ${nodeLabel(node)} is not there`;
	if (!node.op.startsWith('Conv') && weight.dims.length !== 2)
		return `the weight of ${nodeLabel(node)} is no matrix`;
	if (number(node, 'transA', 0) === 1) return `${nodeLabel(node)} reads its input transposed`;
	const other = isShared ? undefined : r.otherReader(weight, node);
	if (other !== undefined) return `${nodeLabel(other)} shares the weight of ${nodeLabel(node)}`;
	return { node, weight, gain: number(node, 'alpha', 1), ...layout(weight.dims, node) };
}

/** An addition that is a projection's bias, or a part of it. */
type Behind = {
	readonly add: Node;
	/** What it adds to. */ readonly value: ValueName;
	readonly axis: number;
};

/** How far behind the projection its addition may stand: next to it, or behind operators that only move what it puts out. */
type Reach = 'next' | 'moved';

function additionBehind(r: Rewriting, { node, outputs }: Projection, reach: Reach): Behind | undefined {
	if (node.domain !== '') return undefined;
	let [value = ''] = node.outputs;
	let axis: number | undefined = channelAxis(r, node);
	while (axis !== undefined) {
		const [reader] = r.numbersReaders(value);
		if (reader === undefined || r.sharedWith(value, reader) !== undefined) return undefined;
		if (reader.op === 'Add') {
			const tensor = r.constantOf(reader.inputs.find((name) => name !== value));
			const rank = r.sizesOf(value)?.length ?? 0;
			const isBias = tensor !== undefined && liesAlong(tensor.dims, axis, rank, outputs);
			return isBias ? { add: reader, value, axis } : undefined;
		}
		if (reach === 'next' || reader.inputs[0] !== value) return undefined;
		axis = carriedAxis(r, reader, axis);
		[value = ''] = reader.outputs;
	}
	return undefined;
}

const channelAxis = (r: Rewriting, { op, outputs: [output = ''] }: Node): number =>
	op.startsWith('Conv') ? 1 : (r.sizesOf(output)?.length ?? 1) - 1;

/** Whether a constant holds one number, or one a channel of an axis, and enlarges nothing. */
export function liesAlong(dims: readonly number[], axis: number, rank: number, size: number): boolean {
	const padded = [...new Array<number>(Math.max(0, rank - dims.length)).fill(1), ...dims];
	return padded.length === rank && padded.every((dim, at) => dim === 1 || (at === axis && dim === size));
}

/** The node that makes the projection's result, its bias included. */
export function resultOf(r: Rewriting, projection: Projection, reach: Reach = 'moved'): Node {
	return additionBehind(r, projection, reach)?.add ?? projection.node;
}

/** The axis along which the result has its channels. */
export function resultAxis(r: Rewriting, projection: Projection): number {
	return additionBehind(r, projection, 'moved')?.axis ?? channelAxis(r, projection.node);
}

/** The bias as one number a channel; undefined when there is none, a sentence when it cannot be read. */
export function biasOf(
	r: Rewriting,
	projection: Projection,
	reach: Reach = 'moved',
): Float64Array | string | undefined {
	const { node, outputs } = projection;
	const own = node.op === 'MatMul' ? '' : (node.inputs[2] ?? '');
	const behind = additionBehind(r, projection, reach)?.add.inputs.find(
		(input) => r.constantOf(input) !== undefined,
	);
	const names = [own, behind ?? ''].filter((name) => name !== '');
	const parts = names.map((name) => r.numbers(name));
	const fits = parts.every((values) => values?.length === 1 || values?.length === outputs);
	if (!fits || (own !== '' && parts[0]?.length === outputs && r.sizesOf(own)?.at(-1) !== outputs))
		return `the bias of ${nodeLabel(node)} is not one stored number a channel`;
	if (names.length === 0) return undefined;
	const beta = node.op === 'Gemm' ? number(node, 'beta', 1) : 1;
	const gains = names.map((name) => (name === own ? beta : 1));
	return Float64Array.from({ length: outputs }, (_, at) =>
		parts.reduce(
			(sum, values, part) => sum + (gains[part] ?? 1) * (values?.[values.length === 1 ? 0 : at] ?? 0),
			0,
		),
	);
}

/** Gives a projection another bias, in one place; one of zeros is added nowhere. */
export function setBias(r: Rewriting, projection: Projection, values: Float64Array): void {
	const { weight, outputs } = projection;
	const node = present(r.node(projection.node.id), 'a projection');
	const behind = additionBehind(r, { ...projection, node }, 'moved');
	const own = node.op === 'MatMul' ? '' : (node.inputs[2] ?? '');
	// onnxruntime 1.30 ends the process over an Attention without a bias.
	const isOptional = node.domain === '' || own === '';
	if (isOptional && values.every((value) => value === 0)) {
		takeBias(r, node, behind, own);
		return;
	}
	const old = own === '' ? behind?.add.inputs.find((name) => r.constantOf(name)) : own;
	const constant = (dims: readonly number[]): ValueName =>
		r.constant(old ?? `${weight.name}_bias`, weight.type, dims, values);
	if (node.op !== 'MatMul') {
		const attributes = new Map([...node.attributes].filter(([key]) => key !== 'beta'));
		r.setInput({ ...node, attributes }, 2, constant([outputs]));
		if (behind !== undefined) bypassAddition(r, behind);
	} else if (behind !== undefined) {
		const { add, value, axis } = behind;
		const trailing = (r.sizesOf(value)?.length ?? 1) - 1 - axis;
		const name = constant([outputs, ...new Array<number>(trailing).fill(1)]);
		r.put({ ...add, inputs: add.inputs.map((input) => (input === value ? value : name)) });
	} else addNode(r, node, constant([outputs]));
}

/** Takes a bias away; Gemm must have one before opset 11, and gets zeros. */
function takeBias(r: Rewriting, node: Node, behind: Behind | undefined, own: string): void {
	const zeros = node.op === 'Gemm' && r.opset() < 11 ? r.repeat(0, r.constantOf(own)?.type ?? 1, 1) : '';
	if (own !== '') r.setInput(node, 2, zeros);
	if (behind !== undefined) bypassAddition(r, behind);
}

function bypassAddition(r: Rewriting, { add, value }: Behind): void {
	r.bypass(add.id, add.inputs.indexOf(value));
}

/** An Add behind a MatMul; the sum takes over the name of the product. */
function addNode(r: Rewriting, node: Node, bias: string): void {
	const [output = ''] = node.outputs;
	const product = r.value(`${output}_product`, output);
	r.put({ ...node, outputs: [product] });
	const attributes = new Map<string, Attribute>();
	const name = node.name === '' ? '' : `${node.name}_bias`;
	r.insert({ name, op: 'Add', domain: '', inputs: [product, bias], outputs: [output], attributes });
}

export type Affine = { readonly scale: ArrayLike<number>; readonly shift: ArrayLike<number> };

/** Walks the weight by channels: `visit` gives each number's factor. */
function scaled({ weight }: Projection, factor: (first: number, second: number) => number): Float64Array {
	const [rows = 1, cols = 1] = weight.dims;
	const values = Float64Array.from(numbersOf(weight));
	const inner = values.length / (rows * cols);
	for (let first = 0; first < rows; first++)
		for (let second = 0; second < cols; second++) {
			const by = factor(first, second);
			const start = (first * cols + second) * inner;
			for (let at = start; at < start + inner; at++) values[at] = (values[at] ?? 0) * by;
		}
	return values;
}

function setWeight(r: Rewriting, { node, weight }: Projection, values: Float64Array): void {
	const name = r.constant(weight.name, weight.type, weight.dims, values);
	r.setInput(present(r.node(node.id), 'a projection'), 1, name);
}

/** The projection gives `scale · y + shift` from now on. Its bias must have been read by `biasOf` without a complaint. */
export function foldBehind(r: Rewriting, projection: Projection, { scale, shift }: Affine): void {
	const bias = biasOf(r, projection);
	const old = typeof bias === 'string' ? undefined : bias;
	setWeight(
		r,
		projection,
		scaled(projection, (first, second) => scale[projection.outOf(first, second)] ?? 1),
	);
	const values = Float64Array.from(
		{ length: projection.outputs },
		(_, at) => (scale[at] ?? 1) * (old?.[at] ?? 0) + (shift[at] ?? 0),
	);
	setBias(r, projection, values);
}

/** The projection gives from `x` what it gave from `scale · x + shift`. */
export function foldBefore(r: Rewriting, projection: Projection, { scale, shift }: Affine): void {
	const bias = biasOf(r, projection);
	const values = added(projection, shift, typeof bias === 'string' ? undefined : bias);
	setWeight(
		r,
		projection,
		scaled(projection, (first, second) => scale[projection.inOf(first, second)] ?? 1),
	);
	setBias(r, projection, values);
}

/** The bias with a constant input's share: `b + gain · W · shift`. */
export function added(
	projection: Projection,
	shift: ArrayLike<number>,
	bias: Float64Array | undefined,
): Float64Array {
	const { weight, outputs, gain } = projection;
	const [rows = 1, cols = 1] = weight.dims;
	const numbers = numbersOf(weight);
	const inner = numbers.length / (rows * cols);
	const sums = bias === undefined ? new Float64Array(outputs) : Float64Array.from(bias);
	for (let first = 0; first < rows; first++)
		for (let second = 0; second < cols; second++) {
			const by = gain * (shift[projection.inOf(first, second)] ?? 0);
			if (by === 0) continue;
			const [to, start] = [projection.outOf(first, second), (first * cols + second) * inner];
			for (let at = start; at < start + inner; at++) sums[to] = (sums[to] ?? 0) + by * (numbers[at] ?? 0);
		}
	return sums;
}
