/** Kernels as chains of thinner ones: by singular values, or by what the kernel puts out on inputs of given second moments. */
import { present } from '../diagnostic.ts';
import { matrix, transposed, type Matrix, type Products } from '../ir/matrix.ts';
import { canonical, khatriRao, type Canonical } from './canonical.ts';
import { linksOf, type Kernel, type Scheme, type Stage } from './conv-chain.ts';
import { outputFactors } from './output-pca.ts';
import { regress } from './regress.ts';
import { rankIn, truncate, type Wanted } from './svd.ts';
import { symmetricSpectrum } from './symmetric.ts';

export type Chain = {
	readonly stages: readonly Stage[];
	/** One number, or two for Tucker. */
	readonly ranks: readonly number[];
	/** The squared relative error that theory says: of the kernel, or with moments of what it puts out. */
	readonly tail: number;
};

/** One rank a number, or a way to choose it; or for Tucker's two the pairs to choose from. */
export type Ranks = readonly Wanted[] | { readonly pairs: readonly (readonly [number, number])[] };

/** A second rank is Tucker's alone. `moments` are of the rows that the kernel multiplies, about their mean. */
export async function factorKernel(
	scheme: Scheme,
	kernel: Kernel,
	ranks: Ranks,
	moments: Matrix | undefined,
	products: Products,
): Promise<Chain> {
	const [first = 1] = 'pairs' in ranks ? ranks.pairs.map(([rank]) => rank) : ranks;
	switch (scheme) {
		case 'channels':
			return channels(kernel, first, moments, products);
		case 'spatial':
			return spatial(kernel, first, moments, products);
		case 'tucker':
			return moments === undefined
				? tucker(kernel, ranks, products)
				: tuckerByData(kernel, ranks, moments, products);
		case 'cp':
			return cp(kernel, first, moments, products);
	}
}

function chainOf(
	scheme: Scheme,
	kernel: Kernel,
	ranks: readonly number[],
	tail: number,
	...weights: readonly Float64Array[]
): Chain {
	const links = linksOf(scheme, kernel, ranks);
	const stages = links.map((link, at) => ({ ...link, data: weights[at] ?? new Float64Array() }));
	return { stages, ranks, tail };
}

async function channels(
	kernel: Kernel,
	wanted: Wanted,
	moments: Matrix | undefined,
	products: Products,
): Promise<Chain> {
	const { left, right, rank, tail } =
		moments === undefined
			? await truncate(kernel.matrix, wanted, products)
			: await outputFactors(kernel.matrix, moments, wanted, products);
	return chainOf('channels', kernel, [rank], tail, transposed(left).data, transposed(right).data);
}

/** The kernel unfolded as (inputs · rows) × (columns · outputs); with data, the second part refitted behind the first. */
async function spatial(
	kernel: Kernel,
	wanted: Wanted,
	moments: Matrix | undefined,
	products: Products,
): Promise<Chain> {
	const { inputs, outputs, window, matrix: w } = kernel;
	const [high = 1, wide = 1] = window;
	const { left, right, rank, tail } = await truncate(
		matrix(inputs * high, wide * outputs, w.data),
		wanted,
		products,
	);
	const chain = (second: Matrix, lost: number): Chain =>
		chainOf('spatial', kernel, [rank], lost, transposed(left).data, transposed(second).data);
	if (moments === undefined) return chain(matrix(rank * wide, outputs, right.data), tail);
	const fitted = await regress(widened(left, wide), w, moments, outputs, products);
	return chain(await products.multiply(fitted.left, fitted.right), fitted.tail);
}

/** A ⊗ I: each column reads one of `count` positions, which lie innermost in rows and columns. */
function widened({ rows, cols, data }: Matrix, count: number): Matrix {
	const result = matrix(rows * count, cols * count);
	for (let row = 0; row < rows; row++)
		for (let col = 0; col < cols; col++)
			for (let at = 0; at < count; at++)
				result.data[(row * count + at) * cols * count + col * count + at] = data[row * cols + col] ?? 0;
	return result;
}

