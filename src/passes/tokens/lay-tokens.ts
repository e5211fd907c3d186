/** Numbers of one token each, [batch, tokens], laid onto the axes of a value; and positions picked from its axes, each row's own. */
import { type ValueName } from '../../ir/graph/graph.ts';
import { type Drawing } from '../draw.ts';
import { type BatchAxis } from './token-labels.ts';

/** The rows of [batch, tokens], each `repeat` times. */
function repeated(draw: Drawing, value: ValueName, repeat: number): ValueName {
	if (repeat === 1) return value;
	const sizes = draw.op('Shape', [value]);
	const [batch, tokens] = [0, 1].map((at) => draw.op('Gather', [sizes, draw.ints([at])], { axis: 0 }));
	const wide = draw.op('Expand', [
		draw.unsqueeze(value, [1]),
		draw.vector(batch ?? '', repeat, tokens ?? ''),
	]);
	return draw.op('Reshape', [wide, draw.vector(-1, tokens ?? '')]);
}

/** Of `rank` axes, of size 1 but for the tokens and the batch: it broadcasts over a value that has both there. */
export function laid(
	draw: Drawing,
	value: ValueName,
	rank: number,
	axis: number,
	batch: BatchAxis | undefined,
): ValueName {
	const others = (...taken: readonly number[]): number[] =>
		Array.from({ length: rank }, (_, at) => at).filter((at) => !taken.includes(at));
	if (batch === undefined) return draw.unsqueeze(draw.op('Reshape', [value, draw.ints([-1])]), others(axis));
	const rows = repeated(draw, value, batch.repeat);
	const ordered = batch.axis < axis ? rows : draw.op('Transpose', [rows], { perm: [1, 0] });
	return draw.unsqueeze(ordered, others(axis, batch.axis));
}

/** The positions `places` [batch, kept] of an axis; without a batch axis those of the only row. */
export function picked(
	draw: Drawing,
	value: ValueName,
	places: ValueName,
	{
		rank,
		axis,
		batch,
	}: { readonly rank: number; readonly axis: number; readonly batch: BatchAxis | undefined },
): ValueName {
	if (batch === undefined)
		return draw.op('Gather', [value, draw.op('Reshape', [places, draw.ints([-1])])], { axis });
	const rows = repeated(draw, places, batch.repeat);
	if (batch.axis === 0 && axis === 1) return byRow(draw, value, rows, rank);
	const rest = Array.from({ length: rank }, (_, at) => at).filter((at) => at !== batch.axis && at !== axis);
	const perm = [batch.axis, axis, ...rest];
	const turned = byRow(draw, draw.op('Transpose', [value], { perm }), rows, rank);
	return draw.op('Transpose', [turned], { perm: perm.map((_, at) => perm.indexOf(at)) });
}

/** GatherND with batch dimensions; before opset 12, which has none, a Gather of rows and tokens on one axis. */
function byRow(draw: Drawing, value: ValueName, places: ValueName, rank: number): ValueName {
	if (draw.opset >= 12) return draw.op('GatherND', [value, draw.unsqueeze(places, [2])], { batch_dims: 1 });
	const [batch, length] = [draw.size(value, 0), draw.size(value, 1)];
	const rest = Array.from({ length: rank - 2 }, (_, at) => draw.size(value, at + 2));
	const flat = draw.op('Reshape', [value, draw.vector(-1, ...rest)]);
	const begins = draw.op('Mul', [draw.unsqueeze(draw.range(batch), [1]), length]);
	return draw.op('Gather', [flat, draw.op('Add', [places, begins])], { axis: 0 });
}
