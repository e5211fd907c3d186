/** What a metric is: something seen of each example, and a value of all that was seen. Pure: runs and files are elsewhere. */

/** A tensor as numbers, row-major. */
export type Output = {
	readonly type: number;
	readonly dims: readonly number[];
	readonly data: ArrayLike<number>;
};
export type Outputs = ReadonlyMap<string, Output>;

/** What a metric may look at for one example. */
export type Seen = {
	readonly outputs: Outputs;
	/** The outputs of the first model, which the others are compared with. */
	readonly original: Outputs;
	/** The number of a class, a class for each position, or a text. */
	readonly label?: number | string | readonly number[];
	/** `[batch, positions]`, 0 where there is padding. */
	readonly mask?: Output;
	/** The token ids that were fed, `[batch, positions]`. */
	readonly ids?: Output;
	/** The letters of a text recognizer by class, from class 1 on; class 0 is the blank. */
	readonly letters?: readonly string[];
	/** How the vectors of positions become one. */
	readonly pooling?: 'mean' | 'cls';
};

/** What a metric keeps of one example. */
export type Observation = readonly number[];

export type Metric = {
	readonly name: string;
	/** In words, for `list` and the documents. */
	readonly summary: string;
	/** Which way is better; a `share` goes from 0 to 1. */
	readonly better: 'higher' | 'lower';
	readonly isShare: boolean;
	/** Undefined when the example or the outputs are not of the kind that the metric is for. */
	readonly observe: (seen: Seen) => Observation | undefined;
	/** For metrics of a set as a whole: what is kept of each example once all have been seen. */
	readonly across?: (all: readonly Observation[]) => Observation[];
	readonly value: (all: readonly Observation[]) => number;
};

/** 95 %. */
export type Interval = readonly [low: number, high: number];

/** Models side by side by one metric. */
export type Quality = {
	readonly metric: string;
	readonly better: 'higher' | 'lower';
	readonly isShare: boolean;
	/** In the order of the models. */
	readonly models: readonly {
		readonly name: string;
		readonly value: number;
		readonly interval: Interval;
		/** Against the first model, on the same examples. */
		readonly change?: { readonly value: number; readonly interval: Interval };
	}[];
};

/** Sums of `[part, whole]` pairs as a share. */
export function ratio(all: readonly Observation[]): number {
	let [part, whole] = [0, 0];
	for (const [own = 0, of = 0] of all) {
		part += own;
		whole += of;
	}
	return part / whole;
}
