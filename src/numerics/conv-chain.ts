/** Convolutions in a row that stand for one: their kernels, what they cost, and the kernel that they multiply to. */
import { matrix, transposed, type Matrix, type Products } from '../ir/matrix.ts';
import { plainProduct } from './plain-products.ts';

/** What a convolution without groups does: `matrix` is (inputs · positions) × outputs, a kernel's positions innermost. */
export type Kernel = {
	readonly matrix: Matrix;
	readonly inputs: number;
	readonly outputs: number;
	/** Sizes of the kernel by spatial axis. */
	readonly window: readonly number[];
};

/** One convolution of a chain, without its numbers. */
export type Link = {
	/** Outputs, inputs of a group, then the window: an ONNX weight's. */
	readonly dims: readonly number[];
	/** Each input has an output of its own. */
	readonly depthwise: boolean;
	/** Spatial axes, from 0, whose stride, dilation and padding it takes; each is taken by one link. */
	readonly axes: readonly number[];
};
export type Stage = Link & { readonly data: Float64Array };

export const schemes = ['channels', 'spatial', 'tucker', 'cp'] as const;
export type Scheme = (typeof schemes)[number];

const sizeOf = (dims: readonly number[]): number => dims.reduce((product, dim) => product * dim, 1);

/**
 * The links of a scheme at these ranks: `channels` (window to r filters, then 1×1; Zhang et al., arXiv:1505.06798), `spatial` (k×1, then 1×k;
 * Jaderberg et al., arXiv:1405.3866), `tucker` (1×1, window on r₁ to r₂ channels, 1×1; Kim et al., arXiv:1511.06530), `cp` (1×1, a depthwise
 * one along each axis, 1×1; Lebedev et al., arXiv:1412.6553). All but Tucker have one rank.
 */
export function linksOf(
	scheme: Scheme,
	{ inputs, outputs, window }: Omit<Kernel, 'matrix'>,
	[first = 1, second = first]: readonly number[],
): Link[] {
	const all = window.map((_, axis) => axis);
	const only = (axis: number): number[] => window.map((size, at) => (at === axis ? size : 1));
	const point = window.map(() => 1);
	const link = (dims: number[], axes: number[] = [], depthwise = false): Link => ({ dims, axes, depthwise });
	switch (scheme) {
		case 'channels':
			return [link([first, inputs, ...window], all), link([outputs, first, ...point])];
		case 'spatial':
			return [link([first, inputs, ...only(0)], [0]), link([outputs, first, ...only(1)], [1])];
		case 'tucker':
			return [
				link([first, inputs, ...point]),
				link([second, first, ...window], all),
				link([outputs, second, ...point]),
			];
		case 'cp':
			return [
				link([first, inputs, ...point]),
				...all.map((axis) => link([first, 1, ...only(axis)], [axis], true)),
				link([outputs, first, ...point]),
			];
	}
}

/** Numbers in the kernels. */
export function sizeOfChain(links: readonly Link[]): number {
	return links.reduce((sum, { dims }) => sum + sizeOf(dims), 0);
}

/** Multiply–adds on one example, for spatial sizes before and after the whole chain. */
export function macsOfChain(
	links: readonly Link[],
	before: readonly number[],
	after: readonly number[],
): number {
	const done = new Set<number>();
	return links.reduce((sum, { dims, axes }) => {
		axes.forEach((axis) => done.add(axis));
		return (
			sum + sizeOf(dims) * sizeOf(before.map((size, axis) => (done.has(axis) ? (after[axis] ?? 1) : size)))
		);
	}, 0);
}

/** The one convolution that a chain stands for: the plain sum over everything between. */
export function joinedChain([first = nothing, ...rest]: readonly Stage[]): Stage {
	return rest.reduce((joint, next) => {
		const mixed = mixturesOf(joint, next).map(([weights, kernel]) =>
			next.depthwise ? scaledRows(weights, kernel) : plainProduct(weights, kernel),
		);
		return joined(joint, next, mixed);
	}, first);
}

/** The same as a matrix, as in `Kernel`. */
export async function kernelOfChain(
	[first = nothing, ...rest]: readonly Stage[],
	products: Products,
): Promise<Matrix> {
	let joint = first;
	for (const next of rest) {
		const mixed: Matrix[] = [];
		for (const [weights, kernel] of mixturesOf(joint, next))
			mixed.push(next.depthwise ? scaledRows(weights, kernel) : await products.multiply(weights, kernel));
		joint = joined(joint, next, mixed);
	}
	const { dims, data } = joint;
	const outputs = dims[0] ?? 1;
	return transposed(matrix(outputs, data.length / outputs, data));
}

const nothing: Stage = { dims: [], depthwise: false, axes: [], data: new Float64Array() };

/** Two convolutions as one, of what each position of the second window makes of the first kernel; no axis has a window in both. */
function joined(first: Stage, second: Stage, mixed: readonly Matrix[]): Stage {
	const [inputs = 1, ...inner] = first.dims.slice(1);
	const [outputs = 1, , ...outer] = second.dims;
	const window = inner.map((size, axis) => size * (outer[axis] ?? 1));
	const [reach, whole] = [sizeOf(inner), sizeOf(window)];
	const data = new Float64Array(outputs * inputs * whole);
	const place = placesOf(inner, outer);
	for (const [q, { data: values }] of mixed.entries())
		for (let at = 0; at < values.length; at++) {
			const to = Math.floor(at / reach) * whole + (place[(at % reach) * mixed.length + q] ?? 0);
			data[to] = values[at] ?? 0;
		}
	return {
		dims: [outputs, inputs, ...window],
		data,
		depthwise: false,
		axes: [...first.axes, ...second.axes],
	};
}

/** At each position of the second window: its weights, outputs × middle, and the first kernel, middle × (inputs · positions). */
function mixturesOf(first: Stage, second: Stage): (readonly [weights: Matrix, kernel: Matrix])[] {
	const [middle = 1] = first.dims;
	const [outputs = 1] = second.dims;
	const extra = sizeOf(second.dims.slice(2));
	const kernel = matrix(middle, first.data.length / middle, first.data);
	const count = second.data.length / extra;
	return Array.from({ length: extra }, (_, q) => {
		const own = Float64Array.from({ length: count }, (_unset, at) => second.data[at * extra + q] ?? 0);
		return [matrix(outputs, count / outputs, own), kernel] as const;
	});
}

/** Of a depthwise kernel, whose weights are one a row. */
function scaledRows(weights: Matrix, { rows, cols, data }: Matrix): Matrix {
	const scaled = data.map((value, at) => value * (weights.data[Math.floor(at / cols)] ?? 0));
	return matrix(rows, cols, scaled);
}

/** Where position p of the one window and q of the other meet in the common one, at p · |q| + q. */
function placesOf(inner: readonly number[], outer: readonly number[]): Int32Array {
	const extra = sizeOf(outer);
	return Int32Array.from({ length: sizeOf(inner) * extra }, (_, at) => {
		let [p, q, place, stride] = [Math.floor(at / extra), at % extra, 0, 1];
		for (let axis = inner.length - 1; axis >= 0; axis--) {
			const [a, b] = [inner[axis] ?? 1, outer[axis] ?? 1];
			place += stride * ((p % a) * b + (q % b));
			[p, q, stride] = [Math.floor(p / a), Math.floor(q / b), stride * a * b];
		}
		return place;
	});
}
