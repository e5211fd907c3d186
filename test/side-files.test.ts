/** Tokenizers and dictionaries beside models that have lost tokens or classes. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadModel } from '../src/backends/onnx/load.ts';
import { saveModel, stageModel } from '../src/backends/onnx/save.ts';
import { withData } from '../src/model-folder/side-files.ts';
import { applyPlan, compile } from '../src/compile.ts';
import { openTokenizer } from '../src/data/tokenize.ts';
import { shortened } from '../src/data/text-lengths.ts';
import { trimTokenizer } from '../src/data/trim-tokenizer.ts';
import { type Model } from '../src/ir/graph/graph.ts';
import { testFolder } from './harness/folder.ts';
import { encoder as transformer, modelBuilder } from './harness/model.ts';

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

test('files of slow tokenizers lose the same tokens, and ids stay what they were', async () => {
	const config = { added_tokens_decoder: { 0: { content: 'a' }, 6: { content: 'aa' } }, do_lower_case: true };
	const files = {
		'vocab.json': JSON.stringify(vocab),
		'merges.txt': `#version: 0.2\n${merges.map((rule) => rule.join(' ')).join('\n')}\n`,
		'vocab.txt': `${Object.keys(vocab).join('\n')}\n`,
		'added_tokens.json': JSON.stringify({ abc: 4 }),
		'tokenizer_config.json': JSON.stringify(config),
	};
	for (const [name, text] of Object.entries(files)) folder.file(`slow/${name}`, text);
	saveModel(encoder(7), folder.at('slow', 'model.onnx'));
	const options = { model: folder.at('slow'), out: folder.at('slow-out'), threads: 1, samples: 2 };
	const { diagnostics } = await compile({ recipe: 'prune vocab [5, 6]', ...options });
	assert.equal(diagnostics, []);
	const written = Object.fromEntries(
		Object.keys(files).map((name) => [name, readFileSync(folder.at('slow-out', name), 'utf8')]),
	);
	assert.equal(written, {
		'vocab.json': '{"a":0,"b":1,"c":2,"ab":3,"abc":4}\n',
		'merges.txt': '#version: 0.2\na b\nab c\n',
		'vocab.txt': 'a\nb\nc\nab\nabc\n[gone 5]\n[gone 6]\n',
		'added_tokens.json': files['added_tokens.json'],
		'tokenizer_config.json': `${JSON.stringify({ ...config, added_tokens_decoder: { 0: { content: 'a' } } }, undefined, 2)}\n`,
	});
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

/** A Hugging Face folder with a model of three layers, and its configuration after a recipe. */
async function configAfter(
	recipe: string,
	settings: object,
	model = layered,
): Promise<{ config: unknown; said: string }> {
	const [from, to] = [folder.at(`hf-${recipe.length}`), folder.at(`hf-${recipe.length}-out`)];
	folder.file(`hf-${recipe.length}/config.json`, JSON.stringify(settings));
	saveModel(model(), `${from}/model.onnx`);
	const document = await compile({ recipe, model: from, out: to, threads: 1, samples: 2 });
	const errors = document.diagnostics.filter(({ severity }) => severity === 'error');
	assert.equal(errors, []);
	const said = document.diagnostics
		.map(({ message, notes = [] }) => [message, ...notes].join('; '))
		.join('; ');
	return { config: JSON.parse(readFileSync(`${to}/config.json`, 'utf8')), said };
}
const layered = (): Model => transformer(3, { heads: 4, width: 4, hidden: 32 });
const bert = {
	...{ model_type: 'bert', num_hidden_layers: 3, num_attention_heads: 4, hidden_size: 16 },
	...{ intermediate_size: 32, vocab_size: 100 },
};

