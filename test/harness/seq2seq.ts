/** A small encoder–decoder model in the files that exporters write: one table of tokens, tied to the head. */
import { type Model } from '../../src/ir/graph/graph.ts';
import { modelBuilder, type Build } from './model.ts';

export const [vocabulary, width] = [32, 16];
const [heads, hidden, int64] = [4, 32, 7];
const each = width / heads;

const norm = (b: Build, x: string, name: string): string =>
	b.node('LayerNormalization', [x, b.weight([width], `${name}.scale`), b.weight([width], `${name}.shift`)]);
const linear = (b: Build, x: string, name: string, from = width, to = width): string =>
	b.node('Add', [
		b.node('MatMul', [x, b.weight([from, to], `${name}.weight`)]),
		b.weight([to], `${name}.bias`),
	]);
const split = (b: Build, x: string, sizes = b.ints([0, -1, heads, each])): string =>
	b.node('Transpose', [b.node('Reshape', [x, sizes])], { perm: [0, 2, 1, 3] });

type Attended = { readonly keys: string; readonly values: string };

function attention(b: Build, x: string, name: string, { keys, values }: Attended): string {
	const queries = split(b, linear(b, x, `${name}.q`));
	const scores = b.node('MatMul', [queries, b.node('Transpose', [keys], { perm: [0, 1, 3, 2] })]);
	const context = b.node('MatMul', [b.node('Softmax', [scores], { axis: 3 }), values]);
	const merged = b.node('Reshape', [
		b.node('Transpose', [context], { perm: [0, 2, 1, 3] }),
		b.ints([0, -1, width]),
	]);
	return linear(b, merged, `${name}.o`);
}

const projected = (b: Build, x: string, name: string): Attended => ({
	keys: split(b, linear(b, x, `${name}.k`)),
	values: split(b, linear(b, x, `${name}.v`)),
});

const crossAttention = (b: Build, x: string, memory: string, name: string): string =>
	attention(b, x, name, projected(b, memory, name));

/** The same where the batch that keys and values are split by is that of what asks, as exporters of BART write it. */
export function batchOfQueries(b: Build, x: string, memory: string, name: string): string {
	const batch = b.node('Unsqueeze', [b.node('Gather', [b.node('Shape', [x]), b.ints([0], [])]), b.ints([0])]);
	const sizes = b.node('Concat', [batch, b.ints([-1, heads, each])], { axis: 0 });
	const part = (which: string): string => split(b, linear(b, memory, `${name}.${which}`), sizes);
	return attention(b, x, name, { keys: part('k'), values: part('v') });
}

/** https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MultiHeadAttention */
export function fusedAttention(b: Build, x: string, memory: string, name: string): string {
	const read = [x, memory, memory].map((value, at) => linear(b, value, `${name}.${'qkv'[at] ?? ''}`));
	return linear(b, b.node('MultiHeadAttention', read, { num_heads: heads }, 'com.microsoft'), `${name}.o`);
}

function feedForward(b: Build, x: string, name: string): string {
	const up = b.node('Relu', [linear(b, norm(b, x, `${name}.norm`), `${name}.up`, width, hidden)]);
	return b.node('Add', [x, linear(b, up, `${name}.down`, hidden, width)]);
}

/** `encoder_model.onnx`: input_ids to last_hidden_state. */
export function encoderFile(layers = 2): Model {
	const b = modelBuilder();
	let x = b.node('Gather', [
		b.weight([vocabulary, width], 'shared'),
		b.input('input_ids', ['batch', 'length'], int64),
	]);
	for (let layer = 0; layer < layers; layer++) {
		const name = `encoder.${layer}`;
		const read = norm(b, x, `${name}.norm`);
		x = b.node('Add', [x, attention(b, read, `${name}.self`, projected(b, read, `${name}.self`))]);
		x = feedForward(b, x, `${name}.ffn`);
	}
	const y = norm(b, x, 'encoder.norm');
	b.output(y, ['batch', 'length', width]);
	return named(b.build(), new Map([[y, 'last_hidden_state']]));
}

/**
 * `decoder_model.onnx`, or with `past` `decoder_with_past_model.onnx`: keys and values go out, and with `past` come in.
 */
export function decoderFile({ past = false, layers = 2, cross = crossAttention } = {}): Model {
	const b = modelBuilder();
	const names = new Map<string, string>();
	const table = b.weight([vocabulary, width], 'shared');
	let x = b.node('Gather', [table, b.input('input_ids', ['batch', 'steps'], int64)]);
	const memory = b.input('encoder_hidden_states', ['batch', 'length', width]);
	for (let layer = 0; layer < layers; layer++) {
		const name = `decoder.${layer}`;
		const read = norm(b, x, `${name}.norm`);
		const own = cached(b, projected(b, read, `${name}.self`), { layer, past }, names);
		x = b.node('Add', [x, attention(b, read, `${name}.self`, own)]);
		const asked = norm(b, x, `${name}.cross.norm`);
		x = b.node('Add', [x, cross(b, asked, memory, `${name}.cross`)]);
		x = feedForward(b, x, `${name}.ffn`);
	}
	const head = b.node('Transpose', [table], { perm: [1, 0] });
	const logits = b.node('MatMul', [norm(b, x, 'decoder.norm'), head]);
	b.output(logits, ['batch', 'steps', vocabulary]);
	return named(b.build(), names.set(logits, 'logits'));
}

type Cache = { readonly layer: number; readonly past: boolean };

function cached(
	b: Build,
	{ keys, values }: Attended,
	{ layer, past }: Cache,
	names: Map<string, string>,
): Attended {
	const kept = (now: string, what: string): string => {
		const before = `past_key_values.${layer}.decoder.${what}`;
		const all = past
			? b.node('Concat', [b.input(before, ['batch', heads, 'past', each]), now], { axis: 2 })
			: now;
		b.output(all, ['batch', heads, past ? 'all' : 'steps', each]);
		names.set(all, `present.${layer}.decoder.${what}`);
		return all;
	};
	return { keys: kept(keys, 'key'), values: kept(values, 'value') };
}

/** The model with other names of values. */
function named({ graph, ...model }: Model, names: ReadonlyMap<string, string>): Model {
	const renamed = (one: string): string => names.get(one) ?? one;
	const nodes = graph.nodes.map((node) => ({
		...node,
		...{ inputs: node.inputs.map(renamed), outputs: node.outputs.map(renamed) },
	}));
	const outputs = graph.outputs.map((output) => ({ ...output, name: renamed(output.name) }));
	return { ...model, graph: { ...graph, nodes, outputs } };
}
