/**
 * A checked recipe: words resolved, numbers in range, defaults filled in, no spelling left but spans.
 * It is plain JSON, validated against `grammar/recipe.schema.json`.
 */
import { type Span } from '../../diagnostic.ts';

/** An end of a range: an index from 0 (negative ones count from the end), or a share of what there is, 0 to 100. */
export type Bound = { readonly index: number } | { readonly percent: number };

/** Positions from `from` up to but without `to` (with it when `inclusive`); absent ends are the first and the last. */
export type Range = {
	readonly from?: Bound;
	readonly to?: Bound;
	readonly inclusive?: boolean;
	/** At least 1. */
	readonly step?: number;
};

/** How many units go, or which. At most one source of amount in a statement. */
export type Amount =
	/** A share of the units, 0 to 1, nearest whole number, halves up. */
	| { readonly kind: 'remove-share'; readonly share: number }
	| { readonly kind: 'remove-count'; readonly count: number }
	| { readonly kind: 'keep-share'; readonly share: number }
	| { readonly kind: 'keep-count'; readonly count: number }
	/** Exactly these: `[0, 5]`, `10..12`. */
	| { readonly kind: 'set'; readonly ranges: readonly Range[] }
	/** `rank 64`: of the factors. */
	| { readonly kind: 'rank'; readonly rank: number }
	/** `energy 95%`: the smallest rank that keeps this share of the squared singular values, 0 to 1. */
	| { readonly kind: 'energy'; readonly share: number }
	/** `ratio 50%`: of the parameters of each matrix stay, 0 to 1. */
	| { readonly kind: 'ratio'; readonly share: number }
	/** `auto`: whatever is measured to pay. */
	| { readonly kind: 'auto' }
	/** `keep [0, 3, 7]`: exactly these stay. */
	| { readonly kind: 'keep-set'; readonly ranges: readonly Range[] }
	/** `keep [100%, 70%, 50%]`: shares that stay, 0 to 1, one for each position of `after`. */
	| { readonly kind: 'schedule'; readonly shares: readonly number[] }
	/** `keep "tokens.txt"`: what the file lists. */
	| { readonly kind: 'keep-file'; readonly path: string }
	/** `keep seen 2 times in "corpus.txt"`. */
	| { readonly kind: 'keep-seen'; readonly times: number; readonly path: string }
	/** `keep last`: one of the technique's words. */
	| { readonly kind: 'keep-word'; readonly word: string }
	/** `2:4`: `keep` of every `of` neighbours stay. */
	| { readonly kind: 'pattern'; readonly keep: number; readonly of: number };

export type Comparison = '<' | '<=' | '>' | '>=' | '==' | '!=';
export type Arithmetic = '+' | '-' | '*' | '/';

/** A condition over the fields of a unit: `importance < 0.1 and layer >= 6`. */
export type Predicate =
	| { readonly kind: 'and' | 'or'; readonly left: Predicate; readonly right: Predicate }
	| { readonly kind: 'not'; readonly operand: Predicate }
	| { readonly kind: 'compare'; readonly op: Comparison; readonly left: Term; readonly right: Term }
	/** `name matches "…"`, a glob. */
	| { readonly kind: 'matches'; readonly glob: string };

export type Term =
	| { readonly kind: 'number'; readonly value: number }
	/** `importance`, `layer`, `index`, `size`, `params`, `macs`, or a metric in raw units. */
	| { readonly kind: 'field'; readonly name: string }
	| { readonly kind: 'arithmetic'; readonly op: Arithmetic; readonly left: Term; readonly right: Term }
	| { readonly kind: 'negate'; readonly operand: Term };

/** Where a statement looks: `in layers 6..12`, `in encoder layers ..4`, `in cross attention`, `in "glob"`; several are a union. */
export type Place =
	| {
			readonly kind: 'layers';
			readonly stack?: 'encoder' | 'decoder';
			readonly ranges: readonly Range[];
			readonly span: Span;
	  }
	| { readonly kind: 'stack'; readonly stack: 'encoder' | 'decoder'; readonly span: Span }
	| { readonly kind: 'cross-attention'; readonly span: Span }
	| { readonly kind: 'glob'; readonly glob: string; readonly span: Span };

/** Clauses by the word they begin with; `amount` for whatever says how much. */
export type ClauseName = (typeof clauseNames)[number];
export const clauseNames = [
	...([
		'amount',
		'by',
		'globally',
		'where',
		'only',
		'at',
		'in',
		'except',
		'across',
		'after',
		'when',
	] as const),
	...(['fit', 'until', 'while', 'with', 'without', 'align', 'min', 'may'] as const),
] as const;

/** Where `after` stands: behind layers, or behind the last attention. */
export type Point =
	Extract<Place, { kind: 'layers' }> | { readonly kind: 'last-attention'; readonly span: Span };

