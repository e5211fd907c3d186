/** Numbers that passes need from runs of the model: handed in by the pipeline, so that passes stay pure. */
import { type Model, type ValueName } from './graph/graph.ts';
import { type Part } from './graph/part.ts';
import { type Matrix, type Products } from './matrix.ts';
import { type Drift } from './proof.ts';

/** Sums over every position of a value, by coordinate of one axis. */
export type Moments = { readonly count: number; readonly sum: Float64Array; readonly squares: Float64Array };

/** A value seen as rows: every position of its other axes is a row of `size` features along `axis`. */
export type RowsOf = {
	readonly value: ValueName;
	readonly rank: number;
	readonly axis: number;
	readonly size: number;
	/** Positions of the features along the axis, `size` of them; absent: all that there are. */
	readonly only?: readonly number[];
};

export type GramRequest = RowsOf & {
	/** Another value with the same rows, for the cross products. */
	readonly against?: RowsOf;
};

/** Sums over rows x, and y of the other value: all that a least-squares fit needs. */
export type Gram = {
	readonly count: number;
	/** Σ x, of `size` numbers. */
	readonly sum: Float64Array;
	/** Σ xᵀx, size × size. */
	readonly gram: Matrix;
	readonly against?: {
		/** Σ xᵀy, size × the other's size. */
		readonly cross: Matrix;
		/** Σ y and Σ y², by feature. */
		readonly sum: Float64Array;
		readonly squares: Float64Array;
	};
};

/** The rows of most samples, and of every fifth: what was fitted on the first is judged on the second. */
export type SplitGram = { readonly fit: Gram; readonly heldOut: Gram };

/**
 * Statistics of one model after another, each of which changes the one before only behind what was measured there: what is known
 * is not run again.
 */
export type Walk = { grams(model: Model, requests: readonly GramRequest[]): Promise<SplitGram[]> };

/** What is fed to an input: numbers, row-major. */
export type Fed = {
	readonly type: number;
	readonly dims: readonly number[];
	readonly data: ArrayLike<number>;
};
export type Setting = ReadonlyMap<ValueName, Fed>;

/** Settings of inputs that the examples do not feed. */
export type Experiment = {
	/** Outputs that count. */
	readonly outputs: readonly ValueName[];
	/** All such inputs, as they change nothing. */
	readonly neutral: Setting;
	/** What is different, turn by turn. */
	readonly settings: readonly Setting[];
};

export type Likeness = { readonly cosine: number; readonly angle: number };

export type Average = { readonly dims: readonly number[]; readonly mean: Float64Array };

export type Rows = {
	/** Of each value, a row for each row of each example. */
	readonly values: readonly Matrix[];
	/** Row by row: the number that is given as right for it, and whether it is of every fifth example, held out. */
	readonly labels: readonly (number | undefined)[];
	readonly heldOut: readonly boolean[];
};

export type Lab = {
	/** Where products of large matrices are made. */
	readonly products: Products;
	/** Where the inputs come from, in words. */
	readonly inputs: string;
	/** Whether they are the user's own data. */
	readonly calibrated: boolean;
	moments(
		model: Model,
		requests: readonly { readonly value: ValueName; readonly axis: number }[],
	): Promise<Moments[]>;
	/** How often the numbers of each coordinate fall into each bin between its least and its largest, [size, bins]. */
	histograms(
		model: Model,
		requests: readonly { readonly value: ValueName; readonly axis: number }[],
		bins: number,
	): Promise<Matrix[]>;
	/**
	 * Squared change of the outputs over their squared size, their mean, at each setting, on the first examples. One session
	 * serves all settings.
	 */
	readonly changes: (model: Model, experiment: Experiment) => Promise<Float64Array>;
	/**
	 * Gram matrices, of single-precision products of a thousand rows at a time about a mean, added up in double precision: off by about
	 * 1e-7 of √(σᵢᵢ·σⱼⱼ), σ the sums about the mean. All requests share one run over the inputs as far as memory allows. Rows that an example's mask marks as padding do not count.
	 */
	grams(
		model: Model,
		requests: readonly GramRequest[],
		/** Values that a walk from this model may ask for: kept until the next are, as far as memory allows. */
		keep?: readonly ValueName[],
	): Promise<SplitGram[]>;
	/** Values of [batch, …, features] on all examples, or on those that `grams` holds out: row under row. */
	rows(model: Model, values: readonly ValueName[], which: 'all' | 'held out'): Promise<Rows>;
	/** Two labs, each over every second example: what is fitted in the one is judged by the other, which had no part in it. */
	halves(): readonly [Lab, Lab];
	/** The same statistics for a row of models, without bodies, that change further and further behind a first one. */
	walk(from: Model): Walk;
	/** Milliseconds of small graphs on this machine, undefined for one that does not run by itself. */
	timeParts(parts: readonly Part[]): Promise<readonly (number | undefined)[]>;
	/** Two models in turns on typical inputs: milliseconds of the first where nothing disturbs it, and the second's ratio to it. */
	compareTimes(original: Model, changed: Model): Promise<{ readonly ms: number; readonly ratio: number }>;
	/** How far the outputs of a changed model are from the original's, on all inputs. */
	drift(original: Model, changed: Model): Promise<Drift>;
	/** Of two values along the last axis: mean cosine, and mean over examples of the angle at the last position that counts, over π. */
	similarity(model: Model, pairs: readonly (readonly [ValueName, ValueName])[]): Promise<Likeness[]>;
	/** Values of one size on all inputs but for their first axis, which is averaged too: the sizes of the others, and the means. */
	averages(model: Model, values: readonly ValueName[]): Promise<readonly Average[]>;
};
