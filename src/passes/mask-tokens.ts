/** The reference of token pruning: the sequence keeps its length, and tokens that left have no part in what mixes tokens. */
import { type Net } from '../ir/axes/net.ts';
import { FLOAT, INT64 } from '../ir/graph/dtype.ts';
import { type Model, type Node, type ValueName } from '../ir/graph/graph.ts';
import { applyPatch, type Edit } from '../ir/graph/patch.ts';
import { Drawing } from './draw.ts';
import { drawScores, type Scored } from './choose-tokens.ts';
import { typeOf, type Followed, type Mix } from './follow-tokens.ts';
import { drawAverages } from './join-tokens.ts';
import { laid } from './lay-tokens.ts';
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
	const last = draw.op('Equal', [rank, draw.op('Sub', [count, draw.ints([1])])]);
	const places = draw.op('Mul', [draw.cast(last, INT64), positions]);
	const target = joining.target ?? draw.unsqueeze(draw.reduce('ReduceSum', places, [1]), [1]);
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
	const left =
		joined === undefined || join !== 'alike'
			? value
			: draw.op('GatherElements', [all, expanded(draw, joined.goes, all)], { axis: 1 });
	draw.outputs('Where', [draw.unsqueeze(stays, [2]), all, left], {}, 1, [end]);
	return [
		{ kind: 'node', node: { ...maker, outputs: maker.outputs.map((name) => (name === end ? all : name)) } },
	];
}

function expanded(draw: Drawing, places: ValueName, like: ValueName): ValueName {
	return draw.op('Expand', [draw.unsqueeze(places, [2]), draw.op('Shape', [like])]);
}

function lessened(draw: Drawing, kept: ValueName, fewer: Fewer): ValueName {
	if (fewer === 'none') return kept;
	if (fewer === 'one') return draw.op('Sub', [kept, draw.ints([1])]);
	return draw.op('Div', [draw.op('Add', [kept, draw.ints([1])]), draw.ints([2])]);
}

/** [batch, tokens] of int64: how many tokens come before each. */
function drawRank(draw: Drawing, scores: ValueName, length: ValueName): ValueName {
	const [other, own] = [draw.reshape(scores, [0, -1, 1]), draw.reshape(scores, [0, 1, -1])];
	const positions = draw.range(length);
	const earlier = draw.op('Less', [draw.reshape(positions, [1, -1, 1]), draw.reshape(positions, [1, 1, -1])]);
	const first = draw.op('And', [draw.op('Equal', [other, own]), earlier]);
	const before = draw.op('Or', [draw.op('Greater', [other, own]), first]);
	return draw.reduce('ReduceSum', draw.cast(before, INT64), [1]);
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
