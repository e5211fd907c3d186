/** What a proof and a drift measurement say. */

export type OutputError = {
	readonly name: string;
	/** Largest difference between rewritten and reference. */
	readonly maxAbs: number;
	/** The same, over the largest magnitude of the output. */
	readonly maxRel: number;
	readonly tolerance: number;
	/** How far the reference is from the model before the step. */
	readonly effect: number;
	/** How far one more unit would have moved it. */
	readonly control: number;
};

export type Proof = {
	readonly ok: boolean;
	readonly samples: number;
	readonly maxAbs: number;
	readonly maxRel: number;
	readonly tolerance: number;
	readonly effect: number;
	readonly control: number;
	/** The negative control did not move any output by 100 tolerances. */
	readonly weak: boolean;
	readonly outputs: readonly OutputError[];
};

export type Drift = {
	/** Mean over samples of the worst output's cosine. */
	readonly cosine: number;
	readonly relativeL2: number;
	/** Signal to quantization-like noise, decibels; absent when nothing moved. */
	readonly sqnrDb?: number;
	/** Mean Kullback–Leibler divergence of the last axis, in nats. */
	readonly kl?: number;
	readonly top1Agreement?: number;
};
