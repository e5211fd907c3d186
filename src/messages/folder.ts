/** Messages about the files beside a result. */
import { defineDiagnostic } from '../diagnostic.ts';

type Said = {
	/** `num_hidden_layers 12 → 10`. */
	readonly changes: readonly string[];
	/** `intermediate_size: 3072, 2048, …`. */
	readonly uneven: readonly string[];
	/** `text_config.num_attention_heads`. */
	readonly below: readonly string[];
	readonly fits: readonly string[];
	/** `optimum: why`. */
	readonly unfit: readonly string[];
};

export const configWritten = defineDiagnostic({
	code: 'write/config',
	severity: 'note',
	explain:
		'A folder in the Hugging Face layout says in `config.json` how many layers, heads and neurons its model has. Keys that said what the model had now say what it has; one number cannot say it where layers differ, and then the key stays as it was. Runtimes take sizes from the model itself; loaders that make caches from the configuration may not fit the result.',
	message: ({ changes }: Said) =>
		changes.length === 0 ? 'config.json stays as it was' : `config.json now says ${changes.join(', ')}`,
	notes: ({ uneven, below, fits, unfit }) => [
		...uneven.map((one) => `layers differ, so this key stays: ${one}`),
		...(below.length > 0 ? [`settings of parts are not followed: ${below.join(', ')}`] : []),
		`loads in ${fits.join(', ')}`,
		...unfit.map((one) => `not in ${one}`),
	],
});
export const siblingsGo = defineDiagnostic({
	code: 'write/same-models',
	severity: 'note',
	explain:
		'A folder can hold several files of one network: other precisions, quantized ones, a decoder with its cache. Each takes the recipe by itself, is proven by itself, and goes along where every statement takes the same units of it.',
	message: ({ names }: { names: readonly string[] }) =>
		`${names.join(', ')} ${names.length === 1 ? 'loses' : 'lose'} the same, and ${names.length === 1 ? 'goes' : 'go'} along`,
});
export const siblingStays = defineDiagnostic({
	code: 'write/other-models',
	severity: 'note',
	explain:
		'Another file of the folder stays behind where a statement does not work on it, where a promise does not hold, or where its weights rank other units as the least important: a folder does not get models that were pruned differently.',
	message: ({ name, why }: { name: string; why: string }) => `${name} stays behind: ${why}`,
	hint: () => 'run a recipe on it by its own name, or quantize and convert the result again',
});
export const olderStands = defineDiagnostic({
	code: 'write/older-models',
	severity: 'warning',
	explain:
		'With `--force` a result replaces files of the same names. A model of the folder that stays behind is not written, so that one from an earlier build goes on standing there, which lost other units than the result.',
	message: ({ names }: { names: readonly string[] }) =>
		`the result's folder has ${names.join(', ')} of an earlier build`,
	hint: ({ names }) => `remove ${names.length === 1 ? 'it' : 'them'}, or build into a new folder`,
});
export const networkTakes = defineDiagnostic({
	code: 'write/other-network',
	severity: 'note',
	explain:
		'An encoder–decoder model lies in several files: its encoder and its decoder are networks of their own, and each takes the recipe by itself. Files of one network (a decoder with its cache, other precisions) lose the same units.',
	message: ({ name, took }: { name: string; took: readonly string[] }) =>
		`${name} takes the recipe too: ${took.join('; ')}`,
});
export const networkStays = defineDiagnostic({
	code: 'write/network-stays',
	severity: 'note',
	explain:
		'An encoder–decoder model loads only with both of its networks. Where a recipe does not work on one of them, its files go along as they were.',
	message: ({ names, why }: { names: readonly string[]; why: string }) =>
		`${names.join(', ')} ${names.length === 1 ? 'goes' : 'go'} along as ${names.length === 1 ? 'it was' : 'they were'}: ${why}`,
});
export const planOfOne = defineDiagnostic({
	code: 'write/plan-of-one',
	severity: 'note',
	explain:
		'A plan names the nodes and numbers of the one file that it was made for. Other files of a folder have other ones; `prunec build` takes the recipe to all of them.',
	message: ({ names }: { names: readonly string[] }) =>
		`${names.join(', ')} ${names.length === 1 ? 'stays' : 'stay'} behind: a plan is carried out on the one file that it was made for`,
	hint: () => '`prunec build` with the recipe takes all of them',
});
export const otherLosses = defineDiagnostic({
	code: 'write/other-losses',
	severity: 'error',
	explain:
		'Scores are computed from each file by itself; coarser weights may rank units differently. A statement that lists what goes, or a rank, means the same in every file.',
	message: () => 'the recipe takes other units of it than of the model',
});
export const networksApart = defineDiagnostic({
	code: 'write/networks-apart',
	severity: 'warning',
	explain:
		'A decoder reads what the encoder puts out, position by position. Where `may change` lets the encoder put out fewer, the decoder beside it was made for others: its own width is chosen by its own scores.',
	message: ({
		name,
		from,
		to,
		decoders,
	}: {
		name: string;
		from: number;
		to: number;
		decoders: readonly string[];
	}) =>
		`the encoder puts out '${name}' ${to} wide, and ${decoders.join(', ')} ${decoders.length === 1 ? 'was' : 'were'} made for ${from}: they do not run together`,
	hint: () => 'without `may change` what goes from one network to the other keeps its width',
});
export const scoresRenumbered = defineDiagnostic({
	code: 'write/scores-renumbered',
	severity: 'note',
	explain:
		'With `may change` scores have a column for each token that stays, and columns are numbered anew. Ids in `generation_config.json` and `config.json` are ids of the tokenizer: a generate loop that takes the number of a column for an id goes wrong.',
	message: ({ name, to }: { name: string; from: number; to: number }) =>
		`'${name}' has ${to} columns, numbered anew: ids in generation_config.json and config.json (\`eos_token_id\`) do not name them`,
	hint: ({ name }) =>
		`without \`may change "${name}"\` columns stay under their old ids, and generate loops go on`,
});
