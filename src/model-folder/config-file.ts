/**
 * `config.json` beside a model, after its structure has changed: the keys by which model families say how many layers, heads, neurons and
 * positions there are, and what the loaders that read them make of the result.
 */
import { findAnatomy, type Anatomy } from '../ir/anatomy/anatomy.ts';
import { type Block } from '../ir/anatomy/parts.ts';
import { buildNet } from '../ir/axes/net.ts';
import { type Shapes } from '../ir/graph/bindings.ts';
import { inferFacts } from '../ir/graph/facts.ts';
import { type Model } from '../ir/graph/graph.ts';
import { opened } from '../ir/graph/open.ts';
import { positionTable, rowsOf } from '../passes/positions/position-tables.ts';
import { type Settings } from '../data/beside.ts';
import { type Network } from '../backends/onnx/layout.ts';

/** What of a model a configuration speaks of: one number a layer where layers have their own. */
export type Structure = {
	readonly layers: readonly number[];
	readonly heads: readonly number[];
	readonly ffn: readonly number[];
	readonly hidden: readonly number[];
	/** How long an input the tables of positions have rows for; undefined without such a table. */
	readonly positions?: number;
	/** How many layers keep keys and values in inputs or outputs of their own. */
	readonly caches: number;
	/** Size of the last axis of each output, where it is fixed. */
	readonly outputs: Readonly<Record<string, number>>;
};

export function structureOf(given: Model, shapes: Shapes): Structure {
	const model = opened(given);
	const anatomy = findAnatomy(buildNet(model, inferFacts(model, shapes)));
	const unitsOf = (kind: Block['kind']): number[] =>
		anatomy.layers.flatMap(({ blocks }) =>
			blocks.flatMap((block) => (block.kind === kind && !block.cross ? [block.units] : [])),
		);
	const { inputs, outputs } = given.graph;
	const caches = [...inputs, ...outputs].flatMap(
		({ name }) => /^(?:past_key_values|past|present)[._](\d+)(?:[._]|$)/.exec(name)?.[1] ?? [],
	);
	return {
		layers: [anatomy.layers.length],
		heads: unitsOf('attention'),
		ffn: unitsOf('ffn'),
		hidden: widthsOf(anatomy),
		...positionsIn(anatomy),
		caches: new Set(caches).size,
		outputs: Object.fromEntries(outputs.flatMap(({ name }) => widthAt(anatomy, name))),
	};
}

function positionsIn({ net }: Anatomy): Pick<Structure, 'positions'> {
	const lengths = net.nodes.flatMap((node) => {
		const table = positionTable(node);
		return table?.more === undefined || table.read !== undefined ? [] : [rowsOf(table) - table.more];
	});
	return lengths.length === 0 ? {} : { positions: Math.min(...lengths) };
}

function widthAt({ net }: Anatomy, name: string): [string, number][] {
	const { sizes = [], dynamic = [] } = net.tensors.get(name) ?? {};
	const width = sizes.at(-1);
	return width === undefined || dynamic.at(-1) === true ? [] : [[name, width]];
}

/** Widths of the residual stream. */
function widthsOf({ layers, net }: Anatomy): number[] {
	const values = layers.flatMap(({ residuals, ofBytes }) =>
		[...residuals, ...ofBytes].map(({ before }) => net.tensors.get(before)),
	);
	return values.flatMap((value) => value?.sizes.at(-1) ?? []);
}

/** Keys of model families by what they count (https://github.com/huggingface/optimum, utils/normalized_config.py). */
const countedKinds = ['layers', 'heads', 'ffn', 'hidden'] as const;
type Counted = (typeof countedKinds)[number];
const keys: Readonly<Record<Counted, readonly string[]>> = {
	layers: ['num_hidden_layers', 'n_layers', 'n_layer', 'num_layers'],
	heads: ['num_attention_heads', 'n_heads', 'n_head', 'num_heads'],
	ffn: ['intermediate_size', 'hidden_dim', 'n_inner', 'd_ff', 'ffn_dim'],
	hidden: ['hidden_size', 'dim', 'n_embd', 'd_model'],
};
/**
 * Keys of families with an encoder and a decoder (BART, Marian, Whisper, T5); what T5 says of both at once is told by the decoder, whose
 * caches are made of it.
 */
const partKeys: Readonly<Record<Exclude<Network, 'model'>, Readonly<Record<Counted, readonly string[]>>>> = {
	encoder: {
		layers: ['encoder_layers', 'num_layers'],
		heads: ['encoder_attention_heads'],
		ffn: ['encoder_ffn_dim'],
		hidden: keys.hidden,
	},
	decoder: {
		layers: ['decoder_layers', 'num_decoder_layers'],
		heads: ['decoder_attention_heads', 'num_heads'],
		ffn: ['decoder_ffn_dim', 'd_ff'],
		hidden: keys.hidden,
	},
};
/** Positions are counted from 0, from 2 (BART), or from behind the padding token, which is one of the first. */
const mostOffset = 8;
const positionKeys = ['max_position_embeddings', 'n_positions', 'n_ctx'];

export type Change = { readonly key: string; readonly from: number; readonly to: number };
export type Changed = {
	readonly settings: Settings;
	readonly changes: readonly Change[];
	/** Keys that no one number can say any more, with what each layer has. */
	readonly uneven: readonly { readonly key: string; readonly each: readonly number[] }[];
	/** Keys of settings below (`text_config`) that speak of what changed: which of several networks they mean is not known. */
	readonly below: readonly string[];
	/** Loaders that the result does not fit, and why. */
	readonly unfit: readonly { readonly loader: string; readonly why: string }[];
};

