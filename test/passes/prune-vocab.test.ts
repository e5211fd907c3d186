/** Vocabularies: what goes of tables and heads, what the ids and outputs of those that stay are afterwards. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadModel } from '../../src/backends/onnx/load.ts';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { runAll } from '../../src/backends/ort/runs.ts';
import { type Feeds, type Value } from '../../src/backends/ort/session.ts';
import { applyPlan, compile } from '../../src/compile.ts';
import { type BuildDocument } from '../../src/document.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { numbersOf } from '../../src/ir/graph/tensor.ts';
import { tokenizerJson } from '../harness/data.ts';
import { testFolder } from '../harness/folder.ts';
import { modelBuilder, type Build } from '../harness/model.ts';

const test = suite('prune vocab');
const folder = testFolder();
test.after(folder.remove);

const [V, d, INT64] = [40, 8, 7];
let count = 0;

type Result = { readonly document: BuildDocument; readonly model: Model };

/** Builds in a folder of its own, beside whatever files the model has. */
async function build(model: Model, recipe: string, files: Record<string, string> = {}): Promise<Result> {
	const at = `${count++}`;
	for (const [name, text] of Object.entries(files)) folder.file(`${at}/${name}`, text);
	const path = folder.file(`${at}/model.onnx`, '');
	saveModel(model, path, { force: true });
	const out = folder.at(at, 'out.onnx');
	const document = await compile({
		recipe: recipe.replaceAll('./', `${folder.at(at)}/`),
		model: path,
		out,
		planPath: folder.at(at, 'plan.json'),
		threads: 1,
		samples: 4,
	});
	if (!document.ok) return { document, model };
	const { model: made, file } = loadModel(out);
	file.close();
	return { document, model: made };
}

const codes = ({ diagnostics }: BuildDocument): string[] => diagnostics.map(({ code }) => code);

function isProven(document: BuildDocument): void {
	assert.equal(codes(document), []);
	assert.ok(document.proof?.ok && !document.proof.weak);
}

/** Tokens and positions looked up and added, a layer, and what `head` makes of it. */
function texts(head: (b: Build, x: string, table: string) => string, dims = [V], opset = 17): Model {
	const b = modelBuilder({ opset });
	const ids = b.input('input_ids', ['batch', 'seq'], INT64);
	const places = b.input('position_ids', ['batch', 'seq'], INT64);
	const table = b.weight([V, d], 'table');
	const tokens = b.node('Gather', [table, ids]);
	const x = b.node('Add', [tokens, b.node('Gather', [b.weight([64, d], 'positions'), places])]);
	const normed = opset < 17 ? x : b.node('LayerNormalization', [x, b.weight([d]), b.weight([d])]);
	b.output(head(b, b.node('Tanh', [b.node('MatMul', [normed, b.weight([d, d])])]), table), [
		'batch',
		'seq',
		...dims,
	]);
	return b.build();
}
const untied = (): Model => texts((b, x) => b.node('MatMul', [x, b.weight([d, V], 'head')]));
const tied = (): Model =>
	texts((b, x, table) => b.node('MatMul', [x, b.node('Transpose', [table], { perm: [1, 0] })]));
const encoder = (): Model => texts((b, x) => b.node('MatMul', [x, b.weight([d, 5])]), [5]);

function feeds(ids: readonly number[]): Feeds {
	const value = (data: readonly number[]): Value => ({ type: INT64, dims: [1, data.length], data });
	return new Map([
		['input_ids', value(ids)],
		['position_ids', value(ids.map((_, at) => at))],
	]);
}

async function run(model: Model, ids: readonly number[]): Promise<Value> {
	const [outputs] = await runAll(model, 'given', [feeds(ids)], { threads: 1 });
	return [...outputs!.values()][0]!;
}

/** Rows of an output, their columns at `columns`. */
function columnsOf({ data, dims }: Value, columns: readonly number[]): number[][] {
	const width = dims.at(-1)!;
	return Array.from({ length: data.length / width }, (_, row) =>
		columns.map((column) => data[row * width + column]!),
	);
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, at) => from + at);
const sizes = (model: Model): Record<string, readonly number[]> =>
	Object.fromEntries([...model.graph.initializers].map(([name, { dims }]) => [name, dims]));