test('config.json says how many layers, heads and neurons there are now, in the keys of its family', async () => {
	const { config, said } = await configAfter('prune layers [1]; prune heads 50%; prune ffn 50%', bert);
	assert.equal(config, { ...bert, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 16 });
	assert.match(
		said,
		/num_hidden_layers 3 → 2, num_attention_heads 4 → 2, intermediate_size 32 → 16; loads in onnxruntime, transformers.js, optimum/,
	);
	const distil = { n_layers: 3, n_heads: 4, dim: 16, hidden_dim: 32 };
	assert.equal((await configAfter('prune ffn 50%', distil)).config, { ...distil, hidden_dim: 16 });
});

test('a key that one number cannot say stays, with what each layer has', async () => {
	const { config, said } = await configAfter('prune heads 1 in layers [0]', bert);
	assert.equal(config, bert);
	assert.match(said, /layers differ, so this key stays: num_attention_heads \(3, 4, 4\)/);
});

test('a number that the model never had is not touched', async () => {
	const { config } = await configAfter('prune ffn 25% in layers 0..3', { intermediate_size: 4096 });
	assert.equal(config, { intermediate_size: 4096 });
});

test('other models of the folder go along where they lose the same, and stay behind where not', async () => {
	folder.file('sib/config.json', JSON.stringify(bert));
	saveModel(layered(), folder.at('sib/onnx/model.onnx'));
	saveModel(layered(), folder.at('sib/onnx/model_same.onnx'));
	const sizes = { heads: 4, width: 4, hidden: 32 };
	saveModel(transformer(3, sizes, { seed: 9 }), folder.at('sib/onnx/model_other.onnx'));
	saveModel(transformer(2, sizes), folder.at('sib/onnx/model_short.onnx'));
	const said = async (recipe: string, out: string): Promise<string> => {
		const options = { model: folder.at('sib'), out: folder.at(out), threads: 1, samples: 2 };
		const { ok, diagnostics } = await compile({ recipe, ...options });
		assert.ok(ok);
		return diagnostics.map(({ message }) => message).join('; ');
	};
	const models = (out: string): string[] => readdirSync(folder.at(out, 'onnx')).sort();
	assert.match(
		await said('prune ffn 50%', 'sib-ranked'),
		/model_other.onnx stays behind: the recipe takes other units.*model_short.onnx stays behind.*model_same.onnx loses the same/,
	);
	assert.equal(models('sib-ranked'), ['model.onnx', 'model_same.onnx']);
	const [given, same] = ['model.onnx', 'model_same.onnx'].map((name) =>
		loadModel(folder.at('sib-ranked/onnx', name)),
	);
	assert.equal(same!.model.graph.initializers.size, given!.model.graph.initializers.size);
	[given, same].forEach((one) => {
		one!.file.close();
	});
	const listed = await said('prune layers [2]', 'sib-listed');
	assert.match(
		listed,
		/model_short.onnx stays behind: .*; .*model_other.onnx, onnx\/model_same.onnx lose the same/,
	);
	assert.equal(models('sib-listed'), ['model.onnx', 'model_other.onnx', 'model_same.onnx']);
	const again = {
		model: folder.at('sib'),
		out: folder.at('sib-listed'),
		threads: 1,
		samples: 2,
		force: true,
	};
	const { diagnostics } = await compile({ recipe: 'prune ffn 50%', ...again });
	assert.equal(
		diagnostics.filter(({ code }) => code === 'write/older-models').map(({ message }) => message),
		["the result's folder has onnx/model_other.onnx of an earlier build"],
	);
});

test('where weights lie is said of every model of the folder, also where nothing else changes', async () => {
	const format = { use_external_data_format: { model: 1 } };
	folder.file('beside/config.json', JSON.stringify({ ...bert, 'transformers.js_config': format }));
	for (const name of ['model.onnx', 'model_same.onnx'])
		saveModel(layered(), folder.at('beside/onnx', name), { externalData: 'always' });
	for (const [recipe, out] of [
		['prune layers [2]', 'beside-fewer'],
		['prune channels', 'beside-same'],
	] as const) {
		const options = { model: folder.at('beside'), out: folder.at(out), threads: 1, samples: 2 };
		assert.ok((await compile({ recipe, ...options })).ok);
		const files = readdirSync(folder.at(out, 'onnx')).sort();
		assert.equal(files, ['model.onnx', 'model_same.onnx'], recipe);
		const config = JSON.parse(readFileSync(folder.at(out, 'config.json'), 'utf8')) as Record<string, unknown>;
		const told = { 'model.onnx': false, 'model_same.onnx': false };
		assert.equal(config['transformers.js_config'], { use_external_data_format: told }, recipe);
	}
});