/** Rounds of higher-order orthogonal iteration at most, and the change of what is kept that ends it before. */
const rounds = 20;
const settled = 1e-7;

/** Partial Tucker decomposition on inputs and outputs by orthogonal iteration (De Lathauwer, De Moor & Vandewalle 2000). */
async function tucker(kernel: Kernel, ranks: Ranks, products: Products): Promise<Chain> {
	const { inputs, outputs, matrix: w } = kernel;
	const places = w.rows / inputs;
	const byInput = matrix(inputs, places * outputs, w.data);
	const total = w.data.reduce((sum, value) => sum + value * value, 0) || 1;
	const byOutput = symmetricSpectrum(await products.multiply(w, w, 'tn'), products);
	const heard = symmetricSpectrum(await products.multiply(byInput, byInput, 'nt'), products);
	const [first, second] = ranksOf(ranks, sharesOf(heard.values), sharesOf(byOutput.values));
	let basisOut = await byOutput.vectors(second);
	for (let round = 0, before = 0; ; round++) {
		const narrow = matrix(inputs, places * second, (await products.multiply(w, basisOut)).data);
		const basisIn = await leadingLeft(narrow, first, products);
		const kept = await products.multiply(basisIn, byInput, 'tn');
		const middle = matrix(first * places, outputs, kept.data);
		const found = await leading(await products.multiply(middle, middle, 'tn'), second, products);
		basisOut = found.vectors;
		if (round < rounds && found.energy - before > settled * total) {
			before = found.energy;
			continue;
		}
		const core = transposed(await products.multiply(middle, basisOut)).data;
		const tail = Math.max(0, 1 - found.energy / total);
		return chainOf('tucker', kernel, [first, second], tail, transposed(basisIn).data, core, basisOut.data);
	}
}

async function leading(
	gram: Matrix,
	count: number,
	products: Products,
): Promise<{ vectors: Matrix; energy: number }> {
	const spectrum = symmetricSpectrum(gram, products);
	const energy = spectrum.values.subarray(0, count).reduce((sum, value) => sum + Math.max(0, value), 0);
	return { vectors: await spectrum.vectors(count), energy };
}

/** Share of the largest eigenvalue from which eigenvectors of the small side tell those of the large one to 1e-10. */
const clear = 1e-6;

/** Leading left singular vectors, from the Gram matrix of the smaller side. */
async function leadingLeft(a: Matrix, count: number, products: Products): Promise<Matrix> {
	const whole = async (): Promise<Matrix> =>
		(await leading(await products.multiply(a, a, 'nt'), count, products)).vectors;
	if (a.cols >= a.rows || count > a.cols) return whole();
	const spectrum = symmetricSpectrum(await products.multiply(a, a, 'tn'), products);
	const { values } = spectrum;
	if ((values[count - 1] ?? 0) <= clear * (values[0] ?? 0)) return whole();
	const left = await products.multiply(a, await spectrum.vectors(count));
	left.data.forEach((value, at) => (left.data[at] = value / Math.sqrt(values[at % count] ?? 1)));
	return left;
}

function sharesOf(values: Float64Array): Float64Array {
	const energies = values.map((value) => Math.max(0, value));
	const total = energies.reduce((sum, value) => sum + value, 0) || 1;
	return energies.map((value) => value / total);
}

/**
 * Tucker's ranks. What is lost is at most what both sides lose together (De Lathauwer, De Moor & Vandewalle 2000, property 10): of the
 * pairs the one where that is least.
 */
function ranksOf(
	ranks: Ranks,
	inputs: Float64Array,
	outputs: Float64Array,
): readonly [inputs: number, outputs: number] {
	if (!('pairs' in ranks)) {
		const [first = 1, second = first] = ranks;
		return [rankIn(first, inputs), rankIn(second, outputs)];
	}
	const rest = (shares: Float64Array, rank: number): number =>
		shares.subarray(rank).reduce((sum, share) => sum + share, 0);
	const lost = ranks.pairs.map(([first, second]) => rest(inputs, first) + rest(outputs, second));
	return ranks.pairs[lost.indexOf(Math.min(...lost))] ?? [1, 1];
}

