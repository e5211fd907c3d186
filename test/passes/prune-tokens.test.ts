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
	/** Tokens come as `input_ids [batch, seq]`, out of a vocabulary of 40. */
	readonly ids?: boolean;
	readonly layers?: number;
	readonly head: (b: Build, x: string, mask: string) => string;
};

/** Two layers with norms after the sums, over `x [batch, seq, d]` and `attention_mask [batch, seq]`. */
function encoderOf(options: Options): Model {
	const { opset = 17, batch = 'batch', length = 'seq', bias, flat, ids = false, layers = 2, head } = options;
	const b = modelBuilder({ opset });
	let x = ids
		? b.node('Gather', [b.weight([40, d]), b.input('input_ids', [batch, length], INT64)])
		: b.input('x', [batch, length, d]);
	const mask = b.node('Cast', [b.input('attention_mask', [batch, length], INT64)], { to: 1 });
	const [first, second] = opset < 13 ? [[], []] : [[b.ints([1, 2])], [b.ints([2])]];
	const wide = b.node('Unsqueeze', [mask, ...first], opset < 13 ? { axes: [1, 2] } : {});
	const far = b.node('Mul', [b.node('Sub', [wide, b.floats([1], [])]), b.floats([1e4], [])]);
	const own = bias?.(b);
	for (let layer = 0; layer < layers; layer++) x = layerOf(b, x, { far, own, flat, length });
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
	await proves(encoderOf({ head: first }), 'prune tokens keep 50% after layer 0 by similarity');
	await proves(encoderOf({ head: mean, opset: 11 }), 'prune tokens keep 50% after layer 0 by value');
});

test('what meets tokens is cut with them: one table for all rows, and sizes that stand as numbers', async () => {
	const table = (b: Build): string => b.weight([heads, 12, 12]);
	const sized = { batch: 2, length: 12, bias: table, head: first };
	await proves(encoderOf(sized), 'prune tokens keep 25% after layer 0');
	await proves(encoderOf({ ...sized, flat: true }), 'prune tokens keep 5 after layer 0 by norm');
	await proves(encoderOf({ head: pooled, flat: true }), 'prune tokens keep 50% after layer 0');
});

const readable = Object.entries(attentionForms).filter(
	([name, { fused }]) => fused === undefined && /beside|Gather|rotary|groups/.test(name),
);
for (const [name, { model }] of readable)
	test(`an output with a row for every token has them all back: ${name}`, async () => {
		const { document } = await buildOf(model(), 'prune tokens keep 50% after layer 0');
		const proof = present(document.steps[0]?.proof, 'proof');
		assert.ok(proof.ok && !proof.weak, JSON.stringify(proof));
	});

const [rows, longest] = [3, 11];
/** Rows of 11, 8 and 5 tokens, padded to 11. */
const real = Array.from({ length: rows * longest }, (_, at) =>
	at % longest < longest - 3 * Math.floor(at / longest) ? 1 : 0,
);
const idsOf = Array.from({ length: rows * longest }, (_, at) => 1 + ((at * at + 7 * at) % 39));
const feeds: Feeds = new Map([
	[
		'x',
		{
			type: 1,
			dims: [rows, longest, d],
			data: Float32Array.from({ length: rows * longest * d }, (_, at) => Math.sin(at * at)),
		},
	],
	['input_ids', { type: INT64, dims: [rows, longest], data: Float64Array.from(idsOf) }],
	['attention_mask', { type: INT64, dims: [rows, longest], data: Float64Array.from(real) }],
]);

/** The positions that each statement keeps of each row, counted among those that it found. */
async function chosenBy(
	before: Model,
	text: string,
): Promise<{ readonly model: Model; readonly kept: number[][][] }> {
	const { recipe } = checkText(text);
	const { model } = await runRecipe(present(recipe, 'recipe'), before, { shapes: new Map(), seed: 0 });
	const sorts = model.graph.nodes.filter(({ op, attributes }) => op === 'TopK' && attributes.has('largest'));
	const kept: number[][][] = [];
	for (const { outputs } of sorts) {
		const flat = await valueOf(model, outputs[0] ?? '', INT64, feeds);
		const count = flat.length / rows;
		kept.push(Array.from({ length: rows }, (_, row) => flat.slice(row * count, (row + 1) * count)));
	}
	return { model, kept };
}

/** Attention that each key receives from real queries, a row of scores for each row of the batch. */
async function receivedIn(model: Model): Promise<number[][]> {
	const softmax = present(
		model.graph.nodes.find(({ op }) => op === 'Softmax'),
		'softmax',
	);
	const own = new Map([...feeds].filter(([name]) => model.graph.inputs.some((input) => input.name === name)));
	const attention = await valueOf(model, softmax.outputs[0] ?? '', 1, own);
	return Array.from({ length: rows }, (_, row) =>
		Array.from({ length: longest }, (_, key) => {
			let sum = 0;
			for (let head = 0; head < heads; head++)
				for (let query = 0; query < longest; query++)
					sum +=
						(real[row * longest + query] ?? 0) *
						(attention[((row * heads + head) * longest + query) * longest + key] ?? 0);
			return sum / heads / (longest - 3 * row);
		}),
	);
}

