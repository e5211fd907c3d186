/** The part of a graph that scores tokens and says how many stay: the rewrite and its reference both begin with it. */
import { BOOL, FLOAT, INT64 } from '../ir/graph/dtype.ts';
import { type ValueName } from '../ir/graph/graph.ts';
import { type Drawing } from './draw.ts';

export type TokenMetric = 'attention' | 'cls' | 'norm' | 'random';

/** How many stay: a share in millionths, a count, or all but a count. */
export type TokenAmount = { readonly kind: 'share' | 'keep' | 'remove'; readonly number: number };

/** Where tokens leave and what chooses them, by value names of the graph before the step. */
export type TokenStage = {
	/** [batch, tokens, features]: what the layer ends with. */
	readonly value: ValueName;
	/** Of the same sizes: where tokens that left come back, as they were when they left. Absent where nothing needs them. */
	readonly end?: ValueName;
	/** [batch, heads, queries, keys], after its softmax; absent where the metric does not read it. */
	readonly attention?: ValueName;
	/** [batch, tokens], zero where a position is padding. */
	readonly mask?: ValueName;
	readonly metric: TokenMetric;
	readonly amount: TokenAmount;
	readonly seed: number;
};

/** Names under which the numbers of the rewrite can be set later. */
export const amountName = 'tokens_amount';
/** What makes every token stay. */
export const everything: Readonly<Record<TokenAmount['kind'], number>> = {
	share: 1e6,
	keep: 2 ** 31,
	remove: 0,
};

export type Scored = {
	/** [batch, tokens] float32: highest first to stay; +inf at position 0, -inf at padding. */
	readonly scores: ValueName;
	/** Vectors of one int64: how many there are, and how many stay. */
	readonly length: ValueName;
	readonly kept: ValueName;
	/** The amount's number, a constant. */
	readonly amount: ValueName;
};

export function drawScores(draw: Drawing, stage: TokenStage): Scored {
	const length = draw.size(stage.value, 1);
	const amount = draw.ints([stage.amount.number], amountName);
	const padded = maskPadding(draw, rawScores(draw, stage, length), stage.mask);
	const first = draw.op('Equal', [draw.range(length), draw.scalar(0, INT64)]);
	const scores = draw.op('Where', [first, draw.scalar(Infinity), padded]);
	return { scores, length, amount, kept: drawKept(draw, stage.amount.kind, length, amount) };
}

/** ⌈share · length⌉ in whole numbers, min(count, length), or max(1, length − count). */
function drawKept(draw: Drawing, kind: TokenAmount['kind'], length: ValueName, amount: ValueName): ValueName {
	if (kind === 'keep') return draw.op('Min', [length, amount]);
	if (kind === 'remove') return draw.op('Max', [draw.op('Sub', [length, amount]), draw.ints([1])]);
	const rounded = draw.op('Add', [draw.op('Mul', [length, amount]), draw.ints([1e6 - 1])]);
	return draw.op('Div', [rounded, draw.ints([1e6])]);
}

function rawScores(draw: Drawing, stage: TokenStage, length: ValueName): ValueName {
	const { value, attention = '', mask, metric } = stage;
	if (metric === 'random') return randomScores(draw, stage, length);
	if (metric === 'norm') return draw.reduce('ReduceL2', draw.cast(value, FLOAT), [2]);
	const byQuery = draw.reduce('ReduceMean', draw.cast(attention, FLOAT), [1]);
	if (metric === 'cls') return draw.op('Gather', [byQuery, draw.scalar(0, INT64)], { axis: 1 });
	if (mask === undefined) return draw.reduce('ReduceMean', byQuery, [1]);
	const queries = draw.reshape(draw.cast(draw.cast(mask, BOOL), FLOAT), [0, 1, -1]);
	return draw.reshape(draw.op('MatMul', [queries, byQuery]), [0, -1]);
}

/** A fixed order of positions that looks like none: the fractions of 43758.5453 · sin(12.9898 · position + seed). */
function randomScores(draw: Drawing, { value, seed }: TokenStage, length: ValueName): ValueName {
	const positions = draw.cast(draw.range(length), FLOAT);
	const angles = draw.op('Add', [
		draw.op('Mul', [positions, draw.scalar(12.9898)]),
		draw.scalar(1 + (seed % 1000)),
	]);
	const large = draw.op('Mul', [draw.op('Sin', [angles]), draw.scalar(43758.5453)]);
	const fraction = draw.op('Sub', [large, draw.op('Floor', [large])]);
	const sizes = draw.op('Concat', [draw.size(value, 0), length], { axis: 0 });
	return draw.op('Expand', [fraction, sizes]);
}

function maskPadding(draw: Drawing, scores: ValueName, mask: ValueName | undefined): ValueName {
	if (mask === undefined) return scores;
	return draw.op('Where', [draw.cast(mask, BOOL), scores, draw.scalar(-Infinity)]);
}