/** Inputs onto the directions that matter most, by their own covariance and the kernel's weights; the rest fitted behind them. */
async function tuckerByData(
	kernel: Kernel,
	ranks: Ranks,
	moments: Matrix,
	products: Products,
): Promise<Chain> {
	const { inputs, outputs, matrix: w } = kernel;
	const places = w.rows / inputs;
	const spectrum = symmetricSpectrum(channelMoments(moments, inputs), products);
	const floor = 1e-7 * (spectrum.values[0] ?? 0);
	const axes = await spectrum.vectors(
		Math.max(1, spectrum.values.findLastIndex((value) => value > floor) + 1),
	);
	const roots = spectrum.values.subarray(0, axes.cols).map((value) => Math.sqrt(Math.max(0, value)));
	const turned = await products.multiply(axes, matrix(inputs, places * outputs, w.data), 'tn');
	const heard = matrix(
		turned.rows,
		turned.cols,
		turned.data.map((value, at) => value * (roots[Math.floor(at / turned.cols)] ?? 0)),
	);
	const put = await products.multiply(w, await products.multiply(moments, w), 'tn');
	const [byInput, byOutput] = [await products.multiply(heard, heard, 'nt'), put].map((gram) =>
		sharesOf(symmetricSpectrum(gram, products).values),
	);
	const [first, second] = ranksOf(ranks, present(byInput, 'inputs'), present(byOutput, 'outputs'));
	const { left, rank } = await truncate(heard, first, products);
	const unscaled = matrix(
		left.rows,
		left.cols,
		left.data.map((value, at) => value / Math.max(roots[Math.floor(at / left.cols)] ?? 0, Number.MIN_VALUE)),
	);
	const basis = await products.multiply(axes, unscaled);
	const core = await regress(widened(basis, places), w, moments, second, products);
	const weights = [transposed(basis).data, transposed(core.left).data, transposed(core.right).data];
	return chainOf('tucker', kernel, [rank, core.rank], core.tail, ...weights);
}

/** Second moments between channels, the mean over positions of the window. */
function channelMoments({ cols, data }: Matrix, inputs: number): Matrix {
	const places = cols / inputs;
	const result = matrix(inputs, inputs);
	for (let row = 0; row < inputs; row++)
		for (let col = 0; col < inputs; col++) {
			let sum = 0;
			for (let at = 0; at < places; at++) sum += data[(row * places + at) * cols + col * places + at] ?? 0;
			result.data[row * inputs + col] = sum / places;
		}
	return result;
}

/** A kernel is asked for twice: as it is, and refitted to data behind the same vectors. */
const known = new WeakMap<Float64Array, { readonly rank: number; readonly found: Promise<Canonical> }>();

function decomposed(
	data: Float64Array,
	dims: readonly number[],
	rank: number,
	products: Products,
): Promise<Canonical> {
	const before = known.get(data);
	if (before?.rank === rank) return before.found;
	const found = canonical(data, dims, rank, products);
	known.set(data, { rank, found });
	return found;
}

/** Sums of products of vectors; with data, the last vectors refitted behind the others. */
async function cp(
	kernel: Kernel,
	wanted: Wanted,
	moments: Matrix | undefined,
	products: Products,
): Promise<Chain> {
	const { inputs, outputs, window, matrix: w } = kernel;
	const rank = typeof wanted === 'number' ? wanted : w.rows;
	const found = await decomposed(w.data, [inputs, ...window, outputs], rank, products);
	const inner = found.factors.slice(0, -1);
	const weights = inner.map((factor) => transposed(factor).data);
	const last = found.factors.at(-1) ?? matrix(outputs, rank);
	if (moments === undefined) return chainOf('cp', kernel, [rank], found.tail, ...weights, last.data);
	const fitted = await regress(khatriRao(inner), w, moments, outputs, products);
	const refitted = transposed(await products.multiply(fitted.left, fitted.right));
	return chainOf('cp', kernel, [rank], fitted.tail, ...weights, refitted.data);
}
