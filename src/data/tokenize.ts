/**
 * Texts as token ids, through the `tokenizer.json` beside the model. The library encodes; cutting to a length and filling up
 * to one, as https://huggingface.co/docs/tokenizers/api/encoding-inputs has them, are here.
 */
import { dirname } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { Fault } from '../diagnostic.ts';
import { badSideFile, noTokenizer } from '../messages/data.ts';
import { pathBeside, readSettings, settingsBeside, type Settings } from './beside.ts';
import { firstLine } from './rows.ts';

export type Encoded = {
	readonly ids: readonly number[];
	readonly types: readonly number[];
	/** 1 for a token, 0 for padding. */
	readonly mask: readonly number[];
};

export type TextReader = {
	/** The longest that a text becomes, and how, in words. */
	readonly words: string;
	encode(text: string, pair?: string): Encoded;
};

export type Lengths = {
	/** The number of tokens that the model's input is fixed to: shorter texts are filled up to it. */
	readonly fixed?: number | undefined;
	/** The most that the recipe asks for. */
	readonly most?: number | undefined;
	/** Texts are read to their ends, however long: for what counts tokens and feeds no model. */
	readonly whole?: boolean;
};

/** Throws `Fault` when there is no tokenizer beside the model, or it is of a kind that is not read. */
export function openTokenizer(model: string, lengths: Lengths): TextReader {
	const { fixed } = lengths;
	const path = pathBeside(model, 'tokenizer.json');
	if (path === undefined) throw new Fault(noTokenizer({ folder: dirname(model) }));
	const settings = readSettings(path);
	const config = settingsBeside(model, 'tokenizer_config.json') ?? {};
	const tokenizer = load(path, settings, config);
	const limit = lengths.whole === true ? Infinity : limitOf(settings, config, lengths);
	const padding = paddingOf(settings, config, tokenizer);
	const left = part(settings['truncation'])['direction'] === 'Left';
	const words = `${limit === Infinity ? 'as long as they are' : `at most ${limit} tokens`}${fixed === undefined ? '' : `, filled up to ${fixed}`}`;
	return {
		words: `tokenizer.json, ${words}`,
		encode: (text, pair) => fill(shorten(tokenizer, text, pair, limit, left), fixed, padding),
	};
}

/** The part of the library that is used. */
type Encoder = {
	encode(
		text: string,
		options?: { text_pair?: string; add_special_tokens?: boolean; return_token_type_ids?: boolean },
	): { readonly ids: number[]; readonly token_type_ids?: number[] };
	token_to_id(token: string): number | undefined;
};

function load(path: string, settings: Settings, config: Settings): Encoder {
	try {
		// The library's own types import files without their extensions, which no strict compiler resolves.
		const Typed = Tokenizer as unknown as new (settings: Settings, config: Settings) => Encoder;
		return new Typed(settings, config);
	} catch (problem) {
		throw new Fault(badSideFile({ path, why: firstLine(problem) }));
	}
}

const part = (value: unknown): Settings =>
	typeof value === 'object' && value !== null ? (value as Settings) : {};

/** What the recipe says counts before what tokenizer.json says; the model's own limits count always. */
function limitOf(settings: Settings, config: Settings, { fixed, most }: Lengths): number {
	const said = most ?? part(settings['truncation'])['max_length'];
	const own = config['model_max_length'];
	const limits = [said, own, fixed].filter(
		(one): one is number => typeof one === 'number' && one > 0 && one < 1e9,
	);
	return Math.min(Infinity, ...limits);
}

type Padding = { readonly id: number; readonly type: number; readonly left: boolean };

function paddingOf(settings: Settings, config: Settings, tokenizer: Encoder): Padding {
	const own = part(settings['padding']);
	const token = config['pad_token'];
	const text = typeof token === 'string' ? token : part(token)['content'];
	const known = typeof text === 'string' ? tokenizer.token_to_id(text) : undefined;
	return {
		id: typeof own['pad_id'] === 'number' ? own['pad_id'] : (known ?? 0),
		type: typeof own['pad_type_id'] === 'number' ? own['pad_type_id'] : 0,
		left: own['direction'] === 'Left' || config['padding_side'] === 'left',
	};
}

type Tokens = Omit<Encoded, 'mask'>;
/** Where a text's own tokens stand among all. */
type Stretch = { readonly start: number; readonly length: number };

/** Takes tokens away from the longer text first, never a special token. */
function shorten(
	encoder: Encoder,
	text: string,
	pair: string | undefined,
	limit: number,
	left: boolean,
): Tokens {
	const options = { return_token_type_ids: true, ...(pair !== undefined && { text_pair: pair }) };
	const whole = encoder.encode(text, options);
	const { ids, token_type_ids: types = whole.ids.map(() => 0) } = whole;
	let excess = ids.length - limit;
	if (excess <= 0) return { ids, types };
	const texts = pair === undefined ? [text] : [text, pair];
	const stretches = stretchesOf(
		ids,
		texts.map((one) => encoder.encode(one, { add_special_tokens: false }).ids),
	);
	const kept = stretches.map(({ length }) => length);
	for (; excess > 0 && Math.max(...kept) > 0; excess--) {
		const longer = (kept[1] ?? 0) > (kept[0] ?? 0) ? 1 : 0;
		kept[longer] = (kept[longer] ?? 0) - 1;
	}
	const stays = (_: number, at: number): boolean =>
		!stretches.some(({ start, length }, index) => {
			const [offset, keep] = [at - start, kept[index] ?? 0];
			if (offset < 0 || offset >= length) return false;
			return left ? offset < length - keep : offset >= keep;
		});
	return { ids: ids.filter(stays), types: types.filter(stays) };
}

/** Each text is looked for behind the one before it. */
function stretchesOf(ids: readonly number[], texts: readonly (readonly number[])[]): Stretch[] {
	let from = 0;
	return texts.map((own) => {
		let start = from;
		const isHere = (): boolean => own.every((id, offset) => ids[start + offset] === id);
		while (start + own.length < ids.length && !isHere()) start++;
		from = start + own.length;
		return { start, length: own.length };
	});
}

function fill({ ids, types }: Tokens, length: number | undefined, padding: Padding): Encoded {
	const missing = Math.max(0, (length ?? 0) - ids.length);
	const join = (values: readonly number[], filler: number): number[] => {
		const extra = new Array<number>(missing).fill(filler);
		return padding.left ? [...extra, ...values] : [...values, ...extra];
	};
	return {
		ids: join(ids, padding.id),
		types: join(types, padding.type),
		mask: join(
			ids.map(() => 1),
			0,
		),
	};
}
