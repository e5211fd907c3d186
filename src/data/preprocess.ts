/**
 * Images as a model takes them: as `preprocess.json` beside the images or `preprocessor_config.json` beside the model says,
 * else by the layout of the input. https://huggingface.co/docs/transformers/main_classes/image_processor
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { elementType } from '../ir/graph/dtype.ts';
import { type ValueInfo } from '../ir/graph/graph.ts';
import { readSettings, settingsBeside, type Settings } from './beside.ts';
import { cropMiddle, resize, type FilterName } from './resize.ts';
import { type Pixels, type SampleValue } from './sample.ts';

type Size = { readonly height?: number; readonly width?: number };

export type Preparation = {
	/** Where this was said, in words. */
	readonly words: string;
	/** `shortest` scales the shorter side to it; a lone height or width keeps the shape. */
	readonly size?: Size | { readonly shortest: number; readonly longest?: number };
	readonly crop?: { readonly height: number; readonly width: number };
	readonly filter: FilterName;
	/** A value v of 0 to 255 becomes (v · scale − mean) / std, by channel. */
	readonly scale: number;
	readonly mean: readonly number[];
	readonly std: readonly number[];
	readonly order: 'RGB' | 'BGR';
};

/** How an input takes images. */
type Layout = {
	readonly channels: 1 | 3;
	readonly last: boolean;
	readonly height?: number;
	readonly width?: number;
};

/** The layout of an input that takes images: rank 4 with one or three channels, first or last. */
export function layoutOf({ dims, type }: ValueInfo): Layout | undefined {
	if (dims?.length !== 4 || !['float', 'uint', 'int'].includes(elementType(type)?.kind ?? ''))
		return undefined;
	const isChannels = (dim: unknown): boolean => dim === 1 || dim === 3;
	const last = !isChannels(dims[1]) && isChannels(dims[3]);
	const channels = dims[last ? 3 : 1];
	if (typeof channels === 'number' && channels !== 1 && channels !== 3) return undefined;
	const [height, width] = last ? [dims[1], dims[2]] : [dims[2], dims[3]];
	return {
		channels: channels === 1 ? 1 : 3,
		last,
		...(typeof height === 'number' && { height }),
		...(typeof width === 'number' && { width }),
	};
}

/** ImageNet's mean and deviation by channel, which torchvision's models were trained with. */
const imageNet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/** What is done to the images of a folder. `shape` fixes sizes that the model leaves open. */
export function preparationFor(
	input: ValueInfo,
	model: string,
	data: string,
	shape?: readonly number[],
): Preparation {
	const plain = byLayout(input, shape);
	const local = [join(data, 'preprocess.json'), join(dirname(data), 'preprocess.json')].find((path) =>
		existsSync(path),
	);
	if (local !== undefined) return { ...plain, ...fromLocal(readSettings(local)), words: `as ${local} says` };
	const settings = settingsBeside(model, 'preprocessor_config.json');
	return settings === undefined ? plain : { ...plain, ...fromProcessor(settings, plain) };
}

function byLayout(input: ValueInfo, shape: readonly number[] | undefined): Preparation {
	const layout = layoutOf(shape === undefined ? input : { ...input, dims: shape });
	const size = {
		...(layout?.height && { height: layout.height }),
		...(layout?.width && { width: layout.width }),
	};
	const base = { size, filter: 'bilinear', order: 'RGB', mean: [0], std: [1] } as const;
	const resized = Object.keys(size).length === 0 ? 'in their own size' : 'resized to the size of the input';
	const words = (values: string): string =>
		`${resized}, ${values} (the default for this input: no preprocessor_config.json)`;
	if (elementType(input.type)?.kind !== 'float')
		return { ...base, scale: 1, words: words('values 0 to 255') };
	if (layout?.last) return { ...base, scale: 1 / 127.5, mean: [1], words: words('values -1 to 1') };
	if (layout?.channels === 1) return { ...base, scale: 1 / 255, words: words('values 0 to 1') };
	return { ...base, scale: 1 / 255, ...imageNet, words: words("values by ImageNet's mean and deviation") };
}

const numbers = (value: unknown): readonly number[] | undefined =>
	Array.isArray(value) && value.every((one) => typeof one === 'number') ? value : undefined;
const number = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);

/** `preprocess.json`: height, width, mean, std (of values from 0 to 1), order. */
function fromLocal(settings: Settings): Omit<Preparation, 'words'> {
	const [height, width] = [number(settings['height']), number(settings['width'])];
	return {
		...((height ?? width) !== undefined && { size: { ...(height && { height }), ...(width && { width }) } }),
		filter: 'bilinear',
		scale: 1 / 255,
		mean: numbers(settings['mean']) ?? [0.5],
		std: numbers(settings['std']) ?? [0.5],
		order: settings['order'] === 'BGR' ? 'BGR' : 'RGB',
	};
}

