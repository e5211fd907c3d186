/** Tokens that leave behind a layer: that only they do, whatever meets them, and that the right ones do. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openSession, type Feeds } from '../../src/backends/ort/session.ts';
import { checkText } from '../../src/check-text.ts';
import { present } from '../../src/diagnostic.ts';
import { INT64 } from '../../src/ir/graph/dtype.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { runRecipe } from '../../src/passes/run.ts';
import { attentionForms } from '../harness/attention.ts';
import { buildOf } from '../harness/exact.ts';
import { modelBuilder, type Build } from '../harness/model.ts';

const test = suite('prune tokens');
const [heads, width] = [2, 8];
const d = heads * width;

type Options = {
	readonly opset?: number;
	readonly batch?: number | string;
	readonly length?: number | string;
	/** What is added to the scores of every layer. */
	readonly bias?: (b: Build) => string;
	/** Rows of the batch one below the other in the feed-forward block. */
	readonly flat?: boolean;
	readonly head: (b: Build, x: string, mask: string) => string;
};

/** Two layers with norms after the sums, over `x [batch, seq, d]` and `attention_mask [batch, seq]`. */
function encoderOf({ opset = 17, batch = 'batch', length = 'seq', bias, flat, head }: Options): Model {
	const b = modelBuilder({ opset });
	let x = b.input('x', [batch, length, d]);
	const mask = b.node('Cast', [b.input('attention_mask', [batch, length], INT64)], { to: 1 });
	const [first, second] = opset < 13 ? [[], []] : [[b.ints([1, 2])], [b.ints([2])]];
	const wide = b.node('Unsqueeze', [mask, ...first], opset < 13 ? { axes: [1, 2] } : {});
	const far = b.node('Mul', [b.node('Sub', [wide, b.floats([1], [])]), b.floats([1e4], [])]);
	const own = bias?.(b);
	for (let layer = 0; layer < 2; layer++) x = layerOf(b, x, { far, own, flat, length });
	b.output(head(b, x, b.node('Unsqueeze', [mask, ...second], opset < 13 ? { axes: [2] } : {})));
	return b.build();
}

type Inner = {
	readonly far: string;
	readonly own: string | undefined;
	readonly flat: boolean | undefined;
	readonly length: number | string;
};

function layerOf(b: Build, x: string, { far, own, flat, length }: Inner): string {
	const linear = (value: string, from: number, to: number): string =>
		b.node('Add', [b.node('MatMul', [value, b.weight([from, to])]), b.weight([to])]);
	const norm = (value: string): string => {
		const mean = b.node('Sub', [value, b.floats([0.1], [])]);
		return b.node('Div', [mean, b.node('Add', [b.node('Abs', [mean]), b.floats([1], [])])]);
	};
	const tokens = typeof length === 'number' ? length : -1;
	const split = (perm: readonly number[]): string =>
		b.node('Transpose', [b.node('Reshape', [linear(x, d, d), b.ints([0, tokens, heads, width])])], { perm });
	const raw = b.node('Add', [b.node('MatMul', [split([0, 2, 1, 3]), split([0, 2, 3, 1])]), far]);
	const scores = own === undefined ? raw : b.node('Add', [raw, own]);
	const context = b.node('MatMul', [b.node('Softmax', [scores], { axis: 3 }), split([0, 2, 1, 3])]);
	const merged = b.node('Reshape', [
		b.node('Transpose', [context], { perm: [0, 2, 1, 3] }),
		b.ints([0, tokens, d]),
	]);
	const middle = norm(b.node('Add', [x, linear(merged, d, d)]));
	if (flat !== true) {
		const inner = b.node('Relu', [linear(middle, d, 24)]);
		return norm(b.node('Add', [middle, linear(inner, 24, d)]));
	}
	const rows = b.node('Reshape', [middle, b.ints([-1, d])]);
	const inner = b.node('Relu', [b.node('Gemm', [rows, b.weight([d, 24]), b.weight([24])])]);
	const back = b.node('Reshape', [linear(inner, 24, d), b.node('Shape', [middle])]);
	return norm(b.node('Add', [middle, back]));
}

const classes = (b: Build, x: string): string => b.node('MatMul', [x, b.weight([d, 5])]);
const first: Options['head'] = (b, x) => classes(b, b.node('Gather', [x, b.ints([0], [])], { axis: 1 }));
const mean: Options['head'] = (b, x) => classes(b, b.node('ReduceMean', [x], { axes: [1], keepdims: 0 }));
const pooled: Options['head'] = (b, x, mask) => {
	const sum = b.node('ReduceSum', [b.node('Mul', [x, mask]), b.ints([1])], { keepdims: 0 });
	return classes(b, b.node('Div', [sum, b.node('ReduceSum', [mask, b.ints([1])], { keepdims: 0 })]));
};
const largest: Options['head'] = (b, x) => classes(b, b.node('ReduceMax', [x], { axes: [1], keepdims: 0 }));

/** Builds; both claims must hold and not be weak. */
async function proves(model: Model, recipe: string): Promise<Awaited<ReturnType<typeof buildOf>>> {
	const built = await buildOf(model, recipe, { again: true });
	const [step] = built.document.steps;
	assert.ok(step?.proof?.ok && !step.proof.weak, JSON.stringify(step?.proof));
	assert.ok(step.macs[1] < step.macs[0], step.macs.join());
	assert.ok(built.same, 'the plan file made other bytes');
	return built;
}

async function refusal(model: Model, recipe = 'prune tokens keep 50% after layer 0'): Promise<string> {
	try {
		await buildOf(model, recipe);
	} catch (problem) {
		return (problem as Error).message;
	}
	return 'built';
}

