/** Encoders made in code for statements about tokens, and what those statements choose. */
import * as assert from 'uvu/assert';
import { openSession, type Feeds } from '../../src/backends/ort/session.ts';
import { checkText } from '../../src/recipe-text/check-text.ts';
import { present } from '../../src/diagnostic.ts';
import { INT64 } from '../../src/ir/graph/dtype.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { runRecipe } from '../../src/passes/run.ts';
import { positionsName } from '../../src/passes/tokens/token-stage.ts';
import { buildOf } from './exact.ts';
import { modelBuilder, type Build } from './model.ts';

export const [heads, width] = [2, 8];
export const d = heads * width;

export type Options = {
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
export function encoderOf(options: Options): Model {
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

export type Inner = {
	readonly far: string;
	readonly own: string | undefined;
	readonly flat: boolean | undefined;
	readonly length: number | string;
};

export function layerOf(b: Build, x: string, { far, own, flat, length }: Inner): string {
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

export const classes = (b: Build, x: string): string => b.node('MatMul', [x, b.weight([d, 5])]);
export const first: Options['head'] = (b, x) =>
	classes(b, b.node('Gather', [x, b.ints([0], [])], { axis: 1 }));
export const mean: Options['head'] = (b, x) =>
	classes(b, b.node('ReduceMean', [x], { axes: [1], keepdims: 0 }));
export const pooled: Options['head'] = (b, x, mask) => {
	const sum = b.node('ReduceSum', [b.node('Mul', [x, mask]), b.ints([1])], { keepdims: 0 });
	return classes(b, b.node('Div', [sum, b.node('ReduceSum', [mask, b.ints([1])], { keepdims: 0 })]));
};
export const largest: Options['head'] = (b, x) =>
	classes(b, b.node('ReduceMax', [x], { axes: [1], keepdims: 0 }));

/** Builds; both claims must hold and not be weak. */
export async function proves(model: Model, recipe: string): Promise<Awaited<ReturnType<typeof buildOf>>> {
	const built = await buildOf(model, recipe, { again: true });
	const [step] = built.document.steps;
	assert.ok(step?.proof?.ok && !step.proof.weak, JSON.stringify(step?.proof));
	assert.ok(step.macs[1] < step.macs[0], step.macs.join());
	assert.ok(built.same, 'the plan file made other bytes');
	return built;
}

export async function refusal(model: Model, recipe = 'prune tokens keep 50% after layer 0'): Promise<string> {
	try {
		await buildOf(model, recipe);
	} catch (problem) {
		return (problem as Error).message;
	}
	return 'built';
}

export const [rows, longest] = [3, 11];
/** Rows of 11, 8 and 5 tokens, padded to 11. */
export const real = Array.from({ length: rows * longest }, (_, at) =>
	at % longest < longest - 3 * Math.floor(at / longest) ? 1 : 0,
);
export const idsOf = Array.from({ length: rows * longest }, (_, at) => 1 + ((at * at + 7 * at) % 39));
export const feeds: Feeds = new Map([
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
export async function chosenBy(
	before: Model,
	text: string,
): Promise<{ readonly model: Model; readonly kept: number[][][] }> {
	const { recipe } = checkText(text);
	const { model } = await runRecipe(present(recipe, 'recipe'), before, { shapes: new Map(), seed: 0 });
	const sorts = model.graph.nodes.filter(
		({ op, attributes, outputs: [made = ''] }) =>
			(op === 'TopK' && attributes.has('largest')) || made.startsWith(positionsName),
	);
	const kept: number[][][] = [];
	for (const { outputs } of sorts) {
		const flat = await valueOf(model, outputs[0] ?? '', INT64, feeds);
		const count = flat.length / rows;
		kept.push(Array.from({ length: rows }, (_, row) => flat.slice(row * count, (row + 1) * count)));
	}
	return { model, kept };
}

/** Attention that each key receives from real queries, a row of scores for each row of the batch. */
export async function receivedIn(model: Model): Promise<number[][]> {
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
export function best(
	received: readonly number[][],
	count: number,
	always: readonly number[] = [],
): number[][] {
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

export async function valueOf(model: Model, name: string, type: number, feeds: Feeds): Promise<number[]> {
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
