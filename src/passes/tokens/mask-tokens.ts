/** The reference of token pruning: the sequence keeps its length, and tokens that left have no part in what mixes tokens. */
import { type Net } from '../../ir/axes/net.ts';
import { FLOAT } from '../../ir/graph/dtype.ts';
import { type Model, type Node, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch, type Edit } from '../../ir/graph/patch.ts';
import { Drawing } from '../draw.ts';
import { drawRank, drawScores, positionOf, type Scored } from './choose-tokens.ts';
import { typeOf, type Followed, type Mix } from './follow-tokens.ts';
import { drawAverages } from './join-tokens.ts';
import { laid, picked } from './lay-tokens.ts';
import { type TokenStage } from './token-stage.ts';

/** How many tokens fewer stay than the statement says, for negative controls. */
export type Fewer = 'none' | 'one' | 'half';

/**
 * A token stays when fewer tokens than are kept score higher, an equal score counting when its position comes first: said with
 * comparisons, without sorting or indices. Elsewhere only operands of mixing operators change.
 */
export function maskedModel(net: Net, stage: TokenStage, followed: Followed, fewer: Fewer = 'none'): Model {
	const { model } = net;
	const draw = new Drawing(net);
	const scored = drawScores(draw, stage);
	const { length, kept } = scored;
	const count = lessened(draw, kept, fewer);
	const rank = drawRank(draw, scored.scores, length);
	const stays = draw.op('Less', [rank, count]);
	const [tensor] = followed.axes.keys();
	const type = tensor === undefined ? FLOAT : typeOf(tensor);
	const joined = drawJoined(draw, stage, scored, { rank, stays, count, type });
	const changed = new Map<number, Node>();
	const feed = (node: Node, slot: number, make: (now: ValueName) => ValueName): void => {
		const now = changed.get(node.id) ?? node;
		const inputs = now.inputs.map((name, at) => (at === slot ? make(name) : name));
		changed.set(node.id, { ...now, inputs });
	};
	if (joined !== undefined)
		for (const [node, slot] of readersOf(followed)) feed(node, slot, () => joined.start);
	for (const mix of followed.mixes)
		feed(mix.node.node, mix.slot, (now) =>
			drawMasked(draw, weighed(draw, now, mix, joined?.growth), mix, { stays, length, count }),
		);
	const back = stage.end === undefined ? [] : comingBack(model, draw, stage, stays, joined);
	const nodes = [...changed.values()].map((node): Edit => ({ kind: 'node', node }));
	return applyPatch(model, { label: 'reference', edits: [...draw.edits, ...nodes, ...back] });
}

/** Who reads the start as tokens. */
function readersOf({ axes }: Followed): (readonly [Node, number])[] {
	const [start] = axes.keys();
	return (start?.consumers ?? [])
		.filter(({ readsShape }) => !readsShape)
		.flatMap(({ node, inputs }) =>
			inputs.flatMap((input, slot) => (input === start ? [[node, slot] as const] : [])),
		);
}

type Joined = {
	/** The start with the means where they stand; of the full length. */
	readonly start: ValueName;
	/** Of tokens that are alike: what each row counts over what its own token counts, [batch, tokens]. */
	readonly growth?: ValueName;
	/** [batch, tokens]: where each one's content went. */
	readonly goes: ValueName;
};

type Standings = {
	/** [batch, tokens]: the place of each by its score, whether it stays; and a vector of one: how many do. */
	readonly rank: ValueName;
	readonly stays: ValueName;
	readonly count: ValueName;
	/** Element type of the start. */
	readonly type: number;
};

/** The dense averaging matrix of all tokens, times the start. */
function drawJoined(
	draw: Drawing,
	{ value, join }: TokenStage,
	{ joining, length }: Scored,
	{ rank, stays, count, type }: Standings,
): Joined | undefined {
	if (joining === undefined) return undefined;
	const positions = draw.range(length);
	const last = draw.op('Sub', [count, draw.ints([1])]);
	const target = joining.target ?? positionOf(draw, rank, last, length);
	const goes = draw.op('Where', [stays, positions, target]);
	const rows = draw.unsqueeze(positions, [0]);
	const name = draw.name('averages');
	const { shares, growth } = drawAverages(draw, rows, goes, length, joining.weights, name);
	const start = draw.op('MatMul', [shares, draw.cast(value, FLOAT)]);
	return { start: draw.cast(start, type), goes, ...(join === 'alike' && { growth }) };
}

/** A key counts as often as there are tokens in it. */
function weighed(
	draw: Drawing,
	scores: ValueName,
	{ node, slot, axis, batch, kind }: Mix,
	growth: ValueName | undefined,
): ValueName {
	if (growth === undefined || kind !== 'softmax') return scores;
	const operand = node.view.inputs[slot];
	const logs = laid(draw, draw.op('Log', [growth]), operand?.sizes?.length ?? 0, axis, batch);
	return draw.op('Add', [scores, draw.cast(logs, operand?.type ?? FLOAT)]);
}

/** The end's value is the start's where a token left, or that of the token that it has a part in. */
function comingBack(
	model: Model,
	draw: Drawing,
	{ value, end = '', join }: TokenStage,
	stays: ValueName,
	joined: Joined | undefined,
): Edit[] {
	const maker = model.graph.nodes.find(({ outputs }) => outputs.includes(end));
	if (maker === undefined) return [];
	const all = draw.name(`${end}_all`);
	const left = joined === undefined || join !== 'alike' ? value : rowsAt(draw, all, joined.goes);
	draw.outputs('Where', [draw.unsqueeze(stays, [2]), all, left], {}, 1, [end]);
	return [
		{ kind: 'node', node: { ...maker, outputs: maker.outputs.map((name) => (name === end ? all : name)) } },
	];
}

/** Rows of [batch, tokens, features] at places [batch, tokens]. */
function rowsAt(draw: Drawing, value: ValueName, places: ValueName): ValueName {
	if (draw.opset < 11)
		return picked(draw, value, places, { rank: 3, axis: 1, batch: { axis: 0, repeat: 1 } });
	const wide = draw.op('Expand', [draw.unsqueeze(places, [2]), draw.op('Shape', [value])]);
	return draw.op('GatherElements', [value, wide], { axis: 1 });
}

function lessened(draw: Drawing, kept: ValueName, fewer: Fewer): ValueName {
	if (fewer === 'none') return kept;
	if (fewer === 'one') return draw.op('Sub', [kept, draw.ints([1])]);
	return draw.op('Div', [draw.op('Add', [kept, draw.ints([1])]), draw.ints([2])]);
}

type Mask = { readonly stays: ValueName; readonly length: ValueName; readonly count: ValueName };

/** -inf before a softmax or a maximum, 0 before a sum; a mean also divides by the number that stays. */
function drawMasked(draw: Drawing, value: ValueName, mix: Mix, mask: Mask): ValueName {
	const { node, slot, axis, kind, batch } = mix;
	const operand = node.view.inputs[slot];
	const type = operand?.type ?? FLOAT;
	const stays = laid(draw, mask.stays, operand?.sizes?.length ?? 0, axis, batch);
	const out = kind === 'softmax' || kind === 'max' ? -Infinity : 0;
	const masked = draw.op('Where', [stays, value, draw.scalar(out, type)]);
	if (kind !== 'mean') return masked;
	const ratio = draw.op('Div', [draw.cast(mask.length, type), draw.cast(mask.count, type)]);
	return draw.op('Mul', [masked, ratio]);
}
