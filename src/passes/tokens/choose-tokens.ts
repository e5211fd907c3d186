/** The part of a graph that says which tokens stay: the rewrite and its reference both begin with it. */
import { FLOAT, INT64 } from '../../ir/graph/dtype.ts';
import { type ValueName } from '../../ir/graph/graph.ts';
import { type Drawing } from '../draw.ts';
import { drawMatch, drawWeights, type Weights } from './join-tokens.ts';
import { rawScores, realOf, standing } from './score-tokens.ts';
import { amountName, positionsName, type TokenAmount, type TokenStage } from './token-stage.ts';

export type Scored = {
	/** [batch, tokens] float32: highest first to stay; +inf where a position always stays, -inf at padding. */
	readonly scores: ValueName;
	/** Vectors of one int64: how many there are, and how many stay. */
	readonly length: ValueName;
	readonly kept: ValueName;
	/** The amount's number, a constant. */
	readonly amount: ValueName;
	/** What a join needs. */
	readonly joining?: {
		readonly weights: Weights;
		/** [batch, tokens]: with whom each would merge; absent where all join one. */
		readonly target?: ValueName;
	};
};

export function drawScores(draw: Drawing, stage: TokenStage): Scored {
	const length = draw.size(stage.value, 1);
	const amount = draw.amount(amountName, stage.amount);
	const standing = { length, real: realOf(draw, stage) };
	const { real } = standing;
	const always = protectedOf(draw, stage, length);
	const match = stage.join === 'alike' ? drawMatch(draw, stage, standing, always) : undefined;
	const raw = match?.scores ?? rawScores(draw, stage, standing);
	const padded = real === undefined ? raw : draw.op('Where', [real, raw, draw.scalar(-Infinity)]);
	const scores = draw.op('Where', [always, draw.scalar(Infinity), padded]);
	const kept = drawKept(draw, stage, { scores, length, amount });
	const weights = stage.join === undefined ? undefined : drawWeights(draw, stage, raw, real);
	return {
		...{ scores, length, amount, kept },
		...(weights && { joining: { weights, ...(match && { target: match.target }) } }),
	};
}

/** Bool, [tokens] or [batch, tokens]: position 0 and those of a prompt, and the ids that stay. */
function protectedOf(
	draw: Drawing,
	{ stay: { front = 1, named } = {}, picks }: TokenStage,
	length: ValueName,
): ValueName {
	const first = draw.op('Less', [draw.range(length), draw.scalar(front, INT64)]);
	if (named === undefined) return first;
	const ids = draw.cast(standing(draw, named.ids, picks), INT64);
	return named.tokens.reduce(
		(found, token) => draw.op('Or', [found, draw.op('Equal', [ids, draw.scalar(token, INT64)])]),
		first,
	);
}

/**
 * ⌈share · length⌉ in whole numbers, min(count, length), length − count; with a threshold as many as the row has that loses fewest;
 * never fewer than stay in any case, and one.
 */
function drawKept(draw: Drawing, stage: TokenStage, scored: Omit<Scored, 'kept'>): ValueName {
	const { length } = scored;
	const wanted = draw.least(asked(draw, stage.amount.kind, stage, scored), length);
	return draw.most(wanted, leastKept(draw, stage, scored));
}

/** Those that stay in any case: the first; of tokens that merge also those of odd position, half of all; what is named has to be counted. */
function leastKept(
	draw: Drawing,
	{ stay, join }: TokenStage,
	{ scores, length }: Omit<Scored, 'kept'>,
): ValueName {
	if (stay !== undefined) return largestCount(draw, draw.equal(scores, draw.scalar(Infinity)));
	if (join !== 'alike') return draw.ints([1]);
	return draw.op('Add', [draw.op('Div', [length, draw.ints([2])]), draw.ints([1])]);
}

function asked(
	draw: Drawing,
	kind: TokenAmount['kind'],
	{ whole }: TokenStage,
	{ scores, length, amount }: Omit<Scored, 'kept'>,
): ValueName {
	switch (kind) {
		case 'keep':
			return amount;
		case 'remove':
			return draw.op('Sub', [length, amount]);
		case 'threshold':
			return largestCount(draw, draw.op('Not', [draw.op('Less', [scores, amount])]));
		case 'share':
		case 'scheduled': {
			const of = kind === 'share' ? length : draw.size(whole, 1);
			const rounded = draw.op('Add', [draw.op('Mul', [of, amount]), draw.ints([1e6 - 1])]);
			return draw.op('Div', [rounded, draw.ints([1e6])]);
		}
	}
}