for (const [name, make] of [
	['untied', untied],
	['tied', tied],
] as const) {
	test(`cuts table and ${name} head; kept ids give the same numbers, others those of the unknown token`, async () => {
		const before = make();
		const listed = { 'ids.txt': '3\n7\n8\n20\n39\n' };
		const recipe = `prune vocab keep "./ids.txt" may change "${before.graph.outputs[0]!.name}"`;
		const { document, model } = await build(before, recipe, listed);
		isProven(document);
		const kept = [3, 7, 8, 20, 39];
		const { table, positions, head } = sizes(model);
		assert.equal([table, positions, head], [[5, d], [64, d], name === 'untied' ? [d, 5] : undefined]);
		const ids = [39, 7, 3, 8, 20, 7];
		assert.equal(columnsOf(await run(model, ids), range(0, 5)), columnsOf(await run(before, ids), kept));
		const strange = columnsOf(await run(model, [0, 38, 7]), range(0, 5));
		assert.equal(strange, columnsOf(await run(before, [3, 3, 7]), kept));
	});
}

const operators = (model: Model): string[] => model.graph.nodes.map(({ op }) => op).sort();

/** Rows of an output, shut columns as `-Infinity`, must be those of the original where tokens stay. */
function keepsColumns(after: Value, before: Value, kept: readonly number[]): void {
	const width = before.dims.at(-1)!;
	const expected = Array.from(before.data, (score, at) => (kept.includes(at % width) ? score : -Infinity));
	assert.equal([after.dims, Array.from(after.data)], [before.dims, expected]);
}

for (const [name, make] of [
	['untied', untied],
	['tied', tied],
] as const) {
	test(`puts the columns of ${name} heads back where no leave is given to drop them, once and again`, async () => {
		const before = make();
		const once = await build(before, 'prune vocab keep [3, 7, 8, 20, 39]');
		assert.equal(codes(once.document), ['plan/columns-stay']);
		assert.ok(once.document.proof?.ok && !once.document.proof.weak);
		assert.equal(
			[sizes(once.model)['table'], sizes(once.model)['head']],
			[[5, d], name === 'untied' ? [d, 5] : undefined],
		);
		const ids = [39, 7, 3, 8, 20, 7];
		keepsColumns(await run(once.model, ids), await run(before, ids), [3, 7, 8, 20, 39]);
		const twice = await build(before, 'prune vocab 25..\nprune vocab [0, 7]');
		assert.equal(codes(twice.document), ['plan/columns-stay', 'plan/columns-stay']);
		assert.ok(twice.document.steps.every(({ proof }) => proof?.ok && !proof.weak));
		assert.equal(
			[sizes(twice.model)['table'], sizes(twice.model)['head']],
			[[23, d], name === 'untied' ? [d, 23] : undefined],
		);
		// One table of ids and one pair for the columns, as after one statement.
		const once25 = await build(before, 'prune vocab [0, 7, 25..]');
		assert.equal(operators(twice.model), operators(once25.model));
		const last = await run(twice.model, ids);
		assert.equal(last, await run(once25.model, ids));
		assert.equal(
			Array.from(last.data, (score) => score === -Infinity),
			Array.from(last.data, (_, at) => at % V >= 25 || at % V === 0 || at % V === 7),
		);
	});
}

test('puts columns back by an operator set whose Pad has its sizes as attributes', async () => {
	const before = texts((b, x) => b.node('MatMul', [x, b.weight([d, V], 'head')]), [V], 10);
	const { document, model } = await build(before, 'prune vocab 30..');
	assert.ok(document.proof?.ok && !document.proof.weak);
	keepsColumns(await run(model, [3, 29, 7]), await run(before, [3, 29, 7]), range(0, 30));
});

test('puts columns back once for three statements by that operator set too', async () => {
	const before = texts((b, x) => b.node('MatMul', [x, b.weight([d, V], 'head')]), [V], 10);
	const parts = await build(before, 'prune vocab 30..\nprune vocab [2, 9]\nprune vocab [4, 11] align 1');
	assert.ok(parts.document.steps.every(({ proof }) => proof?.ok && !proof.weak));
	const whole = await build(before, 'prune vocab [2, 4, 9, 11, 30..]');
	assert.equal(operators(parts.model), operators(whole.model));
	assert.equal(await run(parts.model, [3, 29, 7, 2]), await run(whole.model, [3, 29, 7, 2]));
});

