/** `config.json` in the keys of each family. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { changedConfig, structureOf } from '../src/model-folder/config-file.ts';
import { modelBuilder } from './harness/model.ts';

const test = suite('config.json');

/** What `config.json` of these families says of a model of three layers, four heads of 4 and 32 neurons; what it says of one with less. */
const families: Readonly<Record<string, readonly [given: object, after: object]>> = {
	bert: [
		{ num_hidden_layers: 3, num_attention_heads: 4, intermediate_size: 32, hidden_size: 16 },
		{ num_hidden_layers: 2, num_attention_heads: 3, intermediate_size: 24, hidden_size: 12 },
	],
	distilbert: [
		{ n_layers: 3, n_heads: 4, hidden_dim: 32, dim: 16 },
		{ n_layers: 2, n_heads: 3, hidden_dim: 24, dim: 12 },
	],
	gpt2: [
		{ n_layer: 3, n_head: 4, n_inner: 32, n_embd: 16 },
		{ n_layer: 2, n_head: 3, n_inner: 24, n_embd: 12 },
	],
	t5: [
		{ num_layers: 3, num_heads: 4, d_ff: 32, d_model: 16 },
		{ num_layers: 2, num_heads: 3, d_ff: 24, d_model: 12 },
	],
	opt: [
		{ num_hidden_layers: 3, num_attention_heads: 4, ffn_dim: 32, hidden_size: 16 },
		{ num_hidden_layers: 2, num_attention_heads: 3, ffn_dim: 24, hidden_size: 12 },
	],
};
const whole = { layers: [3], heads: [4, 4, 4], ffn: [32, 32, 32], hidden: [16, 16], caches: 0, outputs: {} };
const less = { layers: [2], heads: [3, 3], ffn: [24, 24], hidden: [12], caches: 0, outputs: {} };
for (const [family, [given, after]] of Object.entries(families))
	test(`${family} says it in its own keys`, () => {
		const { settings, changes, unfit } = changedConfig(
			{ model_type: family, ...given },
			whole,
			less,
			undefined,
		);
		assert.equal(settings, { model_type: family, ...after });
		assert.equal([changes.length, unfit], [4, []]);
	});

test('settings of parts stay, and those that speak of what changed are named', () => {
	const given = {
		model_type: 'clip',
		text_config: { num_attention_heads: 4, hidden_size: 16 },
		vision_config: { num_attention_heads: 4, image_size: 224 },
	};
	const { settings, below } = changedConfig(given, whole, { ...whole, heads: [3, 3, 3] }, undefined);
	assert.equal(settings, given);
	assert.equal(below, ['text_config.num_attention_heads', 'vision_config.num_attention_heads']);
});

test('positions, and heads that share keys, are told in every spelling', () => {
	for (const key of ['max_position_embeddings', 'n_positions', 'n_ctx'])
		assert.equal(changedConfig({ [key]: 512 }, whole, whole, 128).settings, { [key]: 128 });
	const told = (most: number, positions: number): unknown =>
		changedConfig({ max_position_embeddings: most }, { ...whole, positions }, whole, 128).settings;
	assert.equal(told(514, 512), { max_position_embeddings: 130 }, 'rows, as RoBERTa counts them');
	assert.equal(
		[told(512, 512), told(512, 2048), told(2048, 512)],
		Array(3).fill({ max_position_embeddings: 128 }),
	);
	const grouped = { num_attention_heads: 8, num_key_value_heads: 4 };
	assert.equal(changedConfig(grouped, whole, less, undefined).settings, {
		num_attention_heads: 6,
		num_key_value_heads: 3,
	});
	const alike = { num_attention_heads: 4, num_key_value_heads: 4 };
	assert.equal(changedConfig(alike, whole, less, undefined).settings, {
		num_attention_heads: 3,
		num_key_value_heads: 3,
	});
});

test('caches are counted in every spelling', () => {
	for (const [past, present] of [
		['past_key_values.0.key', 'present.0.key'],
		['past_0', 'present_0'],
	] as const) {
		const b = modelBuilder();
		b.output(b.node('Relu', [b.input(past, ['batch', 2, 'past', 4])]));
		const { graph, ...model } = b.build();
		const outputs = [{ ...graph.outputs[0]!, name: present }];
		const nodes = graph.nodes.map((node) => ({ ...node, outputs: [present] }));
		assert.is(structureOf({ ...model, graph: { ...graph, nodes, outputs } }, new Map()).caches, 1);
	}
});

test('a decoder with caches keeps the layers that it has caches of, and optimum may not load it', () => {
	const decoder = { ...whole, caches: 3 };
	const gone = { ...less, caches: 3 };
	const settings = { num_hidden_layers: 3, num_attention_heads: 4 };
	const { settings: now, unfit } = changedConfig(settings, decoder, gone, undefined);
	assert.equal(now, { num_hidden_layers: 3, num_attention_heads: 3 });
	assert.match(
		unfit.map(({ loader, why }) => `${loader}: ${why}`).join(),
		/optimum: .*no longer the width of a head/,
	);
	assert.equal(changedConfig({ ...settings, head_dim: 4 }, decoder, gone, undefined).unfit, []);
	const shorter = { ...decoder, layers: [2], heads: [4, 4] };
	assert.equal(
		changedConfig(settings, decoder, shorter, undefined).unfit,
		[],
		'fewer layers, heads as they were',
	);
	const uneven = changedConfig(settings, decoder, { ...gone, heads: [4, 3] }, undefined);
	assert.match(uneven.unfit[0]!.why, /layers have different ones/);
});

test('no number of neurons means four times the width', () => {
	const gpt2 = { model_type: 'gpt2', n_embd: 16, n_inner: null };
	const fourfold = { ...whole, ffn: [64, 64, 64] };
	assert.equal(
		changedConfig(gpt2, fourfold, { ...fourfold, ffn: [48, 48, 48] }, undefined, 'decoder').settings,
		{
			...gpt2,
			n_inner: 48,
		},
	);
});

test.run();