test('encoder and decoder of a folder take the recipe each by itself, files of the decoder the same units', async () => {
	const sizes = { heads: 4, width: 4, hidden: 32 };
	const whisper = { encoder_layers: 2, encoder_ffn_dim: 32, decoder_layers: 3, decoder_ffn_dim: 32 };
	folder.file('pair/config.json', JSON.stringify(whisper));
	saveModel(transformer(2, sizes), folder.at('pair/onnx/encoder_model.onnx'));
	saveModel(layered(), folder.at('pair/onnx/decoder_model.onnx'));
	saveModel(layered(), folder.at('pair/onnx/decoder_with_past_model.onnx'));
	saveModel(transformer(3, sizes, { seed: 9 }), folder.at('pair/onnx/decoder_model_other.onnx'));
	const options = { model: folder.at('pair'), threads: 1, samples: 2 };
	const built = async (recipe: string, out: string): Promise<readonly [string, string[], unknown]> => {
		const { ok, diagnostics } = await compile({ recipe, ...options, out: folder.at(out) });
		assert.ok(ok);
		return [
			diagnostics.map(({ message }) => message).join('; '),
			readdirSync(folder.at(out, 'onnx')).sort(),
			JSON.parse(readFileSync(folder.at(out, 'config.json'), 'utf8')),
		];
	};
	const [both, files, config] = await built('prune ffn 50%', 'pair-half');
	assert.match(both, /decoder_model.onnx takes the recipe too: prune ffn 50%: 48 of 96 neurons/);
	assert.match(both, /decoder_model_other.onnx stays behind.*decoder_with_past_model.onnx loses the same/);
	assert.equal(files, ['decoder_model.onnx', 'decoder_with_past_model.onnx', 'encoder_model.onnx']);
	assert.equal(config, { ...whisper, encoder_ffn_dim: 16, decoder_ffn_dim: 16 });
	const [one, all, kept] = await built('require transformer with layers <= 2; prune layers [1]', 'pair-one');
	assert.match(one, /decoder_model.onnx, .* go along as they were: /);
	assert.is(all.length, 4);
	assert.equal(kept, { ...whisper, encoder_layers: 1 });
	const plain = (out: string): Buffer => readFileSync(folder.at(out, 'onnx/decoder_model.onnx'));
	assert.ok(plain('pair').equals(plain('pair-one')));
});

test('a plan is carried out on the file that it was made for, and says who stays behind', async () => {
	const [model, planPath] = [folder.at('planned'), folder.at('planned.json')];
	folder.file('planned/config.json', JSON.stringify(bert));
	saveModel(layered(), folder.at('planned/model.onnx'));
	saveModel(layered(), folder.at('planned/model_same.onnx'));
	await compile({ recipe: 'prune layers [2]', model, planPath, threads: 1, samples: 2, verify: false });
	const { ok, diagnostics } = await applyPlan(planPath, { model, out: folder.at('applied'), threads: 1 });
	assert.ok(ok);
	assert.match(diagnostics.map(({ message }) => message).join(), /model_same.onnx.* behind: a plan is/);
	assert.equal(readdirSync(folder.at('applied')).sort(), ['config.json', 'model.onnx']);
});