/** The `count` best by score, in order; first ones and ids given always, padding last. */
function best(received: readonly number[][], count: number, always: readonly number[] = []): number[][] {
	return received.map((own, row) => {
		const score = own.map((value, key) => {
			const at = row * longest + key;
			if (key === 0 || always.includes(idsOf[at] ?? 0)) return Infinity;
			return real[at] === 0 ? -Infinity : value;
		});
		const order = score.map((_, key) => key).sort((a, b) => (score[b] ?? 0) - (score[a] ?? 0) || a - b);
		return order.slice(0, count).sort((a, b) => a - b);
	});
}

test('the highest scores stay, in order, with the first token and without padding', async () => {
	const before = encoderOf({ head: first });
	const { kept } = await chosenBy(before, 'prune tokens keep 40% after layer 0');
	assert.equal(kept, [best(await receivedIn(before), Math.ceil(0.4 * longest))]);
});

test('below a threshold tokens leave, as many as the row that loses fewest; ids that are named stay', async () => {
	const before = encoderOf({ head: first, ids: true });
	const received = await receivedIn(before);
	const above = received.map((own, row) =>
		own.filter((value, key) => key === 0 || (real[row * longest + key] === 1 && value >= 0.09)),
	);
	const count = Math.max(...above.map(({ length }) => length));
	assert.ok(count > 1 && count < longest, String(count));
	const threshold = 'prune tokens where attention < 0.09 after layer 0';
	assert.equal((await chosenBy(before, threshold)).kept, [best(received, count)]);
	await proves(before, threshold);

	const always = [idsOf[4] ?? 0, idsOf[longest + 2] ?? 0];
	const named = always.map((id) => `"#${id}"`).join(', ');
	const spared = `prune tokens keep 3 after layer 0 except ${named}`;
	assert.equal((await chosenBy(before, spared)).kept, [best(received, 3, always)]);
	await proves(before, spared);
});

test('a schedule is of the input: its later steps still know padding, and what stays by name', async () => {
	const before = encoderOf({ head: pooled, ids: true, layers: 4 });
	const built = await buildOf(
		before,
		'prune tokens keep [100%, 70%, 40%] after layers [0, 1, 2] except "#12"',
		{ again: true },
	);
	assert.equal(
		built.document.steps.map(({ statement }) => statement),
		['prune tokens keep [70%] after layers [1]', 'prune tokens keep [40%] after layers [2]'],
	);
	assert.ok(built.document.steps.every(({ proof }) => proof?.ok === true && !proof.weak));
	assert.ok(built.same);
	const { kept } = await chosenBy(before, 'prune tokens keep [70%, 40%] after layers [1, 2]');
	const [earlier = [], later = []] = kept;
	assert.equal([earlier[0]?.length, later[0]?.length], [Math.ceil(0.7 * longest), Math.ceil(0.4 * longest)]);
	// The shortest row has five real tokens and keeps five: all of them, though scored among padding.
	assert.equal(
		later[2]?.map((at) => earlier[2]?.[at]),
		[0, 1, 2, 3, 4],
	);
});

test('a second statement takes more of what is left', async () => {
	const before = encoderOf({ head: first, layers: 3 });
	const recipe = 'prune tokens keep 50% after layer 0; prune tokens keep 50% after layer 1 by norm';
	const { document } = await buildOf(before, recipe);
	assert.ok(document.steps.every(({ proof }) => proof?.ok === true && !proof.weak));
	assert.equal(
		(await chosenBy(before, recipe)).kept.map(([row]) => row?.length),
		[6, 3],
	);
});

async function valueOf(model: Model, name: string, type: number, feeds: Feeds): Promise<number[]> {
	const graph = { ...model.graph, outputs: [{ name, type }] };
	const session = await openSession(
		{ ...model, graph },
		{ which: 'given', optimize: 'disabled', threads: 1 },
	);
	const own = new Map([...feeds].filter(([input]) => model.graph.inputs.some((one) => one.name === input)));
	const value = (await session.run(own)).get(name);
	await session.release();
	return Array.from(present(value, name).data, Number);
}

test('tokens that are alike become one, that counts in attention as often, and all their rows come back', async () => {
	const rowed: Options['head'] = (b, x) => classes(b, x);
	await proves(encoderOf({ head: rowed }), 'merge tokens 30% after layer 0');
	await proves(encoderOf({ head: pooled, ids: true }), 'merge tokens 2 after layer 0 by states except "#3"');
	const twice = await buildOf(
		encoderOf({ head: first, layers: 3 }),
		'merge tokens keep [80%, 60%] after layers [0, 1]',
	);
	assert.ok(twice.document.steps.every(({ proof }) => proof?.ok === true && !proof.weak));
});

