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
	const added = tokenizer['added_tokens'];
	return {
		...tokenizer,
		...(Array.isArray(added) && {
			added_tokens: added.filter((token: unknown) => !isObject(token) || !gone.has(Number(token['id']))),
		}),
		model: { ...model, ...trimModel(model, gone) },
	};
}

function trimModel({ vocab, merges }: Settings, gone: ReadonlySet<number>): Settings {
	if (Array.isArray(vocab))
		return {
			vocab: vocab.map((piece: unknown, id) =>
				gone.has(id) && Array.isArray(piece) ? [piece[0] as unknown, impossible] : piece,
			),
		};
	if (!isObject(vocab)) return {};
	const kept = Object.fromEntries(Object.entries(vocab).filter(([, id]) => !gone.has(Number(id))));
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

/** With tokens of a byte-pair encoding, those that they are merged from, and those that no merge makes: any text has tokens then. */
export function closeUnderMerges({ vocab, merges }: Settings, ids: readonly number[]): number[] {
	if (!isObject(vocab) || !Array.isArray(merges)) return [...ids];
	const idOf = (token: string): number => Number(vocab[token]);
	const rules = new Map(merges.map((rule: unknown) => [idOf(partsOf(rule).join('')), partsOf(rule)]));
	const closed = new Set([...ids, ...Object.values(vocab).map(Number)].filter((id) => !rules.has(id)));
	const pending = [...ids];
	for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
		closed.add(id);
		pending.push(...(rules.get(id) ?? []).map(idOf).filter((one) => !closed.has(one)));
	}
	return [...closed];
}
