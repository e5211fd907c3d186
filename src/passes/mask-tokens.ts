/** The reference of token pruning: the sequence keeps its length, and tokens that left have no part in what mixes tokens. */
import { FLOAT, INT64 } from '../ir/graph/dtype.ts';
import { type Model, type ValueName } from '../ir/graph/graph.ts';
import { applyPatch, type Edit } from '../ir/graph/patch.ts';
import { Drawing } from './draw.ts';
import { drawScores } from './choose-tokens.ts';
import { type Followed, type Mix } from './follow-tokens.ts';
import { laid } from './lay-tokens.ts';
import { type TokenStage } from './token-stage.ts';

/** How many tokens fewer stay than the statement says, for negative controls. */
export type Fewer = 'none' | 'one' | 'half';

/**
 * A token stays when fewer tokens than are kept score higher, an equal score counting when its position comes first: said with
 * comparisons, without sorting or indices. Elsewhere only operands of mixing operators change.
 */
export function maskedModel(
	model: Model,
	stage: TokenStage,
	followed: Followed,
	fewer: Fewer = 'none',
): Model {
	const draw = new Drawing(model);
	const { scores, length, kept } = drawScores(draw, stage);
	const count = lessened(draw, kept, fewer);
	const stays = drawStays(draw, scores, length, count);
	const inputs = new Map<number, { mix: Mix; names: ValueName[] }>();
	for (const mix of followed.mixes) {
		const { id } = mix.node.node;
		const own = inputs.get(id) ?? { mix, names: [...mix.node.node.inputs] };
		inputs.set(id, own);
		own.names[mix.slot] = drawMasked(draw, own.names[mix.slot] ?? '', mix, { stays, length, count });
	}
	const back = stage.end === undefined ? [] : comingBack(model, draw, stage.value, stage.end, stays);
	const nodes = [...inputs.values()].map(({ mix, names }): Edit => ({
		kind: 'node',
		node: { ...mix.node.node, inputs: names },
	}));
	return applyPatch(model, { label: 'reference', edits: [...draw.edits, ...nodes, ...back] });
}

/** The end's value is the start's where a token left. */
function comingBack(model: Model, draw: Drawing, start: ValueName, end: ValueName, stays: ValueName): Edit[] {
	const maker = model.graph.nodes.find(({ outputs }) => outputs.includes(end));
	if (maker === undefined) return [];
	const all = draw.name(`${end}_all`);
	draw.outputs('Where', [draw.reshape(stays, [0, -1, 1]), all, start], {}, 1, [end]);
	return [
		{ kind: 'node', node: { ...maker, outputs: maker.outputs.map((name) => (name === end ? all : name)) } },
	];
}

function lessened(draw: Drawing, kept: ValueName, fewer: Fewer): ValueName {
	if (fewer === 'none') return kept;
	if (fewer === 'one') return draw.op('Sub', [kept, draw.ints([1])]);
	return draw.op('Div', [draw.op('Add', [kept, draw.ints([1])]), draw.ints([2])]);
}

/** [batch, tokens] of bool. */
function drawStays(draw: Drawing, scores: ValueName, length: ValueName, count: ValueName): ValueName {
	const [other, own] = [draw.reshape(scores, [0, -1, 1]), draw.reshape(scores, [0, 1, -1])];
	const positions = draw.range(length);
	const earlier = draw.op('Less', [draw.reshape(positions, [1, -1, 1]), draw.reshape(positions, [1, 1, -1])]);
	const first = draw.op('And', [draw.op('Equal', [other, own]), earlier]);
	const before = draw.op('Or', [draw.op('Greater', [other, own]), first]);
	const rank = draw.reduce('ReduceSum', draw.cast(before, INT64), [1]);
	return draw.op('Less', [rank, count]);
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
