/** Trained convolutional models with data whose labels are known, by the name of their file. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { loadModel } from '../../src/backends/onnx/load.ts';
import { openSession, type Feeds, type Session, type Value } from '../../src/backends/ort/session.ts';
import { openWav } from '../../src/data/wav.ts';
import { resample } from '../../src/data/sounds.ts';
import { FLOAT, INT32, INT64 } from '../../src/ir/graph/dtype.ts';
import { countRight, labels, lines, readLines, recognizer } from '../../examples/read-lines.ts';
import { lineOf } from '../nested.ts';

export type Score = { readonly name: string; readonly right: number; readonly of: number };

export type Labelled = {
	readonly name: string;
	readonly about: string;
	/** Writes rows for statistics into a folder; where they are. */
	readonly calibration: (model: string, folder: string) => Promise<string>;
	readonly judge: (path: string, model: string) => Promise<readonly Score[]>;
};

/** Every so many rows statistics are taken on one, which is then not among the unseen. */
const everyNth = 4;
const isSeen = (at: number): boolean => at % everyNth === 0;

async function within<T>(path: string, use: (session: Session) => Promise<T>): Promise<T> {
	const { model, file } = loadModel(path);
	const session = await openSession(model, { which: 'given', optimize: 'all', threads: 1 });
	try {
		return await use(session);
	} finally {
		await session.release();
		file.close();
	}
}

/** Inputs that are told apart, and what each is. */
type Case = { readonly feeds: Feeds; readonly label: string };

/** A model of classes. @param named the class by its number. */
function classifier(
	name: string,
	about: string,
	casesOf: (model: string) => readonly Case[],
	named: (at: number, model: string) => string,
): Labelled {
	return {
		name,
		about: `${about}; statistics are of every fourth, without its label`,
		calibration: (model, folder) => {
			const path = join(folder, 'rows.jsonl');
			const seen = casesOf(model).filter((_, at) => isSeen(at));
			writeFileSync(path, seen.map(({ feeds }) => lineOf(feeds)).join(''));
			return Promise.resolve(path);
		},
		judge: (path, model) =>
			within(path, async (session) => {
				const cases = casesOf(model);
				const right: boolean[] = [];
				for (const { feeds, label } of cases) {
					const [scores] = (await session.run(feeds)).values();
					right.push(named(best(scores?.data ?? []), model) === label);
				}
				return [
					tally('all', right),
					tally(
						'unseen',
						right.filter((_, at) => !isSeen(at)),
					),
				];
			}),
	};
}

const tally = (name: string, right: readonly boolean[]): Score => ({
	name,
	right: right.filter(Boolean).length,
	of: right.length,
});

function best(scores: ArrayLike<number>): number {
	return Array.from(scores).reduce((most, score, at, all) => (score > (all[most] ?? 0) ? at : most), 0);
}

/** Lines `label index:value …`, indices from 0, of pictures of 28×28. */
function digits(model: string): Case[] {
	const text = readFileSync(join(dirname(model), 'data/mnist_test_head.libsvm'), 'utf8');
	return text
		.trim()
		.split('\n')
		.map((line) => {
			const [label = '', ...pairs] = line.trim().split(/\s+/);
			const data = new Float32Array(28 * 28);
			for (const pair of pairs) {
				const [at = 0, value = 0] = pair.split(':').map(Number);
				data[at] = value;
			}
			return { label, feeds: new Map([['0', { type: FLOAT, dims: [1, 1, 28, 28], data }]]) };
		});
}

type MagikaConfig = {
	readonly target_labels_space: readonly string[];
	readonly overwrite_map: Readonly<Record<string, string>>;
	readonly beg_size: number;
	readonly end_size: number;
	readonly padding_token: number;
	readonly min_file_size_for_dl: number;
	readonly block_size: number;
};

const magikaConfig = (model: string): MagikaConfig =>
	JSON.parse(readFileSync(join(dirname(model), 'data/magika_v3_3_config.min.json'), 'utf8')) as MagikaConfig;

