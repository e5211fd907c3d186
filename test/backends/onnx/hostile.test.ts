/** Files that lie, break off or were changed by chance: a diagnostic each, never another error and never a read outside. */
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeModel } from '../../../src/backends/onnx/decode.ts';
import { encodeModel } from '../../../src/backends/onnx/encode.ts';
import { loadModel } from '../../../src/backends/onnx/load.ts';
import {
	bytesField,
	floatField,
	joinChunks,
	textField,
	varintField,
	type Chunk,
} from '../../../src/backends/onnx/wire.ts';
import { stream } from '../../../src/data/generate.ts';
import { Fault } from '../../../src/diagnostic.ts';
import { elementType } from '../../../src/ir/graph/dtype.ts';
import { verifyModel } from '../../../src/ir/graph/verify.ts';
import { modelBuilder } from '../../harness/model.ts';

const test = suite('hostile models');
const folder = mkdtempSync(join(tmpdir(), 'prunec-hostile-'));
const outside = mkdtempSync(join(tmpdir(), 'prunec-outside-'));
test.after(() => {
	rmSync(folder, { recursive: true });
	rmSync(outside, { recursive: true });
});

/** The code of what a piece of work complains of. Any error but a `Fault` goes on. */
function codeOf(work: () => unknown): string | undefined {
	try {
		work();
		return undefined;
	} catch (problem) {
		if (problem instanceof Fault) return problem.diagnostics[0]?.code;
		throw problem;
	}
}

/** Two nodes, a constant, a weight in a node: every kind of message the codec reads, in a few hundred bytes. */
function small(): Uint8Array {
	const b = modelBuilder();
	const x = b.input('x', ['batch', 3]);
	const y = b.node('Gemm', [x, b.weight([3, 2])], { transB: 0 });
	b.output(b.node('Transpose', [b.node('Add', [y, b.weight([2])])], { perm: [1, 0] }), [2, 'batch']);
	return encodeModel(b.build());
}

function readAll(bytes: Uint8Array): void {
	const model = decodeModel(bytes);
	if (verifyModel(model).length > 0) return;
	for (const { bytes: data } of model.graph.initializers.values()) data?.read();
	encodeModel({ ...model, graph: { ...model.graph, name: 'again' } });
}

test('a model cut off at any byte is refused with the place, or is whole', () => {
	const bytes = small();
	for (let length = 0; length < bytes.length; length++) {
		const code = codeOf(() => readAll(bytes.subarray(0, length)));
		assert.ok(code === undefined || code.startsWith('model/'), `${length}: ${code ?? ''}`);
	}
	const half = bytes.subarray(0, Math.floor(bytes.length / 2));
	try {
		decodeModel(half);
		assert.unreachable();
	} catch (problem) {
		assert.match((problem as Fault).diagnostics[0]?.message ?? '', /at byte \d+/);
		assert.match((problem as Fault).diagnostics[0]?.at ?? '', /^model/);
	}
});

test('a name that stands twice is refused, where a map would keep the last in silence', () => {
	const bytes = small();
	const twice = Buffer.concat([
		bytes,
		Uint8Array.from([0x42, 2, 0x10, 13]),
		Uint8Array.from([0x42, 2, 0x10, 14]),
	]);
	assert.equal(
		codeOf(() => decodeModel(twice)),
		'model/structure',
	);
});

/** `PRUNEC_MUTANTS=20000 npm test -- hostile` tries as many as wanted. */
const mutants = Number(process.env['PRUNEC_MUTANTS'] ?? 2000);
test(`${mutants} mutants of a model never get another error than a diagnostic`, () => {
	const bytes = small();
	const next = stream(7);
	for (let round = 0; round < mutants; round++) {
		const mutant = Uint8Array.from(bytes);
		for (let flips = 1 + (round % 4); flips > 0; flips--)
			mutant[Math.floor(next() * mutant.length)] = Math.floor(next() * 256);
		codeOf(() => {
			readAll(mutant);
		});
	}
});

type Entries = readonly (readonly [key: string, value: string])[];

