/** Models side by side on labelled data, by the library and by the command line. */
import { spawnSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { saveModel } from '../src/backends/onnx/save.ts';
import { compile } from '../src/compile.ts';
import { evaluateModels, type EvaluateOptions, type Evaluated } from '../src/tasks/evaluate.ts';
import { type Model } from '../src/ir/graph/graph.ts';
import { floats } from '../src/ir/graph/tensor.ts';
import { faultOf, npy } from './harness/data.ts';
import { testFolder } from './harness/folder.ts';
import { modelBuilder } from './harness/model.ts';

const test = suite('evaluate');
const folder = testFolder();
test.after(folder.remove);

/** Scores of three classes: each input, times a factor. */
function scaled(factors: readonly number[]): Model {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 3]);
	b.output(b.node('Mul', [x, 'factors']), ['batch', 3]);
	const model = b.build();
	return {
		...model,
		graph: { ...model.graph, initializers: new Map([['factors', floats('factors', [3], factors)]]) },
	};
}
const [good, bad] = [scaled([1, 1, 1]), scaled([1, 1, 0])];
const [goodPath, badPath] = [folder.at('good.onnx'), folder.at('bad.onnx')];
saveModel(good, goodPath);
saveModel(bad, badPath);

const rows = [
	[3, 1, 2],
	[1, 3, 2],
	[1, 2, 3],
	[2, 1, 3],
] as const;
const right = [0, 1, 2, 0];
const path = folder.file('dev.npy', npy([4, 3], rows.flat(), 'f4'));
folder.file('dev.labels.npy', npy([4], right));

const both = (options: Partial<EvaluateOptions> = {}): Promise<Evaluated> =>
	evaluateModels(
		[
			{ name: 'good', model: good },
			{ name: 'bad', model: bad },
		],
		{ path, modelPath: goodPath, threads: 1, ...options },
	);

test('accuracy of two models, and by how much the second is worse', async () => {
	const { examples, labelled, metrics } = await both();
	assert.equal([examples, labelled], [4, 4]);
	assert.equal(
		metrics.map(({ metric, models }) => [metric, models.map(({ value, change }) => [value, change?.value])]),
		[
			[
				'accuracy',
				[
					[0.75, undefined],
					[0.75, 0],
				],
			],
		],
	);
});

test('metrics by name, several at once, and the first examples only', async () => {
	const { metrics } = await both({ metrics: ['exact_match', 'agreement'], take: 3 });
	assert.equal(
		metrics.map(({ metric, models }) => [metric, models.map(({ value }) => value)]),
		[
			['exact_match', [1, 2 / 3]],
			['agreement', [1, 2 / 3]],
		],
	);
});

test('names of classes come from config.json, or from the data when every class occurs', async () => {
	const named = (name: string, labels: readonly string[]): string =>
		folder.file(name, rows.map((x, at) => JSON.stringify({ x, label: labels[at] })).join('\n'));
	const alphabetical = named('names.jsonl', ['ape', 'bee', 'cow', 'ape']);
	assert.is((await both({ path: alphabetical })).metrics[0]?.models[0]?.value, 0.75);
	const two = named('two.jsonl', ['ape', 'bee', 'bee', 'ape']);
	assert.equal(await faultOf(() => both({ path: two })), [
		`data/unknown-class at ${two}:1: the model has 3 classes and the labels 2 names`,
	]);
	folder.file('hf/config.json', JSON.stringify({ id2label: { 0: 'cow', 1: 'bee', 2: 'ape' } }));
	const modelPath = folder.at('hf/model.onnx');
	assert.is((await both({ path: alphabetical, modelPath })).metrics[0]?.models[0]?.value, 0.5);
	const strange = named('strange.jsonl', ['ape', 'elk', 'cow', 'ape']);
	assert.equal(await faultOf(() => both({ path: strange, modelPath })), [
		`data/unknown-class at ${strange}:2: the label 'elk' is no class of the model's config.json`,
	]);
});

test('a recipe promises how much accuracy it may lose', async () => {
	const recipe = (most: string): string =>
		`evaluate with "${path}" metric accuracy\nexpect accuracy >= 75%\nexpect accuracy drop <= 0%\nexpect accuracy >= ${most}`;
	const { ok, expectations } = await compile({
		recipe: recipe('76%'),
		model: goodPath,
		threads: 1,
		samples: 2,
	});
	assert.equal(
		[ok, expectations.map(({ value, ok: held }) => [value, held])],
		[
			false,
			[
				[0.75, true],
				[0, true],
				[0.75, false],
			],
		],
	);
});

test('says which metrics there are, and which do not fit', async () => {
	assert.equal(await faultOf(() => both({ metrics: ['acuracy'] })), [
		'data/unknown-metric: there is no metric `acuracy` to evaluate by',
	]);
	assert.equal(await faultOf(() => both({ metrics: ['perplexity'] })), [
		`data/metric-unfit at ${path}[0]: \`perplexity\` cannot be measured on what 'good' gives out and on the label, if there is one`,
	]);
});

test('the command prints a table, or one JSON document', () => {
	const run = (...args: readonly string[]): { status: number | null; stdout: string; stderr: string } =>
		spawnSync(process.execPath, ['--import', 'tsx', 'src/cli.ts', 'evaluate', ...args], { encoding: 'utf8' });
	const table = run(goodPath, badPath, '--data', path, '--metric', 'agreement', '--threads', '1');
	assert.is(table.stderr, '');
	assert.is(
		// Columns are as wide as the folder's name makes them.
		table.stdout.replaceAll(`${folder.at()}/`, '').replaceAll(/ {2,}/g, '  '),
		[
			`data  4 of 'dev.npy' (arrays by name)`,
			'',
			'agreement  value (95 %)  change against the first (95 %)',
			'good.onnx  100.0% (51.0 to 100.0)',
			'bad.onnx  50.0% (15.0 to 85.0)  -50.0 points (-100.0 to 0.0)',
			'',
		].join('\n'),
	);
	const json = run(goodPath, '--data', path, '--json', '--threads', '1');
	const { schema, examples, metrics } = JSON.parse(json.stdout) as Evaluated & { schema: string };
	assert.equal([json.status, schema, examples, metrics[0]?.metric], [0, 'prunec/evaluate@1', 4, 'accuracy']);
	const missing = run(goodPath);
	assert.is(missing.status, 2);
	assert.match(missing.stderr, /--data PATH is missing/);
});

test.run();
