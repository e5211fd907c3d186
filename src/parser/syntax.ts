/** What a recipe's text says, word for word, with the place of every word. Nothing here knows what a word means. */
import { type Span } from '../diagnostic.ts';

export type Unit = '' | '%' | 'x' | 'ms' | 'kB' | 'MB' | 'GB' | 'KiB' | 'MiB' | 'GiB' | 'K' | 'M' | 'G';

/** `param` where `$name` stands in the place of the word; `text` is then what is written. */
export type Word = { readonly text: string; readonly span: Span; readonly param?: string };

/** A string's value, its escapes resolved. */
export type TextSyntax = {
	readonly value: string;
	readonly span: Span;
	/** Where `$name` stands in its place; `value` is then empty. */
	readonly param?: string;
	/** Set from outside, on the command line or by a caller. */
	readonly given?: true;
};

export type NumberSyntax =
	| {
			readonly kind: 'number';
			/** As written and signed, before the unit: 25 for `25%`. */
			readonly value: number;
			readonly unit: Unit;
			readonly text: string;
			readonly span: Span;
			/** Where the unit is none, which was told: what the number counts is not known. */
			readonly misread?: true;
	  }
	/** `$name`; `negative` where a `-` stands before it. */
	| { readonly kind: 'param'; readonly name: string; readonly negative: boolean; readonly span: Span };

export type RangeSyntax =
	/** One position: `5`, `-1`. */
	| { readonly kind: 'index'; readonly at: NumberSyntax; readonly span: Span }
	| {
			readonly kind: 'range';
			readonly from?: NumberSyntax;
			readonly to?: NumberSyntax;
			readonly inclusive: boolean;
			readonly step?: NumberSyntax;
			readonly span: Span;
	  };

/** `6..12`, or `[0, 4..6]`. */
export type Positions = {
	readonly ranges: readonly RangeSyntax[];
	readonly listed: boolean;
	readonly span: Span;
};

/** What a parameter can hold: `0.1`, `25%`, `"calib.jsonl"`, `l2`, `50%..`, `[0, 3]`. */
export type ValueSyntax =
	| NumberSyntax
	| ({ readonly kind: 'text' } & TextSyntax)
	| ({ readonly kind: 'word' } & Word)
	| ({ readonly kind: 'positions' } & Positions);

export type ComparisonSign = '<' | '<=' | '>' | '>=' | '==' | '!=';
export type InfixSign = 'and' | 'or' | 'matches' | ComparisonSign | '+' | '-' | '*' | '/';

export type Expression =
	| { readonly kind: 'number'; readonly number: NumberSyntax; readonly span: Span }
	| { readonly kind: 'field'; readonly name: string; readonly span: Span }
	| ({ readonly kind: 'text' } & TextSyntax)
	| { readonly kind: 'prefix'; readonly sign: 'not' | '-'; readonly operand: Expression; readonly span: Span }
	| {
			readonly kind: 'infix';
			readonly sign: InfixSign;
			readonly left: Expression;
			readonly right: Expression;
			readonly span: Span;
	  };

/** `layers 6..12`, `encoder layers ..4`, `cross attention`, `"glob"`. */
export type PlaceSyntax =
	| {
			readonly kind: 'words';
			readonly words: readonly Word[];
			readonly positions?: Positions;
			readonly span: Span;
	  }
	| { readonly kind: 'glob'; readonly glob: TextSyntax; readonly span: Span };

/** `<= 60%`. */
export type BoundSyntax = {
	readonly sign: ComparisonSign;
	readonly value: NumberSyntax;
	readonly span: Span;
};
/** `latency <= 60%`: words that name what is measured, and what it is compared with. */
export type MeasureSyntax = {
	readonly subject: readonly Word[];
	readonly sign: ComparisonSign;
	readonly value: NumberSyntax;
	readonly span: Span;
};

export type PlacesKind = 'in' | 'except' | 'across' | 'after';
export type WordKind = 'by' | 'only' | 'with' | 'without' | 'at' | 'keep-word';