test('a merged token is the mean of what is in it, and every one joins the most similar of odd position', async () => {
	const before = encoderOf({ head: first });
	const { model, kept } = await chosenBy(before, 'merge tokens 3 after layer 0 by states');
	const stage = present(
		model.graph.nodes.find(
			({ op, inputs }) => op === 'MatMul' && inputs[1]?.startsWith('tokens_Cast') === true,
		),
		'averages',
	);
	const [shares = '', states = ''] = stage.inputs;
	const [x, means] = [
		await valueOf(model, states, 1, feeds),
		await valueOf(model, stage.outputs[0] ?? '', 1, feeds),
	];
	assert.ok(shares !== '');
	const at = (row: number, token: number): number[] =>
		x.slice((row * longest + token) * d, (row * longest + token + 1) * d);
	const cosine = (a: number[], b: number[]): number => dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
	for (let row = 0; row < rows; row++) {
		const isReal = (token: number): boolean => real[row * longest + token] === 1;
		const odd = Array.from({ length: longest }, (_, token) => token).filter(
			(one) => one % 2 === 1 && isReal(one),
		);
		const members = new Map<number, number[]>();
		const stays = present(kept[0]?.[row], 'kept');
		for (let token = 0; token < longest; token++) {
			if (stays.includes(token)) members.set(token, [...(members.get(token) ?? []), token]);
			else if (isReal(token)) {
				const best =
					odd.toSorted(
						(a, b) => cosine(at(row, token), at(row, b)) - cosine(at(row, token), at(row, a)),
					)[0] ?? 0;
				members.set(best, [...(members.get(best) ?? []), token]);
			}
		}
		for (const [place, token] of stays.entries()) {
			const own = present(members.get(token), 'members');
			const expected = Array.from(
				{ length: d },
				(_, axis) => own.reduce((sum, one) => sum + (at(row, one)[axis] ?? 0), 0) / own.length,
			);
			const found = means.slice((row * stays.length + place) * d, (row * stays.length + place + 1) * d);
			// Sums of a few float32 numbers of about 1.
			assert.ok(
				expected.every((value, axis) => Math.abs(value - (found[axis] ?? NaN)) < 1e-5),
				`${row} ${token}`,
			);
		}
	}
});

const dot = (a: readonly number[], b: readonly number[]): number =>
	a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);

test('one token can carry what left', async () => {
	await proves(encoderOf({ head: pooled }), 'prune tokens keep 40% after layer 0 with fused');
});

test('behind the last attention the last position is enough for a next token', async () => {
	const rowed: Options['head'] = (b, x) => classes(b, x);
	const model = encoderOf({ head: rowed, flat: true });
	const { name } = present(model.graph.outputs[0], 'output');
	const recipe = 'prune tokens keep last after last attention';
	const { document } = await proves(model, `${recipe} may change "${name}"`);
	assert.is(document.drift?.cosine, 1);
	assert.match(await refusal(model, recipe), /plan\/output-shortens/);
	assert.match(await refusal(encoderOf({ head: mean }), recipe), /ReduceMean mixes positions behind/);
	assert.match(await refusal(encoderOf({ head: first }), recipe), /picks positions by number/);
	assert.match(await refusal(model, 'prune tokens keep last after layer 0'), /stands `after last attention`/);
});

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
		await refusal({ ...encoderOf({ head: first, opset: 11 }), opsets: new Map([['', 10]]) }),
		/plan\/opset: a sequence that gets shorter needs opset 11/,
	);
	assert.match(
		await refusal(encoderOf({ head: first }), 'prune tokens keep 50% after layer 7'),
		/no layer 7/,
	);
	const table: Options['head'] = (b, x) => b.node('MatMul', [x, b.weight([d, 5])]);
	assert.match(
		await refusal(encoderOf({ head: table }), 'prune tokens keep 50% after layer 0 without restore'),
		/output 'MatMul_\d+' has a row for every token/,
	);
	for (const recipe of [
		'prune tokens keep [50%, 70%] after layers [0, 1]',
		'prune tokens where attention < 0.1 and norm < 3 after layer 0',
		'prune tokens keep 50% after layers [0, 1]',
		'prune tokens keep 50% after layer 0 except "#3"',
	])
		assert.match(
			await refusal(encoderOf({ head: first }), recipe),
			/plan\/(rising-schedule|unclear-threshold|tokens-stay)/,
		);
	const fused = present(attentionForms['MultiHeadAttention, fused'], 'form').model();
	assert.match(await refusal(fused), /no attention whose probabilities can be read/);
	assert.match(
		await refusal(fused, 'prune tokens keep 50% after layer 0 by norm'),
		/com.microsoft.MultiHeadAttention 'MultiHeadAttention_\d+' mixes them/,
	);
});

test.run();