/** Files in folders of their labels; shorter ones than the model is asked for are left out, as its own program does. */
function files(model: string): Case[] {
	const config = magikaConfig(model);
	const root = join(dirname(model), 'data/magika_basic');
	return readdirSync(root, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map(({ parentPath, name }) => join(parentPath, name))
		.sort()
		.flatMap((path) => {
			const bytes = readFileSync(path);
			if (bytes.length < config.min_file_size_for_dl) return [];
			const value = {
				type: INT32,
				dims: [1, config.beg_size + config.end_size],
				data: bothEnds(bytes, config),
			};
			return [{ label: basename(dirname(path)), feeds: new Map([['bytes', value]]) }];
		});
}

/** The first and the last bytes that are no blanks, each filled up with the token of padding towards the middle. */
function bothEnds(bytes: Uint8Array, config: MagikaConfig): Int32Array {
	const { beg_size: start, end_size: end, padding_token: padding, block_size: block } = config;
	const isBlank = (byte: number): boolean => byte === 32 || (byte >= 9 && byte <= 13);
	const [first, last] = [bytes.subarray(0, block), bytes.subarray(Math.max(0, bytes.length - block))];
	const from = first.findIndex((byte) => !isBlank(byte));
	const head = from === -1 ? [] : first.subarray(from, from + start);
	const until = last.findLastIndex((byte) => !isBlank(byte)) + 1;
	const tail = last.subarray(Math.max(0, until - end), until);
	const row = new Int32Array(start + end).fill(padding);
	row.set(head);
	row.set(tail, start + end - tail.length);
	return row;
}

function typeName(at: number, model: string): string {
	const { target_labels_space: names, overwrite_map: instead } = magikaConfig(model);
	const name = names[at] ?? '';
	return instead[name] ?? name;
}

/** Where Debian's alsa-utils puts spoken words and a noise. */
const sounds = '/usr/share/sounds/alsa';
const words = ['Front_Center', 'Front_Left', 'Front_Right'];
const others = ['Rear_Center', 'Rear_Left', 'Rear_Right', 'Side_Left', 'Side_Right'];

/** What a detector of speech is given: 512 samples of 16 kHz behind the last 64, and the state it left. */
async function listen(
	session: Session,
	sound: string,
	heard: (feeds: Feeds, score: number) => void,
): Promise<void> {
	const [context, step] = [64, 512];
	const { samples } = resample(openWav(join(sounds, `${sound}.wav`)), 16_000);
	let state: Value = { type: FLOAT, dims: [2, 1, 128], data: new Float32Array(256) };
	for (let at = 0; at + step <= samples.length; at += step) {
		const data = Float32Array.from(
			{ length: context + step },
			(_, offset) => samples[at + offset - context] ?? 0,
		);
		const feeds = new Map<string, Value>([
			['input', { type: FLOAT, dims: [1, data.length], data }],
			['state', state],
			['sr', { type: INT64, dims: [], data: [16_000] }],
		]);
		const results = await session.run(feeds);
		heard(feeds, results.get('output')?.data[0] ?? NaN);
		state = results.get('stateN') ?? state;
	}
}

const speech: Labelled = {
	name: 'Silero VAD',
	about: `frames of 32 ms of ${words.join(', ')} called speech (pauses within words are among them) and of Noise called none, of Debian's alsa-utils; statistics are of ${others.join(', ')}`,
	calibration: (model, folder) =>
		within(model, async (session) => {
			const rows: string[] = [];
			for (const sound of others) await listen(session, sound, (feeds) => rows.push(lineOf(feeds)));
			const path = join(folder, 'rows.jsonl');
			writeFileSync(path, rows.filter((_, at) => isSeen(at)).join(''));
			return path;
		}),
	judge: (path) =>
		within(path, async (session) => {
			const [spoken, quiet]: [boolean[], boolean[]] = [[], []];
			for (const sound of words) await listen(session, sound, (_, score) => spoken.push(score > 0.5));
			await listen(session, 'Noise', (_, score) => quiet.push(score <= 0.5));
			return [tally('speech', spoken), tally('noise', quiet)];
		}),
};

const byFile: Readonly<Record<string, Labelled>> = {
	ort_cnn_mnist_pytorch: classifier('MNIST CNN', '62 digits of the test set', digits, String),
	magika_standard_v3_3: classifier('Magika', 'files of its own tests, by their content', files, typeName),
	silero_vad_16k_op15: speech,
	[basename(recognizer, '.onnx')]: {
		name: 'PP-OCRv4 recognizer',
		about: 'rendered lines of text read without a mistake; statistics are of 8 others',
		calibration: () => Promise.resolve(join(lines, 'calibration')),
		judge: async (path) => [{ name: 'lines', right: countRight(await readLines(path)), of: labels().length }],
	},
};

/** Of a model's file; undefined where nothing labelled is known of it. */
export function labelled(path: string): Labelled | undefined {
	const found = byFile[basename(path, '.onnx')];
	return found === speech && !existsSync(sounds) ? undefined : found;
}