export type Item =
	/** `25%`, `keep 8`, `lowest 3`, `rank 64`, `energy 95%`, `ratio 50%`, `align 8`, `min 0`. */
	| {
			readonly kind: 'count' | 'keep' | 'lowest' | 'rank' | 'energy' | 'ratio' | 'align' | 'min';
			readonly value: NumberSyntax;
			readonly span: Span;
	  }
	/** `[0, 5]`, `10..12`; and `keep [0, 3, 7]`, `keep [100%, 70%, 50%]`. */
	| { readonly kind: 'set' | 'keep-list'; readonly positions: Positions; readonly span: Span }
	/** `keep "tokens.txt"`. */
	| { readonly kind: 'keep-file'; readonly path: TextSyntax; readonly span: Span }
	/** `keep seen 2 times in "corpus.txt"`. */
	| {
			readonly kind: 'keep-seen';
			readonly times: NumberSyntax;
			readonly path: TextSyntax;
			readonly span: Span;
	  }
	/** `2:4`: two of every four stay. */
	| { readonly kind: 'pattern'; readonly keep: number; readonly of: number; readonly span: Span }
	| { readonly kind: PlacesKind; readonly places: readonly PlaceSyntax[]; readonly span: Span }
	| { readonly kind: 'where' | 'when'; readonly condition: Expression; readonly span: Span }
	/** `by l2`, `only ffn`, `with mean`, `without compensation`, `at output`, `keep last`. */
	| { readonly kind: WordKind; readonly word: Word; readonly span: Span }
	| { readonly kind: 'globally' | 'auto'; readonly span: Span }
	/** `fit from "train.jsonl" take 512`. */
	| { readonly kind: 'fit'; readonly path: TextSyntax; readonly take?: NumberSyntax; readonly span: Span }
	/** `until latency <= 60% and params <= 50%`. */
	| {
			readonly kind: 'until' | 'while';
			readonly measures: readonly MeasureSyntax[];
			readonly span: Span;
	  }
	/** `may change "logits"`. */
	| { readonly kind: 'may'; readonly names: readonly TextSyntax[]; readonly span: Span }
	/** A word that begins no clause, and what stands behind it up to the next clause. */
	| { readonly kind: 'stray'; readonly word: Word; readonly span: Span };

type Common = {
	/** The `##` lines above it. */
	readonly doc?: string;
	readonly span: Span;
	/** From 1. */
	readonly line: number;
	/** Whether a part of it could not be read; that part is absent. */
	readonly broken: boolean;
};

export type RecipeStatement = Common & {
	readonly kind: 'recipe';
	readonly name: Word;
	readonly version?: Word;
	readonly description?: TextSyntax;
};
export type ParamStatement = Common & {
	readonly kind: 'param';
	readonly name: Word;
	/** Absent when it could not be read: the name is declared all the same. */
	readonly value?: ValueSyntax;
	readonly from?: NumberSyntax;
	readonly to?: NumberSyntax;
};
export type InputStatement = Common & {
	readonly kind: 'input';
	/** `quoted` when it was written as a string. */
	readonly name: TextSyntax & { readonly quoted: boolean };
	readonly dims: readonly number[];
	readonly dimsSpan: Span;
};
export type ProtectStatement = Common & { readonly kind: 'protect'; readonly globs: readonly TextSyntax[] };
/** `take 128`, `metric accuracy`. */
export type Setting = {
	readonly name: Word;
	readonly value: NumberSyntax | (Word & { readonly kind: 'word' });
	readonly span: Span;
};
export type DataStatement = Common & {
	readonly kind: 'calibrate' | 'evaluate';
	readonly path: TextSyntax;
	readonly settings: readonly Setting[];
};
/** `require opset >= 13`, `require transformer with layers >= 6`. */
export type RequireStatement = Common & {
	readonly kind: 'require';
	readonly subject: readonly Word[];
	readonly bound?: BoundSyntax;
	readonly measures: readonly MeasureSyntax[];
};
/** `may change "logits"`, for the whole recipe. */
export type MayStatement = Common & { readonly kind: 'may'; readonly names: readonly TextSyntax[] };
export type ExpectStatement = Common & {
	readonly kind: 'expect';
	readonly subject: readonly Word[];
	/** Absent for `outputs unchanged`. */
	readonly bound?: BoundSyntax;
};
/** `use "./common/free-lunch.prune"`, `use "…" as lite`. */
export type UseStatement = Common & {
	readonly kind: 'use';
	readonly source: TextSyntax;
	/** Without it the recipe is applied where it stands. */
	readonly alias?: Word;
};
/** `floor = 0.2`. */
export type Argument = { readonly name: Word; readonly value: ValueSyntax; readonly span: Span };
/** `apply lite(floor = 0.2)`. */
export type ApplyStatement = Common & {
	readonly kind: 'apply';
	readonly name: Word;
	readonly arguments: readonly Argument[];
};
/** A target of one word or several, `text` with single spaces. */
export type Phrase = Word & { readonly words: readonly Word[] };
export type TransformStatement = Common & {
	readonly kind: 'transform';
	readonly verb: Word;
	readonly targets: readonly Phrase[];
	readonly items: readonly Item[];
};

export type Statement =
	| RecipeStatement
	| ParamStatement
	| InputStatement
	| ProtectStatement
	| DataStatement
	| RequireStatement
	| MayStatement
	| ExpectStatement
	| UseStatement
	| ApplyStatement
	| TransformStatement;

/** `#` to the end of its line, `##` too; `text` holds the signs. */
export type CommentSyntax = { readonly text: string; readonly span: Span };

export type Syntax = {
	readonly text: string;
	readonly statements: readonly Statement[];
	readonly comments: readonly CommentSyntax[];
	/** Whether every statement was read without an error. */
	readonly complete: boolean;
};
