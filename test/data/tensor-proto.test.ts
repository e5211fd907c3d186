import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import onnxProto from 'onnx-proto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { saveModel } from '../../src/backends/onnx/save.ts';
import { compile } from '../../src/compile.ts';
import { readInputs, type InputSet } from '../../src/data/calibration.ts';
import { Fault } from '../../src/diagnostic.ts';
import { FLOAT, INT64 } from '../../src/ir/graph/dtype.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { encoder, modelBuilder } from '../harness/model.ts';

const { TensorProto } = onnxProto.onnx;
const test = suite('ONNX test data');
const root = mkdtempSync(join(tmpdir(), 'prunec-test-'));
test.after(() => {
	rmSync(root, { recursive: true });
});

/** Files as an independent writer makes them: `sets/test_data_set_0/input_0.pb` and so on. */
function write(
	name: string,
	files: Readonly<Record<string, onnxProto.onnx.ITensorProto | Uint8Array>>,
): string {
	const folder = join(root, name);
	for (const [file, content] of Object.entries(files)) {
		const path = join(folder, file);
		mkdirSync(join(path, '..'), { recursive: true });
		writeFileSync(path, content instanceof Uint8Array ? content : TensorProto.encode(content).finish());
	}
	return folder;
}

function twoInputs(): Model {
	const b = modelBuilder();
	const [x, ids] = [b.input('x', ['batch', 3]), b.input('ids', ['batch'], INT64)];
	b.output(b.node('Add', [x, b.node('Gather', [b.weight([9, 3]), ids])]), ['batch', 3]);
	return b.build();
}

const read = (path: string, model = twoInputs()): Promise<InputSet> =>
	readInputs(model, { shapes: new Map(), seed: 0, samples: 2, modelPath: 'model.onnx', data: { path } });
const plain = ({ calibration }: InputSet): unknown =>
	calibration.map(({ feeds }) =>
		Object.fromEntries(
			[...feeds].map(([name, { type, dims, data }]) => [name, [type, dims, Array.from(data)]]),
		),
	);
const complaint = async (path: string): Promise<string> => {
	try {
		await read(path);
		return 'nothing';
	} catch (problem) {
		if (!(problem instanceof Fault)) throw problem;
		return problem.diagnostics[0]!.message.replaceAll(root, '');
	}
};

const x = { dims: [1, 3], dataType: FLOAT, floatData: [1, 2, 3] };
const ids = { dims: [1], dataType: INT64, int64Data: [4] };

test('a set is a sample, in the order of the numbers, whichever field holds the elements', async () => {
	const raw = { ...x, floatData: [], rawData: new Uint8Array(Float32Array.of(4, 5, 6).buffer) };
	const folder = write('order', {
		'test_data_set_10/input_0.pb': raw,
		'test_data_set_10/input_1.pb': { ...ids, int64Data: [8] },
		'test_data_set_2/input_0.pb': x,
		'test_data_set_2/input_1.pb': ids,
		'test_data_set_2/output_0.pb': x,
		'model.onnx': Uint8Array.of(),
	});
	const first = { x: [FLOAT, [1, 3], [1, 2, 3]], ids: [INT64, [1], [4]] };
	assert.equal(plain(await read(folder)), [first, { x: [FLOAT, [1, 3], [4, 5, 6]], ids: [INT64, [1], [8]] }]);
	assert.equal(plain(await read(join(folder, 'test_data_set_2'))), [first]);
});

test('the name in the tensor goes before the place of the file', async () => {
	const folder = write('named', {
		'input_0.pb': { ...ids, name: 'ids' },
		'input_1.pb': { ...x, name: 'x' },
	});
	assert.equal(plain(await read(folder)), [{ x: [FLOAT, [1, 3], [1, 2, 3]], ids: [INT64, [1], [4]] }]);
});

test('numbers of another width become what the model takes', async () => {
	const wide = { dims: [1, 3], dataType: 11, doubleData: [1, 2, 3] };
	const folder = write('wide', {
		'input_0.pb': wide,
		'input_1.pb': { dims: [1], dataType: 6, int32Data: [4] },
	});
	assert.equal(plain(await read(folder)), [{ x: [FLOAT, [1, 3], [1, 2, 3]], ids: [INT64, [1], [4]] }]);
});

test('data that does not fit gets a message with the file and the reason', async () => {
	const cases: Readonly<Record<string, Parameters<typeof write>[1]>> = {
		damaged: { 'input_0.pb': TensorProto.encode(x).finish().subarray(0, 9), 'input_1.pb': ids },
		short: { 'input_0.pb': { ...x, floatData: [1, 2] }, 'input_1.pb': ids },
		words: { 'input_0.pb': { dims: [1], dataType: 8, stringData: [Uint8Array.of(65)] }, 'input_1.pb': ids },
		absent: { 'input_0.pb': x },
		many: { 'input_0.pb': x, 'input_1.pb': ids, 'input_2.pb': x },
		kind: { 'input_0.pb': x, 'input_1.pb': { dims: [1], dataType: FLOAT, floatData: [4.5] } },
		rank: { 'input_0.pb': { ...x, dims: [1, 1, 3] }, 'input_1.pb': ids },
		size: { 'input_0.pb': { dims: [1, 2], dataType: FLOAT, floatData: [1, 2] }, 'input_1.pb': ids },
	};
	const said: string[] = [];
	for (const [name, files] of Object.entries(cases)) said.push(await complaint(write(name, files)));
	assert.equal(said, [
		"cannot read '/damaged/input_0.pb': it is no complete TensorProto",
		"tensor '' holds 8 bytes where its dimensions ask for 12",
		"cannot read '/words/input_0.pb': it holds no numbers, or they lie in another file",
		'the data gives nothing for `ids`',
		"cannot read '/many/input_2.pb': the model takes 2 inputs",
		'`ids` is float32 [1]: it holds fractions',
		'`x` is float32 [1, 1, 3]: it has 3 axes, not 2',
		'`x` is float32 [1, 2]: axis 1 is 2, not 3',
	]);
});

test('a recipe calibrates with test data sets', async () => {
	const data = (seed: number): onnxProto.onnx.ITensorProto => ({
		dims: [1, 2, 8],
		dataType: FLOAT,
		floatData: Array.from({ length: 16 }, (_, at) => Math.sin(seed + at)),
	});
	const folder = write('calibration', {
		'test_data_set_0/input_0.pb': data(0),
		'test_data_set_1/input_0.pb': data(1),
		'test_data_set_2/input_0.pb': data(2),
	});
	const model = join(root, 'encoder.onnx');
	saveModel(encoder(2, { heads: 2, width: 4, hidden: 32 }), model);
	const recipe = `calibrate with "${folder}" take 2\nprune ffn 50%`;
	const document = await compile({ recipe, model, threads: 1, samples: 2 });
	assert.equal(document.diagnostics, []);
	assert.is(document.steps[0]?.metric, 'obs');
	assert.is(
		document.inputs,
		`2 of '${folder}' (arrays by name); the proof adds 2 generated ones at two sizes`,
	);
});

test.run();