test('needs consent where the output holds probabilities', async () => {
	const before = texts((b, x) => b.node('Softmax', [b.node('MatMul', [x, b.weight([d, V])])]));
	const { document } = await build(before, 'prune vocab 30..');
	assert.equal(codes(document), ['plan/needs-consent']);
});

test('needs no consent where no output has a column for each token', async () => {
	const before = encoder();
	const { document, model } = await build(before, 'prune vocab keep 25% align 1');
	isProven(document);
	assert.equal(sizes(model)['table'], [10, d]);
	assert.equal(await run(model, [9, 0, 4]), await run(before, [9, 0, 4]));
	assert.equal(await run(model, [30]), await run(before, [0]));
});

test('counts ids as the model was given, whatever went before', async () => {
	const before = encoder();
	const { document, model } = await build(before, 'prune vocab 0..10\nprune vocab keep [15, 12, 39]');
	isProven(document);
	assert.equal(
		document.steps.map(({ selected, of }) => [selected, of]),
		[
			[10, 40],
			[27, 30],
		],
	);
	assert.equal(await run(model, [39, 12, 15]), await run(before, [39, 12, 15]));
	assert.equal(await run(model, [3]), await run(before, [12]));
});

test('keeps the longest rows by l2', async () => {
	const before = encoder();
	const values = numbersOf(before.graph.initializers.get('table')!);
	const norms = range(0, V).map((row) => Math.hypot(...values.subarray(row * d, (row + 1) * d)));
	const longest = range(0, V)
		.sort((a, b) => norms[b]! - norms[a]!)
		.slice(0, 8);
	const { document } = await build(before, 'prune vocab keep 8 by l2');
	isProven(document);
	assert.equal(
		document.steps[0]!.removed[0]!.units,
		range(0, V).filter((row) => !longest.includes(row)),
	);
});

test('a plan makes the same bytes, from the ids that it spells out', async () => {
	const { document } = await build(encoder(), 'prune vocab keep 8');
	const at = `${count - 1}`;
	const again = await applyPlan(folder.at(at, 'plan.json'), {
		model: folder.at(at, 'model.onnx'),
		out: folder.at(at, 'again.onnx'),
		verify: false,
	});
	assert.is(again.output!.sha256, document.output!.sha256);
});

test('reads tokens as the tokenizer spells them, and keeps its special ones', async () => {
	const files = {
		'tokenizer.json': tokenizerJson(),
		'list.txt': 'cat\nthe\n',
		'corpus.txt': 'the mat\nThe cat\n',
		'tokenizer_config.json': '{"model_max_length": 3}',
	};
	const { vocab } = (JSON.parse(files['tokenizer.json']) as { model: { vocab: Record<string, number> } })
		.model;
	const special = Object.keys(vocab).filter((token) => token.startsWith('['));
	const keptBy = async (recipe: string): Promise<string[]> => {
		const { document } = await build(encoder(), recipe, files);
		isProven(document);
		const gone = new Set(document.steps[0]!.removed[0]!.units);
		return Object.keys(vocab).filter((token) => !gone.has(vocab[token]!));
	};
	assert.equal(new Set(await keptBy('prune vocab keep "./list.txt"')), new Set([...special, 'the', 'cat']));
	assert.equal(
		new Set(await keptBy('prune vocab keep seen 2 times in "./corpus.txt"')),
		new Set([...special, 'the']),
	);
	assert.equal(
		new Set(await keptBy('prune vocab keep seen 1 times in "./corpus.txt"')),
		new Set([...special, 'the', 'cat', 'mat']),
		'texts are read to their ends, whatever the model takes at once',
	);
});

test('a head behind values whose sizes cannot be told stays whole, and is named', async () => {
	const b = modelBuilder({ opset: 13 });
	const ids = b.input('input_ids', ['batch', 'seq'], 7);
	const x = b.node('Gather', [b.weight([V, d]), ids]);
	const pieces = b.node('SplitToSequence', [x, b.ints([1], [])], { axis: 1 });
	const last = b.node('SequenceAt', [pieces, b.ints([0], [])]);
	b.output(b.node('MatMul', [last, b.weight([d, V])]), ['batch', 1, V]);
	const { document } = await build(b.build(), 'prune vocab keep 8');
	assert.is(document.steps[0]!.selected, V - 8);
	const said = document.diagnostics.map(({ message }) => message).join();
	assert.match(
		said,
		/^output '.*' stays: sizes at MatMul '.*' cannot be told, from .*\(`unroll loops` may help\),/,
	);
});

