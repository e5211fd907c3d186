/** Matrices that can be factored, and what they read on the user's inputs. */
import { type Diagnostic, type Span } from '../../diagnostic.ts';
import { linearOf, type Linear } from '../../ir/anatomy/parts.ts';
import { operandOf } from '../../ir/axes/net.ts';
import { intAttribute } from '../../ir/axes/view.ts';
import { elementType } from '../../ir/graph/dtype.ts';
import { type Tensor } from '../../ir/graph/graph.ts';
import { isReadable, numbersOf } from '../../ir/graph/tensor.ts';
import { type RowsOf } from '../../ir/lab.ts';
import { matrix, transposed, type Matrix } from '../../ir/matrix.ts';
import { type Step } from '../../ir/recipe/recipe.ts';
import { pinned } from '../../messages/plan.ts';
import { type Wanted } from '../../numerics/svd.ts';
import { inputsOf, type Inputs } from './low-rank.ts';
import { alignedRank, automatic, rankKeeping } from './ranks.ts';
import { type PlanRequest } from '../technique.ts';

/** A matrix that is stored, as in × out. */
export type Site = {
	readonly linear: Linear;
	/** The layer's number in the model as given. */
	readonly layer: number;
	readonly where: string;
	readonly values: Matrix;
	/** Its element type. */
	readonly type: number;
	readonly inputs: Inputs | undefined;
};
export type Placed = Pick<Site, 'linear' | 'layer'>;

/** The matrices that can be taken apart, measured where there is data; and why the others cannot. */
export async function sitesOf(
	request: PlanRequest,
	placed: readonly Placed[],
): Promise<{ readonly sites: readonly Site[]; readonly refused: readonly Diagnostic[] }> {
	const inputs = await measureInputs(request, placed);
	const refused: Diagnostic[] = [];
	const sites = placed.flatMap(({ linear, layer }, at): Site[] => {
		const found = storedMatrix(linear, request.step.span);
		if (!('values' in found)) {
			refused.push(found);
			return [];
		}
		return [{ linear, layer, inputs: inputs[at], ...found }];
	});
	return { sites, refused };
}

function storedMatrix(
	{ node, slot, weight, inAxis }: Linear,
	span: Span,
): Pick<Site, 'where' | 'values' | 'type'> | Diagnostic {
	const where = node.node.name || weight.name;
	const stays = (why: string): Diagnostic =>
		pinned({ what: `the matrix of '${where}'`, why }, { span, at: where });
	if (weight.constant === undefined) return stays('it is computed from other constants');
	if (elementType(weight.constant.type)?.kind !== 'float') return stays('its numbers are quantized');
	if (slot !== 1) return stays('it stands on the left of its product');
	if (!isReadable(weight.constant)) return stays('its weights are not there');
	return { where, values: orient(weight.constant, inAxis === 0), type: weight.constant.type };
}

/** The matrix as in × out, whichever way it is stored. */
export function orient(weight: Tensor, asStored: boolean): Matrix {
	const [rows = 0, cols = 0] = weight.dims;
	const stored = matrix(rows, cols, Float64Array.from(numbersOf(weight)));
	return asStored ? stored : transposed(stored);
}

/** What each matrix reads on the user's inputs, in one run; nothing where there are none. */
async function measureInputs(
	{ lab, model }: PlanRequest,
	placed: readonly Placed[],
): Promise<readonly (Inputs | undefined)[]> {
	if (lab?.calibrated !== true) return [];
	const requests = placed.map(({ linear }) => rowsRead(linear));
	const grams = await lab.grams(
		model,
		requests.filter((request) => request !== undefined),
	);
	const left = grams.map(inputsOf);
	return requests.map((request) => request && left.shift());
}

/** The rows that a product of floating-point numbers reads, where its matrix stands on the right. */
export function rowsRead({ node, slot, input: from, weight, inAxis }: Linear): RowsOf | undefined {
	const input = operandOf(node, 'in', from);
	if (input === undefined || slot !== 1 || linearOf(node) === undefined) return undefined;
	const turned = intAttribute(node.view, 'transA', 0) === 1;
	const rank = input.sizes.length;
	return { value: input.name, rank, axis: turned ? 0 : rank - 1, size: weight.sizes[inAxis] ?? 0 };
}

/** A rank given is taken as written; `auto` keeps what it does on condition that it pays. */
export function rankWanted({ amount, align }: Step, { rows, cols }: Matrix): Wanted {
	switch (amount?.kind) {
		case 'rank':
			return amount.rank;
		case 'ratio':
			return Math.max(1, alignedRank(Math.floor((amount.share * rows * cols) / (rows + cols)), align));
		default:
			return rankKeeping(amount?.kind === 'energy' ? amount.share : automatic.energy, align);
	}
}

/** The largest rank at which two factors are smaller than the matrix. */
export function mostRank({ rows, cols }: Pick<Matrix, 'rows' | 'cols'>): number {
	return Math.ceil((rows * cols) / (rows + cols)) - 1;
}
