/** Models without insides and files of data, for tests of what goes into a model. */
import { type Dim, type Model } from '../../src/ir/graph/graph.ts';
import { openData, type DataOptions } from '../../src/data/inputs.ts';
import { Fault } from '../../src/diagnostic.ts';
import { modelBuilder } from './model.ts';

export const int64 = 7;

/** A model that takes these inputs; what it does with them does not matter here. */
export function taking(
	...inputs: readonly (readonly [name: string, dims: readonly Dim[], type?: number])[]
): Model {
	const b = modelBuilder();
	for (const [name, dims, type = 1] of inputs) b.input(name, dims, type);
	return b.build();
}

/** A BERT-like model's inputs. */
export const reader = (length: Dim = 'sequence'): Model =>
	taking(
		['input_ids', ['batch', length], int64],
		['attention_mask', ['batch', length], int64],
		['token_type_ids', ['batch', length], int64],
	);

type Plain = { at: string; label?: unknown; mask?: number[]; [input: string]: unknown };

/** Examples as plain objects: `{ at, label, input: [dims, values] }`. */
export async function examplesOf(model: Model, options: DataOptions): Promise<Plain[]> {
	const { examples } = await openData(model, options);
	return examples.map(({ make }) => {
		const { feeds, mask, label, at } = make();
		return {
			at,
			...(label !== undefined && { label }),
			...(mask && { mask: Array.from(mask.data) }),
			...Object.fromEntries([...feeds].map(([name, { dims, data }]) => [name, [dims, Array.from(data)]])),
		};
	});
}

/** The messages of the Fault that some work ends in: code, place, message, notes. */
export async function faultOf(work: () => Promise<unknown>): Promise<string[]> {
	try {
		await work();
	} catch (problem) {
		if (!(problem instanceof Fault)) throw problem;
		return problem.diagnostics.map(({ code, at, message, notes = [] }) =>
			[`${code}${at === undefined ? '' : ` at ${at}`}: ${message}`, ...notes].join('\n'),
		);
	}
	return ['nothing was wrong'];
}

/** A WordPiece tokenizer of a dozen words, with the special tokens of BERT, as `tokenizer.json` holds it. */
export function tokenizerJson(extra: Readonly<Record<string, unknown>> = {}): string {
	const words = [
		'[PAD]',
		'[UNK]',
		'[CLS]',
		'[SEP]',
		'the',
		'cat',
		'dog',
		'sat',
		'on',
		'a',
		'mat',
		'##s',
		'.',
	];
	const special = (id: number): object => ({
		...{ id, content: words[id], single_word: false, lstrip: false, rstrip: false },
		...{ normalized: false, special: true },
	});
	const piece = (kind: string, id: string, type_id: number): object => ({ [kind]: { id, type_id } });
	const token = (id: string, at: number): object => ({ [id]: { id, ids: [at], tokens: [id] } });
	return JSON.stringify({
		version: '1.0',
		truncation: null,
		padding: null,
		added_tokens: [0, 1, 2, 3].map(special),
		normalizer: {
			...{ type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true },
			...{ strip_accents: null, lowercase: true },
		},
		pre_tokenizer: { type: 'BertPreTokenizer' },
		post_processor: {
			type: 'TemplateProcessing',
			single: [
				piece('SpecialToken', '[CLS]', 0),
				piece('Sequence', 'A', 0),
				piece('SpecialToken', '[SEP]', 0),
			],
			pair: [
				...[piece('SpecialToken', '[CLS]', 0), piece('Sequence', 'A', 0), piece('SpecialToken', '[SEP]', 0)],
				...[piece('Sequence', 'B', 1), piece('SpecialToken', '[SEP]', 1)],
			],
			special_tokens: { ...token('[CLS]', 2), ...token('[SEP]', 3) },
		},
		decoder: null,
		model: {
			...{ type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '##' },
			max_input_chars_per_word: 100,
			vocab: Object.fromEntries(words.map((word, id) => [word, id])),
		},
		...extra,
	});
}

/** A `.npy` file of 64-bit integers or 32-bit floats. */
export function npy(
	dims: readonly number[],
	values: readonly number[],
	kind: 'i8' | 'f4' = 'i8',
): Uint8Array {
	const shape = `(${dims.join(', ')}${dims.length === 1 ? ',' : ''})`;
	const header = `{'descr': '<${kind}', 'fortran_order': False, 'shape': ${shape}, }`;
	const padded = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11) + '\n';
	const head = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, padded.length & 255, padded.length >> 8]);
	const body = kind === 'i8' ? BigInt64Array.from(values, BigInt) : Float32Array.from(values);
	return Buffer.concat([head, Buffer.from(padded), Buffer.from(body.buffer)]);
}

/** A safetensors file of 32-bit floats. */
export function safetensors(
	tensors: Readonly<Record<string, readonly [readonly number[], readonly number[]]>>,
): Uint8Array {
	let at = 0;
	const entries = Object.entries(tensors).map(([name, [shape, values]]) => {
		const start = at;
		at += values.length * 4;
		return [name, { dtype: 'F32', shape, data_offsets: [start, at] }];
	});
	const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
	const length = Buffer.alloc(8);
	length.writeBigUInt64LE(BigInt(header.length));
	const body = Float32Array.from(Object.values(tensors).flatMap(([, values]) => values));
	return Buffer.concat([length, header, Buffer.from(body.buffer)]);
}