test('special tokens stay where a list of tokens and their names are all there is', async () => {
	const files = {
		'vocab.txt': '[PAD]\n[UNK]\n[CLS]\n[SEP]\nthe\ncat\nsat\nmat\n',
		'special_tokens_map.json': '{"unk_token": {"content": "[UNK]"}, "additional_special_tokens": ["mat"]}',
		'tokenizer_config.json': '{"cls_token": "[CLS]", "tokenizer_class": "BertTokenizer"}',
		'list.txt': 'cat\n',
	};
	const { document } = await build(encoder(), 'prune vocab keep "./list.txt"', files);
	isProven(document);
	assert.equal(
		document.steps[0]!.removed[0]!.units.filter((id) => id < 8),
		[0, 3, 4, 6],
	);
});

/** What a recognizer ends in: scores of classes by position, through a softmax. */
function recognizer(last: (b: Build, x: string) => string): Model {
	const b = modelBuilder();
	const x = b.node('Relu', [b.node('MatMul', [b.input('x', ['batch', 'time', 6]), b.weight([6, 12])])]);
	b.output(last(b, b.node('Add', [b.node('MatMul', [x, b.weight([12, 10])]), b.weight([10])])));
	return b.build();
}

test('cuts the classes of a head to those that a dictionary names, and softmax runs over them', async () => {
	const model = recognizer((b, x) => b.node('Softmax', [x], { axis: 2 }));
	const output = model.graph.outputs[0]!.name;
	const dictionary = 'a\nb\nc\nd\ne\nf\ng\nh\n';
	const { document } = await build(model, `prune classes keep "./list.txt" may change "${output}"`, {
		'abc_keys.txt': dictionary,
		'list.txt': 'c\n \na\n',
	});
	isProven(document);
	const { selected, of, unit, removed } = document.steps[0]!;
	assert.equal([selected, of, unit], [6, 10, 'classes']);
	assert.equal(removed[0]!.units, [2, 4, 5, 6, 7, 8], 'the blank, a, c and the space stay');
	const strange = await build(model, 'prune classes keep "./list.txt"', {
		'abc_keys.txt': dictionary,
		'list.txt': 'a\nz\n',
	});
	assert.equal(codes(strange.document), ['data/unknown-tokens']);
	const unnamed = await build(model, 'prune classes keep "./list.txt"', { 'list.txt': 'a\n' });
	assert.equal(codes(unnamed.document), ['data/no-dictionary']);
});

test('names the operator that reads the classes by their numbers', async () => {
	const model = recognizer((b, x) => b.node('ArgMax', [x], { axis: 2 }));
	const { document } = await build(model, 'prune classes keep 4');
	assert.equal(codes(document), ['plan/nothing-found']);
});

test('cuts classes whose softmax is written out, down to one', async () => {
	const model = recognizer((b, x) => {
		const shifted = b.node('Sub', [x, b.node('ReduceMax', [x], { axes: [2] })]);
		const e = b.node('Exp', [shifted]);
		return b.node('Div', [e, b.node('ReduceSum', [e, b.ints([2])])]);
	});
	const consent = `may change "${model.graph.outputs[0]!.name}"`;
	const half = await build(model, `prune classes keep 50% ${consent}`);
	isProven(half.document);
	assert.is(half.document.steps[0]!.selected, 2, 'of ten classes eight stay, as aligned');
	const one = await build(model, `prune classes keep 1 ${consent}`);
	isProven(one.document);
	const free = await build(model, `prune classes keep 50% align 1 ${consent}`);
	assert.is(free.document.steps[0]!.selected, 5);
});

test('takes no features that are read again for classes', async () => {
	const b = modelBuilder();
	const x = b.node('MatMul', [b.input('x', ['batch', 'seq', 6]), b.weight([6, 8])]);
	const branch = b.node('MatMul', [b.node('Tanh', [x]), b.weight([8, 8])]);
	b.output(b.node('LayerNormalization', [b.node('Add', [x, branch]), b.weight([8]), b.weight([8])]));
	const { document } = await build(b.build(), 'prune classes keep 4 may change "*"');
	assert.equal(codes(document), ['plan/nothing-found']);
});

test.run();
