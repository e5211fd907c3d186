/** Messages about the data that models are calibrated and evaluated with. */
import { defineDiagnostic } from '../diagnostic.ts';
import { oneOf } from './nearest.ts';

export const noFile = defineDiagnostic({
	code: 'data/no-file',
	severity: 'error',
	explain: 'The data that a recipe or `--data` names is a file or a folder.',
	message: ({ path, cause }: { path: string; cause: string }) => `cannot open '${path}': ${cause}`,
});
export const unreadableData = defineDiagnostic({
	code: 'data/unreadable',
	severity: 'error',
	explain:
		'A file of the data is damaged, is no file of its kind, or uses a part of the format that prunec does not read.',
	message: ({ path, why }: { path: string; why: string }) => `cannot read '${path}': ${why}`,
});
export const unknownFormat = defineDiagnostic({
	code: 'data/unknown-format',
	severity: 'error',
	explain: 'The format of a file is told by its extension; docs/data.md says what each format holds.',
	message: ({ path, extension }: { path: string; extension: string; known: readonly string[] }) =>
		`'${path}' ${extension === '' ? 'has no extension' : `ends in '${extension}'`}, which is no format that is read`,
	hint: ({ known }) => `one of ${known.join(' ')}, or a folder of such files`,
});
export const noData = defineDiagnostic({
	code: 'data/empty',
	severity: 'error',
	explain: 'There must be something to run the model on.',
	message: ({ path, what }: { path: string; what: string }) => `there is no ${what} in '${path}'`,
});
export const badRow = defineDiagnostic({
	code: 'data/bad-row',
	severity: 'error',
	explain:
		'A row of the data cannot be used. No row is skipped in silence, because what is left would be another set of data: mend or remove the row.',
	message: ({ why }: { why: string }) => why,
});
export const moreBadRows = defineDiagnostic({
	code: 'data/more-bad-rows',
	severity: 'error',
	explain: 'Only the first bad rows of a set of data are shown, one message each.',
	message: ({ count, of }: { count: number; of: number }) => `${count} more of ${of} rows cannot be used`,
});

/** An input of a model in words: `input_ids int64 [batch, 128]`. */
export type Wanted = { readonly name: string; readonly type: string; readonly shape: string };
const listed = ({ name, type, shape }: Wanted): string => `${name} ${type} ${shape}`;

export const inputMissing = defineDiagnostic({
	code: 'data/missing-input',
	severity: 'error',
	explain:
		'Columns, arrays and files are matched with the inputs of the model by name; a lone array goes to a lone input under any name.',
	message: ({
		missing,
	}: {
		missing: readonly string[];
		wanted: readonly Wanted[];
		offered: readonly string[];
	}) => `the data gives nothing for ${oneOf(missing, 'and')}`,
	notes: ({ wanted, offered }) => [
		`the model takes: ${wanted.map(listed).join('; ')}`,
		`the data offers: ${offered.join(', ') || 'nothing'}`,
	],
	hint: ({ missing }) => `name a column or an array \`${missing[0] ?? ''}\``,
});
export const misfit = defineDiagnostic({
	code: 'data/misfit',
	severity: 'error',
	explain:
		'An array must have the rank, the fixed sizes and the kind of numbers that the model says its input has.',
	message: ({ name, found, why }: { name: string; found: string; why: string; wanted: Wanted }) =>
		`\`${name}\` is ${found}: ${why}`,
	notes: ({ wanted }) => [`the model takes: ${listed(wanted)}`],
});
export const noTextColumn = defineDiagnostic({
	code: 'data/no-text-column',
	severity: 'error',
	explain:
		'Texts are looked for in the columns text, sentence, content, question and context, sentence1 and sentence2, premise and hypothesis, or in the only column of texts.',
	message: ({ columns }: { columns: readonly string[] }) =>
		`which of the columns ${oneOf(columns, 'and')} holds the text is not clear`,
	hint: () => 'name it `text`; a second one of a pair `text_pair`',
});
export const noTokenizer = defineDiagnostic({
	code: 'data/no-tokenizer',
	severity: 'error',
	explain:
		'Texts become numbers through the tokenizer.json that lies beside the model (or beside its `onnx` folder).',
	message: ({ folder }: { folder: string }) => `there is no tokenizer.json in '${folder}' to read texts with`,
	hint: () => 'put the tokenizer.json that the model was trained with there, or give arrays of token ids',
});
export const badSideFile = defineDiagnostic({
	code: 'data/side-file',
	severity: 'error',
	explain:
		'Files beside a model (tokenizer.json, preprocessor_config.json, config.json) say how its inputs are made and what its outputs mean.',
	message: ({ path, why }: { path: string; why: string }) => `cannot use '${path}': ${why}`,
});
export const unfitModel = defineDiagnostic({
	code: 'data/unfit-model',
	severity: 'error',
	explain: 'The model takes no inputs of the kind that the data holds.',
	message: ({ what, why }: { what: string; why: string; wanted: readonly Wanted[] }) =>
		`${what} cannot be given to this model: ${why}`,
	notes: ({ wanted }) => [`the model takes: ${wanted.map(listed).join('; ')}`],
});
export const unknownTokens = defineDiagnostic({
	code: 'data/unknown-tokens',
	severity: 'error',
	explain:
		'A list of tokens names ids of the vocabulary, or tokens of the tokenizer or dictionary beside the model, one a line.',
	message: ({
		path,
		names,
		count,
		where,
	}: {
		path: string;
		names: readonly string[];
		count: number;
		where: string;
	}) =>
		`${count === 1 ? 'a line' : `${count} lines`} of '${path}' ${count === 1 ? 'is no token' : 'are no tokens'} of ${where}: ${names.map((name) => `'${name}'`).join(', ')}${count > names.length ? ', …' : ''}`,
	hint: () => 'remove them from the list; spelling counts, the marks of word pieces included',
});
export const noDictionary = defineDiagnostic({
	code: 'data/no-dictionary',
	severity: 'error',
	explain:
		'What an id stands for is said by tokenizer.json, vocab.json or vocab.txt beside the model, or by the only file there whose name holds keys, dict, labels or classes and ends in .txt, with a line for each class.',
	message: ({ path, folder }: { path: string; folder: string }) =>
		`'${path}' lists tokens by name, and nothing in '${folder}' says what their ids are`,
	hint: () => 'put the tokenizer or dictionary beside the model, or list ids',
});
