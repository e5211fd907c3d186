/** Half precision: its own rounding hides a negative control, so the proof is taken in single precision. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { compile } from '../../src/compile.ts';
import { FLOAT16 } from '../../src/ir/graph/dtype.ts';
import { type Model, type Tensor } from '../../src/ir/graph/graph.ts';
import { numbersOf, tensorOf } from '../../src/ir/graph/tensor.ts';
import { widened } from '../../src/ir/graph/widen.ts';
import { modelBuilder } from '../harness/model.ts';

const test = suite('half precision');
const folder = mkdtempSync(join(tmpdir(), 'prunec-half-'));
test.after(() => {
	rmSync(folder, { recursive: true });
});

/** Two convolutions and a softmax over what they put out, all in half precision. */
function halfModel(): Model {
	const b = modelBuilder();
	const conv = (x: string, from: number, to: number): string =>
		b.node('Conv', [x, b.weight([to, from, 3, 3]), b.weight([to])], { pads: [1, 1, 1, 1] });
	const x = b.input('x', ['batch', 3, 6, 6], FLOAT16);
	const hidden = b.node('Relu', [conv(x, 3, 8)]);
	const pooled = b.node('Flatten', [b.node('GlobalAveragePool', [conv(hidden, 8, 40)])]);
	b.output(b.node('Softmax', [pooled], { axis: 1 }));
	const model = b.build();
	const half = (tensor: Tensor): Tensor =>
		tensor.type === 1 ? tensorOf(tensor.name, FLOAT16, tensor.dims, numbersOf(tensor)) : tensor;
	const { graph } = model;
	const initializers = new Map([...graph.initializers].map(([name, tensor]) => [name, half(tensor)]));
	const outputs = graph.outputs.map((output) => ({ ...output, type: FLOAT16 }));
	return { ...model, graph: { ...graph, initializers, outputs } };
}

test('is proven in single precision', async () => {
	const path = join(folder, 'half.onnx');
	saveModel(halfModel(), path);
	const { ok, proof, steps } = await compile({
		recipe: 'prune channels 50% align 1',
		model: path,
		samples: 4,
	});
	assert.equal([ok, proof?.weak, proof?.weights, steps[0]?.selected], [true, false, 'seeded', 4]);
});

test('is gone from a widened model, whose nodes keep their numbers', () => {
	const model = halfModel();
	const { graph } = widened(model);
	const types = [...graph.inputs, ...graph.outputs, ...graph.initializers.values()].map(({ type }) => type);
	assert.not.ok(types.includes(FLOAT16));
	assert.equal(
		graph.nodes.map(({ id }) => id),
		model.graph.nodes.map(({ id }) => id),
	);
});

test.run();
