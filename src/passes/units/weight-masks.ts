/** Which single weights of a tensor become zeros: those of the smallest size, of equal ones the first. */
import { elementCount, type Tensor } from '../../ir/graph/graph.ts';
import { numbersOf } from '../../ir/graph/tensor.ts';

/** A share of the weights, or all but `keep` of every `of` along an axis. */
export type Rule = { readonly share: number } | { readonly keep: number; readonly of: number };

/** Ones for the weights that stay. */
export type Masked = { readonly mask: Float32Array; readonly zeros: number };

export function zeroed(tensor: Tensor, axis: number, rule: Rule): Masked {
	const sizes = Float64Array.from(numbersOf(tensor), Math.abs);
	const mask = new Float32Array(sizes.length).fill(1);
	return 'share' in rule
		? ofAll(sizes, mask, rule.share)
		: ofNeighbours(sizes, mask, tensor.dims, axis, rule);
}

function ofAll(sizes: Float64Array, mask: Float32Array, share: number): Masked {
	const zeros = Math.floor(share * sizes.length + 0.5);
	const bound = sizes.toSorted()[zeros - 1] ?? -1;
	let ties = zeros - sizes.reduce((count, size) => count + Number(size < bound), 0);
	sizes.forEach((size, at) => {
		if (size < bound || (size === bound && ties-- > 0)) mask[at] = 0;
	});
	return { mask, zeros };
}

/** Of runs of `of` neighbours; a shorter one at the end keeps as many as the others. */
function ofNeighbours(
	sizes: Float64Array,
	mask: Float32Array,
	dims: readonly number[],
	axis: number,
	{ keep, of }: { readonly keep: number; readonly of: number },
): Masked {
	const [size, inner] = [dims[axis] ?? 1, elementCount(dims.slice(axis + 1))];
	let zeros = 0;
	for (let start = 0; start < sizes.length; start += size * inner)
		for (let column = start; column < start + inner; column++)
			for (let from = 0; from < size; from += of) {
				const length = Math.min(of, size - from);
				for (let gone = keep; gone < length; gone++, zeros++)
					mask[smallest(sizes, mask, column + from * inner, inner, length)] = 0;
			}
	return { mask, zeros };
}

/** Where the smallest of `length` neighbours stands that is still there. */
function smallest(
	sizes: Float64Array,
	mask: Float32Array,
	from: number,
	stride: number,
	length: number,
): number {
	let least = -1;
	for (let at = from; at < from + length * stride; at += stride)
		if (mask[at] === 1 && (least < 0 || (sizes[at] ?? 0) < (sizes[least] ?? 0))) least = at;
	return least;
}