/** Pillow's numbers for its filters. */
const resamples: readonly FilterName[] = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box'];

/** `preprocessor_config.json`: do_resize, size, resample, do_center_crop, crop_size, do_rescale, do_normalize and theirs. */
function fromProcessor(settings: Settings, plain: Preparation): Partial<Preparation> {
	const on = (name: string): boolean => settings[name] !== false;
	const crop = settings['do_center_crop'] === true ? sides(settings['crop_size']) : undefined;
	const size = on('do_resize') ? (sizeOf(settings['size']) ?? plain.size) : undefined;
	const normalize = on('do_normalize') && settings['image_mean'] !== undefined;
	return {
		words: 'as preprocessor_config.json says',
		size: size ?? {},
		...(crop && { crop }),
		filter: resamples[number(settings['resample']) ?? 2] ?? 'bilinear',
		scale: on('do_rescale') ? (number(settings['rescale_factor']) ?? 1 / 255) : 1,
		mean: normalize ? (numbers(settings['image_mean']) ?? [0]) : [0],
		std: normalize ? (numbers(settings['image_std']) ?? [1]) : [1],
	};
}

function sizeOf(value: unknown): Preparation['size'] {
	if (typeof value === 'number') return { shortest: value };
	if (typeof value !== 'object' || value === null) return undefined;
	const { shortest_edge: shortest, longest_edge: longest } = value as Settings;
	if (typeof shortest === 'number') return { shortest, ...(typeof longest === 'number' && { longest }) };
	return sides(value);
}

function sides(value: unknown): { height: number; width: number } | undefined {
	if (typeof value === 'number') return { height: value, width: value };
	const { height, width } = (value ?? {}) as Settings;
	return typeof height === 'number' && typeof width === 'number' ? { height, width } : undefined;
}

/** One image as a tensor of the input's type and layout, batch 1. */
export function prepareImage(image: Pixels, input: ValueInfo, preparation: Preparation): SampleValue {
	const { size = {}, crop, filter } = preparation;
	const [width, height] = targetOf(image, size);
	const resized = resize(image, width, height, filter);
	const cropped = crop === undefined ? resized : cropMiddle(resized, crop.width, crop.height);
	const { channels = 3, last = false } = layoutOf(input) ?? {};
	const data = valuesOf(cropped, channels, last, preparation);
	const plane = [cropped.height, cropped.width];
	return { type: input.type, dims: last ? [1, ...plane, channels] : [1, channels, ...plane], data };
}

function targetOf(image: Pixels, size: NonNullable<Preparation['size']>): [width: number, height: number] {
	const scaled = (length: number, factor: number): number => Math.max(1, Math.round(length * factor));
	if ('shortest' in size) {
		const [short, long] = [Math.min(image.width, image.height), Math.max(image.width, image.height)];
		const factor = Math.min(size.shortest / short, (size.longest ?? Infinity) / long);
		return [Math.max(1, Math.trunc(image.width * factor)), Math.max(1, Math.trunc(image.height * factor))];
	}
	const { height, width } = size;
	return [
		width ?? (height === undefined ? image.width : scaled(image.width, height / image.height)),
		height ?? (width === undefined ? image.height : scaled(image.height, width / image.width)),
	];
}

function valuesOf(
	{ width, height, data }: Pixels,
	channels: 1 | 3,
	last: boolean,
	{ scale, mean, std, order }: Preparation,
): Float32Array {
	const values = new Float32Array(channels * width * height);
	const plane = width * height;
	for (let channel = 0; channel < channels; channel++) {
		const from = order === 'BGR' ? 2 - channel : channel;
		const [shift, spread] = [mean[channel] ?? mean[0] ?? 0, std[channel] ?? std[0] ?? 1];
		for (let at = 0; at < plane; at++) {
			const value = channels === 1 ? gray(data, at * 4) : (data[at * 4 + from] ?? 0);
			values[last ? at * channels + channel : channel * plane + at] = (value * scale - shift) / spread;
		}
	}
	return values;
}

/** Luma of ITU-R 601-2, in Pillow's whole numbers. */
function gray(data: Uint8Array, at: number): number {
	return ((data[at] ?? 0) * 19595 + (data[at + 1] ?? 0) * 38470 + (data[at + 2] ?? 0) * 7471 + 0x8000) >> 16;
}
