/** Graphs whose attentions weigh values by another function of their scores than softmax, and the plain graphs that mean the same. */
import { bug } from '../../diagnostic.ts';
import { FLOAT } from '../../ir/graph/dtype.ts';
import { type Model, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { type Net } from '../../ir/axes/net.ts';
import { nodeAt, shiftEdits, shiftsBehind, type Changing } from './attention-changes.ts';
import { Drawing } from '../draw.ts';
import { type Lowered, type LowerTask } from '../technique.ts';

/** How many weights of a row stay: a count, or a share of the positions in millionths, rounded up. */
export type Kept = { readonly count: number } | { readonly millionths: number };

export type Weighing = Changing & {
	readonly softmax: number;
	/** Axes of the scores; the last is what a row runs along. */
	readonly rank: number;
	readonly by: 'relu' | 'sigmoid' | 'topk';
	/** With `topk` alone. */
	readonly keep?: Kept;
};
export type Weighings = { readonly functions: readonly Weighing[] };

/** Positions whose exponential is above zero in single precision are seen: masks write less. */
const unseen = -87;

export function editsForWeighings(
	net: Net,
	functions: readonly Weighing[],
	tensors: ReadonlyMap<string, Tensor>,
): Edit[] {
	const fresh = freshNames(net.model.graph);
	return [
		...drawn(net, functions, (draw, one, scores) => rewritten(draw, one, scores)),
		...functions.flatMap((one) => shiftEdits(net, one, tensors, fresh)),
	];
}

type Scores = { readonly value: ValueName; readonly type: number; readonly axis: number };
type Draw = (draw: Drawing, one: Weighing, scores: Scores) => ValueName;

/** The weights that `weights` draws in the place of those of each softmax. */
function drawn(net: Net, functions: readonly Weighing[], weights: Draw): Edit[] {
	const draw = new Drawing(net);
	const edits = functions.map((one): Edit => {
		const { node } = nodeAt(net, one.softmax);
		const [value = ''] = node.inputs;
		const scores = { value, type: net.facts.of(value)?.type ?? FLOAT, axis: one.rank - 1 };
		weights(draw, one, scores);
		// The last operator of a drawing is its result: it takes the softmax's place.
		const last = draw.edits.pop();
		if (last?.kind !== 'insert') return bug('weights that nothing makes', { by: one.by });
		const { op, inputs, attributes } = last.node;
		return { kind: 'node', node: { ...node, op, inputs, attributes } };
	});
	return [...draw.edits, ...edits];
}

function rewritten(draw: Drawing, { by, keep }: Weighing, scores: Scores): ValueName {
	const { value, type, axis } = scores;
	const seen = (): ValueName => {
		const isSeen = draw.op('Greater', [value, draw.scalar(unseen, type, 'unseen')]);
		return atLeastOne(draw, draw.cast(isSeen, type), scores);
	};
	switch (by) {
		case 'relu':
			return draw.op('Div', [draw.op('Relu', [value]), seen()]);
		case 'sigmoid':
			return draw.op('Sigmoid', [draw.op('Sub', [value, draw.op('Log', [seen()])])]);
		case 'topk': {
			const [largest = ''] = draw.outputs('TopK', [value, countOf(draw, keep, scores)], { axis }, 2);
			const least = alongRow(draw, 'ReduceMin', largest, axis);
			const none = draw.scalar(-Infinity, type, 'none');
			const kept = draw.op('Where', [draw.op('Less', [value, least]), none, value]);
			return draw.op('Softmax', [kept], { axis });
		}
	}
}

/** The same written out: no Relu, no Sigmoid, no Softmax; rows sorted whole. */
function plainly(draw: Drawing, { by, keep }: Weighing, scores: Scores): ValueName {
	const { value, type, axis } = scores;
	const [zero, one] = [0, 1].map((number) => draw.scalar(number, type, 'number'));
	const seen = (): ValueName => {
		const isUnseen = draw.op('Less', [value, draw.scalar(unseen, type, 'unseen')]);
		return atLeastOne(draw, draw.op('Where', [isUnseen, zero ?? '', one ?? '']), scores);
	};
	switch (by) {
		case 'relu': {
			const above = draw.op('Greater', [value, zero ?? '']);
			const share = draw.op('Reciprocal', [seen()]);
			return draw.op('Mul', [draw.op('Where', [above, value, zero ?? '']), share]);
		}
		case 'sigmoid': {
			const away = draw.op('Mul', [draw.op('Exp', [draw.op('Neg', [value])]), seen()]);
			return draw.op('Reciprocal', [draw.op('Add', [away, one ?? ''])]);
		}
		case 'topk': {
			const length = draw.size(value, axis);
			const [sorted = ''] = draw.outputs('TopK', [value, length], { axis }, 2);
			const last = draw.op('Sub', [countOf(draw, keep, scores), draw.ints([1])]);
			const least = draw.op('Gather', [sorted, last], { axis });
			const top = draw.op('Sub', [value, alongRow(draw, 'ReduceMax', value, axis)]);
			const stays = draw.op('Not', [draw.op('Less', [value, least])]);
			const weights = draw.op('Mul', [draw.op('Exp', [top]), draw.cast(stays, type)]);
			return draw.op('Div', [weights, alongRow(draw, 'ReduceSum', weights, axis)]);
		}
	}
}

function atLeastOne(draw: Drawing, seen: ValueName, { type, axis }: Scores): ValueName {
	return draw.op('Max', [alongRow(draw, 'ReduceSum', seen, axis), draw.scalar(1, type, 'one')]);
}

/** A reduction of the last axis, which stays as one of size 1. */
function alongRow(draw: Drawing, op: string, value: ValueName, axis: number): ValueName {
	return draw.unsqueeze(draw.reduce(op, value, [axis]), [axis]);
}

/** How many weights of a row stay, never more than there are: a vector of one. */
function countOf(draw: Drawing, keep: Kept = { count: 1 }, { value, axis }: Scores): ValueName {
	const length = draw.size(value, axis);
	if ('count' in keep) return draw.least(length, draw.ints([keep.count]));
	const rounded = draw.op('Add', [
		draw.op('Mul', [length, draw.ints([keep.millionths])]),
		draw.ints([1e6 - 1]),
	]);
	return draw.op('Div', [rounded, draw.ints([1e6])]);
}

/** Rewrite: the function in the operator that has its name. Reference: the same written out. Controls: nothing taken up, the model before. */
export function lowerWeighings({
	net,
	decision: { functions },
	tensors,
	label,
}: LowerTask<Weighings>): Lowered {
	const { model } = net;
	const fresh = freshNames(model.graph);
	const edits = [
		...drawn(net, functions, plainly),
		...functions.flatMap((one) => shiftsBehind(net, one, tensors, fresh)),
	];
	const bare = functions.map(({ shift: _, ...one }) => one);
	const control = (): Model =>
		applyPatch(model, { label: 'nothing taken up', edits: editsForWeighings(net, bare, tensors) });
	const reference = applyPatch(model, { label: 'reference', edits });
	return {
		patch: { label, edits: editsForWeighings(net, functions, tensors) },
		claims: [
			{ says: 'the functions of the scores written out', reference, controls: [() => model, control] },
		],
	};
}
