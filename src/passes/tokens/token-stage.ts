/** A decision about tokens: where they leave and what chooses them, by value names of the graph before the step. */
import { type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { FLOAT, INT64 } from '../../ir/graph/dtype.ts';
import { tensorOf } from '../../ir/graph/tensor.ts';

export const scoringMetrics = ['attention', 'cls', 'value', 'norm', 'similarity', 'random'] as const;
export const mergingMetrics = ['keys', 'states'] as const;
export type TokenMetric = (typeof scoringMetrics | typeof mergingMetrics)[number];

export const merges = (metric: TokenMetric): boolean => mergingMetrics.some((one) => one === metric);

export type TokenAmount =
	/** A share in millionths, of what stands or of the length of the input; a count; all but a count. */
	| { readonly kind: 'share' | 'scheduled' | 'keep' | 'remove'; readonly number: number }
	/** Those whose score is not below the number. */
	| { readonly kind: 'threshold'; readonly number: number };

export type TokenStage = {
	/** [batch, tokens, features]: what the layer ends with. */
	readonly value: ValueName;
	/** Of the same sizes: where tokens that left come back, as they were when they left. Absent where nothing needs them. */
	readonly end?: ValueName;
	/** [batch, heads, queries, keys], after its softmax; absent where the metric does not read it. */
	readonly attention?: Attended;
	/** The graph input [batch, tokens] that is zero where a position is padding. */
	readonly mask?: ValueName;
	/** What always stays beside position 0. */
	readonly stay?: {
		/** So many positions at the front: a prompt. */
		readonly front?: number;
		/** Ids, and the graph input [batch, tokens] that holds them. */
		readonly named?: { readonly ids: ValueName; readonly tokens: readonly number[] };
	};
	/**
	 * What becomes of tokens that leave: nothing, a part of the token that they are most like, or a part of one token for all of them,
	 * weighed by their scores.
	 */
	readonly join?: 'alike' | 'fused';
	/** How many tokens each is made of already, [batch, tokens] float32; absent: of one. */
	readonly sizes?: { readonly value: ValueName; readonly picks: readonly ValueName[] };
	/** Positions that earlier steps chose, [batch, kept] each: inputs are as long as the sequence was at first. */
	readonly picks: readonly ValueName[];
	/** A value whose axis 1 is as long as the inputs. */
	readonly whole: ValueName;
	readonly metric: TokenMetric;
	readonly amount: TokenAmount;
	readonly seed: number;
};

/** The probabilities of an attention and the values they weigh. */
export type Attended = {
	/** [batch, heads, queries, keys], or [batch·heads, queries, keys] with the heads of a row side by side. */
	readonly probabilities: ValueName;
	/** [batch, heads, keys, width], or the same with three axes. */
	readonly values: ValueName;
	/** [batch, heads, width, keys], as the product with the queries reads it; absent where another operator makes the scores. */
	readonly keys?: ValueName;
	readonly heads: number;
};

/** Name under which the number of the rewrite can be set later. */
export const amountName = 'tokens_amount';

/** Beginning of the name of the positions that stay, where no operator of the model's opset sorts them. */
export const positionsName = 'tokens_positions';

/** Beginning of the name of the value that says how many tokens each is made of: a later merge finds it. */
export const sizesName = 'tokens_sizes';

/** The amount's number as the graph stores it: a vector of one whole number, or a threshold. */
export function amountTensor(name: ValueName, { kind, number }: TokenAmount): Tensor {
	return kind === 'threshold' ? tensorOf(name, FLOAT, [1], [number]) : tensorOf(name, INT64, [1], [number]);
}

/** The amount at which every token stays. */
export function everything({ kind }: TokenAmount): TokenAmount {
	switch (kind) {
		case 'threshold':
			return { kind, number: -Infinity };
		case 'share':
		case 'scheduled':
			return { kind, number: 1e6 };
		case 'keep':
			return { kind, number: 2 ** 31 };
		case 'remove':
			return { kind, number: 0 };
	}
}
