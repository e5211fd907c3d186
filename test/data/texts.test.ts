/** Texts as token ids. What is expected was checked against the `tokenizers` package of Hugging Face, version 0.22. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { examplesOf, faultOf, int64, reader, taking, tokenizerJson } from '../harness/data.ts';
import { testFolder } from '../harness/folder.ts';

const test = suite('texts');
const folder = testFolder();
test.after(folder.remove);
folder.file('tokenizer.json', tokenizerJson());
const modelPath = folder.at('model.onnx');

test('reads lines of text, blank ones left out, with the line as their place', async () => {
	const path = folder.file('lines.txt', 'The cats sat.\n\na dog\r\n');
	assert.equal(await examplesOf(reader(), { path, modelPath }), [
		{
			at: `${path}:1`,
			input_ids: [
				[1, 7],
				[2, 4, 5, 11, 7, 12, 3],
			],
			attention_mask: [
				[1, 7],
				[1, 1, 1, 1, 1, 1, 1],
			],
			token_type_ids: [
				[1, 7],
				[0, 0, 0, 0, 0, 0, 0],
			],
		},
		{
			at: `${path}:3`,
			input_ids: [
				[1, 4],
				[2, 9, 6, 3],
			],
			attention_mask: [
				[1, 4],
				[1, 1, 1, 1],
			],
			token_type_ids: [
				[1, 4],
				[0, 0, 0, 0],
			],
		},
	]);
});

test('cuts the longer text of a pair first and keeps the special tokens', async () => {
	const path = folder.file(
		'pairs.jsonl',
		'{"premise":"the cat sat on the mat.","hypothesis":"a cat","label":"yes"}\n',
	);
	assert.equal(await examplesOf(reader(), { path, modelPath, tokens: 8 }), [
		{
			at: `${path}:1`,
			label: 'yes',
			input_ids: [
				[1, 8],
				[2, 4, 5, 7, 3, 9, 5, 3],
			],
			attention_mask: [
				[1, 8],
				[1, 1, 1, 1, 1, 1, 1, 1],
			],
			token_type_ids: [
				[1, 8],
				[0, 0, 0, 0, 0, 1, 1, 1],
			],
		},
	]);
});

test('fills up to a length that the model fixes, and says which positions are padding', async () => {
	const path = folder.file('short.csv', 'id,sentence,label\n7,"a dog, a cat",1\n');
	assert.equal(await examplesOf(reader(9), { path, modelPath }), [
		{
			at: `${path}:2`,
			label: 1,
			mask: [1, 1, 1, 1, 1, 1, 1, 0, 0],
			input_ids: [
				[1, 9],
				[2, 9, 6, 1, 9, 5, 3, 0, 0],
			],
			attention_mask: [
				[1, 9],
				[1, 1, 1, 1, 1, 1, 1, 0, 0],
			],
			token_type_ids: [
				[1, 9],
				[0, 0, 0, 0, 0, 0, 0, 0, 0],
			],
		},
	]);
});

test('takes length, padding and directions from tokenizer.json', async () => {
	folder.file(
		'left/tokenizer.json',
		tokenizerJson({
			truncation: { direction: 'Left', max_length: 4, strategy: 'LongestFirst', stride: 0 },
			padding: {
				...{ strategy: 'BatchLongest', direction: 'Left', pad_to_multiple_of: null },
				pad_id: 12,
				pad_type_id: 1,
				pad_token: '.',
			},
		}),
	);
	const path = folder.file('left/lines.txt', 'the cat sat\ncat\n');
	const [long, short] = await examplesOf(reader(5), { path, modelPath: folder.at('left/model.onnx') });
	assert.equal(long?.['input_ids'], [
		[1, 5],
		[12, 2, 5, 7, 3],
	]);
	assert.equal(short?.['input_ids'], [
		[1, 5],
		[12, 12, 2, 5, 3],
	]);
	assert.equal(short?.['token_type_ids'], [
		[1, 5],
		[1, 1, 0, 0, 0],
	]);
});

test('gives a decoder positions counted up and an empty cache', async () => {
	const model = taking(
		['input_ids', ['batch', 'sequence'], int64],
		['position_ids', ['batch', 'sequence'], int64],
		['past_key_values.0.key', ['batch', 2, 'past_sequence', 4]],
	);
	const path = folder.file('decoder.txt', 'a dog\n');
	assert.equal(await examplesOf(model, { path, modelPath }), [
		{
			at: `${path}:1`,
			input_ids: [
				[1, 4],
				[2, 9, 6, 3],
			],
			position_ids: [
				[1, 4],
				[0, 1, 2, 3],
			],
			'past_key_values.0.key': [[1, 2, 0, 4], []],
		},
	]);
});

test('says where the tokenizer should lie, and which column is unclear', async () => {
	const path = folder.file('two.csv', 'title,body\nx,y\n');
	assert.equal(await faultOf(() => examplesOf(reader(), { path, modelPath })), [
		`data/no-text-column at ${path}:2: which of the columns \`title\` and \`body\` holds the text is not clear`,
	]);
	const text = folder.file('alone.txt', 'a\n');
	assert.equal(
		await faultOf(() => examplesOf(reader(), { path: text, modelPath: folder.at('none/m.onnx') })),
		[`data/no-tokenizer: there is no tokenizer.json in '${folder.at('none')}' to read texts with`],
	);
});

test('finds the tokenizer one folder above a model in onnx/', async () => {
	const path = folder.file('one.txt', 'a\n');
	const [example] = await examplesOf(reader(), { path, modelPath: folder.at('onnx/model.onnx') });
	assert.equal(example?.['input_ids'], [
		[1, 3],
		[2, 9, 3],
	]);
});

test('reports every bad row with its file and line, the first five of them', async () => {
	const bad = folder.file('bad.jsonl', '{"text":"a"}\n{"text":4}\n{"other":"a"}\n');
	assert.equal(await faultOf(() => examplesOf(reader(), { path: bad, modelPath })), [
		`data/bad-row at ${bad}:2: the column \`text\` holds no text`,
		`data/bad-row at ${bad}:3: the column \`text\` holds no text`,
	]);
	const many = folder.file('many.jsonl', `{"text":"a"}\n${'{"text":4}\n'.repeat(9)}`);
	const faults = await faultOf(() => examplesOf(reader(), { path: many, modelPath }));
	assert.is(faults.length, 6);
	assert.is(faults[5], 'data/more-bad-rows: 4 more of 10 rows cannot be used');
});

test.run();
