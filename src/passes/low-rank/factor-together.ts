/**
 * Matrices side by side as one, [W₁ … Wₙ] ≈ A·[B₁ … Bₙ]: one first factor for all of them. Those that read one input make their first
 * product once, r·(n + Σ mᵢ) multiply–adds where single factors of that rank take r·Σ (n + mᵢ).
 */
import { bug, type Diagnostic } from '../../diagnostic.ts';
import { type Tensor } from '../../ir/graph/graph.ts';
import { tensorOf } from '../../ir/graph/tensor.ts';
import { matrix, type Matrix, type Products } from '../../ir/matrix.ts';
import { type Certificate } from '../../ir/proof.ts';
import { noGain } from '../../messages/plan.ts';
import { plainProducts } from '../../numerics/plain-products.ts';
import { energyOf } from '../certify.ts';
import { type Factored } from './factor-graph.ts';
import { mostRank, rankWanted, type Site } from './factor-sites.ts';
import { lowRank } from './low-rank.ts';
import { type PlanRequest } from '../technique.ts';

export type Together = {
	readonly matrices: readonly Factored[];
	readonly certificates: readonly Certificate[];
	readonly tensors: readonly Tensor[];
	readonly rank: number;
	/** Multiply–adds a row. */
	readonly macs: number;
};

/** Matrices that read one input, with one first factor; or why that saves nothing. */
export async function factorTogether(
	sites: readonly Site[],
	request: PlanRequest,
): Promise<Together | Diagnostic> {
	const [first] = sites;
	if (first === undefined) bug('no matrix to factor');
	const products = request.lab?.products ?? plainProducts;
	const sizes = await outputSizes(sites, products);
	const values = sideBySide(sites.map((site, at) => scaled(site.values, 1 / (sizes[at] ?? 1))));
	const where = sites.map((site) => site.where).join(', ');
	const most = mostRank(values);
	const place = { span: request.step.span, at: where };
	const wanted = rankWanted(request.step, values);
	if (typeof wanted === 'number' && wanted > most) return noGain({ where, rank: wanted, most }, place);
	const found = await lowRank(values, first.type, first.inputs, wanted, products);
	if (found.rank > most) return noGain({ where, rank: found.rank, most }, place);
	const widths = sites.map((site) => site.values.cols);
	const rights = apart(found.right, widths);
	const shifts = found.shift && apart(found.shift, widths);
	const parts = sites.map((site, at) => ({
		site,
		right: rights[at] && scaled(rights[at], sizes[at] ?? 1),
		shift: shifts?.[at] && scaled(shifts[at], sizes[at] ?? 1),
	}));
	return {
		...factoredSites(found.left, parts),
		certificates: [{ of: where, ...found.certificate }],
		rank: found.rank,
		macs: found.rank * (values.rows + values.cols),
	};
}

/**
 * What each matrix puts out, as a power of two near the root of its energy: divided by it, outputs of all sizes count alike, and no
 * digit is lost. A matrix alone stays as it is.
 */
async function outputSizes(sites: readonly Site[], products: Products): Promise<number[]> {
	const sizes: number[] = [];
	for (const { values, inputs } of sites) {
		const energy = sites.length === 1 ? 0 : await energyOf(values, inputs?.fit, products);
		sizes.push(energy > 0 ? 2 ** Math.round(Math.log2(energy) / 2) : 1);
	}
	return sizes;
}

function scaled({ rows, cols, data }: Matrix, by: number): Matrix {
	return by === 1
		? matrix(rows, cols, data)
		: matrix(
				rows,
				cols,
				data.map((value) => value * by),
			);
}

type Part = { readonly site: Site; readonly right: Matrix | undefined; readonly shift: Matrix | undefined };

/** Factors as decisions and tensors: one first factor, a second one and a shift for each. */
export function factoredSites(left: Matrix, parts: readonly Part[]): Pick<Together, 'matrices' | 'tensors'> {
	const id = parts[0]?.site.linear.node.node.id ?? 0;
	const shared = `${id}.left`;
	const tensors: Tensor[] = [tensorOf(shared, parts[0]?.site.type ?? 0, [left.rows, left.cols], left.data)];
	const matrices = parts.map(({ site: { linear, type }, right = matrix(0, 0), shift }): Factored => {
		const node = linear.node.node.id;
		const named = { right: `${node}.right`, ...(shift && { shift: `${node}.shift` }) };
		tensors.push(tensorOf(named.right, type, [right.rows, right.cols], right.data));
		if (shift) tensors.push(tensorOf(`${node}.shift`, type, [shift.cols], shift.data));
		return { node, slot: linear.slot, rank: left.cols, left: shared, ...named };
	});
	return { matrices, tensors };
}

/** Matrices of as many rows, one behind the other. */
export function sideBySide(matrices: readonly Matrix[]): Matrix {
	const cols = matrices.reduce((sum, one) => sum + one.cols, 0);
	const result = matrix(matrices[0]?.rows ?? 0, cols);
	let from = 0;
	for (const { rows, cols: own, data } of matrices) {
		for (let row = 0; row < rows; row++)
			result.data.set(data.subarray(row * own, (row + 1) * own), row * cols + from);
		from += own;
	}
	return result;
}

/** The same taken apart again. */
export function apart({ rows, cols, data }: Matrix, widths: readonly number[]): Matrix[] {
	let from = 0;
	return widths.map((width) => {
		const part = matrix(rows, width);
		for (let row = 0; row < rows; row++)
			part.data.set(data.subarray(row * cols + from, row * cols + from + width), row * width);
		from += width;
		return part;
	});
}
