/** Images, sounds and Parquet tables, held against files made by Pillow and pyarrow (test/fixtures/data/make.py). */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import jpeg from 'jpeg-js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import wavefile from 'wavefile';
import { decodeImage, readImage } from '../../src/data/images.ts';
import { readParquet } from '../../src/data/parquet.ts';
import { resize } from '../../src/data/resize.ts';
import { readBytes } from '../../src/data/rows.ts';
import { type Pixels } from '../../src/data/sample.ts';
import { resample } from '../../src/data/sounds.ts';
import { openWav } from '../../src/data/wav.ts';
import { examplesOf, faultOf, int64, taking } from '../harness/data.ts';
import { testFolder } from '../harness/folder.ts';

const test = suite('media');
const folder = testFolder();
test.after(folder.remove);
const fixtures = fileURLToPath(new URL('../fixtures/data', import.meta.url));
const modelPath = folder.at('model.onnx');
const image = (name: string): Pixels => {
	const path = join(fixtures, name);
	return decodeImage(readBytes(path), path);
};
const picture = image('picture.png');

function furthest(a: Pixels, b: Pixels): number {
	assert.equal([a.width, a.height], [b.width, b.height]);
	return Math.max(...Array.from(a.data, (value, at) => Math.abs(value - (b.data[at] ?? NaN))));
}

for (const filter of ['bilinear', 'bicubic', 'lanczos', 'box', 'nearest'] as const) {
	test(`resizes as Pillow does: ${filter}`, () => {
		const wanted = image(`picture-${filter}.png`);
		// Pillow rounds the weights of a tap to whole numbers, which moves a value by one level at most.
		assert.ok(furthest(resize(picture, wanted.width, wanted.height, filter), wanted) <= 1);
	});
}

const first = (values: unknown, count: number): number[] =>
	(values as [number[], number[]])[1].slice(0, count);
const near = (actual: readonly number[], wanted: readonly number[]): void => {
	// float32 has 24 bits.
	actual.forEach((value, at) =>
		assert.ok(Math.abs(value - (wanted[at] ?? NaN)) < 1e-6, `${value} at ${at}, not ${wanted[at]}`),
	);
	assert.is(actual.length, wanted.length);
};

test('prepares images by the layout of the input when nothing says otherwise', async () => {
	const path = join(fixtures, 'picture.png');
	const [red = 0, green = 0] = picture.data;
	const values = async (...input: [string, (string | number)[], number?]): Promise<Record<string, unknown>> =>
		(await examplesOf(taking(input), { path, modelPath }))[0] ?? {};
	const torch = await values('x', ['batch', 3, 'height', 'width']);
	assert.equal((torch['x'] as unknown[])[0], [1, 3, 13, 19]);
	near(first(torch['x'], 1), [(red / 255 - 0.485) / 0.229]);
	const tensorflow = await values('x', ['batch', 13, 19, 3]);
	assert.equal((tensorflow['x'] as unknown[])[0], [1, 13, 19, 3]);
	near(first(tensorflow['x'], 2), [red / 127.5 - 1, green / 127.5 - 1]);
	const bytes = await values('x', [1, 13, 19, 3], 2);
	assert.equal(first(bytes['x'], 3), Array.from(picture.data.slice(0, 3)));
	const gray = await values('x', ['batch', 1, 13, 19]);
	const luma = image('picture-gray.png').data;
	near(
		first(gray['x'], 19),
		Array.from({ length: 19 }, (_, at) => (luma[at * 4] ?? 0) / 255),
	);
});

