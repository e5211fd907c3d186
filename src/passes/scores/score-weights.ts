/** Scores from weights alone. */
import { present } from '../../diagnostic.ts';
import { type Family } from '../../ir/axes/families.ts';
import { lookupsOf } from '../../ir/axes/lookup.ts';
import { type NetTensor } from '../../ir/axes/net.ts';
import { elementType, INT8, UINT8 } from '../../ir/graph/dtype.ts';
import { elementCount, type Tensor } from '../../ir/graph/graph.ts';
import { isReadable, numbersInPieces, numbersOf } from '../../ir/graph/tensor.ts';
import { matrix, type Matrix } from '../../ir/matrix.ts';
import { productsOf } from '../../ir/products.ts';
import { distancesToMedian } from '../../numerics/median.ts';
import { sumStretches } from '../../numerics/sums.ts';
import { type UnitGroup } from '../units/units.ts';

type Weight = { readonly tensor: NetTensor; readonly axis: number; readonly unitAt: Int32Array };

/**
 * Matrices, filters and tables that a family cuts, with the axis and the unit at each position. What is only added or scaled with (slopes
 * of positions, masks) says nothing of a unit's weight beside them.
 */
function weightsOf(family: Family): readonly Weight[] {
	const all = cutBy(family);
	const multiplied = all.filter(({ tensor }) => isMultiplied(tensor));
	return multiplied.length > 0 ? multiplied : all;
}

/** Whether somebody sums up products with it or picks rows of it, itself or what is made of it and other constants. */
function isMultiplied({ consumers }: NetTensor): boolean {
	return consumers.some(
		(node) =>
			productsOf(node).length > 0 ||
			lookupsOf(node).length > 0 ||
			node.outputs.some((output) => output?.fixed === true && isMultiplied(output)),
	);
}

function cutBy(family: Family): Weight[] {
	return [...family.axes].flatMap(([tensor, axes]) => {
		const { constant } = tensor;
		if (constant === undefined || constant.dims.length < 2 || !isReadable(constant)) return [];
		if (!isWeight(constant)) return [];
		return axes.flatMap((unitAt, axis) =>
			unitAt?.some((unit) => unit >= 0) ? [{ tensor, axis, unitAt }] : [],
		);
	});
}

/** Floating-point matrices and filters, and quantized ones: 8-bit integers. */
function isWeight({ type, dims }: Tensor): boolean {
	return elementCount(dims) > 1 && (elementType(type)?.kind === 'float' || type === UINT8 || type === INT8);
}

/** The numbers of a weight; of a quantized one the integers around their mean, which stands near the zero point. */
function valuesOf(constant: Tensor): Float32Array | Float64Array {
	const values = numbersOf(constant);
	if (elementType(constant.type)?.kind === 'float') return values;
	let sum = 0;
	for (const value of values) sum += value;
	return values.map((value) => value - sum / values.length);
}

/** The same in pieces, each good until the next is taken. */
function piecesOfValues(constant: Tensor): Iterable<Float32Array | Float64Array> {
	return elementType(constant.type)?.kind === 'float' ? numbersInPieces(constant) : [valuesOf(constant)];
}

/** Sums every element's size to the power of 1 or 2 over the unit that owns it. */
export function sumByUnit({ family, own }: Pick<UnitGroup, 'family' | 'own'>, power: 1 | 2): Float64Array {
	const sums = new Float64Array(family.units);
	own?.forEach((tensors, unit) => {
		sums[unit] = tensors.reduce((sum, tensor) => sum + sumOf(tensor, power), 0);
	});
	for (const { tensor, axis, unitAt } of weightsOf(family)) {
		const inner = elementCount(tensor.sizes.slice(axis + 1));
		const stretches = stretchesOf(unitAt);
		const lengths = stretches.map(({ count }) => count * inner);
		const totals = sumStretches(piecesOfValues(present(tensor.constant, 'a weight')), lengths, power);
		stretches.forEach(({ unit }, at) => {
			if (unit >= 0) sums[unit] = (sums[unit] ?? 0) + (totals[at] ?? 0);
		});
	}
	return sums;
}

/** Of a whole weight. */
function sumOf({ constant }: NetTensor, power: 1 | 2): number {
	if (constant === undefined || constant.dims.length < 2 || !isReadable(constant) || !isWeight(constant))
		return 0;
	return sumStretches(piecesOfValues(constant), [elementCount(constant.dims)], power)[0] ?? 0;
}

/** Neighbouring positions of one unit together: the longer the stretches, the faster the sums. */
function stretchesOf(unitAt: Int32Array): { readonly unit: number; count: number }[] {
	const stretches: { readonly unit: number; count: number }[] = [];
	for (const unit of unitAt) {
		const last = stretches.at(-1);
		if (last?.unit === unit) last.count++;
		else stretches.push({ unit, count: 1 });
	}
	return stretches;
}

/** Distance of each unit's weights to the geometric median of all: a unit near it is one that others can stand for. */
export function medianScores(family: Family): Float64Array {
	return distancesToMedian(weightRows(family));
}

/** A row of all weights of each unit, in the order of the matrices. Units that own fewer positions have zeros at the end of a part. */
function weightRows(family: Family): Matrix {
	const parts = weightsOf(family).map(({ tensor, axis, unitAt }) =>
		partOf(tensor, axis, unitAt, family.units),
	);
	const rows = matrix(
		family.units,
		parts.reduce((sum, { cols }) => sum + cols, 0),
	);
	for (let unit = 0; unit < family.units; unit++) {
		let at = unit * rows.cols;
		for (const { cols, data } of parts) {
			rows.data.set(data.subarray(unit * cols, (unit + 1) * cols), at);
			at += cols;
		}
	}
	return rows;
}

function partOf(tensor: NetTensor, axis: number, unitAt: Int32Array, units: number): Matrix {
	const values = valuesOf(present(tensor.constant, 'a weight'));
	const inner = elementCount(tensor.sizes.slice(axis + 1));
	const filled = new Int32Array(units);
	const lengths = new Int32Array(units);
	for (const unit of unitAt) if (unit >= 0) lengths[unit] = (lengths[unit] ?? 0) + 1;
	const part = matrix(units, (values.length / unitAt.length) * lengths.reduce((a, b) => Math.max(a, b), 0));
	for (let start = 0; start < values.length; start += inner) {
		const unit = unitAt[(start / inner) % unitAt.length] ?? -1;
		if (unit < 0) continue;
		const at = unit * part.cols + (filled[unit] ?? 0);
		part.data.set(values.subarray(start, start + inner), at);
		filled[unit] = (filled[unit] ?? 0) + inner;
	}
	return part;
}