/** Outputs whose rows have another width now. */
export function widthsChanged(
	before: Structure,
	after: Structure,
): { readonly name: string; readonly from: number; readonly to: number }[] {
	return Object.entries(before.outputs).flatMap(([name, from]) => {
		const to = after.outputs[name];
		return to === undefined || to === from ? [] : [{ name, from, to }];
	});
}

const alike = (values: readonly number[]): number | undefined =>
	values.length > 0 && values.every((value) => value === values[0]) ? values[0] : undefined;

/** The settings of the model, or of one network of it, after; numbers that were not the model's before stay as they are. */
export function changedConfig(
	settings: Settings,
	before: Structure,
	after: Structure,
	positions: number | undefined,
	network: Network = 'model',
): Changed {
	const draft = new Draft(settings);
	const own = keysOf(network, settings);
	const layers = before.caches > 0 ? [after.caches] : after.layers;
	draft.set(own.layers, before.caches > 0 ? [before.caches] : before.layers, layers);
	if (own === keys) setHeads(draft, before, after);
	else draft.set(own.heads, before.heads, after.heads);
	draft.set(own.ffn, before.ffn, after.ffn);
	draft.set(own.hidden, before.hidden, after.hidden);
	const most = positionKeys.map((key) => settings[key]).find((value) => typeof value === 'number');
	if (positions !== undefined && typeof most === 'number') {
		// Families that count from behind the padding token say how many rows there are, which is more (RoBERTa: 514 for 512).
		const more = Math.max(0, most - (before.positions ?? most));
		draft.set(positionKeys, [most], [positions + (more <= mostOffset ? more : 0)]);
	}
	return {
		...draft.done(),
		below: keysBelow(settings, before, after),
		unfit: unfitLoaders(settings, before, after),
	};
}

function keysBelow(settings: Settings, before: Structure, after: Structure): string[] {
	const changed = countedKinds.filter((kind) => before[kind].join() !== after[kind].join());
	return Object.entries(settings).flatMap(([name, inner]) =>
		typeof inner !== 'object' || inner === null
			? []
			: changed.flatMap((kind) =>
					keys[kind].flatMap((key) => (isNumber((inner as Settings)[key]) ? [`${name}.${key}`] : [])),
				),
	);
}

/** A decoder without an encoder speaks of itself as models do. */
function keysOf(network: Network, settings: Settings): typeof keys {
	if (network === 'model') return keys;
	const { layers, heads, ffn } = partKeys[network];
	return [...layers, ...heads, ...ffn].some((key) => settings[key] !== undefined) ? partKeys[network] : keys;
}

/** Heads that can go one by one are query heads, or keys with all the queries that they serve. */
function setHeads(draft: Draft, before: Structure, after: Structure): void {
	const { settings } = draft;
	const [queries, keyed] = [
		keys.heads.map((key) => settings[key]).find(isNumber),
		settings['num_key_value_heads'],
	];
	const grouped = isNumber(keyed) && isNumber(queries) && keyed !== queries && alike(before.heads) === keyed;
	const each = grouped && isNumber(queries) && isNumber(keyed) ? queries / keyed : 1;
	const scaled = (heads: readonly number[]): number[] => heads.map((count) => count * each);
	draft.set(keys.heads, scaled(before.heads), scaled(after.heads));
	if (grouped || keyed === queries) draft.set(['num_key_value_heads'], before.heads, after.heads);
}

const isNumber = (value: unknown): value is number => typeof value === 'number';

class Draft {
	readonly settings: Settings;
	/** The settings, and numbers that they imply. */
	private readonly meant: Settings;
	private readonly changed = new Map<string, number>();
	private readonly changes: Change[] = [];
	private readonly uneven: { readonly key: string; readonly each: readonly number[] }[] = [];

	constructor(settings: Settings) {
		this.settings = settings;
		// https://huggingface.co/docs/transformers/model_doc/gpt2: four times the width.
		const { n_embd: width, n_inner: inner } = settings;
		this.meant = inner === null && isNumber(width) ? { ...settings, n_inner: 4 * width } : settings;
	}

	/** Sets the key of the model's family where it said what the model had. */
	set(names: readonly string[], before: readonly number[], after: readonly number[]): void {
		const [from, to] = [alike(before), alike(after)];
		const same = before.length === after.length && before.every((value, at) => value === after[at]);
		const key = names.find((name) => this.meant[name] === from);
		if (same || key === undefined || from === undefined || after.length === 0) return;
		if (to === undefined) this.uneven.push({ key, each: after });
		else if (to !== from) {
			this.changed.set(key, to);
			this.changes.push({ key, from, to });
		}
	}

	done(): Omit<Changed, 'unfit' | 'below'> {
		const settings = { ...this.settings, ...Object.fromEntries(this.changed) };
		return { settings, changes: this.changes, uneven: this.uneven };
	}
}

/**
 * What reads the shapes of caches from the configuration: Optimum makes them of `hidden_size / num_attention_heads` and one number of
 * heads for all layers. Transformers.js (4 and later) takes them from the model's own inputs.
 */
function unfitLoaders(settings: Settings, before: Structure, after: Structure): Changed['unfit'] {
	if (after.caches === 0) return [];
	const headsChanged = alike(before.heads) !== alike(after.heads);
	const why = (text: string): Changed['unfit'] => [{ loader: 'optimum', why: text }];
	if (alike(after.heads) === undefined)
		return why('it makes caches of one number of heads for all layers, and layers have different ones');
	return headsChanged && !['head_dim', 'd_kv'].some((key) => isNumber(settings[key]))
		? why(
				'it makes caches as wide as hidden_size / num_attention_heads, which is no longer the width of a head',
			)
		: [];
}
