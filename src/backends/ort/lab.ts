/** The lab over onnxruntime: statistics from runs with extra outputs. */
import { present } from '../../diagnostic.ts';
import { elementCount, type Model, type ValueName } from '../../ir/graph/graph.ts';
import { type Lab, type Moments } from '../../ir/lab.ts';
import { productsOf } from './products.ts';
import { openSession, type Feeds, type Value } from './session.ts';

export function labOf(feeds: readonly Feeds[], inputs: string, calibrated: boolean, threads: number): Lab {
	const collect = collector(feeds, threads);
	return {
		inputs,
		calibrated,
		products: productsOf(threads),
		moments: async (model, requests) => {
			const sums: { count: number; sum: Float64Array; squares: Float64Array }[] = [];
			await collect(
				model,
				requests.map(({ value }) => value),
				(values) => {
					requests.forEach(({ value, axis }, at) => {
						const tensor = present(values.get(value), `value '${value}'`);
						sums[at] = addMoments(sums[at], tensor, axis);
					});
				},
			);
			return sums;
		},
		similarity: async (model, pairs) => {
			const totals = pairs.map(() => ({ sum: 0, count: 0 }));
			await collect(model, pairs.flat(), (values) => {
				pairs.forEach(([from, to], at) => {
					const total = present(totals[at], 'a total');
					addCosines(total, present(values.get(from), from), present(values.get(to), to));
				});
			});
			return totals.map(({ sum, count }) => sum / Math.max(1, count));
		},
	};
}

type Collect = (
	model: Model,
	names: readonly ValueName[],
	take: (values: ReadonlyMap<ValueName, Value>) => void,
) => Promise<void>;

/** Runs a model on all feeds with extra outputs. */
function collector(feeds: readonly Feeds[], threads: number): Collect {
	return async (model, names, take) => {
		const session = await openSession(model, { which: 'original', threads, extra: names });
		try {
			for (const feed of feeds) take(await session.run(feed, [...new Set(names)]));
		} finally {
			await session.release();
		}
	};
}

function addMoments(
	before: Moments | undefined,
	{ dims, data }: Value,
	axis: number,
): { count: number; sum: Float64Array; squares: Float64Array } {
	const size = dims[axis] ?? 1;
	const inner = elementCount(dims.slice(axis + 1));
	const sum = before?.sum ?? new Float64Array(size);
	const squares = before?.squares ?? new Float64Array(size);
	for (let at = 0; at < data.length; at++) {
		const position = Math.floor(at / inner) % size;
		const value = data[at] ?? 0;
		sum[position] = (sum[position] ?? 0) + value;
		squares[position] = (squares[position] ?? 0) + value * value;
	}
	return { count: (before?.count ?? 0) + data.length / size, sum, squares };
}

function addCosines(total: { sum: number; count: number }, from: Value, to: Value): void {
	const width = from.dims.at(-1) ?? 1;
	for (let row = 0; row < from.data.length; row += width) {
		let [dot, left, right] = [0, 0, 0];
		for (let at = row; at < row + width; at++) {
			const [a, b] = [from.data[at] ?? 0, to.data[at] ?? 0];
			dot += a * b;
			left += a * a;
			right += b * b;
		}
		if (left === 0 || right === 0) continue;
		total.sum += dot / Math.sqrt(left * right);
		total.count++;
	}
}