/** A model with one weight of 4 floats, whose data is declared to lie elsewhere. */
function external(entries: Entries): Uint8Array {
	const pairs = entries.flatMap(([key, value]) =>
		bytesField(13, [...textField(1, key), ...textField(2, value)]),
	);
	const tensor = [
		...varintField(1, 4),
		...varintField(2, 1),
		...textField(8, 'w'),
		...pairs,
		...varintField(14, 1),
	];
	const node = [...textField(1, 'w'), ...textField(2, 'y'), ...textField(4, 'Identity')];
	const output = textField(1, 'y');
	const graph = [
		...bytesField(1, node),
		...textField(2, 'g'),
		...bytesField(5, tensor),
		...bytesField(12, output),
	];
	return joinChunks([...varintField(1, 8), ...bytesField(7, graph), ...bytesField(8, varintField(2, 17))]);
}

function outcome(entries: Entries): string {
	const path = join(folder, 'model.onnx');
	writeFileSync(path, external(entries));
	return (
		codeOf(() => {
			const { model, file } = loadModel(path);
			model.graph.initializers.get('w')?.bytes?.read();
			file.close();
		}) ?? 'read'
	);
}

test('external data is read only from regular files in the folder of the model', () => {
	writeFileSync(join(folder, 'w.bin'), Buffer.alloc(64));
	writeFileSync(join(folder, 'a..b.bin'), Buffer.alloc(64));
	writeFileSync(join(outside, 'w.bin'), Buffer.alloc(64));
	mkdirSync(join(folder, 'sub'));
	writeFileSync(join(folder, 'sub', 'w.bin'), Buffer.alloc(64));
	symlinkSync(join(outside, 'w.bin'), join(folder, 'link.bin'));
	symlinkSync(outside, join(folder, 'linked'));
	symlinkSync('w.bin', join(folder, 'inner.bin'));
	linkSync(join(folder, 'w.bin'), join(folder, 'hard.bin'));
	for (const location of ['w.bin', 'a..b.bin', 'sub/w.bin', './w.bin', 'inner.bin', 'hard.bin'])
		assert.is(outcome([['location', location]]), 'read', location);
	for (const location of [
		...['', '../w.bin', 'sub/../../w.bin', './..//w.bin', 'sub/..', '..', join(outside, 'w.bin')],
		...['C:w.bin', 'C:\\w.bin', '\\\\host\\w.bin', 'sub\\w.bin', 'w.bin\0.txt', '*/_ORT_MEM_ADDR_/*'],
		...['link.bin', 'linked/w.bin', 'sub', '/dev/zero'],
	])
		assert.is(outcome([['location', location]]), 'model/external-path', location);
	for (const location of ['absent.bin', 'a/%2e%2e/w.bin'])
		assert.is(outcome([['location', location]]), 'model/external-missing', location);
});

test('offsets, lengths and keys of external data are held to the tensor and the file', () => {
	const at = (...more: Entries): string => outcome([['location', 'w.bin'], ...more]);
	assert.is(at(['offset', '48'], ['length', '16']), 'read');
	assert.is(at(['offset', '49']), 'model/external-short');
	for (const more of [
		[['offset', '-1']],
		[['offset', '1e1']],
		[['offset', '0x10']],
		[['offset', '']],
		[['offset', '9223372036854775807']],
		[['length', '15']],
		[['length', '-16']],
		[['length', '9223372036854775807']],
		[['location', 'sub/w.bin']],
	] as const)
		assert.is(at(...more), 'model/external-path', JSON.stringify(more));
	assert.is(at(['__proto__', 'x'], ['constructor', 'y']), 'read', 'keys are only keys');
});

