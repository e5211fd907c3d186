/**
 * What a linear reader loses when some of its inputs go, made up for by what stays: the kept inputs predict the removed
 * ones by damped least squares, and the prediction is folded into weight and bias (affine ridge refit; CORP, arXiv:2602.05243;
 * bias alone is FLAP, arXiv:2312.11983). The damping is chosen, and the refit accepted, on rows that it was not fitted on.
 */
import { present } from '../diagnostic.ts';
import { type Gram, type SplitGram } from '../ir/lab.ts';
import { matrix, type Matrix, type Products } from '../ir/matrix.ts';
import { correlated, dampedBy, solveDamped, type Correlated } from './ridge.ts';
import { centred, checkFinite, covariance, meanOf, pick, pickRows } from './statistics.ts';

export type RefitTask = {
	/** Sums over what the reader reads. With `against`, those are what it should put out, before its bias. */
	readonly grams: SplitGram;
	/** Sums over the inputs that stay as they are by now, where others before the reader were changed, against all that it read then. */
	readonly now?: SplitGram;
	/** Positions that stay, ascending. */
	readonly kept: readonly number[];
	/** All inputs × outputs. */
	readonly weight: Matrix;
	/** What is read, for messages. */
	readonly what: string;
	/** No new weights are tried. */
	readonly biasAlone?: boolean;
};

export type Choice = 'affine' | 'bias' | 'none';
export type Refit = {
	readonly choice: Choice;
	/** Kept inputs × outputs. */
	readonly weight: Matrix;
	/** Added to the bias, by output. */
	readonly shift: Float64Array;
	/** ε of Λ = ε·diag Σ; absent unless the choice is affine. */
	readonly damping?: number;
	/** ‖(Σ + Λ)·X − B‖ / ‖B‖ of the equations solved: rounding. */
	readonly residual: number;
	/** Squared error of the reader's output on held-out rows, as a share of its variance there. */
	readonly heldOut: Readonly<Record<Choice, number>>;
};

const dampings = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5];

type Candidate = Pick<Refit, 'weight' | 'shift' | 'residual'> & { readonly damping?: number };

/** Pure but for the products. Throws `Fault` for statistics that are not finite. */
export async function refit(task: RefitTask, products: Products): Promise<Refit> {
	const { grams, kept, weight, what } = task;
	checkFinite(grams.fit, what);
	checkFinite(grams.heldOut, what);
	if (task.now !== undefined) checkFinite(task.now.fit, what);
	const plain = { weight: pickRows(weight, kept), shift: new Float64Array(weight.cols), residual: 0 };
	if (grams.fit.count < 2 || grams.heldOut.count < 2)
		return { ...plain, choice: 'none', heldOut: { affine: NaN, bias: NaN, none: NaN } };
	const [fit, judge] = [await fitOf(task, 'fit', products), await fitOf(task, 'heldOut', products)];
	const shifted = { ...plain, shift: shiftFor(fit, plain.weight) };
	const errors = {
		none: await errorOf(judge, plain, products),
		bias: await errorOf(judge, shifted, products),
	};
	if (task.biasAlone === true) {
		const choice = errors.bias < errors.none ? 'bias' : 'none';
		return { ...{ none: plain, bias: shifted }[choice], choice, heldOut: { ...errors, affine: NaN } };
	}
	const affine = await bestAffine(fit, judge, plain.weight, products);
	const heldOut = { ...errors, affine: affine.error };
	const choice = best(heldOut);
	return { ...{ none: plain, bias: shifted, affine: affine.candidate }[choice], choice, heldOut };
}

/** The lowest error; equal ones go to the simpler. */
function best(errors: Refit['heldOut']): Choice {
	const simple = errors.bias < errors.none ? 'bias' : 'none';
	return errors.affine < errors[simple] ? 'affine' : simple;
}

/** A least-squares problem in moments: kept inputs x, wanted outputs y. */
type Fit = {
	readonly mean: Float64Array;
	readonly covariance: Matrix;
	readonly cross: Matrix;
	readonly target: Float64Array;
	/** Sum over outputs of y's variance. */
	readonly variance: number;
};

async function fitOf(task: RefitTask, part: keyof SplitGram, products: Products): Promise<Fit> {
	const { grams, kept, weight, now } = task;
	const { count, sum, against, ...rest } = grams[part];
	const whole = covariance({ count, sum, ...rest });
	if (against === undefined) {
		const cross = await products.multiply(whole, weight);
		const mean = meanOf(sum, count);
		const target = (await products.multiply(matrix(1, mean.length, mean), weight)).data;
		const wanted = { target, variance: dot(weight.data, cross.data) };
		if (now !== undefined) return { ...wanted, ...(await readNow(now[part], weight, products)) };
		return { ...wanted, ...momentsOf(whole, mean, kept), cross: pickRows(cross, kept) };
	}
	const own = momentsOf(whole, meanOf(sum, count), kept);
	const cross = centred(against.cross, count, sum, against.sum);
	const target = meanOf(against.sum, count);
	const squares = against.squares.reduce((all, square) => all + square, 0) / count;
	return { ...own, cross: pickRows(cross, kept), target, variance: squares - dot(target, target) };
}