test('resizes, crops, rescales and normalizes as preprocessor_config.json says', async () => {
	const settings = {
		...{ do_resize: true, size: { height: 5, width: 7 }, resample: 3 },
		...{ do_center_crop: true, crop_size: { height: 3, width: 3 } },
		...{ do_rescale: true, rescale_factor: 1 / 255, do_normalize: true },
		...{ image_mean: [0.5, 0.4, 0.3], image_std: [0.5, 0.25, 0.2] },
	};
	folder.file('hf/preprocessor_config.json', JSON.stringify(settings));
	const [example] = await examplesOf(taking(['pixel_values', ['batch', 3, 3, 3]]), {
		path: join(fixtures, 'picture.png'),
		modelPath: folder.at('hf/model.onnx'),
	});
	const small = resize(picture, 7, 5, 'bicubic');
	const wanted = [0, 1, 2].flatMap((channel) =>
		[1, 2, 3].flatMap((row) =>
			[2, 3, 4].map((column) => {
				const value = (small.data[(row * 7 + column) * 4 + channel] ?? 0) / 255;
				return (value - (settings.image_mean[channel] ?? 0)) / (settings.image_std[channel] ?? 1);
			}),
		),
	);
	near(first(example?.['pixel_values'], 27), wanted);
});

test('scales the shorter side to shortest_edge and pads a crop that is larger with black', async () => {
	folder.file(
		'short/preprocessor_config.json',
		JSON.stringify({
			...{ size: { shortest_edge: 26 }, do_center_crop: true, crop_size: 40 },
			...{ do_rescale: false, do_normalize: false },
		}),
	);
	const [example] = await examplesOf(taking(['x', ['batch', 3, 40, 40]]), {
		path: join(fixtures, 'picture.png'),
		modelPath: folder.at('short/model.onnx'),
	});
	const values = first(example?.['x'], 1600);
	const isBlack = (row: number): boolean =>
		values.slice(row * 40, row * 40 + 40).every((value) => value === 0);
	assert.equal([6, 7, 32, 33].map(isBlack), [true, false, false, true]);
	// 38 columns of 26 rows stand in the middle.
	assert.equal([values[20 * 40], values[20 * 40 + 39]], [0, 0]);
});

test('takes classes from folders and from labels.tsv', async () => {
	const model = taking(['x', ['batch', 3, 13, 19]]);
	const places = async (path: string): Promise<unknown[]> =>
		(await examplesOf(model, { path, modelPath })).map(({ at, label }) => [at.slice(path.length + 1), label]);
	folder.file('set/cat/a.png', readBytes(join(fixtures, 'picture.png')));
	folder.file('set/cat/b.png', readBytes(join(fixtures, 'picture.png')));
	folder.file('set/dog/c.png', readBytes(join(fixtures, 'picture.png')));
	assert.equal(await places(folder.at('set')), [
		['cat/a.png', 'cat'],
		['cat/b.png', 'cat'],
		['dog/c.png', 'dog'],
	]);
	folder.file('set/labels.tsv', 'cat/b.png\t4\n');
	assert.equal(await places(folder.at('set')), [
		['cat/a.png', 'cat'],
		['cat/b.png', 4],
		['dog/c.png', 'dog'],
	]);
});

test('reads JPEG, by its first bytes', () => {
	const data = Buffer.from(picture.data);
	const encoded = jpeg.encode({ width: picture.width, height: picture.height, data }, 100).data;
	const [row] = readImage(folder.file('picture.png.jpeg', encoded));
	const field = row?.fields.get('image');
	assert.is(field?.kind, 'image');
	if (field?.kind !== 'image') return;
	// Color is stored at half resolution, so sharp edges move; most pixels hardly do.
	const differences = Array.from(field.open().data, (value, at) => Math.abs(value - (data[at] ?? 0)));
	assert.ok(differences.toSorted((a, b) => a - b)[Math.floor(differences.length / 2)]! <= 8);
});

test('says what is wrong with an image', async () => {
	const path = folder.file('broken.png', 'hello');
	const model = taking(['x', ['batch', 3, 13, 19]]);
	assert.equal(await faultOf(() => examplesOf(model, { path, modelPath })), [
		`data/unreadable: cannot read '${path}': it is neither PNG nor JPEG`,
	]);
	const texts = taking(['ids', ['batch', 'sequence'], int64]);
	assert.equal(await faultOf(() => examplesOf(texts, { path, modelPath })), [
		'data/unfit-model: an image cannot be given to this model: none of its inputs has the four axes of images\nthe model takes: ids int64 [batch, sequence]',
	]);
});