test('dimensions that cannot be are refused before anything is allocated', () => {
	for (const dims of [[-16], [2 ** 32, 2 ** 32], [2 ** 40, 2 ** 10]]) {
		const tensor = [
			...dims.flatMap((dim) => varintField(1, dim)),
			...varintField(2, 1),
			...textField(8, 'w'),
		];
		const graph = bytesField(5, [...tensor, ...bytesField(9, [new Uint8Array(4)])]);
		const code = codeOf(() => decodeModel(joinChunks([...varintField(1, 8), ...bytesField(7, graph)])));
		assert.ok(code === 'model/malformed' || code === 'model/tensor-size', String(code));
	}
	const short = [...varintField(1, 3), ...varintField(2, 1), ...textField(8, 'w'), ...floatField(4, 1)];
	const model = decodeModel(joinChunks([...varintField(1, 8), ...bytesField(7, bytesField(5, short))]));
	assert.is(
		codeOf(() => model.graph.initializers.get('w')?.bytes?.read()),
		'model/tensor-size',
	);
});

test('messages that nest too deep are refused', () => {
	const nest = (depth: number): Chunk[] =>
		depth === 0
			? textField(2, 'inner')
			: bytesField(
					1,
					bytesField(5, [...textField(1, 'body'), ...bytesField(6, nest(depth - 1)), ...varintField(20, 5)]),
				);
	const bytes = (depth: number): Uint8Array =>
		joinChunks([...varintField(1, 8), ...bytesField(7, nest(depth))]);
	assert.is(
		codeOf(() => decodeModel(bytes(40))),
		undefined,
	);
	assert.is(
		codeOf(() => decodeModel(bytes(5000))),
		'model/malformed',
	);
});

/** TensorProto.DataType of ONNX 1.21 (IR 13 and 14): name and bits by number; a string has no size. */
const types = [
	...[
		'',
		'float32 32',
		'uint8 8',
		'int8 8',
		'uint16 16',
		'int16 16',
		'int32 32',
		'int64 64',
		'string 0',
		'bool 8',
	],
	...['float16 16', 'float64 64', 'uint32 32', 'uint64 64', 'complex64 64', 'complex128 128', 'bfloat16 16'],
	...['float8e4m3fn 8', 'float8e4m3fnuz 8', 'float8e5m2 8', 'float8e5m2fnuz 8', 'uint4 4', 'int4 4'],
	...['float4e2m1 4', 'float8e8m0 8', 'uint2 2', 'int2 2'],
];

test('every element type is known by number and size, and raw data of that size is taken', () => {
	types.forEach((words, code) => {
		const [name, bits] = words.split(' ');
		const known = elementType(code);
		assert.is(known?.name ?? '', name);
		if (known === undefined || known.bits === 0) return;
		assert.is(known.bits, Number(bits));
		const data = new Uint8Array(Math.ceil((5 * known.bits) / 8));
		const tensor = [
			...varintField(1, 5),
			...varintField(2, code),
			...textField(8, 'w'),
			...bytesField(9, [data]),
		];
		const read = decodeModel(joinChunks([...varintField(1, 8), ...bytesField(7, bytesField(5, tensor))]));
		assert.is(read.graph.initializers.get('w')?.bytes?.length, data.length, words);
	});
	assert.is(elementType(types.length), undefined);
});

test('sparse weights, functions and training survive a change of the graph, byte for byte', () => {
	const values = bytesField(1, [
		...varintField(1, 1),
		...varintField(2, 1),
		...textField(8, 's'),
		...floatField(4, 1),
	]);
	const sparse = bytesField(15, [...values, ...varintField(3, 9)]);
	const graph = [
		...bytesField(1, [...textField(2, 'y'), ...textField(4, 'Made')]),
		...textField(2, 'g'),
		...sparse,
	];
	const call = bytesField(25, [...textField(1, 'Made'), ...textField(10, 'local'), ...textField(5, 'y')]);
	const training = bytesField(20, bytesField(1, textField(2, 'training')));
	const model = decodeModel(
		joinChunks([...varintField(1, 8), ...bytesField(7, graph), ...training, ...call]),
	);
	assert.equal(
		model.functions.map(({ domain, name, outputs }) => [domain, name, outputs]),
		[['local', 'Made', ['y']]],
	);
	const again = Buffer.from(encodeModel({ ...model, graph: { ...model.graph, name: 'other' } }));
	for (const part of [sparse, training, call]) assert.ok(again.includes(Buffer.from(joinChunks(part))));
});

test.run();
