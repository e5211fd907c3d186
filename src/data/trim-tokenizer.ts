/**
 * A `tokenizer.json` without the tokens that a model has lost. Ids stay what they were, so it fits the model before and after; texts
 * are split into tokens that the model has. https://huggingface.co/docs/tokenizers/api/models
 */
import { type Settings } from './beside.ts';

const isObject = (value: unknown): value is Settings =>
	typeof value === 'object' && value !== null && !Array.isArray(value);

/** Far below every log-probability: a path through a piece that scores so is taken only where there is no other. */
const impossible = -1e9;

/** The tokenizer without the tokens whose ids are `gone`; settings that are not understood stay as they are. */
export function trimTokenizer(tokenizer: Settings, gone: ReadonlySet<number>): Settings {
	const model = isObject(tokenizer['model']) ? tokenizer['model'] : {};
	const added = Array.isArray(tokenizer['added_tokens']) ? tokenizer['added_tokens'].filter(isObject) : [];
	const isGone = ({ id }: Settings): boolean => gone.has(Number(id));
	const stay = added.filter((token) => !isGone(token));
	const { vocab } = model;
	return {
		...tokenizer,
		...(added.length > 0 && {
			added_tokens: Array.isArray(vocab)
				? added.map((token) => (isGone(token) ? { ...token, content: goneName(Number(token['id'])) } : token))
				: stay,
		}),
		model: { ...model, ...(isObject(vocab) ? trimPairs(model, gone, stay) : trimPieces(model, gone)) },
	};
}

/** What stands for a token in lists whose lines or places are ids: no text is split into it, since no piece holds a space. */
export const goneName = (id: number): string => `[gone ${id}]`;

function trimPieces({ vocab }: Settings, gone: ReadonlySet<number>): Settings {
	if (!Array.isArray(vocab)) return {};
	return {
		vocab: vocab.map((piece: unknown, id) =>
			gone.has(id) && Array.isArray(piece) ? [piece[0] as unknown, impossible] : piece,
		),
	};
}

/**
 * Word pieces, or byte pairs and their merges. Added tokens that the vocabulary does not hold join it: the library numbers them anew when
 * it reads the file, from the number of tokens on, and takes the id of one that it finds.
 * https://github.com/huggingface/tokenizers/blob/main/tokenizers/src/tokenizer/added_vocabulary.rs
 */
function trimPairs(
	{ vocab = {}, merges }: Settings,
	gone: ReadonlySet<number>,
	added: readonly Settings[],
): Settings {
	const own = Object.entries(vocab as Settings).filter(([, id]) => !gone.has(Number(id)));
	const behind = added.map(({ content, id }) => [String(content), id] as const);
	const kept = Object.fromEntries([...behind, ...own].sort(([, a], [, b]) => Number(a) - Number(b)));
	const stays = (rule: unknown): boolean => {
		const [left, right] = partsOf(rule);
		return left in kept && right in kept && left + right in kept;
	};
	return { vocab: kept, ...(Array.isArray(merges) && { merges: merges.filter(stays) }) };
}

/** A merge of byte-pair encoding: `"a b"`, or `["a", "b"]` where tokens may hold spaces. */
export function partsOf(rule: unknown): readonly [string, string] {
	const [left, right] = Array.isArray(rule) ? (rule as unknown[]) : String(rule).split(' ');
	return [String(left), String(right)];
}

/**
 * With tokens of a byte-pair encoding, those that they are merged from, and those that no merge makes: any text has tokens then, and what
 * was spelt in the given ones is spelt so still. Of pieces with probabilities, those that stand for bytes.
 */
export function closeUnderMerges(model: Settings, ids: readonly number[]): number[] {
	const { vocab, merges } = model;
	if (Array.isArray(vocab)) return [...new Set([...ids, ...bytePieces(model)])];
	if (!isObject(vocab) || !Array.isArray(merges)) return [...ids];
	const rules = new Merges(model);
	const closed = new Set([...ids, ...rules.unmade()]);
	const pending = [...ids];
	for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
		closed.add(id);
		pending.push(...rules.madeFrom(id).filter((one) => !closed.has(one)));
	}
	return [...closed];
}

/** `<0x0A>` and the like, which spell what no other piece does. */
function bytePieces({ vocab, byte_fallback: spellsBytes }: Settings): number[] {
	if (spellsBytes !== true || !Array.isArray(vocab)) return [];
	return vocab.flatMap((piece: unknown, id) =>
		Array.isArray(piece) && /^<0x[0-9A-F]{2}>$/.test(String(piece[0])) ? [id] : [],
	);
}

/**
 * The rules of a byte-pair encoding. One token can have several (tokenizers that were SentencePiece models have one for each way to cut it
 * in two): which of them make it is found as the encoder finds it, by merging its characters, the earliest rule first.
 */
class Merges {
	private readonly ids: ReadonlyMap<string, number>;
	private readonly names: ReadonlyMap<number, string>;
	private readonly ranks: ReadonlyMap<string, number>;
	private readonly last: ReadonlyMap<string, readonly [string, string]>;
	private readonly suffix: string;

	constructor({ vocab, merges, end_of_word_suffix: suffix }: Settings) {
		const rules = (merges as readonly unknown[]).map(partsOf);
		this.ids = new Map(Object.entries(vocab as Settings).map(([token, id]) => [token, Number(id)]));
		this.names = new Map([...this.ids].map(([token, id]) => [id, token]));
		this.ranks = new Map(rules.map((rule, rank) => [JSON.stringify(rule), rank]));
		this.last = new Map(rules.map((rule) => [rule.join(''), rule]));
		this.suffix = typeof suffix === 'string' ? suffix : '';
	}

	unmade(): number[] {
		return [...this.ids].flatMap(([token, id]) => (this.last.has(token) ? [] : [id]));
	}

	/** The tokens that stand on the way to one; where its characters do not merge into it, those of a rule that makes it. */
	madeFrom(id: number): number[] {
		const name = this.names.get(id) ?? '';
		const found = this.way(name) ?? this.last.get(name) ?? [];
		return found.flatMap((token) => (token === name ? [] : (this.ids.get(token) ?? [])));
	}

	private way(name: string): string[] | undefined {
		const made: string[] = [];
		for (let symbols = this.symbolsOf(name); symbols.length > 1;) {
			const ranks = symbols.slice(1).map((right, at) => this.rankOf(symbols[at] ?? '', right));
			const best = Math.min(...ranks);
			if (best === Infinity) return undefined;
			const at = ranks.indexOf(best);
			const both = symbols.slice(at, at + 2).join('');
			made.push(both);
			symbols = [...symbols.slice(0, at), both, ...symbols.slice(at + 2)];
		}
		return made;
	}

	private symbolsOf(name: string): string[] {
		const isEnd = this.suffix !== '' && name.endsWith(this.suffix);
		const characters = [...(isEnd ? name.slice(0, -this.suffix.length) : name)];
		return isEnd ? [...characters.slice(0, -1), `${characters.at(-1) ?? ''}${this.suffix}`] : characters;
	}

	private rankOf(left: string, right: string): number {
		return this.ranks.get(JSON.stringify([left, right])) ?? Infinity;
	}
}
