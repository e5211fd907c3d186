/** Gram matrices of what the readers of units read, measured for many groups at once. */
import { present } from '../../diagnostic.ts';
import { elementType } from '../../ir/graph/dtype.ts';
import { elementCount, type Model, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { isReadable, numbersOf } from '../../ir/graph/tensor.ts';
import { hasBodies } from '../../ir/graph/twin.ts';
import { type Lab, type RowsOf, type SplitGram } from '../../ir/lab.ts';
import { intAttribute } from '../../ir/axes/view.ts';
import { type NetNode, type NetTensor } from '../../ir/axes/net.ts';
import { isRecurrent } from '../exact/bias.ts';
import { matrix, type Matrix } from '../../ir/matrix.ts';
import { residualSum } from '../units/residual-target.ts';
import { readersOf, type Reader, type UnitGroup } from '../units/units.ts';

/** A reader that is a product with a matrix, and the statistics of what it reads. */
export type Reading = { readonly reader: Reader; readonly grams: SplitGram };

const products: ReadonlySet<string> = new Set(['MatMul', 'Gemm', 'FusedMatMul']);

/**
 * Readers whose output is a linear map of one axis of what they read: `Y = X·W + b`, convolutions over all channels, which are
 * one such map at each place of the kernel, and recurrent layers, whose gates add one to what comes from the state.
 */
export function linearReaders({ family }: UnitGroup): Reader[] {
	return readersOf(family).filter(
		({ node, input, weight, inputIndex, weightIndex }) =>
			!input.inBody &&
			(products.has(node.node.op)
				? weight.sizes.length === 2
				: isDense(node) || gatesRead(node, input, weight)) &&
			inputIndex === null &&
			weightIndex === null &&
			weight.constant !== undefined &&
			isReadable(weight.constant) &&
			elementType(weight.constant.type)?.kind === 'float',
	);
}

/** Whether a recurrent layer reads the sequence there, by the matrix of its gates, and has biases to shift. */
function gatesRead(node: NetNode, input: NetTensor, weight: NetTensor): boolean {
	const [sequence, gates, , bias] = node.inputs;
	return isRecurrent(node) && sequence === input && gates === weight && isHeld(bias);
}

const isHeld = (tensor: NetTensor | undefined): boolean =>
	tensor?.constant !== undefined && isReadable(tensor.constant);

/** A convolution whose outputs all read all channels. */
function isDense({ node, view }: NetNode): boolean {
	return node.op === 'Conv' && intAttribute(view, 'group', 1) === 1;
}

/** The weight of a linear reader as inputs × outputs; of a convolution, an output is a filter at a place of the kernel. */
export function weightMatrix({ weight, weightAxis }: Pick<Reader, 'weight' | 'weightAxis'>): Matrix {
	const tensor: Tensor = present(weight.constant, 'a weight');
	const [outer, size, inner] = foldedSizes(tensor.dims, weightAxis);
	const stored = numbersOf(tensor);
	const result = matrix(size, outer * inner);
	for (let row = 0; row < size; row++)
		for (let col = 0; col < result.cols; col++)
			result.data[row * result.cols + col] = stored[storedAt(row, col, size, inner)] ?? 0;
	return result;
}

/** The numbers of a matrix as `weightMatrix` makes them, in the order in which the weight stores them. */
export function storedNumbers(
	{ rows: size, cols, data }: Matrix,
	dims: readonly number[],
	axis: number,
): Float64Array {
	const [, , inner] = foldedSizes(dims, axis);
	const stored = new Float64Array(data.length);
	for (let row = 0; row < size; row++)
		for (let col = 0; col < cols; col++)
			stored[storedAt(row, col, size, inner)] = data[row * cols + col] ?? 0;
	return stored;
}

/** Elements before an axis, along it, and behind it. */
function foldedSizes(dims: readonly number[], axis: number): readonly [number, number, number] {
	return [elementCount(dims.slice(0, axis)), dims[axis] ?? 0, elementCount(dims.slice(axis + 1))];
}

function storedAt(row: number, col: number, size: number, inner: number): number {
	return (Math.floor(col / inner) * size + row) * inner + (col % inner);
}

/** Bytes of Gram matrices that are held at a time. */
const memory = 2 ** 31;

/**
 * Statistics by group. Groups whose matrices fit into memory together are measured in one run over the inputs; asked for
 * in their order, each is measured once a pass, and no more than once in all when everything fits.
 */
export class Grams {
	/** Of all matrices together. */
	readonly bytes: number;
	private readonly chunks: UnitGroup[][] = [];
	private readonly model: Model;
	private readonly lab: Lab;
	private held: { readonly chunk: UnitGroup[]; readonly readings: Map<string, Reading[]> } | undefined;

	constructor(groups: readonly UnitGroup[], model: Model, lab: Lab) {
		this.model = model;
		this.lab = lab;
		let [room, bytes] = [0, 0];
		for (const group of groups) {
			const need = linearReaders(group).reduce(
				(sum, { weight, weightAxis }) => sum + 16 * (weight.sizes[weightAxis] ?? 0) ** 2,
				0,
			);
			if (need > room || this.chunks.length === 0) {
				this.chunks.push([]);
				room = memory;
			}
			this.chunks.at(-1)?.push(group);
			room -= need;
			bytes += need;
		}
		this.bytes = bytes;
	}

	/** The group's linear readers with their statistics, in graph order. */
	async of(group: UnitGroup): Promise<readonly Reading[]> {
		const chunk = present(
			this.chunks.find((groups) => groups.some(({ key }) => key === group.key)),
			'the group',
		);
		if (this.held?.chunk !== chunk) this.held = { chunk, readings: await this.measure(chunk) };
		return this.held.readings.get(group.key) ?? [];
	}

	private async measure(chunk: readonly UnitGroup[]): Promise<Map<string, Reading[]>> {
		const asked = chunk.flatMap((group) => linearReaders(group).map((reader) => ({ group, reader })));
		const grams = await this.lab.grams(
			this.model,
			asked.map(({ reader }) => rowsRead(reader)),
			hasBodies(this.model) ? [] : targetsOf(asked.map(({ reader }) => reader)),
		);
		const readings = new Map<string, Reading[]>();
		asked.forEach(({ group, reader }, at) => {
			const known = readings.get(group.key) ?? [];
			readings.set(group.key, [...known, { reader, grams: present(grams[at], 'a Gram matrix') }]);
		});
		return readings;
	}
}

/** What readers and residual values come to, which refits hold on to. */
function targetsOf(readers: readonly Reader[]): ValueName[] {
	return [...new Set(readers.flatMap((reader) => residualSum(reader)?.sum.name ?? []))];
}

type Measured = { readonly model: Model; readonly keys: string; readonly grams: Grams };
/** The last statistics of each lab: goals ask again for what was measured to offer units. */
const measured = new WeakMap<Lab, readonly Measured[]>();

/** Statistics of the groups of a model, those measured before where they are among the last few. */
export function gramsOf(groups: readonly UnitGroup[], model: Model, lab: Lab): Grams {
	const keys = groups.map(({ key }) => key).join();
	const known = measured.get(lab) ?? [];
	const found = known.find((one) => one.model === model && one.keys === keys);
	if (found !== undefined) return found.grams;
	const grams = new Grams(groups, model, lab);
	if (grams.bytes <= memory / 2) measured.set(lab, [{ model, keys, grams }, ...known].slice(0, 2));
	return grams;
}

/** What a reader reads, as rows. */
export function rowsRead({ input, inputAxis }: Reader): RowsOf {
	return { value: input.name, rank: input.sizes.length, axis: inputAxis, size: input.sizes[inputAxis] ?? 0 };
}
