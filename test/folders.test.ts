/** Folders of several networks, and of modules behind one: what goes along, and what no longer fits. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { saveModel } from '../src/backends/onnx/save.ts';
import { compile } from '../src/compile.ts';
import { testFolder } from './harness/folder.ts';
import { decoderFile, encoderFile } from './harness/seq2seq.ts';

const test = suite('folders of networks');
const folder = testFolder();
test.after(folder.remove);

/** A folder of an encoder and a decoder, as exporters write them, with what lies beside it. */
function pairFolder(name: string): string {
	const config = {
		model_type: 't5',
		d_model: 16,
		num_layers: 2,
		num_decoder_layers: 2,
		num_heads: 4,
		d_ff: 32,
		d_kv: 4,
	};
	folder.file(`${name}/config.json`, JSON.stringify({ ...config, eos_token_id: 31 }));
	folder.file(
		`${name}/generation_config.json`,
		JSON.stringify({ eos_token_id: [31], decoder_start_token_id: 0 }),
	);
	mkdirSync(folder.at(name, 'onnx'));
	saveModel(encoderFile(), folder.at(name, 'onnx/encoder_model.onnx'));
	saveModel(decoderFile(), folder.at(name, 'onnx/decoder_model.onnx'));
	saveModel(decoderFile({ past: true }), folder.at(name, 'onnx/decoder_with_past_model.onnx'));
	return folder.at(name);
}

/** What a recipe does to such a folder: what is said, the model files, and the configuration that is written. */
async function pairBy(
	recipe: string,
): Promise<{ said: string[]; files: string[]; config: Record<string, unknown> }> {
	const name = `pair-${recipe.replaceAll(/\W+/g, '-')}`;
	const [model, out] = [pairFolder(name), folder.at(`${name}-out`)];
	const { ok, diagnostics } = await compile({ recipe, model, out, threads: 1, samples: 2 });
	assert.ok(ok, recipe);
	return {
		said: diagnostics.map(({ code, message }) => `${code}: ${message}`),
		files: readdirSync(join(out, 'onnx')).sort(),
		config: JSON.parse(readFileSync(join(out, 'config.json'), 'utf8')) as Record<string, unknown>,
	};
}

test('a decoder has its layers whole, caches keep their number of layers, and heads are counted where their caches may change', async () => {
	const layers = await pairBy('prune layers [1]');
	assert.match(
		layers.said.join('\n'),
		'decoder_model.onnx takes the recipe too: prune layers [1]: 1 of 2 layers',
	);
	assert.equal(
		[layers.config['num_layers'], layers.config['num_decoder_layers'], layers.files.length],
		[1, 2, 3],
	);
	const heads = await pairBy('prune heads [0] may change "present.*"');
	assert.equal([heads.config['num_heads'], heads.files.length], [3, 3]);
	assert.ok(
		heads.said.every((one) => !one.includes('optimum')),
		heads.said.join('\n'),
	);
});

test('what changes nothing may take other units of each file', async () => {
	// Keys that come out as a cache keep their bias, which others lose.
	const { said, files } = await pairBy('prune bias');
	assert.match(said.join('\n'), 'write/same-models: onnx/decoder_with_past_model.onnx loses the same');
	assert.is(files.length, 3);
});

test('networks that no longer fit each other, and columns that ids do not name any more, are told', async () => {
	const narrow = await pairBy('prune hidden 25% may change "*"');
	assert.match(
		narrow.said.join('\n'),
		"write/networks-apart: the encoder puts out 'last_hidden_state' 12 wide, and onnx/decoder_model.onnx, onnx/decoder_with_past_model.onnx were made for 16",
	);
	const fewer = await pairBy('prune vocab keep 16 may change "logits"');
	assert.match(fewer.said.join('\n'), "write/scores-renumbered: 'logits' has 16 columns, numbered anew");
	const same = await pairBy('prune vocab keep 16');
	assert.not(same.said.some((one) => one.includes('renumbered')));
});

test('pooling behind a model is told the width of its rows, and a matrix behind it that it does not fit', async () => {
	const from = folder.at('pooled');
	mkdirSync(join(from, '1_Pooling'), { recursive: true });
	mkdirSync(join(from, '2_Dense'));
	saveModel(encoderFile(), join(from, 'model.onnx'));
	const files = {
		'config.json': { hidden_size: 16 },
		'1_Pooling/config.json': { word_embedding_dimension: 16, pooling_mode_mean_tokens: true },
		'2_Dense/config.json': { in_features: 16, out_features: 4 },
	};
	for (const [name, content] of Object.entries(files))
		writeFileSync(join(from, name), JSON.stringify(content));
	const recipe = 'prune embeddings dims 25% may change "last_hidden_state"';
	const { ok, diagnostics } = await compile({
		recipe,
		model: from,
		out: folder.at('pooled-out'),
		threads: 1,
		samples: 2,
	});
	const written = (name: string): unknown => JSON.parse(readFileSync(folder.at('pooled-out', name), 'utf8'));
	assert.ok(ok);
	assert.equal(Object.fromEntries(Object.keys(files).map((name) => [name, written(name)])), {
		...files,
		'config.json': { hidden_size: 12 },
		'1_Pooling/config.json': { word_embedding_dimension: 12, pooling_mode_mean_tokens: true },
	});
	assert.match(
		diagnostics.flatMap(({ notes = [] }) => notes).join('\n'),
		'not in sentence-transformers: 2_Dense reads 16 numbers, and rows have 12',
	);
});

test.run();