export type Step = {
	/** The statement in canonical form. */
	readonly text: string;
	/** `prune-heads`: the technique's name in the table. */
	readonly technique: string;
	readonly verb: string;
	/** Absent for verbs that stand alone, as `exit` and bare `share`. */
	readonly target?: string;
	/** `layers … only attention` removes that half; one of the technique's words. */
	readonly only?: string;
	/** `softmax at output`, `norms with static`: one of the technique's words each. */
	readonly at?: string;
	readonly with?: string;
	/** `without compensation`: the technique's words. */
	readonly without: readonly string[];
	readonly amount?: Amount;
	/** A metric's name; absent means the default of the technique. */
	readonly by?: string;
	readonly globally: boolean;
	/** Kept counts go to multiples of this; absent means the defaults of the language, 1 turns it off. */
	readonly align?: number;
	/** Units that must stay in each group; 0 allows the structure itself to go. */
	readonly min: number;
	readonly where?: Predicate;
	readonly in: readonly Place[];
	readonly except: readonly Place[];
	/** `share ffn across layers 6..12`: what becomes one. */
	readonly across: readonly Place[];
	/** `after layer 3`: layer 3 is complete. */
	readonly after: readonly Point[];
	/** `when confidence > 0.9`: a condition over the technique's signals. */
	readonly when?: Predicate;
	/** `fit from "train.jsonl" take 512`. */
	readonly fit?: { readonly path: string; readonly take?: number };
	/** `until latency <= 60%`: costs to reach, all of them. */
	readonly until: readonly Goal[];
	/** `while cosine >= 0.98`: quality to keep, all of it. */
	readonly while: readonly Goal[];
	/** `may change "logits"`: names of inputs and outputs whose meaning this step may change, the recipe's own included. */
	readonly mayChange: readonly string[];
	readonly span: Span;
	/** Spans of the clauses that messages point at. */
	readonly spans: Readonly<Partial<Record<ClauseName, Span>>>;
	/** From 1. */
	readonly line: number;
};

/** What an expectation measures; `outputs`, for `outputs unchanged`, is the relative L2 difference. */
export type Subject = Quality | Cost | 'outputs';
export type Quality = 'cosine' | 'kl' | 'top1 agreement' | 'accuracy' | 'accuracy drop';
export type Cost = 'params' | 'size' | 'macs' | 'latency';

/** What a statement works towards, or must not lose: `latency <= 60%`. */
export type Goal = Omit<Expectation, 'text'>;

export type Expectation = {
	readonly text: string;
	/** One of `Subject`. */
	readonly subject: string;
	readonly op: Comparison;
	readonly value: number;
	/** What `value` counts: a share of the original, bytes, units, milliseconds, or a plain number. */
	readonly unit: 'share' | 'bytes' | 'count' | 'ms' | 'plain';
	readonly span: Span;
};

export type Calibration = {
	readonly path: string;
	readonly take?: number;
	/** Tokens of each text. */
	readonly tokens?: number;
	readonly seed?: number;
	readonly span: Span;
};

/** Labelled data that results are judged on: `evaluate with "dev.jsonl" metric accuracy`. */
export type Evaluation = {
	readonly path: string;
	readonly metric?: string;
	readonly take?: number;
	readonly tokens?: number;
	readonly seed?: number;
	readonly span: Span;
};

/** What a model must be for the recipe to apply: `transformer with layers >= 6`, `opset >= 13`. */
export type Requirement = {
	readonly text: string;
	readonly family?: Family;
	readonly conditions: readonly {
		readonly property: Property;
		readonly op: Comparison;
		readonly value: number;
	}[];
	readonly span: Span;
};
export type Family = 'transformer' | 'convolutional' | 'recurrent';
/** `heads` is the largest number in any layer. */
export type Property = 'opset' | 'layers' | 'heads' | 'params';

export type Recipe = {
	readonly schema: 'prunec/recipe@1';
	readonly name?: string;
	readonly version?: string;
	readonly description?: string;
	/** Values after `-p`, in the order declared: numbers in their base unit, other values as they are written. */
	readonly params: Readonly<Record<string, number | string>>;
	/** Sizes for dynamic dimensions, `input input_ids 1x128`. */
	readonly inputs: readonly {
		readonly name: string;
		readonly dims: readonly number[];
		readonly span: Span;
	}[];
	readonly calibrate?: Calibration;
	readonly evaluate?: Evaluation;
	readonly require: readonly Requirement[];
	/** Globs over node and weight names that no statement touches. */
	readonly protect: readonly string[];
	/** Names of inputs and outputs whose shape or meaning the whole recipe may change. */
	readonly mayChange: readonly string[];
	readonly steps: readonly Step[];
	readonly expectations: readonly Expectation[];
};