for (const codec of ['snappy', 'gzip', 'brotli']) {
	test(`reads Parquet compressed with ${codec}: texts, labels, lists and images`, async () => {
		const rows = await readParquet(join(fixtures, `rows-${codec}.parquet`));
		const plain = rows.map(({ fields }) =>
			['text', 'label', 'x'].map((name) => {
				const field = fields.get(name);
				return field?.kind === 'plain' ? field.value : field?.kind;
			}),
		);
		assert.equal(plain, [
			['a plain row', 3, [1.5, -2, 0.25]],
			['a row with a "quote", a comma and ümlauts', 1, [0, 4, 8]],
		]);
		const field = rows[1]?.fields.get('image');
		assert.ok(field?.kind === 'image' && furthest(field.open(), picture) === 0);
	});
}

/** A WAV file of samples from −1 to 1 in a format of this many levels. */
function wav(rate: number, channels: readonly (readonly number[])[], depth: string): Uint8Array {
	const levels = depth === '32f' ? 1 : 2 ** (Number(depth) - 1);
	const stored = (value: number): number =>
		depth === '32f' ? value : Math.round(value * levels) + (depth === '8' ? 128 : 0);
	const file = new wavefile.WaveFile();
	const interleaved = (channels[0] ?? []).flatMap((_, at) => channels.map((one) => stored(one[at] ?? 0)));
	file.fromScratch(channels.length, rate, depth, interleaved);
	return file.toBuffer();
}
const tone = (rate: number, hertz: number, seconds: number): number[] =>
	Array.from({ length: rate * seconds }, (_, at) => 0.5 * Math.sin((2 * Math.PI * hertz * at) / rate));

// Half a step of each format's resolution, and what float32 rounds.
for (const [depth, exact] of [
	['8', 0.5 / 128 + 1e-6],
	['16', 0.5 / 32768 + 1e-6],
	['24', 1e-6],
	['32f', 1e-6],
] as const) {
	test(`reads WAV of ${depth} bits, channels averaged`, () => {
		const wanted = tone(8000, 440, 0.1);
		const path = folder.file(
			`tone-${depth}.wav`,
			wav(8000, [wanted.map((one) => one * 1.5), wanted.map((one) => one * 0.5)], depth),
		);
		const { rate, samples } = openWav(path);
		assert.equal([rate, samples.length], [8000, wanted.length]);
		assert.equal(
			wanted.filter((value, at) => !(Math.abs(value - (samples[at] ?? NaN)) <= exact)),
			[],
		);
	});
}

test('resamples: a tone stays that tone, and one above half the new rate goes', () => {
	const low = resample({ rate: 48000, samples: Float32Array.from(tone(48000, 440, 0.5)) }, 16000);
	const wanted = tone(16000, 440, 0.5);
	assert.is(low.samples.length, wanted.length);
	const middle = Array.from(low.samples).slice(2000, 6000);
	const error = Math.max(...middle.map((value, at) => Math.abs(value - (wanted[at + 2000] ?? NaN))));
	assert.ok(error < 0.05, `a tenth of the amplitude: ${error}`);
	const high = resample({ rate: 48000, samples: Float32Array.from(tone(48000, 15000, 0.5)) }, 16000);
	const loudest = Math.max(...Array.from(high.samples).slice(2000, 6000).map(Math.abs));
	assert.ok(loudest < 0.05, `a tenth of the amplitude: ${loudest}`);
});

test('gives sounds to a model at its rate, in pieces of its length', async () => {
	folder.file('speech/preprocessor_config.json', JSON.stringify({ sampling_rate: 16000, feature_size: 1 }));
	const path = folder.file('tone.wav', wav(8000, [tone(8000, 440, 0.1)], '16'));
	const model = taking(['input', ['batch', 512]], ['sr', [], int64]);
	const examples = await examplesOf(model, { path, modelPath: folder.at('speech/model.onnx') });
	assert.equal(
		examples.map(({ at, input, sr }) => [at, (input as unknown[])[0], sr]),
		[0, 1, 2].map((piece) => [`${path}[${piece}]`, [1, 512], [[], [16000]]]),
	);
});

test.run();
