/**
 * One basis for the matrices of several layers, each with coefficients of its own: Wₗ ≈ B·Cₗ (Basis Sharing, Wang et al., ICLR 2025,
 * arXiv:2410.03765). With data, B spans the principal directions of what all of them put out, and every Cₗ is the least-squares fit on
 * what its own layer reads.
 */
import { present } from '../../diagnostic.ts';
import { matrix, type Matrix, type Products } from '../../ir/matrix.ts';
import { type Certificate } from '../../ir/proof.ts';
import { numbersOf, tensorOf } from '../../ir/graph/tensor.ts';
import { outputFactors } from '../../numerics/output-pca.ts';
import { regress } from '../../numerics/regress.ts';
import { truncate, type Factors, type Wanted } from '../../numerics/svd.ts';
import { certify, difference, energyOf } from '../certify.ts';
import { apart, sideBySide } from './factor-together.ts';
import { type Inputs } from './low-rank.ts';

export type SharedBasis = {
	/** Inputs × rank. */
	readonly basis: Matrix;
	readonly parts: readonly {
		/** Rank × outputs. */
		readonly coefficients: Matrix;
		/** 1 × outputs: the mean of what is lost. Absent without data. */
		readonly shift?: Matrix;
	}[];
	/** One for each layer, or one for all. */
	readonly certificates: readonly Omit<Certificate, 'of'>[];
};

/** A basis and coefficients stored as elements of `type`. */
export async function sharedBasis(
	matrices: readonly Matrix[],
	inputs: readonly Inputs[] | undefined,
	type: number,
	wanted: Wanted,
	products: Products,
): Promise<SharedBasis> {
	const all = sideBySide(matrices);
	if (inputs === undefined)
		return plainBasis(matrices, await truncate(all, wanted, products), type, products);
	const layers = matrices.map((w, at) => ({ w, inputs: present(inputs[at], 'inputs of a layer') }));
	const byOutputs = await outputFactors(all, await pooled(layers, products), wanted, products);
	const byWeights = await truncate(all, byOutputs.rank, products);
	const tried = [
		await fittedBasis(layers, byOutputs.left, type, products),
		await fittedBasis(layers, byWeights.left, type, products),
		await plainBasis(matrices, byWeights, type, products),
	];
	const losses: number[] = [];
	for (const one of tried) losses.push(await lossOf(one, layers, products));
	const best = present(tried[losses.indexOf(Math.min(...losses))], 'a basis');
	return withShifts(best, layers, products);
}

type LayerOf = { readonly w: Matrix; readonly inputs: Inputs };

/** Second moments of what all layers read, each weighed so that its outputs count alike. */
async function pooled(layers: readonly LayerOf[], products: Products): Promise<Matrix> {
	const size = layers[0]?.w.rows ?? 0;
	const sum = matrix(size, size);
	for (const { w, inputs } of layers) {
		const energy = (await energyOf(w, inputs.fit, products)) || 1;
		inputs.fit.data.forEach((value, at) => (sum.data[at] = (sum.data[at] ?? 0) + value / energy));
	}
	return sum;
}

/** What singular values leave of all matrices together. */
async function plainBasis(
	matrices: readonly Matrix[],
	{ left, right, tail }: Factors,
	type: number,
	products: Products,
): Promise<SharedBasis> {
	const [basis, coefficients] = [asStored(left, type), asStored(right, type)];
	const computed = await products.multiply(left, right);
	const stored = await products.multiply(basis, coefficients);
	const approximation = { of: sideBySide(matrices), computed, stored, tail };
	return {
		basis,
		parts: apart(
			coefficients,
			matrices.map(({ cols }) => cols),
		).map((own) => ({ coefficients: own })),
		certificates: [{ says: 'singular values', ...(await certify(approximation, products)) }],
	};
}

/** Coefficients by least squares on what each layer reads. */
async function fittedBasis(
	layers: readonly LayerOf[],
	left: Matrix,
	type: number,
	products: Products,
): Promise<SharedBasis> {
	const basis = asStored(left, type);
	const parts: { readonly coefficients: Matrix }[] = [];
	const certificates: Omit<Certificate, 'of'>[] = [];
	for (const { w, inputs } of layers) {
		const fit = await regress(basis, w, inputs.fit, basis.cols, products);
		const own = await products.multiply(fit.left, fit.right);
		const coefficients = asStored(own, type);
		const computed = await products.multiply(basis, own);
		const stored = await products.multiply(basis, coefficients);
		const approximation = { of: w, computed, stored, tail: fit.tail, moments: inputs.fit };
		parts.push({ coefficients });
		certificates.push({ says: 'least squares', ...(await certify(approximation, products)) });
	}
	return { basis, parts, certificates };
}

/** Shares of the layers' output energy that are lost on held-out inputs, summed. */
async function lossOf(
	{ basis, parts }: SharedBasis,
	layers: readonly LayerOf[],
	products: Products,
): Promise<number> {
	let loss = 0;
	for (const [at, { w, inputs }] of layers.entries()) {
		const moments = inputs.heldOut ?? inputs.fit;
		const kept = await products.multiply(basis, present(parts[at], 'a layer').coefficients);
		const total = (await energyOf(w, moments, products)) || 1;
		loss += (await energyOf(difference(w, kept), moments, products)) / total;
	}
	return loss;
}

async function withShifts(
	{ parts, ...rest }: SharedBasis,
	layers: readonly LayerOf[],
	products: Products,
): Promise<SharedBasis> {
	const shifted: SharedBasis['parts'][number][] = [];
	for (const [at, { w, inputs }] of layers.entries()) {
		const { coefficients } = present(parts[at], 'a layer');
		const kept = await products.multiply(rest.basis, coefficients);
		shifted.push({ coefficients, shift: await products.multiply(inputs.mean, difference(w, kept)) });
	}
	return { ...rest, parts: shifted };
}

/** The numbers as elements of a type hold them. */
function asStored({ rows, cols, data }: Matrix, type: number): Matrix {
	return matrix(rows, cols, Float64Array.from(numbersOf(tensorOf('', type, [rows, cols], data))));
}
