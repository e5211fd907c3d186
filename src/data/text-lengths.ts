/** How long texts may be, by the files of a tokenizer: never longer than the positions that a model has left. */
import { type Settings } from './beside.ts';

/** Numbers by the way to them in each file, as transformers, tokenizers and sentence-transformers read them. */
const lengths: Readonly<Record<string, readonly (readonly string[])[]>> = {
	'tokenizer_config.json': [['model_max_length']],
	'tokenizer.json': [
		['truncation', 'max_length'],
		['padding', 'strategy', 'Fixed'],
	],
	'sentence_bert_config.json': [['max_seq_length']],
};

/** Transformers writes 1e30 where a tokenizer knows no limit. */
const NO_LIMIT = 1e15;

/** The text of a file with lengths of `positions` in the place of longer ones; undefined where it says nothing longer. */
export function shortened(name: string, text: string, positions: number): string | undefined {
	const ways = lengths[name];
	if (ways === undefined) return undefined;
	const given = JSON.parse(text) as Settings;
	const now = ways.reduce((settings, way) => least(settings, way, positions), given);
	return now === given ? undefined : `${JSON.stringify(now, undefined, 2)}\n`;
}

/** The same object where nothing on the way is longer. */
function least(settings: Settings, [key = '', ...rest]: readonly string[], positions: number): Settings {
	const old = settings[key];
	if (rest.length === 0)
		return typeof old === 'number' && old > positions && old < NO_LIMIT
			? { ...settings, [key]: positions }
			: settings;
	if (typeof old !== 'object' || old === null) return settings;
	const now = least(old as Settings, rest, positions);
	return now === old ? settings : { ...settings, [key]: now };
}
