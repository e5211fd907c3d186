/** Which output of a model says what, and how it is read. */
import { elementType } from '../ir/graph/dtype.ts';
import { type Output, type Outputs, type Seen } from './metric.ts';

const isFloat = ({ type }: Output): boolean => elementType(type)?.kind === 'float';

/** The output with a score for each class in its last axis: `logits`, else the first of at least two numbers of rank 2 to 4. */
export function scoresOf(outputs: Outputs): Output | undefined {
	const named = outputs.get('logits');
	if (named !== undefined) return named;
	return [...outputs.values()].find(
		(one) => isFloat(one) && one.dims.length >= 2 && (one.dims.at(-1) ?? 0) >= 2,
	);
}

/** The class of the highest score in each row; where a model says classes itself, those. */
export function classesOf(outputs: Outputs): number[] | undefined {
	const scores = scoresOf(outputs);
	if (scores !== undefined) return bestOf(scores);
	const said = [...outputs.values()].find((one) => !isFloat(one) && one.dims.length <= 2);
	return said && Array.from(said.data);
}

/** Places of the largest numbers of the rows of the last axis; the first of equals. */
export function bestOf({ dims, data }: Output): number[] {
	const classes = dims.at(-1) ?? 1;
	return Array.from({ length: data.length / classes }, (_, row) => {
		const start = row * classes;
		let best = 0;
		for (let at = 1; at < classes; at++)
			if ((data[start + at] ?? -Infinity) > (data[start + best] ?? -Infinity)) best = at;
		return best;
	});
}

const vectorNames: readonly string[] = [
	'sentence_embedding',
	'embedding',
	'embeddings',
	'last_hidden_state',
	'token_embeddings',
];

/** One vector of length 1 for an example: an output of that name or the first of floats, positions pooled without padding. */
export function vectorOf({
	outputs,
	mask,
	pooling,
}: Pick<Seen, 'outputs' | 'mask' | 'pooling'>): number[] | undefined {
	const named = vectorNames.map((name) => outputs.get(name)).find((one) => one !== undefined);
	const output = named ?? [...outputs.values()].find(isFloat);
	if (output === undefined) return undefined;
	const { dims, data } = output;
	const width = dims.at(-1) ?? 1;
	const isSequence = dims.length === 3 && dims[0] === 1;
	return unit(isSequence ? pooled(data, width, mask?.data, pooling) : Array.from(data));
}

function pooled(
	data: ArrayLike<number>,
	width: number,
	mask: ArrayLike<number> | undefined,
	pooling = 'mean',
): number[] {
	if (pooling === 'cls') return Array.from({ length: width }, (_, at) => data[at] ?? 0);
	const sums = new Array<number>(width).fill(0);
	for (let at = 0; at < data.length; at++) {
		if (mask?.[Math.floor(at / width)] === 0) continue;
		sums[at % width] = (sums[at % width] ?? 0) + (data[at] ?? 0);
	}
	return sums;
}

function unit(vector: readonly number[]): number[] {
	const length = Math.hypot(...vector);
	return length > 0 ? vector.map((value) => value / length) : [...vector];
}
