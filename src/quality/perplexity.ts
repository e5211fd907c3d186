/** How well a language model foretells each next token. */
import { scoresOf } from './outputs.ts';
import { type Observation, type Seen } from './metric.ts';

/** The sum of −log p of the tokens after the first of each row, padding left out, and how many they are. */
export function nextTokens({ outputs, ids, mask }: Seen): Observation | undefined {
	const scores = scoresOf(outputs);
	const [batch = 1, length = 1] = ids?.dims ?? [];
	if (ids === undefined || scores?.dims.length !== 3 || scores.dims[0] !== batch || scores.dims[1] !== length)
		return undefined;
	const classes = scores.dims[2] ?? 1;
	if (Array.from(ids.data).some((id) => id >= classes)) return undefined;
	let [sum, count] = [0, 0];
	for (let row = 0; row < batch; row++) {
		for (let at = row * length + 1; at < (row + 1) * length; at++) {
			if (mask?.data[at] === 0) continue;
			sum += surprise(scores.data, (at - 1) * classes, classes, ids.data[at] ?? 0);
			count++;
		}
	}
	return count === 0 ? undefined : [sum, count];
}

/** −log of the softmax at one place of a row. */
function surprise(data: ArrayLike<number>, start: number, classes: number, at: number): number {
	let most = -Infinity;
	for (let one = start; one < start + classes; one++) most = Math.max(most, data[one] ?? -Infinity);
	let total = 0;
	for (let one = start; one < start + classes; one++) total += Math.exp((data[one] ?? -Infinity) - most);
	return Math.log(total) + most - (data[start + at] ?? -Infinity);
}
