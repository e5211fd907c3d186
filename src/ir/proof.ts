/** What a proof and a drift measurement say. */
import { type Model, type ValueName } from './graph/graph.ts';

/** Kept positions of graph inputs and outputs whose shape changed, by name and axis; negative ones count from the end. */
export type Kept = ReadonlyMap<ValueName, ReadonlyMap<number, Int32Array>>;

/**
 * One thing that the proof shows: the rewritten model equals a plain graph that means the same.
 * A technique states as many as it takes (an early exit: with thresholds out of reach, and with thresholds always met).
 */
export type Claim = {
	/** What the plain graph is, in a few words: `zeros where the units are read`. */
	readonly says: string;
	readonly reference: Model;
	/**
	 * Plain graphs that mean something slightly different (one more unit gone): tried in turn until one differs visibly from
	 * the reference. When none does, a mistake would not show either, and the proof is weak.
	 */
	readonly controls: readonly (() => Model)[];
	/**
	 * Controls are the rewritten model with spoiled constants: one that does not run any more, gives other shapes or no numbers at all (a
	 * size was among them) shows as well, since nothing else tells it from a model that runs.
	 */
	readonly isSpoiled?: true;
	/** The rewritten model as this claim runs it (other thresholds); by default as it is. */
	readonly rewritten?: (after: Model) => Model;
};

/**
 * Numbers that stand on both sides of the equality, as factors do, are checked apart: what was measured on them must be
 * what theory says of the best ones.
 */
export type Certificate = {
	/** The matrix, by its node's name. */
	readonly of: string;
	/** `singular values` or `output variance`. */
	readonly says: string;
	readonly expected: number;
	readonly measured: number;
	/** How far they may be apart, by the rounding of what was stored and of the sums. */
	readonly tolerance: number;
};

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
	/** What it was compared with. */
	readonly reference: string;
	/**
	 * Whose weights it ran with: seeded ones in single precision where the model's own would not show a mistake (all equal, tiny, or
	 * as coarse as half precision); its own in single precision where the step is about their values.
	 */
	readonly weights: 'own' | 'seeded' | 'widened';
	readonly ok: boolean;
	readonly samples: number;
	readonly maxAbs: number;
	readonly maxRel: number;
	readonly tolerance: number;
	readonly effect: number;
	readonly control: number;
	/** A spoiled constant kept the control from running, or from putting out numbers of the same shapes. */
	readonly stops?: true;
	/** The negative control did not move any output by 100 tolerances, and did not stop either. */
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
	/** The same by output: cosines' mean and relative L2. */
	readonly outputs: readonly {
		readonly name: string;
		readonly cosine: number;
		readonly relativeL2: number;
	}[];
};

/** Of two models, medians over runs in turns; `ratio` is after over before. */
export type Latency = {
	readonly beforeMs: number;
	readonly afterMs: number;
	/** Fastest and slowest run. */
	readonly beforeRangeMs: readonly [number, number];
	readonly afterRangeMs: readonly [number, number];
	readonly ratio: number;
	readonly threads: number;
	readonly runs: number;
};
