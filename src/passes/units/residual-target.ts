/**
 * What a reader should put out where its output is added to a residual value that others before it have changed: what makes the sum the
 * one of the model as it was, so that each reader makes up for those before it as well.
 */
import { elementCount, highestId, type Model, type Node, type ValueName } from '../../ir/graph/graph.ts';
import { type Twin } from '../../ir/graph/twin.ts';
import { numbersOf } from '../../ir/graph/tensor.ts';
import { type Gram, type RowsOf } from '../../ir/lab.ts';
import { matrix } from '../../ir/matrix.ts';
import { type NetNode, type NetTensor } from '../../ir/axes/net.ts';
import { intAttribute } from '../../ir/axes/view.ts';
import { biasOf, isRecurrent } from '../exact/bias.ts';
import { type Reader } from './units.ts';

/** A reader's sum with a residual value, both of one size, with nothing but a bias between. */
export type ResidualSum = {
	readonly skip: NetTensor;
	readonly sum: NetTensor;
	/** Where the outputs lie in the sum. */
	readonly rows: RowsOf;
	/** Added to what the reader puts out, by output; absent for none. */
	readonly bias?: Float64Array;
};

/** Absent where the reader ends otherwise, or mixes positions as filters wider than 1 do. */
export function residualSum({
	node,
	weight,
	weightAxis,
}: Pick<Reader, 'node' | 'weight' | 'weightAxis'>): ResidualSum | undefined {
	const [raw] = node.outputs;
	if (raw === undefined || isRecurrent(node) || !isPointwise(node) || isScaled(node)) return undefined;
	const width = weight.sizes[weightAxis === 0 ? 1 : 0] ?? 0;
	const { place, constant, scale } = biasOf(node, width);
	const added = place !== undefined && place.node !== node.node.id;
	const out = added ? raw.consumers[0]?.outputs[0] : raw;
	const end = out?.consumers[0];
	if (end === undefined || out?.consumers.length !== 1 || end.node.op !== 'Add') return undefined;
	const [sum] = end.outputs;
	const skip = end.inputs.find((input) => input !== out);
	if (sum === undefined || skip === undefined || skip.fixed || skip.inBody || sum.inBody) return undefined;
	if (skip.sizes.join() !== out.sizes.join()) return undefined;
	const axis = node.node.op === 'Conv' ? 1 : out.sizes.length - 1;
	const rows = { value: sum.name, rank: out.sizes.length, axis, size: width };
	const bias = constant && Float64Array.from(numbersOf(constant), (value) => value * scale);
	return { skip, sum, rows, ...(bias && { bias }) };
}

function isPointwise({ node, inputs, view }: NetNode): boolean {
	if (node.op !== 'Conv') return true;
	const strides = node.attributes.get('strides');
	const isDense = strides?.kind !== 'ints' || strides.value.every((step) => step === 1);
	const kernel = inputs[1]?.sizes.slice(2) ?? [];
	const pads = node.attributes.get('pads');
	const isTight = pads?.kind !== 'ints' || pads.value.every((pad) => pad === 0);
	return intAttribute(view, 'group', 1) === 1 && elementCount(kernel) === 1 && isDense && isTight;
}

function isScaled({ node }: NetNode): boolean {
	const alpha = node.attributes.get('alpha');
	return (alpha?.kind === 'float' && alpha.value !== 1) || node.attributes.has('activation');
}

/** The model with the difference of the sum as it was and the residual value as it is, and its name. */
export function withTarget(
	model: Model,
	{ sum, skip }: ResidualSum,
	twin: Twin,
): { readonly model: Model; readonly value: ValueName } {
	const value = `${sum.name}/wanted`;
	return { model: withDifference(model, sum.name, twin.of(skip.name), value), value };
}

/** The model with one value more: a value less another. */
export function withDifference(model: Model, from: ValueName, less: ValueName, value: ValueName): Model {
	const { graph } = model;
	const difference: Node = {
		...{ id: highestId(graph) + 1, name: '', op: 'Sub', domain: '', attributes: new Map() },
		inputs: [from, less],
		outputs: [value],
	};
	return { ...model, graph: { ...graph, nodes: [...graph.nodes, difference] } };
}

/** Sums against what is wanted, without the bias that is added anyway. */
export function withoutBias(gram: Gram, bias: Float64Array | undefined): Gram {
	const { against, count, sum } = gram;
	if (against === undefined || bias === undefined) return gram;
	const { rows, cols, data } = against.cross;
	const shift = (col: number): number => bias[col] ?? 0;
	const less = matrix(rows, cols, data.slice());
	for (let row = 0; row < rows; row++)
		for (let col = 0; col < cols; col++)
			less.data[row * cols + col] = (data[row * cols + col] ?? 0) - (sum[row] ?? 0) * (bias[col] ?? 0);
	return {
		...gram,
		against: {
			cross: less,
			sum: against.sum.map((value, col) => value - count * shift(col)),
			squares: against.squares.map(
				(value, col) => value - 2 * shift(col) * (against.sum[col] ?? 0) + count * shift(col) ** 2,
			),
		},
	};
}