test('it is the full sequence with what left masked, by every score, for a class token and for pools', async () => {
	await proves(encoderOf({ head: first }), 'prune tokens keep 50% after layer 0 by attention');
	await proves(encoderOf({ head: pooled }), 'prune tokens keep 3 after layer 0 by cls');
	await proves(encoderOf({ head: mean }), 'prune tokens 40% after layer 0 by norm');
	await proves(encoderOf({ head: largest, opset: 12 }), 'prune tokens 2 after layer 0 by random');
});

test('what meets tokens is cut with them: one table for all rows, and sizes that stand as numbers', async () => {
	const table = (b: Build): string => b.weight([heads, 12, 12]);
	const sized = { batch: 2, length: 12, bias: table, head: first };
	await proves(encoderOf(sized), 'prune tokens keep 25% after layer 0');
	await proves(encoderOf({ ...sized, flat: true }), 'prune tokens keep 5 after layer 0 by norm');
	await proves(encoderOf({ head: pooled, flat: true }), 'prune tokens keep 50% after layer 0');
});

const readable = Object.entries(attentionForms).filter(
	([name, { fused }]) => fused === undefined && !/cache|encoder|heads beside/.test(name),
);
for (const [name, { model }] of readable)
	test(`an output with a row for every token has them all back: ${name}`, async () => {
		const { document } = await buildOf(model(), 'prune tokens keep 50% after layer 0');
		const proof = present(document.steps[0]?.proof, 'proof');
		assert.ok(proof.ok && !proof.weak, JSON.stringify(proof));
	});

test('the highest scores stay, in order, with the first token and without padding', async () => {
	const before = encoderOf({ head: first });
	const { recipe } = checkText('prune tokens keep 40% after layer 0');
	const { model } = await runRecipe(present(recipe, 'recipe'), before, { shapes: new Map(), seed: 0 });
	const sorted = present(
		model.graph.nodes.filter(({ op }) => op === 'TopK').find(({ attributes }) => attributes.has('largest')),
		'the second TopK',
	);
	const softmax = present(
		before.graph.nodes.find(({ op }) => op === 'Softmax'),
		'softmax',
	);
	const [batch, length] = [3, 11];
	const mask = Array.from({ length: batch * length }, (_, at) =>
		at % length < 11 - 3 * Math.floor(at / length) ? 1 : 0,
	);
	const feeds: Feeds = new Map([
		[
			'x',
			{
				type: 1,
				dims: [batch, length, d],
				data: Float32Array.from({ length: batch * length * d }, (_, at) => Math.sin(at * at)),
			},
		],
		['attention_mask', { type: INT64, dims: [batch, length], data: Float64Array.from(mask) }],
	]);
	const chosen = await valueOf(model, sorted.outputs[0] ?? '', INT64, feeds);
	const attention = await valueOf(before, softmax.outputs[0] ?? '', 1, feeds);
	const kept = Math.ceil(0.4 * length);
	const expected = Array.from({ length: batch }, (_, row) => {
		const score = Array.from({ length }, (_, key) => {
			if (key === 0) return Infinity;
			if (mask[row * length + key] === 0) return -Infinity;
			let sum = 0;
			for (let head = 0; head < heads; head++)
				for (let query = 0; query < length; query++)
					sum +=
						(mask[row * length + query] ?? 0) *
						(attention[((row * heads + head) * length + query) * length + key] ?? 0);
			return sum;
		});
		const order = score.map((_, key) => key).sort((a, b) => (score[b] ?? 0) - (score[a] ?? 0) || a - b);
		return order.slice(0, kept).sort((a, b) => a - b);
	});
	assert.equal(chosen, expected.flat());
});

async function valueOf(model: Model, name: string, type: number, feeds: Feeds): Promise<number[]> {
	const graph = { ...model.graph, outputs: [{ name, type }] };
	const session = await openSession(
		{ ...model, graph },
		{ which: 'given', optimize: 'disabled', threads: 1 },
	);
	const value = (await session.run(feeds)).get(name);
	await session.release();
	return Array.from(present(value, name).data, Number);
}

test('what cannot be followed is named, and nothing is written', async () => {
	const convolved: Options['head'] = (b, x) => {
		const turned = b.node('Transpose', [x], { perm: [0, 2, 1] });
		const mixed = b.node('Conv', [turned, b.weight([4, d, 3])]);
		return b.node('ReduceMax', [mixed], { axes: [2], keepdims: 0 });
	};
	// Behind the last layer a convolution reads the full sequence, restored; after the last layer itself nothing can be saved.
	assert.is(await refusal(encoderOf({ head: convolved })), 'built');
	assert.match(
		await refusal(encoderOf({ head: convolved }), 'prune tokens keep 50% after layer 1'),
		/plan\/tokens-stay: tokens cannot leave here: Conv 'Conv_\d+' mixes them/,
	);
	assert.match(
		await refusal(encoderOf({ head: first, opset: 11 })),
		/plan\/opset: token pruning needs opset 12/,
	);
	assert.match(
		await refusal(encoderOf({ head: first }), 'prune tokens keep 50% after layer 7'),
		/no layer 7/,
	);
	const fused = present(attentionForms['MultiHeadAttention, fused'], 'form').model();
	assert.match(await refusal(fused), /no attention whose probabilities can be read/);
	assert.match(
		await refusal(fused, 'prune tokens keep 50% after layer 0 by norm'),
		/com.microsoft.MultiHeadAttention 'MultiHeadAttention_\d+' mixes them/,
	);
});

test.run();
