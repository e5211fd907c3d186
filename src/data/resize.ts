/**
 * Images resized as Pillow does, whose numbers models were trained on: the filter is widened by the factor of reduction, so
 * that nothing aliases, and columns then rows are rounded to eight bits. https://pillow.readthedocs.io/en/stable/handbook/concepts.html#filters
 */
import { type Pixels } from './sample.ts';

/** A kernel and how far from its middle it reaches. */
type Filter = { readonly reach: number; readonly weight: (x: number) => number };

/** Catmull and Rom's cubic, a = −0.5, as Pillow has it. */
function cubic(x: number): number {
	const at = Math.abs(x);
	if (at < 1) return (1.5 * at - 2.5) * at * at + 1;
	return at < 2 ? ((-0.5 * at + 2.5) * at - 4) * at + 2 : 0;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

export const filters = {
	bilinear: { reach: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
	bicubic: { reach: 2, weight: cubic },
	lanczos: { reach: 3, weight: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) },
	box: { reach: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
} as const satisfies Record<string, Filter>;
export type FilterName = keyof typeof filters | 'nearest';

export function resize(image: Pixels, width: number, height: number, filter: FilterName): Pixels {
	if (image.width === width && image.height === height) return image;
	if (filter === 'nearest') return nearest(image, width, height);
	return transpose(stretch(transpose(stretch(image, width, filters[filter])), height, filters[filter]));
}

function nearest(image: Pixels, width: number, height: number): Pixels {
	const data = new Uint8Array(width * height * 4);
	for (let row = 0; row < height; row++) {
		const from = Math.floor(((row + 0.5) * image.height) / height) * image.width;
		for (let column = 0; column < width; column++) {
			const at = (from + Math.floor(((column + 0.5) * image.width) / width)) * 4;
			data.set(image.data.subarray(at, at + 4), (row * width + column) * 4);
		}
	}
	return { width, height, data };
}

type Taps = { readonly first: number; readonly weights: readonly number[] };

/** What each new position takes from the old ones; the weights sum to 1. */
function tapsOf(from: number, to: number, { reach, weight }: Filter): Taps[] {
	const scale = Math.max(1, from / to);
	return Array.from({ length: to }, (_, at) => {
		const middle = ((at + 0.5) * from) / to;
		const first = Math.max(0, Math.trunc(middle - reach * scale + 0.5));
		const end = Math.min(from, Math.trunc(middle + reach * scale + 0.5));
		const weights = Array.from({ length: end - first }, (_, tap) =>
			weight((first + tap - middle + 0.5) / scale),
		);
		const sum = weights.reduce((total, one) => total + one, 0);
		return { first, weights: weights.map((one) => one / sum) };
	});
}

/** Makes every row `width` long. */
function stretch(image: Pixels, width: number, filter: Filter): Pixels {
	if (image.width === width) return image;
	const taps = tapsOf(image.width, width, filter);
	const data = new Uint8Array(width * image.height * 4);
	for (let row = 0; row < image.height; row++) {
		for (const [column, { first, weights }] of taps.entries()) {
			const from = (row * image.width + first) * 4;
			const to = (row * width + column) * 4;
			for (let channel = 0; channel < 4; channel++) {
				let sum = 0;
				for (let tap = 0; tap < weights.length; tap++)
					sum += (weights[tap] ?? 0) * (image.data[from + tap * 4 + channel] ?? 0);
				data[to + channel] = Math.min(255, Math.max(0, Math.round(sum)));
			}
		}
	}
	return { width, height: image.height, data };
}

function transpose({ width, height, data }: Pixels): Pixels {
	const turned = new Uint32Array(width * height);
	const pixels = new Uint32Array(new Uint8Array(data).buffer);
	for (let row = 0; row < height; row++)
		for (let column = 0; column < width; column++)
			turned[column * height + row] = pixels[row * width + column] ?? 0;
	return { width: height, height: width, data: new Uint8Array(turned.buffer) };
}

/** The middle of an image; black around it where the image is smaller. */
export function cropMiddle(image: Pixels, width: number, height: number): Pixels {
	const data = new Uint8Array(width * height * 4);
	const [left, top] = [Math.floor((image.width - width) / 2), Math.floor((image.height - height) / 2)];
	for (let row = Math.max(0, -top); row < Math.min(height, image.height - top); row++) {
		const [start, end] = [Math.max(0, left), Math.min(image.width, left + width)];
		const from = ((row + top) * image.width + start) * 4;
		data.set(image.data.subarray(from, from + (end - start) * 4), (row * width + start - left) * 4);
	}
	return { width, height, data };
}
