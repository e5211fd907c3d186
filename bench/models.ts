/**
 * Models as large as those in use, with drawn weights, written without holding them.
 *
 *     node --import tsx bench/models.ts <layers> <file.onnx>      # 12 layers: 340 MB, the blocks of BERT-base
 */
import { pathToFileURL } from 'node:url';
import { saveModel } from '../src/backends/onnx/save.ts';
import { type Model, type Tensor } from '../src/ir/graph/graph.ts';
import { encoderLayer, modelBuilder } from '../test/harness/model.ts';

/** Of BERT-base (arXiv:1810.04805, table 1), without embeddings. */
export const base = { heads: 12, width: 64, hidden: 3072 };

/**
 * A stack of encoder layers over `x [batch, seq, heads·width]` whose weights are drawn whenever they are read; with `classes`, BERT's
 * pooler and a classifier on the first token (arXiv:1810.04805, section 4.1).
 */
export function largeEncoder(
	layers: number,
	{ heads, width, hidden } = base,
	{ classes }: { readonly classes?: number } = {},
): Model {
	const builder = modelBuilder();
	const weights = new Map<string, Tensor>();
	const weight = (dims: readonly number[], name = `weight${weights.size}`): string => {
		const [count, seed] = [dims.reduce((product, dim) => product * dim, 1), weights.size + 1];
		weights.set(name, { name, type: 1, dims, bytes: { length: 4 * count, read: () => draw(count, seed) } });
		return name;
	};
	let x = builder.input('x', ['batch', 'seq', heads * width]);
	for (let layer = 0; layer < layers; layer++)
		x = encoderLayer({ ...builder, weight }, x, { heads, width, hidden });
	if (classes === undefined) builder.output(x, ['batch', 'seq', heads * width]);
	else {
		const first = builder.node('Gather', [x, builder.ints([0], [])], { axis: 1 });
		const dense = builder.node('Gemm', [
			first,
			weight([heads * width, heads * width]),
			weight([heads * width]),
		]);
		const scores = builder.node('Gemm', [
			builder.node('Tanh', [dense]),
			weight([heads * width, classes]),
			weight([classes]),
		]);
		builder.output(scores, ['batch', classes]);
	}
	const { graph, ...model } = builder.build();
	return { ...model, graph: { ...graph, initializers: new Map([...weights, ...graph.initializers]) } };
}

/** Numbers from -0.05 to 0.05 (Marsaglia's xorshift32). */
function draw(count: number, seed: number): Uint8Array {
	const values = new Float32Array(count);
	let state = Math.imul(seed, 0x9e3779b9) | 1;
	for (let at = 0; at < count; at++) {
		state ^= state << 13;
		state ^= state >>> 17;
		state ^= state << 5;
		values[at] = state * (0.05 / 2 ** 31);
	}
	return new Uint8Array(values.buffer);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
	const [, , layers = '12', path = 'model.onnx'] = process.argv;
	saveModel(largeEncoder(Number(layers)), path, { force: true });
}
