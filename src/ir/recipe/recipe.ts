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
	| { readonly kind: 'energy'; readonly share: number };

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

export type Step = {
	/** The statement in canonical form. */
	readonly text: string;
	/** `prune-heads`: the technique's name in the table. */
	readonly technique: string;
	readonly verb: string;
	readonly target: string;
	/** `layers … only attention` removes that half. */
	readonly only?: 'attention' | 'ffn';
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
	readonly span: Span;
	/** Spans of the clauses that messages point at. */
	readonly spans: { readonly amount?: Span; readonly where?: Span; readonly by?: Span; readonly in?: Span };
	/** From 1. */
	readonly line: number;
};

/** What an expectation measures; `outputs`, for `outputs unchanged`, is the relative L2 difference. */
export type Subject = 'cosine' | 'kl' | 'top1 agreement' | 'params' | 'size' | 'macs' | 'latency' | 'outputs';

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
	readonly seed?: number;
	readonly span: Span;
};

export type Recipe = {
	readonly schema: 'prunec/recipe@1';
	readonly name?: string;
	readonly version?: string;
	readonly description?: string;
	/** Values after `-p`, in the order declared. */
	readonly params: Readonly<Record<string, number>>;
	/** Sizes for dynamic dimensions, `input input_ids 1x128`. */
	readonly inputs: readonly {
		readonly name: string;
		readonly dims: readonly number[];
		readonly span: Span;
	}[];
	readonly calibrate?: Calibration;
	/** Globs over node and weight names that no statement touches. */
	readonly protect: readonly string[];
	readonly steps: readonly Step[];
	readonly expectations: readonly Expectation[];
};