/** Of [batch, tokens] of bool: how many are true in the row that has most, a vector of one. */
function largestCount(draw: Drawing, found: ValueName): ValueName {
	const counts = draw.reduce('ReduceSum', draw.cast(found, INT64), [1]);
	return draw.unsqueeze(draw.reduce('ReduceMax', counts, [0]), [0]);
}

/** [batch, tokens] of int64: how many tokens come before each, an equal score counting when its position comes first. */
export function drawRank(draw: Drawing, scores: ValueName, length: ValueName): ValueName {
	const [other, own] = [draw.reshape(scores, [0, -1, 1]), draw.reshape(scores, [0, 1, -1])];
	const positions = draw.range(length);
	const earlier = draw.op('Less', [draw.reshape(positions, [1, -1, 1]), draw.reshape(positions, [1, 1, -1])]);
	const first = draw.op('And', [draw.equal(other, own), earlier]);
	const before = draw.op('Or', [draw.op('Greater', [other, own]), first]);
	return draw.reduce('ReduceSum', draw.cast(before, INT64), [1]);
}

export type Chosen = {
	/** [batch, kept] of int64, ascending along the tokens. */
	readonly positions: ValueName;
	/** [batch, 1] of int64: the position of the lowest score that stays. */
	readonly lowest: () => ValueName;
};

/** The positions of the highest scores. */
export function drawChosen(draw: Drawing, { scores, length, kept }: Scored): Chosen {
	const last = (): ValueName => draw.op('Sub', [kept, draw.ints([1])]);
	if (draw.opset < 10) {
		const rank = drawRank(draw, scores, length);
		const positions = inOrder(draw, draw.op('Less', [rank, kept]), { length, kept });
		return { positions, lowest: () => positionOf(draw, rank, last(), length) };
	}
	const [, best = ''] = draw.outputs('TopK', [scores, kept], { axis: 1 }, 2);
	return {
		positions: ascending(draw, best, kept),
		lowest: () => draw.op('Gather', [best, last()], { axis: 1 }),
	};
}

/** TopK of a number that is no attribute came with opset 10: the place of number n is how many tokens have at most n up to them. */
function inOrder(
	draw: Drawing,
	stays: ValueName,
	{ length, kept }: { readonly length: ValueName; readonly kept: ValueName },
): ValueName {
	const positions = draw.range(length);
	const later = draw.op('Less', [draw.unsqueeze(positions, [1]), draw.unsqueeze(positions, [0])]);
	const counted = draw.op('And', [draw.unsqueeze(stays, [1]), draw.op('Not', [later])]);
	const until = draw.unsqueeze(draw.reduce('ReduceSum', draw.cast(counted, INT64), [2]), [2]);
	const numbers = draw.op('Add', [draw.range(kept), draw.ints([1])]);
	const before = draw.cast(draw.op('Less', [until, numbers]), INT64);
	return draw.reduce('ReduceSum', before, [1], draw.name(positionsName));
}

/** TopK of whole numbers, and of the smallest, came with opset 11. */
function ascending(draw: Drawing, best: ValueName, kept: ValueName): ValueName {
	if (draw.opset >= 11) return draw.outputs('TopK', [best, kept], { axis: 1, largest: 0 }, 2)[0] ?? '';
	const [least = ''] = draw.outputs('TopK', [draw.op('Neg', [draw.cast(best, FLOAT)]), kept], { axis: 1 }, 2);
	const name = draw.name(positionsName);
	return draw.outputs('Cast', [draw.op('Neg', [least])], { to: INT64 }, 1, [name])[0] ?? '';
}

/** [batch, 1]: the position of a rank in each row. */
export function positionOf(draw: Drawing, rank: ValueName, wanted: ValueName, length: ValueName): ValueName {
	const found = draw.cast(draw.op('Equal', [rank, wanted]), INT64);
	const places = draw.op('Mul', [found, draw.range(length)]);
	return draw.unsqueeze(draw.reduce('ReduceSum', places, [1]), [1]);
}
