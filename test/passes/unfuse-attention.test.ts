/** Fused attention in plain operators, in every form that it takes. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BOOL, FLOAT, INT32, INT64 } from '../../src/ir/graph/dtype.ts';
import { type Attribute, type Model } from '../../src/ir/graph/graph.ts';
import { attentionForms } from '../harness/attention.ts';
import { buildOf, operators, reasons } from '../harness/exact.ts';
import { modelBuilder, type Build } from '../harness/model.ts';

const test = suite('unfuse attention');

const [heads, d] = [2, 16];
const ms = 'com.microsoft';
const half: Attribute = { kind: 'float', value: 0.5 };

type Fused = (b: Build, x: string, mask: string) => string;

/** A norm, the attention, and a projection; `mask` is the input `attention_mask [batch, seq]` of int32. */
function around(fused: Fused, opset = 17): Model {
	const b = modelBuilder({ opset, ir: opset > 22 ? 11 : 8 });
	const x = b.input('x', ['batch', 'seq', d]);
	const mask = b.node('Cast', [b.input('attention_mask', ['batch', 'seq'], INT64)], { to: INT32 });
	// Every model has the input, and reads it.
	const read = b.node('Unsqueeze', [b.node('Cast', [mask], { to: FLOAT }), b.ints([2])]);
	const out = b.node('Add', [b.node('MatMul', [fused(b, x, mask), b.weight([d, d])]), x]);
	b.output(b.node('MatMul', [b.node('Mul', [out, read]), b.weight([d, 5])]), ['batch', 'seq', 5]);
	return b.build();
}

const packed =
	(
		attributes: Readonly<Record<string, number | Attribute>>,
		mask: Fused,
		bias: (b: Build) => string = () => '',
	): Fused =>
	(b, x, given) => {
		const inputs = [x, b.weight([d, 3 * d]), b.weight([3 * d]), mask(b, x, given), '', bias(b)];
		while (inputs.at(-1) === '') inputs.pop();
		return b.node('Attention', inputs, { num_heads: heads, ...attributes }, ms);
	};
const none: Fused = () => '';
const separate =
	(mask: Fused): Fused =>
	(b, x, given) => {
		const part = (): string => b.node('MatMul', [x, b.weight([d, d])]);
		const inputs = [part(), part(), part(), b.weight([3 * d]), mask(b, x, given)];
		return b.node('MultiHeadAttention', inputs, { num_heads: heads, scale: half }, ms);
	};
const standard =
	(mask: (b: Build, given: string) => string, causal: number): Fused =>
	(b, x, given) => {
		const part = (): string => b.node('MatMul', [x, b.weight([d, d])]);
		const inputs = [part(), part(), part(), mask(b, given)];
		while (inputs.at(-1) === '') inputs.pop();
		return b.node('Attention', inputs, { q_num_heads: heads, kv_num_heads: heads, is_causal: causal });
	};

/** Keys that count, counted, by row. */
const lengths: Fused = (b, _, mask) => b.node('ReduceSum', [mask, b.ints([1])], { keepdims: 0 });
const pairs: Fused = (b, _, mask) => {
	const [keys, queries] = [
		b.node('Unsqueeze', [mask, b.ints([1])]),
		b.node('Unsqueeze', [mask, b.ints([2])]),
	];
	return b.node('Mul', [keys, queries]);
};
/** [batch, 1, queries, keys] of bool: padding sees everything, so that no row is empty. */
const seen = (b: Build, mask: string): string => {
	const real = b.node('Cast', [mask], { to: BOOL });
	const keys = b.node('Unsqueeze', [real, b.ints([1, 2])]);
	return b.node('Or', [keys, b.node('Unsqueeze', [b.node('Not', [real]), b.ints([1, 3])])]);
};

const forms: Readonly<Record<string, Model>> = {
	plain: around(packed({}, none)),
	'with a mask of keys': around(packed({}, (_b, _x, mask) => mask)),
	'with lengths': around(packed({ mask_filter_value: { kind: 'float', value: -1000 } }, lengths)),
	'with a mask of pairs': around(packed({ scale: half }, pairs)),
	'that looks back': around(packed({ unidirectional: 1 }, none)),
	'with separate projections': around(separate(none)),
	'with separate projections and a mask': around(separate((_b, _x, mask) => mask)),
	'of the standard': around(
		standard(() => '', 0),
		23,
	),
	'of the standard that looks back': around(
		standard(() => '', 1),
		23,
	),
	'of the standard with a mask': around(standard(seen, 0), 23),
};

for (const [what, model] of Object.entries(forms))
	test(`an attention ${what} is what its operators say`, async () => {
		const { document, model: plain, same } = await buildOf(model, 'unfuse attention', { again: true });
		assert.is(document.steps[0]!.selected, 1);
		assert.ok(document.proof!.ok && !document.proof!.weak, JSON.stringify(document.proof));
		assert.equal(
			plain.graph.nodes.filter(({ op }) => op.includes('Attention')),
			[],
		);
		assert.is(operators(plain)['Softmax'], 1);
		assert.ok(same);
	});

test('what has a cache stays, and the plan says so', async () => {
	const { document } = await buildOf(
		attentionForms['GroupQueryAttention, fused']!.model(),
		'unfuse attention',
	);
	assert.is(document.steps[0]!.selected, 0);
	assert.ok(
		reasons(document).some((text) => text.includes('GroupQueryAttention has no form in plain operators')),
	);
});

/** Two layers as onnxruntime's own optimizer writes them; class scores from the first token. */
function optimized(): Model {
	const b = modelBuilder();
	let x = b.input('x', ['batch', 'seq', d]);
	const mask = b.node('Cast', [b.input('attention_mask', ['batch', 'seq'], INT64)], { to: INT32 });
	const normed = (value: string): string =>
		b.node('SkipLayerNormalization', [value, x, b.weight([d]), b.weight([d]), b.weight([d])], {}, ms);
	for (const _ of [0, 1]) {
		x = normed(b.node('MatMul', [packed({}, () => mask)(b, x, mask), b.weight([d, d])]));
		const inner = b.node('BiasGelu', [b.node('MatMul', [x, b.weight([d, 24])]), b.weight([24])], {}, ms);
		x = normed(b.node('MatMul', [inner, b.weight([24, d])]));
	}
	const first = b.node('Gather', [x, b.ints([0], [])], { axis: 1 });
	b.output(b.node('MatMul', [first, b.weight([d, 5])]), ['batch', 5]);
	return b.build();
}

test('tokens leave an optimized encoder, whose attention becomes plain first', async () => {
	const { document, model } = await buildOf(optimized(), 'prune tokens keep 50% after layer 0');
	assert.equal(
		document.steps.map(({ statement, proof }) => [statement, proof?.ok, proof?.weak]),
		[
			['unfuse attention in layers 0..=1', true, false],
			['prune tokens keep 50% after layer 0', true, false],
		],
	);
	assert.is(operators(model)['Attention'], undefined);
});

test.run();