test('a decoder without an encoder is the model of its folder, and speaks of itself as models do', async () => {
	const config = { model_type: 'gpt2', n_layer: 3, n_head: 4, n_embd: 16, n_inner: null };
	folder.file('decoder/config.json', JSON.stringify(config));
	for (const name of ['decoder_model_merged.onnx', 'decoder_model_merged_quantized.onnx'])
		saveModel(layered(), folder.at('decoder/onnx', name));
	const out = folder.at('decoder-out');
	const { ok } = await compile({ recipe: 'prune layers [2]', model: folder.at('decoder'), out, threads: 1 });
	const now = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8')) as typeof config;
	assert.equal([ok, now], [true, { ...config, n_layer: 2 }]);
	assert.is(readdirSync(join(out, 'onnx')).length, 2);
});

test('texts are no longer than the positions that are left, and modules behind the model go along', async () => {
	const b = modelBuilder();
	const ids = b.input('input_ids', ['batch', 'seq'], 7);
	const length = b.node('Gather', [b.node('Shape', [ids]), b.ints([1], [])]);
	const rows = b.node('Range', [b.ints([0], []), length, b.ints([1], [])]);
	const at = b.node('Gather', [b.weight([32, 4]), rows]);
	b.output(b.node('Add', [b.node('Gather', [b.weight([9, 4]), ids]), at]), ['batch', 'seq', 4]);
	const [from, to] = [folder.at('long'), folder.at('short')];
	mkdirSync(join(from, '1_Pooling'), { recursive: true });
	saveModel(b.build(), join(from, 'model.onnx'));
	const files: Readonly<Record<string, unknown>> = {
		'config.json': { max_position_embeddings: 32 },
		'tokenizer_config.json': { model_max_length: 32, tokenizer_class: 'BertTokenizer' },
		'tokenizer.json': { ...tokenizer, truncation: { max_length: 20 }, padding: { strategy: { Fixed: 8 } } },
		'sentence_bert_config.json': { max_seq_length: 24 },
		'1_Pooling/config.json': { word_embedding_dimension: 4 },
	};
	for (const [name, content] of Object.entries(files))
		writeFileSync(join(from, name), JSON.stringify(content));
	await compile({ recipe: 'prune positions keep 16', model: from, out: to });
	const written = (name: string): unknown => JSON.parse(readFileSync(join(to, name), 'utf8'));
	assert.equal(Object.fromEntries(Object.keys(files).map((name) => [name, written(name)])), {
		...files,
		'config.json': { max_position_embeddings: 16 },
		'tokenizer_config.json': { model_max_length: 16, tokenizer_class: 'BertTokenizer' },
		'tokenizer.json': { ...tokenizer, truncation: { max_length: 16 }, padding: { strategy: { Fixed: 8 } } },
		'sentence_bert_config.json': { max_seq_length: 16 },
	});
	const unlimited = JSON.stringify({ model_max_length: 1e30 });
	assert.is(shortened('tokenizer_config.json', unlimited, 16), undefined);
});

test('weights beside the model are told to Transformers.js', () => {
	const read = (outside: boolean): Uint8Array =>
		Buffer.from(JSON.stringify(withData({ model_type: 'bert' }, new Map([['onnx/model.onnx', outside]]))));
	const sides = [{ name: 'config.json', read }];
	const target = { root: folder.at('data-out'), name: 'onnx/model.onnx', sides };
	stageModel(layered(), target, { externalData: 'always' }).commit();
	assert.equal(JSON.parse(readFileSync(folder.at('data-out', 'config.json'), 'utf8')), {
		model_type: 'bert',
		'transformers.js_config': { use_external_data_format: true },
	});
	const formatOf = (old: unknown, files: Readonly<Record<string, boolean>>): unknown => {
		const config = { use_external_data_format: old };
		const now = withData({ 'transformers.js_config': config }, new Map(Object.entries(files)));
		return (now['transformers.js_config'] as typeof config).use_external_data_format;
	};
	assert.equal(formatOf({ model: 1, 'model_fp16.onnx': 1 }, { 'onnx/model.onnx': false }), {
		'model.onnx': false,
	});
	assert.is(formatOf(true, { 'model.onnx': false, 'model_int8.onnx': false }), false);
	const apart = { 'model.onnx': true, 'model_int8.onnx': false };
	assert.equal(formatOf(undefined, apart), apart);
});

test.run();
