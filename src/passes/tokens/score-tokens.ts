/** The part of a graph that scores tokens, [batch, tokens] float32: larger means keep. */
import { bug } from '../../diagnostic.ts';
import { BOOL, FLOAT, INT64 } from '../../ir/graph/dtype.ts';
import { type ValueName } from '../../ir/graph/graph.ts';
import { type Drawing } from '../draw.ts';
import { picked } from './lay-tokens.ts';
import { type Attended, type TokenStage } from './token-stage.ts';

/** What a score may look at beside the stage. */
export type Standing = {
	/** A vector of one int64: how many tokens there are. */
	readonly length: ValueName;
	/** [batch, tokens] of bool, false at padding; absent where nothing says it. */
	readonly real: ValueName | undefined;
};

export function rawScores(draw: Drawing, stage: TokenStage, standing: Standing): ValueName {
	const { value, metric } = stage;
	switch (metric) {
		case 'keys':
		case 'states':
			return bug('tokens that merge are scored in pairs', { metric });
		case 'random':
			return randomScores(draw, stage, standing);
		case 'norm':
			return draw.reduce('ReduceL2', draw.cast(value, FLOAT), [2]);
		case 'similarity':
			return draw.op('Sub', [draw.scalar(1), likeness(draw, value, standing)]);
		case 'cls': {
			const byQuery = draw.reduce(
				'ReduceMean',
				byHead(draw, attended(stage).heads, attended(stage).probabilities),
				[1],
			);
			return draw.op('Gather', [byQuery, draw.scalar(0, INT64)], { axis: 1 });
		}
		case 'attention':
			return draw.reduce('ReduceMean', received(draw, attended(stage), standing), [1]);
		case 'value': {
			const sizes = draw.reduce('ReduceL2', byHead(draw, attended(stage).heads, attended(stage).values), [3]);
			const weighed = draw.op('Mul', [received(draw, attended(stage), standing), sizes]);
			return draw.reduce('ReduceMean', weighed, [1]);
		}
	}
}

/** With the heads on an axis of their own. */
export function byHead(draw: Drawing, heads: number, value: ValueName): ValueName {
	const plain = draw.cast(value, FLOAT);
	if (heads === 0) return plain;
	const sizes = [1, 2].map((axis) => draw.size(value, axis));
	return draw.op('Reshape', [plain, draw.vector(-1, heads, ...sizes)]);
}

function attended({ attention }: TokenStage): Attended {
	return attention ?? bug('a score without its attention');
}

/** What each key receives from the queries that are no padding, their mean: [batch, heads, keys]. */
function received(draw: Drawing, attention: Attended, { real }: Standing): ValueName {
	const probabilities = byHead(draw, attention.heads, attention.probabilities);
	if (real === undefined) return draw.reduce('ReduceMean', probabilities, [2]);
	const queries = draw.unsqueeze(shares(draw, real), [1, 2]);
	return draw.reshape(draw.op('MatMul', [queries, probabilities]), [0, 0, -1]);
}

/** One over the number of real positions, there, and zero at padding. */
function shares(draw: Drawing, real: ValueName): ValueName {
	const ones = draw.cast(real, FLOAT);
	const count = draw.unsqueeze(draw.reduce('ReduceSum', ones, [1]), [1]);
	return draw.op('Div', [ones, count]);
}

/** Mean cosine to all tokens: the product with the mean of the unit vectors. */
function likeness(draw: Drawing, value: ValueName, { real }: Standing): ValueName {
	const unit = unitRows(draw, draw.cast(value, FLOAT), 2);
	const mean =
		real === undefined
			? draw.unsqueeze(draw.reduce('ReduceMean', unit, [1]), [1])
			: draw.op('MatMul', [draw.unsqueeze(shares(draw, real), [1]), unit]);
	return draw.reduce('ReduceSum', draw.op('Mul', [unit, mean]), [2]);
}

/** Vectors along an axis, of length 1; those of length 0 stay. */
export function unitRows(draw: Drawing, value: ValueName, axis: number): ValueName {
	const norm = draw.unsqueeze(draw.reduce('ReduceL2', value, [axis]), [axis]);
	return draw.op('Div', [value, draw.op('Max', [norm, draw.scalar(1e-12)])]);
}

/** A fixed order of positions that looks like none: the fractions of 43758.5453 · sin(12.9898 · position + seed). */
function randomScores(draw: Drawing, { value, seed }: TokenStage, { length }: Standing): ValueName {
	const positions = draw.cast(draw.range(length), FLOAT);
	const angles = draw.op('Add', [
		draw.op('Mul', [positions, draw.scalar(12.9898)]),
		draw.scalar(1 + (seed % 1000)),
	]);
	const large = draw.op('Mul', [draw.op('Sin', [angles]), draw.scalar(43758.5453)]);
	const fraction = draw.op('Sub', [large, draw.op('Floor', [large])]);
	return draw.op('Expand', [fraction, draw.vector(draw.size(value, 0), length)]);
}

/** A graph input [batch, tokens] at the positions that earlier steps kept. */
export function standing(draw: Drawing, input: ValueName, picks: readonly ValueName[]): ValueName {
	const rows = { rank: 2, axis: 1, batch: { axis: 0, repeat: 1 } };
	return picks.reduce(
		(value, pick) =>
			draw.opset < 11
				? picked(draw, value, pick, rows)
				: draw.op('GatherElements', [value, pick], { axis: 1 }),
		input,
	);
}

/** Which positions are no padding. */
export function realOf(draw: Drawing, { mask, picks }: TokenStage): ValueName | undefined {
	return mask === undefined ? undefined : draw.cast(standing(draw, mask, picks), BOOL);
}
