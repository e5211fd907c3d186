/** Folders of PNG images, prepared as `preprocess.json` beside them says (or as the input's shape suggests). */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PNG } from 'pngjs';
import { Fault } from '../diagnostic.ts';
import { type ValueInfo } from '../ir/graph/graph.ts';
import { badData } from '../messages/run.ts';
import { type Sample } from './sample.ts';

type Preparation = {
	readonly height?: number;
	readonly width?: number;
	readonly mean?: readonly number[];
	readonly std?: readonly number[];
	readonly order?: 'RGB' | 'BGR';
};

/** NCHW, three channels, values (v/255 − mean)/std. */
export function readImages(folder: string, input: ValueInfo | undefined): Sample[] {
	if (input?.dims?.length !== 4) throw new Fault(badData({ path: folder, why: 'the model takes no images' }));
	const settings = join(folder, 'preprocess.json');
	const preparation = (existsSync(settings) ? JSON.parse(readFileSync(settings, 'utf8')) : {}) as Preparation;
	const fixed = (axis: number): number | undefined => {
		const dim = input.dims?.[axis];
		return typeof dim === 'number' ? dim : undefined;
	};
	const [height, width] = [preparation.height ?? fixed(2), preparation.width ?? fixed(3)];
	return readdirSync(folder)
		.filter((name) => name.endsWith('.png'))
		.sort()
		.map(
			(name) =>
				new Map([
					[input.name, prepare(PNG.sync.read(readFileSync(join(folder, name))), height, width, preparation)],
				]),
		);
}

/** Resized by bilinear interpolation; a side that is not given keeps the aspect ratio. */
export function prepare(
	image: { readonly width: number; readonly height: number; readonly data: Uint8Array },
	height: number | undefined,
	width: number | undefined,
	{ mean = [0.5, 0.5, 0.5], std = [0.5, 0.5, 0.5], order = 'RGB' }: Preparation,
): { type: number; dims: number[]; data: Float32Array } {
	const rows = height ?? image.height;
	const cols = width ?? Math.max(1, Math.round((image.width * rows) / image.height));
	const data = new Float32Array(3 * rows * cols);
	for (let channel = 0; channel < 3; channel++) {
		const source = order === 'BGR' ? 2 - channel : channel;
		for (let row = 0; row < rows; row++) {
			for (let col = 0; col < cols; col++) {
				const value = sampleAt(
					image,
					source,
					((row + 0.5) * image.height) / rows - 0.5,
					((col + 0.5) * image.width) / cols - 0.5,
				);
				data[(channel * rows + row) * cols + col] =
					(value / 255 - (mean[channel] ?? 0)) / (std[channel] ?? 1);
			}
		}
	}
	return { type: 1, dims: [1, 3, rows, cols], data };
}

function sampleAt(
	{ width, height, data }: { readonly width: number; readonly height: number; readonly data: Uint8Array },
	channel: number,
	y: number,
	x: number,
): number {
	const clamp = (value: number, most: number): number => Math.min(Math.max(value, 0), most);
	const [top, left] = [clamp(Math.floor(y), height - 1), clamp(Math.floor(x), width - 1)];
	const [bottom, right] = [clamp(top + 1, height - 1), clamp(left + 1, width - 1)];
	const [dy, dx] = [clamp(y - top, 1), clamp(x - left, 1)];
	const at = (row: number, col: number): number => data[(row * width + col) * 4 + channel] ?? 0;
	return (
		(1 - dy) * ((1 - dx) * at(top, left) + dx * at(top, right)) +
		dy * ((1 - dx) * at(bottom, left) + dx * at(bottom, right))
	);
}
