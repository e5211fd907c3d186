/** Tokenizers and dictionaries beside models that have lost tokens or classes. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { saveModel } from '../src/backends/onnx/save.ts';
import { compile } from '../src/compile.ts';
import { openTokenizer } from '../src/data/tokenize.ts';
import { trimTokenizer } from '../src/data/trim-tokenizer.ts';
import { type Model } from '../src/ir/graph/graph.ts';
import { testFolder } from './harness/folder.ts';
import { modelBuilder } from './harness/model.ts';

const test = suite('side files');
const folder = testFolder();
test.after(folder.remove);

function encoder(tokens: number): Model {
	const b = modelBuilder();
	const x = b.node('Gather', [b.weight([tokens, 4]), b.input('input_ids', ['batch', 'seq'], 7)]);
	b.output(b.node('MatMul', [x, b.weight([4, 5])]), ['batch', 'seq', 5]);
	return b.build();
}

const vocab = { a: 0, b: 1, c: 2, ab: 3, abc: 4, bc: 5, aa: 6 };
const merges = [
	['a', 'b'],
	['ab', 'c'],
	['b', 'c'],
	['a', 'a'],
];
const tokenizer = {
	...{ version: '1.0', truncation: null, padding: null, added_tokens: [], normalizer: null },
	...{ pre_tokenizer: null, post_processor: null, decoder: null },
	model: { type: 'BPE', vocab, merges },
};

test('a folder keeps a tokenizer that splits texts into what the model has, with the ids that it had', async () => {
	folder.file('in/tokenizer.json', JSON.stringify(tokenizer));
	saveModel(encoder(7), folder.at('in', 'model.onnx'));
	const list = folder.file('list.txt', 'abc\n');
	const document = await compile({
		recipe: `prune vocab keep "${list}"`,
		model: folder.at('in'),
		out: folder.at('out'),
		threads: 1,
		samples: 2,
	});
	assert.equal(
		document.diagnostics.map(({ message }) => message),
		[],
	);
	assert.equal(document.steps[0]!.removed, [{ layer: 0, units: [5, 6] }], 'what abc is merged from stays');
	const written = JSON.parse(readFileSync(folder.at('out/tokenizer.json'), 'utf8')) as typeof tokenizer;
	assert.equal(written.model.vocab, { a: 0, b: 1, c: 2, ab: 3, abc: 4 });
	assert.equal(written.model.merges, merges.slice(0, 2));
	const encode = (at: string, text: string): readonly number[] =>
		openTokenizer(folder.at(at, 'model.onnx'), {}).encode(text).ids;
	assert.equal(encode('in', 'aabcbc'), [0, 4, 5], 'merges in their order: ab, abc, bc');
	for (const text of ['aabcbc', 'abcaa']) {
		const ids = encode('out', text);
		const spelt = ids.map((id) => Object.keys(vocab)[id]!).join('');
		assert.is(spelt, text);
		assert.ok(ids.every((id) => id < 5));
	}
});

test('a Unigram piece that is gone is taken for nothing that another path spells', () => {
	const pieces = [
		['<unk>', 0],
		['a', -2],
		['b', -3],
		['ab', -1],
	];
	const trimmed = trimTokenizer({ model: { type: 'Unigram', unk_id: 0, vocab: pieces } }, new Set([3]));
	const { vocab: left } = trimmed['model'] as { vocab: [string, number][] };
	assert.equal(left.slice(0, 3), pieces.slice(0, 3));
	assert.equal(left[3], ['ab', -1e9]);
});

test('a recognizer gets the dictionary of the classes that it has, and is pruned by it again', async () => {
	const b = modelBuilder();
	const scores = b.node('MatMul', [b.input('x', ['batch', 'time', 6]), b.weight([6, 10])]);
	b.output(b.node('Softmax', [scores], { axis: 2 }));
	const model = b.build();
	const output = model.graph.outputs[0]!.name;
	folder.file('rec/abc_keys.txt', 'a\nb\nc\nd\ne\nf\ng\nh\n');
	saveModel(model, folder.at('rec/rec.onnx'));
	const prune = async (from: string, to: string, list: string): Promise<number> => {
		const recipe = `prune classes keep "${folder.file('list.txt', list)}" may change "${output}"`;
		const options = { recipe, model: folder.at(from), out: folder.at(to), threads: 1, samples: 2 };
		const { diagnostics, steps } = await compile(options);
		assert.equal(
			diagnostics.map(({ message }) => message),
			[],
		);
		return steps[0]!.of - steps[0]!.selected;
	};
	const read = (name: string): string => readFileSync(folder.at(name), 'utf8');
	assert.is(
		await prune('rec/rec.onnx', 'rec/small.onnx', 'c\nh\n \na\n'),
		5,
		'the blank, a, c, h and the space',
	);
	assert.is(read('rec/small.keys.txt'), 'a\nc\nh\n');
	assert.is(await prune('rec/small.onnx', 'rec/smaller.onnx', 'h\n'), 2);
	assert.is(read('rec/smaller.keys.txt'), 'h\n');
});

test.run();
