/** Files of a tokenizer without the tokens that a model has lost. Ids stay what they were, in each of them. */
import { type Settings } from './beside.ts';
import { goneName, partsOf, trimTokenizer } from './trim-tokenizer.ts';

/** The text of a file beside the model; undefined where there is none. */
export type ReadBeside = (name: string) => string | undefined;
type Trim = (text: string, gone: ReadonlySet<number>, read: ReadBeside) => string;

/** What each file becomes; SentencePiece models are binary, and stay. */
const trims: Readonly<Record<string, Trim>> = {
	'tokenizer.json': (text, gone) =>
		`${JSON.stringify(trimTokenizer(objectIn(text), gone), undefined, '  ')}\n`,
	'vocab.json': withoutIds,
	'added_tokens.json': withoutIds,
	'vocab.txt': trimLines,
	'merges.txt': trimMerges,
	'tokenizer_config.json': trimSettings,
};

/** Those of the files that change, by name. */
export function trimmedVocabulary(read: ReadBeside, gone: ReadonlySet<number>): Map<string, string> {
	const files = Object.entries(trims).flatMap(([name, trim]) => {
		const given = read(name);
		const trimmed = given === undefined ? undefined : trim(given, gone, read);
		return trimmed === undefined || trimmed === given ? [] : [[name, trimmed] as const];
	});
	return new Map(files);
}

/** Tokens by name, with their ids. */
function withoutIds(text: string, gone: ReadonlySet<number>): string {
	const ids = Object.entries(objectIn(text));
	const kept = ids.filter(([, id]) => !gone.has(Number(id)));
	return kept.length === ids.length ? text : `${JSON.stringify(Object.fromEntries(kept))}\n`;
}

/** A line a token, its number the id: the line stays. */
function trimLines(text: string, gone: ReadonlySet<number>): string {
	const lines = text.split('\n');
	const last = lines.length - (lines.at(-1) === '' ? 1 : 0);
	return lines.map((line, id) => (id < last && gone.has(id) ? goneName(id) : line)).join('\n');
}

/** A rule a line, behind a comment: those stay whose parts and result do. */
function trimMerges(text: string, gone: ReadonlySet<number>, read: ReadBeside): string {
	const names = goneNames(read, gone);
	const stays = (line: string): boolean => {
		const [left, right] = partsOf(line.trimEnd());
		return line.startsWith('#version') || ![left, right, left + right].some((token) => names.has(token));
	};
	return text.split('\n').filter(stays).join('\n');
}

function goneNames(read: ReadBeside, gone: ReadonlySet<number>): Set<string> {
	const text = read('vocab.json');
	const tokenizer = text === undefined ? read('tokenizer.json') : undefined;
	const { model } = tokenizer === undefined ? {} : (objectIn(tokenizer) as { model?: Settings });
	const ids = text === undefined ? (model?.['vocab'] ?? {}) : objectIn(text);
	return new Set(
		Object.entries(ids as Settings).flatMap(([token, id]) => (gone.has(Number(id)) ? [token] : [])),
	);
}

/** Added tokens by id. */
function trimSettings(text: string, gone: ReadonlySet<number>): string {
	const settings = objectIn(text);
	const added = Object.entries((settings['added_tokens_decoder'] ?? {}) as Settings);
	const kept = added.filter(([id]) => !gone.has(Number(id)));
	if (kept.length === added.length) return text;
	return `${JSON.stringify({ ...settings, added_tokens_decoder: Object.fromEntries(kept) }, undefined, 2)}\n`;
}

const objectIn = (text: string): Settings => JSON.parse(text) as Settings;
