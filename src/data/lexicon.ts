/** Ids and tokens, from the files beside a model: a tokenizer, a vocabulary, or the dictionary of a recognizer's classes. */
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Fault } from '../diagnostic.ts';
import { type Lexicon } from '../ir/lexicon.ts';
import { noDictionary, unknownTokens, unreadableData } from '../messages/data.ts';
import { pathBeside, readSettings, settingsBeside, type Settings } from './beside.ts';
import { rowsOf } from './inputs.ts';
import { readText } from './rows.ts';
import { closeUnderMerges } from './trim-tokenizer.ts';
import { textColumns } from './texts.ts';
import { openTokenizer } from './tokenize.ts';
import { type Row } from './sample.ts';

/** Reads nothing until it is asked. */
export function lexiconOf(model: string): Lexicon {
	return {
		listed: (path, size) => listed(model, path, size),
		spelled: (tokens) => idsOf(model, tokens, dictionaryBeside(model, 0), 'the recipe'),
		counted: (path) => counted(model, path),
		closed: (ids) => closed(model, ids),
		special: (size) => special(model, size),
		unknown: () => unknown(model),
	};
}

/** Lines as they are, but for the line break; empty ones mean nothing. */
function linesOf(path: string): string[] {
	return readText(path)
		.split(/\r\n|\r|\n/)
		.filter((line) => line !== '');
}

function listed(model: string, path: string, size: number): number[] {
	const lines = linesOf(path);
	if (lines.every((line) => /^\d+$/.test(line))) return lines.map(Number);
	return idsOf(model, lines, dictionaryBeside(model, size), path);
}

/** The ids of tokens that `path` names. */
function idsOf(
	model: string,
	tokens: readonly string[],
	dictionary: Dictionary | undefined,
	path: string,
): number[] {
	if (dictionary === undefined) throw new Fault(noDictionary({ path, folder: dirname(model) }));
	const { ids, where } = dictionary;
	const strange = tokens.filter((token) => !ids.has(token));
	if (strange.length > 0)
		throw new Fault(unknownTokens({ path, names: strange.slice(0, 5), count: strange.length, where }));
	return tokens.flatMap((token) => ids.get(token) ?? []);
}

function closed(model: string, ids: readonly number[]): number[] {
	const tokenizer = tokenizerBeside(model);
	return closeUnderMerges(isObject(tokenizer?.['model']) ? tokenizer['model'] : {}, ids);
}

async function counted(model: string, path: string): Promise<Map<number, number>> {
	const tokenizer = openTokenizer(model, { whole: true });
	const rows = await rowsOf(path, []);
	const [first] = rows;
	const columns = first && textColumns(first);
	if (columns === undefined) throw new Fault(unreadableData({ path, why: 'it holds no texts' }));
	const counts = new Map<number, number>();
	for (const row of rows) {
		for (const text of columns.flatMap((column) => textIn(row, column) ?? [])) {
			for (const id of tokenizer.encode(text).ids) counts.set(id, (counts.get(id) ?? 0) + 1);
		}
	}
	return counts;
}

function textIn(row: Row, column: string): string | undefined {
	const field = row.fields.get(column);
	return field?.kind === 'plain' && typeof field.value === 'string' ? field.value : undefined;
}

type Dictionary = {
	readonly ids: ReadonlyMap<string, number>;
	readonly where: string;
	/** Ids that no line of it stands for: the blank of a recognizer. */
	readonly unnamed?: readonly number[];
};

function dictionaryBeside(model: string, size: number): Dictionary | undefined {
	const tokenizer = tokenizerBeside(model);
	if (tokenizer !== undefined) return { ids: tokensOf(tokenizer), where: 'tokenizer.json' };
	const json = settingsBeside(model, 'vocab.json');
	if (json !== undefined) return { ids: numbersIn(json), where: 'vocab.json' };
	const text = pathBeside(model, 'vocab.txt');
	if (text !== undefined)
		return { ids: new Map(linesOf(text).map((line, at) => [line, at])), where: 'vocab.txt' };
	const classes = classesBeside(model, size);
	return classes && namesOf(classes);
}

const tokenizerBeside = (model: string): Settings | undefined => settingsBeside(model, 'tokenizer.json');

const isObject = (value: unknown): value is Settings => typeof value === 'object' && value !== null;
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

function numbersIn(settings: Settings): Map<string, number> {
	return new Map(
		Object.entries(settings).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
	);
}

/** The vocabulary of tokenizer.json (by token; for Unigram a list of pieces and scores) and the tokens added to it. */
function tokensOf(tokenizer: Settings): Map<string, number> {
	const model = isObject(tokenizer['model']) ? tokenizer['model'] : {};
	const { vocab } = model;
	const ids = Array.isArray(vocab)
		? new Map(vocab.map((piece, at) => [String(listOf(piece)[0]), at]))
		: numbersIn(isObject(vocab) ? vocab : {});
	for (const added of addedIn(tokenizer)) ids.set(added.content, added.id);
	return ids;
}

