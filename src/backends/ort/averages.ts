/** Means of whole values over all inputs. */
import { present } from '../../diagnostic.ts';
import { elementCount, type Model, type ValueName } from '../../ir/graph/graph.ts';
import { type Average } from '../../ir/lab.ts';
import { type Collect } from './collect.ts';
import { type Value } from './session.ts';

/** As `Lab.averages`. */
export async function averagesOf(
	model: Model,
	values: readonly ValueName[],
	collect: Collect,
): Promise<readonly Average[]> {
	const sums: Averaged[] = values.map(() => ({ dims: [], count: 0, sum: new Float64Array() }));
	await collect(model, values, (taken) => {
		values.forEach((value, at) => {
			sums[at] = addAverage(present(sums[at], value), present(taken.get(value), `value '${value}'`));
		});
	});
	return sums.map(({ dims, count, sum }) => ({ dims, mean: sum.map((one) => one / Math.max(1, count)) }));
}

type Averaged = { readonly dims: readonly number[]; readonly count: number; readonly sum: Float64Array };

function addAverage(before: Averaged, { dims: [batch = 1, ...dims], data }: Value): Averaged {
	const size = elementCount(dims);
	const sum = before.sum.length === size ? before.sum : new Float64Array(size);
	for (let at = 0; at < data.length; at++) sum[at % size] = (sum[at % size] ?? 0) + (data[at] ?? 0);
	return { dims, count: before.count + batch, sum };
}
