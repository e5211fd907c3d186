/** Sizes that are given for a build are what is tried; what the graph computes from its inputs stays computed. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadModel } from '../../src/backends/onnx/load.ts';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { openSession, type Value } from '../../src/backends/ort/session.ts';
import { compile } from '../../src/compile.ts';
import { FLOAT } from '../../src/ir/graph/dtype.ts';
import { elementCount } from '../../src/ir/graph/graph.ts';
import { drawAt } from '../../src/ir/graph/random.ts';
import { attentionForms } from '../harness/attention.ts';
import { testFolder } from '../harness/folder.ts';

const test = suite('given shapes');
const folder = testFolder();
test.after(folder.remove);

/** What a model file puts out for an input of so many sizes. */
async function outputOf(path: string, dims: readonly number[]): Promise<Value | undefined> {
	const data = Float32Array.from({ length: elementCount(dims) }, (_, at) => drawAt(3, at));
	const session = await openSession(loadModel(path).model, { which: 'pruned', threads: 1 });
	try {
		const found = await session.run(new Map([['x', { type: FLOAT, dims, data }]]));
		return [...found.values()][0];
	} finally {
		await session.release();
	}
}

const forms = [
	'separate query, key, value, computed Reshape',
	'softmax by head between products beside the batch',
	'keys repeated for groups of queries',
	'packed, Slice, heads beside the batch',
];

for (const form of forms)
	test(`a model built for one length runs at others: ${form}`, async () => {
		const model = folder.at(`${form}.onnx`);
		saveModel(attentionForms[form]!.model(), model);
		const options = { recipe: 'prune heads 50%', model, threads: 1, samples: 2 };
		const shapes = new Map([['x', [1, 6, 32]]]);
		const { proof } = await compile({ ...options, shapes, out: `${model}-given.onnx` });
		assert.ok(proof?.ok && !proof.weak);
		await compile({ ...options, out: `${model}-free.onnx` });
		const dims = [3, 9, 32];
		assert.equal(await outputOf(`${model}-given.onnx`, dims), await outputOf(`${model}-free.onnx`, dims));
	});

test.run();
