/**
 * What factored convolutions of trained models still get right, on data with labels; as Markdown.
 *
 *     node --import tsx bench/factorize-accuracy.ts docs/factorize-accuracy.md <folder of models>…
 *
 * Beside the models of the folders the recognizer of npm is measured. Results are kept in `<page>.jsonl`, so that a stopped run goes on.
 */
import { writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { recognizer } from '../examples/read-lines.ts';
import { labelled, type Score } from './factorize/labelled.ts';
import { modelsIn, Trials, type Trial } from './zoo/trials.ts';

type Result = Trial & {
	readonly ok: boolean;
	readonly crash?: string;
	readonly selected?: number;
	readonly before?: readonly Score[];
	readonly after?: readonly Score[];
	readonly params?: readonly [number, number];
	readonly macs?: readonly [number, number];
	readonly weak?: boolean;
	readonly diagnostics?: readonly string[];
};

const asked = [
	'factorize filters ratio 50%',
	'factorize filters ratio 50% with spatial',
	'factorize filters ratio 50% with tucker',
	'factorize filters ratio 50% with cp',
	'factorize filters ratio 30% with tucker',
	'factorize filters ratio 30% with cp',
	'factorize filters energy 99%',
	'factorize filters energy 99% with spatial',
	'factorize filters energy 99% with tucker',
];
const calibrated = 'calibrate with "$data"; ';
const statements = asked.flatMap((statement) => [statement, calibrated + statement]);

/** What one statement may take. */
const seconds = 240;

const share = ([before, after]: readonly [number, number]): string =>
	`${((100 * after) / Math.max(1, before)).toFixed(0)} %`;
const scores = (all: readonly Score[]): string =>
	all.map(({ name, right, of }) => `${right}/${of} ${name}`).join(', ');

function row({ statement, crash, after, params, macs, selected, weak, diagnostics }: Result): string {
	const withData = statement.startsWith(calibrated);
	const named = `\`${statement.replace(calibrated, '')}\``;
	const why = crash ?? diagnostics?.find((text) => !text.startsWith('check/')) ?? 'not built';
	const cells =
		after && params && macs && selected !== 0
			? [scores(after), String(selected), share(params), share(macs), weak === true ? 'weak' : 'proven']
			: [why.replaceAll('|', '\\|'), '', '', '', ''];
	return `| ${[named, withData ? 'yes' : 'no', ...cells].join(' | ')} |`;
}

function section(path: string, results: readonly Result[]): string[] {
	const subject = labelled(path);
	const mine = results.filter(({ model }) => model === basename(path, '.onnx'));
	const rows = statements.flatMap((one) => mine.filter(({ statement }) => statement === one));
	const before = rows.find((one) => one.before !== undefined)?.before ?? [];
	return [
		`## ${subject?.name ?? ''}`,
		`\`${basename(path)}\`: ${subject?.about ?? ''}. The original: **${scores(before)}**.`,
		[
			'| statement | data | right after | convolutions | parameters left | multiply–adds left | proof |',
			'|---|---|---|---|---|---|---|',
			...rows.map(row),
		].join('\n'),
	];
}

const [page = '', ...paths] = process.argv.slice(2);
const program = { path: fileURLToPath(new URL('factorize/one.ts', import.meta.url)), seconds };
const trials = new Trials<Result>(page, program);
const models = [...modelsIn(paths), recognizer].filter((path) => labelled(path) !== undefined);

for (const path of models) {
	await trials.build(path, statements);
	const parts = [
		'# What factored convolutions get right',
		'Every convolution of trained models becomes a chain of thinner ones and nothing is trained afterwards. `data` says whether the factors were fitted to what the convolutions put out on calibration data without labels, or to the weights alone. Each result is proven equal to the product of its factors; the proof says nothing about accuracy, which is what this page is about. Statements that no line is about were not run on that model.',
		'Written by `node --import tsx bench/factorize-accuracy.ts docs/factorize-accuracy.md <folder of models>`.',
		...models.flatMap((one) => section(one, trials.results)),
	];
	writeFileSync(page, `${parts.join('\n\n')}\n`);
}
