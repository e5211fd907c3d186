/** Arrays matched with the inputs of a model, labels, folders, and what does not fit. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { examplesOf, faultOf, int64, npy, safetensors, taking } from '../harness/data.ts';
import { testFolder } from '../harness/folder.ts';

const test = suite('inputs');
const folder = testFolder();
test.after(folder.remove);
const modelPath = folder.at('model.onnx');
const ids = taking(['ids', ['batch', 'sequence'], int64]);
const pair = taking(['x', ['batch', 3]], ['y', ['batch', 1]]);

test('cuts a lone array into rows of a batch, with the labels beside it', async () => {
	const path = folder.file('dev.ids.npy', npy([2, 3], [1, 2, 3, 4, 5, 6]));
	folder.file('dev.labels.npy', npy([2], [7, 8]));
	assert.equal(await examplesOf(ids, { path, modelPath }), [
		{
			at: `${path}[0]`,
			label: 7,
			ids: [
				[1, 3],
				[1, 2, 3],
			],
		},
		{
			at: `${path}[1]`,
			label: 8,
			ids: [
				[1, 3],
				[4, 5, 6],
			],
		},
	]);
});

test('keeps pieces of the batch that a model fixes, and refuses what is left over', async () => {
	const fixed = taking(['ids', [2, 'sequence'], int64]);
	const path = folder.file('four.npy', npy([4, 1], [1, 2, 3, 4]));
	assert.equal(await examplesOf(fixed, { path, modelPath }), [
		{
			at: `${path}[0]`,
			ids: [
				[2, 1],
				[1, 2],
			],
		},
		{
			at: `${path}[2]`,
			ids: [
				[2, 1],
				[3, 4],
			],
		},
	]);
	const odd = folder.file('three.npy', npy([3, 1], [1, 2, 3]));
	assert.equal(await faultOf(() => examplesOf(fixed, { path: odd, modelPath })), [
		`data/bad-row at ${odd}: 3 rows are no multiple of the model's batch of 2`,
	]);
});

test('does not cut along an axis of time', async () => {
	const path = folder.file('time.npy', npy([2, 1, 3], [1, 2, 3, 4, 5, 6], 'f4'));
	assert.equal(await examplesOf(taking(['x', ['seq', 'batch', 3]]), { path, modelPath }), [
		{
			at: path,
			x: [
				[2, 1, 3],
				[1, 2, 3, 4, 5, 6],
			],
		},
	]);
});

test('matches columns of JSON lines, safetensors and folders of arrays by name', async () => {
	const rows = [
		{
			x: [
				[1, 2, 3],
				[4, 5, 6],
			],
			y: [[7], [8]],
		},
		{ x: [[0, 0, 1]], y: [[2]] },
	] as const;
	const path = folder.file('rows.jsonl', rows.map((row) => JSON.stringify(row)).join('\n'));
	const wanted = [
		[
			[
				[1, 3],
				[1, 2, 3],
			],
			[[1, 1], [7]],
		],
		[
			[
				[1, 3],
				[4, 5, 6],
			],
			[[1, 1], [8]],
		],
		[
			[
				[1, 3],
				[0, 0, 1],
			],
			[[1, 1], [2]],
		],
	];
	const read = async (from: string): Promise<unknown[]> =>
		(await examplesOf(pair, { path: from, modelPath })).map(({ x, y }) => [x, y]);
	assert.equal(await read(path), wanted);
	const packed = folder.file(
		'rows.safetensors',
		safetensors({
			x: [
				[3, 3],
				[1, 2, 3, 4, 5, 6, 0, 0, 1],
			],
			y: [
				[3, 1],
				[7, 8, 2],
			],
		}),
	);
	assert.equal(await read(packed), wanted);
	folder.file('arrays/x.npy', npy([3, 3], [1, 2, 3, 4, 5, 6, 0, 0, 1], 'f4'));
	folder.file('arrays/y.npy', npy([3, 1], [7, 8, 2], 'f4'));
	folder.file('arrays/labels.npy', npy([3], [0, 1, 0]));
	assert.equal(await read(folder.at('arrays')), wanted);
	const labelled = await examplesOf(pair, { path: folder.at('arrays'), modelPath });
	assert.equal(
		labelled.map(({ label }) => label),
		[0, 1, 0],
	);
});

test('reads columns of CSV that are inputs by name', async () => {
	const scalars = taking(['x', ['batch']], ['y', ['batch']]);
	const path = folder.file('columns.csv', 'x,y,label\n1.5,-2,spam\n0.25,3,ham\n');
	assert.equal(await examplesOf(scalars, { path, modelPath }), [
		{ at: `${path}:2`, label: 'spam', x: [[1], [1.5]], y: [[1], [-2]] },
		{ at: `${path}:3`, label: 'ham', x: [[1], [0.25]], y: [[1], [3]] },
	]);
});

test('says what the model takes and what the data offers', async () => {
	const path = folder.file('x.npy', npy([2, 3], [1, 2, 3, 4, 5, 6], 'f4'));
	assert.equal(await faultOf(() => examplesOf(pair, { path, modelPath })), [
		[
			`data/missing-input at ${path}: the data gives nothing for \`y\``,
			'the model takes: x float32 [batch, 3]; y float32 [batch, 1]',
			'the data offers: x float32 [2, 3]',
		].join('\n'),
	]);
});

for (const [name, dims, values, kind, message] of [
	['wide', [2, 4], [1, 2, 3, 4, 5, 6, 7, 8], 'f4', '`x` is float32 [2, 4]: axis 1 is 4, not 3'],
	['deep', [1, 1, 1, 3], [1, 2, 3], 'f4', '`x` is float32 [1, 1, 1, 3]: it has 4 axes, not 2'],
] as const) {
	test(`refuses an array that is ${name}`, async () => {
		const path = folder.file(`${name}.npy`, npy(dims, values, kind));
		assert.equal(await faultOf(() => examplesOf(taking(['x', ['batch', 3]]), { path, modelPath })), [
			`data/misfit at ${path}: ${message}\nthe model takes: x float32 [batch, 3]`,
		]);
	});
}

test('refuses fractions where whole numbers are taken', async () => {
	const path = folder.file('fractions.npy', npy([1, 2], [1, 1.5], 'f4'));
	assert.equal(await faultOf(() => examplesOf(ids, { path, modelPath })), [
		`data/misfit at ${path}: \`ids\` is float32 [1, 2]: it holds fractions\nthe model takes: ids int64 [batch, sequence]`,
	]);
});

test('refuses ragged lists, words among numbers, too few labels', async () => {
	const ragged = folder.file(
		'ragged.jsonl',
		'{"ids":[[1,2],[3]]}\n{"ids":[[1,"b"]]}\n{"ids":[[1]],"label":{}}\n',
	);
	assert.equal(await faultOf(() => examplesOf(ids, { path: ragged, modelPath })), [
		`data/bad-row at ${ragged}:1: \`ids\` has rows of different lengths`,
		`data/bad-row at ${ragged}:2: \`ids\` holds something that is no number`,
		`data/bad-row at ${ragged}:3: \`label\` is neither a number, a text, nor a list of numbers`,
	]);
	const path = folder.file('few/a.npy', npy([3, 1], [1, 2, 3]));
	folder.file('few/labels.npy', npy([2], [1, 2]));
	assert.equal(await faultOf(() => examplesOf(ids, { path, modelPath })), [
		`data/bad-row at ${path}: there are 2 labels for 3 examples`,
	]);
});

for (const [name, content, message] of [
	['no.jsonl', 'nonsense\n[1]\n{}', null],
	['short.npy', npy([2, 3], [1, 2, 3, 4, 5, 6]).subarray(0, 150), 'its length is not that of its shape'],
	['not.npy', 'hello', 'it is no NumPy array'],
	['not.npz', 'hello', 'it is no complete ZIP archive'],
	['not.safetensors', 'hello', 'its header is longer than the file'],
	['not.parquet', 'hello', 'it is no Parquet file'],
	['latin.csv', Uint8Array.of(0x74, 0x65, 0xfc, 0x0a), 'it is no UTF-8 text'],
] as const) {
	test(`says what is wrong with ${name}`, async () => {
		const path = folder.file(name, content);
		const expected =
			message === null
				? [
						`data/bad-row at ${path}:1: this line is no JSON`,
						`data/bad-row at ${path}:2: this line holds no JSON object`,
					]
				: [`data/unreadable: cannot read '${path}': ${message}`];
		assert.equal(await faultOf(() => examplesOf(ids, { path, modelPath })), expected);
	});
}

test('says which line of a CSV has the wrong number of cells', async () => {
	const path = folder.file('cells.csv', 'text,label\na,1\nb\n');
	const [fault] = await faultOf(() => examplesOf(ids, { path, modelPath }));
	assert.match(fault ?? '', new RegExp(`^data/bad-row at .*cells.csv:3: .*2.*1`));
});

test('knows formats by their extension and lists them', async () => {
	const path = folder.file('data.xyz', '');
	assert.equal(await faultOf(() => examplesOf(ids, { path, modelPath })), [
		`data/unknown-format: '${path}' ends in '.xyz', which is no format that is read`,
	]);
	assert.equal(await faultOf(() => examplesOf(ids, { path: folder.at('gone'), modelPath })), [
		`data/no-file: cannot open '${folder.at('gone')}': there is no such file or folder`,
	]);
});

test.run();