function addedIn(tokenizer: Settings): { content: string; id: number; special: boolean }[] {
	return listOf(tokenizer['added_tokens']).flatMap((token) => {
		if (!isObject(token)) return [];
		const { content, id, special: isSpecial } = token;
		return typeof content === 'string' && typeof id === 'number'
			? [{ content, id, special: isSpecial === true }]
			: [];
	});
}

/** The classes of a recognizer: a line each, at ids from `first` on. */
export type Classes = {
	readonly name: string;
	readonly lines: readonly string[];
	/** 1 where id 0 is the blank. */
	readonly first: number;
	/** The id of the space, where it is the last class and no line. */
	readonly space?: number;
};

/**
 * A line a class, as PaddleOCR has them (ppocr_keys_v1.txt): with one class more than lines the first is the blank of CTC
 * (https://dl.acm.org/doi/10.1145/1143844.1143891), with two more the last is the space.
 */
export function classesBeside(model: string, size: number): Classes | undefined {
	const folder = dirname(model);
	const names = readdirSync(folder).filter((name) => /(keys|dict|labels|classes).*\.txt$/i.test(name));
	const own = `${basename(model, '.onnx')}.keys.txt`;
	const name = names.length === 1 ? names[0] : names.find((one) => one === own);
	if (name === undefined) return undefined;
	const lines = linesOf(join(folder, name));
	const more = size - lines.length;
	if (more < 0 || more > 2) return undefined;
	return { name, lines, first: more > 0 ? 1 : 0, ...(more === 2 && { space: size - 1 }) };
}

/** The lines of the classes that stay: what `classesBeside` reads as the dictionary of a model with those alone. */
export function classLines({ lines, first }: Classes, stays: (id: number) => boolean): string[] {
	return lines.filter((_, at) => stays(at + first));
}

function namesOf({ lines, first, space, name }: Classes): Dictionary {
	const ids = new Map(lines.map((line, at) => [line, at + first]));
	if (space !== undefined) ids.set(' ', space);
	return { ids, where: name, unnamed: first === 1 ? [0] : [] };
}

function special(model: string, size: number): number[] {
	const tokenizer = tokenizerBeside(model);
	const dictionary = dictionaryBeside(model, size);
	const added = tokenizer === undefined ? [] : addedIn(tokenizer).filter((token) => token.special);
	const own = unknown(model);
	return [
		...added.map(({ id }) => id),
		...(tokenizer === undefined ? (dictionary?.unnamed ?? []) : []),
		...saidTokens(model).flatMap(([, token]) => dictionary?.ids.get(token) ?? []),
		...saidIds(model),
		...(own === undefined ? [] : [own]),
	];
}

/** Tokens with a part to play, by it: `cls_token` and the like, in the settings of a tokenizer. */
function saidTokens(model: string): [part: string, token: string][] {
	return ['special_tokens_map.json', 'tokenizer_config.json'].flatMap((name) =>
		Object.entries(settingsBeside(model, name) ?? {}).flatMap(([part, value]) =>
			/_tokens?$/.test(part)
				? [value, ...listOf(value)].flatMap((one): [string, string][] => {
						const text = isObject(one) ? one['content'] : one;
						return typeof text === 'string' ? [[part, text]] : [];
					})
				: [],
		),
	);
}

/** `pad_token_id` and the like in the model's configuration. */
function saidIds(model: string): number[] {
	return ['config.json', 'generation_config.json'].flatMap((name) =>
		Object.entries(settingsBeside(model, name) ?? {}).flatMap(([key, value]) =>
			key.endsWith('_token_id')
				? [value, ...listOf(value)].filter((id): id is number => typeof id === 'number')
				: [],
		),
	);
}

function unknown(model: string): number | undefined {
	const path = pathBeside(model, 'tokenizer.json');
	if (path === undefined) return unknownOfSettings(model);
	const tokenizer = readSettings(path);
	const { unk_token: token, unk_id: id } = isObject(tokenizer['model']) ? tokenizer['model'] : {};
	if (typeof id === 'number') return id;
	return typeof token === 'string' ? tokensOf(tokenizer).get(token) : undefined;
}

/** Of tokenizers that say it by its name alone, beside a list of their tokens. */
function unknownOfSettings(model: string): number | undefined {
	const [, token] = saidTokens(model).find(([part]) => part === 'unk_token') ?? [];
	return token === undefined ? undefined : dictionaryBeside(model, 0)?.ids.get(token);
}