function momentsOf(
	whole: Matrix,
	mean: Float64Array,
	kept: readonly number[],
): Pick<Fit, 'mean' | 'covariance'> {
	return { mean: Float64Array.from(kept, (at) => mean[at] ?? 0), covariance: pick(whole, kept, kept) };
}

/** What is read by now of the inputs that stay, and its covariance with what the reader put out before. */
async function readNow(
	now: Gram,
	weight: Matrix,
	products: Products,
): Promise<Pick<Fit, 'mean' | 'covariance' | 'cross'>> {
	const { count, sum, against } = now;
	const before = present(against, 'sums against what was read before');
	const shared = centred(before.cross, count, sum, before.sum);
	const own = { mean: meanOf(sum, count), covariance: covariance(now) };
	return { ...own, cross: await products.multiply(shared, weight) };
}

/** Makes the means agree. */
function shiftFor({ mean, target }: Fit, weight: Matrix): Float64Array {
	const shift = target.slice();
	mean.forEach((value, row) => {
		for (let col = 0; col < weight.cols; col++)
			shift[col] = (shift[col] ?? 0) - value * (weight.data[row * weight.cols + col] ?? 0);
	});
	return shift;
}

/** E‖y − x·W − shift‖² over E‖y − E[y]‖². */
async function errorOf(
	fit: Fit,
	{ weight, shift }: Pick<Candidate, 'weight' | 'shift'>,
	products: Products,
): Promise<number> {
	const image = await products.multiply(fit.covariance, weight);
	const offset = shiftFor(fit, weight).map((value, at) => value - (shift[at] ?? 0));
	const error =
		fit.variance - 2 * dot(weight.data, fit.cross.data) + dot(weight.data, image.data) + dot(offset, offset);
	return fit.variance > 0 ? Math.max(0, error) / fit.variance : 0;
}

/**
 * The best of the dampings on what was held out. Too little fits noise and too much leaves the loss, so that the error falls and then
 * rises: from the middle one goes where it falls.
 */
async function bestAffine(
	fit: Fit,
	judge: Fit,
	start: Matrix,
	products: Products,
): Promise<{ readonly candidate: Candidate; readonly error: number }> {
	const missing = matrix(start.rows, start.cols, fit.cross.data.slice());
	await products.subtract(missing, fit.covariance, start);
	const correlations = correlated(fit.covariance);
	const tried = async (damping: number): Promise<Tried> => {
		const { change, used } = await affineChange(correlations, missing, damping, products);
		const weight = sum(start, change);
		const candidate = { weight, shift: shiftFor(fit, weight), damping: used };
		return { candidate, change, error: await errorOf(judge, candidate, products) };
	};
	const middle = dampings.length >> 1;
	let found = await tried(dampings[middle] ?? 0);
	for (const side of [dampings.slice(middle + 1), dampings.slice(0, middle).reverse()]) {
		const before = found;
		for (const damping of side) {
			const next = await tried(damping);
			if (!(next.error < found.error)) break;
			found = next;
		}
		if (found !== before) break;
	}
	const residual = await residualOf(fit, missing, found, products);
	return { candidate: { ...found.candidate, residual }, error: found.error };
}

type Tried = {
	readonly candidate: Omit<Candidate, 'residual'> & { readonly damping: number };
	/** Of the weight. */
	readonly change: Matrix;
	readonly error: number;
};

/** (Σ + Λ)⁻¹·(Σ_xy − Σ·W): damped towards the weight as it is, not towards zero. */
async function affineChange(
	correlations: Correlated,
	missing: Matrix,
	asked: number,
	products: Products,
): Promise<{ readonly change: Matrix; readonly used: number }> {
	const system = await dampedBy(correlations, asked, products);
	return { change: await solveDamped(system, missing, products), used: system.damping };
}

async function residualOf(
	{ covariance: sigma }: Fit,
	missing: Matrix,
	{ change, candidate: { damping } }: Tried,
	products: Products,
): Promise<number> {
	const rest = matrix(missing.rows, missing.cols, missing.data.slice());
	await products.subtract(rest, dampedMatrix(sigma, damping), change);
	return Math.sqrt(dot(rest.data, rest.data) / (dot(missing.data, missing.data) || 1));
}

function sum(a: Matrix, b: Matrix): Matrix {
	const result = matrix(a.rows, a.cols, a.data.slice());
	for (let at = 0; at < result.data.length; at++)
		result.data[at] = (result.data[at] ?? 0) + (b.data[at] ?? 0);
	return result;
}

function dampedMatrix({ rows, cols, data }: Matrix, damping: number): Matrix {
	const result = matrix(rows, cols, data.slice());
	for (let at = 0; at < rows; at++) {
		const own = data[at * cols + at] ?? 0;
		result.data[at * cols + at] = own > 0 ? own * (1 + damping) : 1;
	}
	return result;
}

function dot(a: Float64Array, b: Float64Array): number {
	let sum = 0;
	for (let at = 0; at < a.length; at++) sum += (a[at] ?? 0) * (b[at] ?? 0);
	return sum;
}
