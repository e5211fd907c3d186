/**
 * Where the content of tokens that leave goes: to the token that is most like each (ToMe, arXiv:2210.09461: positions are split in turns,
 * those of even number join those of odd number), or all to one (EViT's fused token, arXiv:2202.07800, here a mean).
 */
import { BOOL, FLOAT, INT64 } from '../../ir/graph/dtype.ts';
import { type ValueName } from '../../ir/graph/graph.ts';
import { type Drawing } from '../draw.ts';
import { byHead, standing, unitRows, type Standing } from './score-tokens.ts';
import { type TokenStage } from './token-stage.ts';

export type Match = {
	/** [batch, tokens]: less the likeness to the best partner, +inf for those that others join. */
	readonly scores: ValueName;
	/** [batch, tokens] int64: the position of the best partner. */
	readonly target: ValueName;
};

/** Partners by the cosine of keys or hidden states. `stays` is bool, [tokens] or [batch, tokens]. */
export function drawMatch(
	draw: Drawing,
	stage: TokenStage,
	{ length, real }: Standing,
	stays: ValueName,
): Match {
	const parity = draw.rest(draw.range(length), 2);
	const odd = draw.op('Equal', [parity, draw.scalar(1, INT64)]);
	const free = real === undefined ? draw.op('Not', [stays]) : draw.op('And', [draw.op('Not', [stays]), real]);
	const [sources, partners] = [draw.op('And', [free, draw.op('Not', [odd])]), draw.op('And', [free, odd])];
	const shape = draw.vector(draw.size(stage.value, 0), length);
	const every = (value: ValueName): ValueName =>
		draw.cast(draw.op('Expand', [draw.cast(value, FLOAT), shape]), BOOL);
	const likeness = draw.op('Where', [
		draw.unsqueeze(every(partners), [1]),
		draw.op('MatMul', likenessOf(draw, stage)),
		draw.scalar(-Infinity),
	]);
	const best = draw.reduce('ReduceMax', likeness, [2]);
	const scores = draw.op('Where', [every(sources), draw.op('Neg', [best]), draw.scalar(Infinity)]);
	return { scores, target: draw.op('ArgMax', [likeness], { axis: 2, keepdims: 0 }) };
}

/** Two factors, [batch, tokens, width] and [batch, width, tokens], whose product is the cosine of any two tokens. */
function likenessOf(draw: Drawing, { value, attention }: TokenStage): readonly [ValueName, ValueName] {
	if (attention?.keys === undefined) {
		const unit = unitRows(draw, draw.cast(value, FLOAT), 2);
		return [unit, draw.op('Transpose', [unit], { perm: [0, 2, 1] })];
	}
	const mean = draw.reduce('ReduceMean', byHead(draw, attention.heads, attention.keys), [1]);
	const unit = unitRows(draw, mean, 1);
	return [draw.op('Transpose', [unit], { perm: [0, 2, 1] }), unit];
}

/** What a join needs to know of tokens: all [batch, tokens]. */
export type Weights = {
	/** What a token counts where it leaves: nothing, if it is padding. */
	readonly leaving: ValueName;
	/** What it counts where it stays. */
	readonly staying: ValueName;
};

export function drawWeights(
	draw: Drawing,
	stage: TokenStage,
	raw: ValueName,
	real: ValueName | undefined,
): Weights {
	const own = weightsOf(draw, stage, raw);
	if (real === undefined) return { leaving: own, staying: own };
	const [one, none] = [draw.scalar(1), draw.scalar(0)];
	return { leaving: draw.op('Where', [real, own, none]), staying: draw.op('Where', [real, own, one]) };
}

/** Sizes for tokens that are alike, scores for those that are fused; never zero, so that every mean exists. */
function weightsOf(draw: Drawing, { join, sizes, value }: TokenStage, raw: ValueName): ValueName {
	if (join === 'fused') return draw.op('Max', [raw, draw.scalar(1e-12)]);
	if (sizes !== undefined) return standing(draw, sizes.value, sizes.picks);
	return draw.op('Expand', [draw.scalar(1), draw.vector(draw.size(value, 0), draw.size(value, 1))]);
}

export type Averages = {
	/** [batch, rows, tokens]: the share of each token in each row, rows sum to 1. */
	readonly shares: ValueName;
	/** [batch, rows]: what the tokens of a row count together, and over what its own counts. */
	readonly sizes: ValueName;
	readonly growth: ValueName;
};

/** The averaging matrix of `rows` positions [batch, rows] when the content of every token goes to `goes` [batch, tokens]. */
export function drawAverages(
	draw: Drawing,
	rows: ValueName,
	goes: ValueName,
	length: ValueName,
	{ leaving, staying }: Weights,
	name: ValueName,
): Averages {
	const wide = draw.unsqueeze(rows, [2]);
	const own = draw.cast(draw.op('Equal', [wide, draw.unsqueeze(draw.range(length), [0, 1])]), FLOAT);
	const all = draw.cast(draw.op('Equal', [wide, draw.unsqueeze(goes, [1])]), FLOAT);
	const foreign = draw.op('Mul', [all, draw.op('Sub', [draw.scalar(1), own])]);
	const others = draw.op('Mul', [foreign, draw.unsqueeze(leaving, [1])]);
	const kept = draw.op('Mul', [own, draw.unsqueeze(staying, [1])]);
	const counted = draw.op('Add', [kept, others]);
	const total = draw.reduce('ReduceSum', counted, [2], name);
	const before = draw.reduce('ReduceSum', kept, [2]);
	return {
		shares: draw.op('Div', [counted, draw.unsqueeze(total, [2])]),
		sizes: total,
		growth: draw.op('Div', [total, before]),
	};
}
