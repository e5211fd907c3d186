/** How alike two values of a model are, along the last axis. */
import { present } from '../../diagnostic.ts';
import { type Model, type ValueName } from '../../ir/graph/graph.ts';
import { type Likeness } from '../../ir/lab.ts';
import { type Collect } from './collect.ts';
import { holding } from './padding.ts';
import { type Value } from './session.ts';

type Totals = { cosines: number; rows: number; angles: number; sequences: number };

/** As `Lab.similarity`. */
export async function measureLikeness(
	model: Model,
	pairs: readonly (readonly [ValueName, ValueName])[],
	collect: Collect,
): Promise<Likeness[]> {
	const totals = pairs.map((): Totals => ({ cosines: 0, rows: 0, angles: 0, sequences: 0 }));
	await collect(model, pairs.flat(), (values, mask) => {
		pairs.forEach(([from, to], at) => {
			const [before, after] = [present(values.get(from), from), present(values.get(to), to)];
			add(present(totals[at], 'a total'), before, after, mask);
		});
	});
	return totals.map(({ cosines, rows, angles, sequences }) => ({
		cosine: cosines / Math.max(1, rows),
		angle: angles / Math.max(1, sequences),
	}));
}

function add(total: Totals, from: Value, to: Value, mask: Value | undefined): void {
	const { dims } = from;
	const width = dims.at(-1) ?? 1;
	const holds = holding(dims, mask, dims.length - 1);
	const sequence = dims.length > 2 ? from.data.length / (dims[0] ?? 1) : from.data.length;
	for (let start = 0; start < from.data.length; start += sequence) {
		let last: number | undefined;
		for (let row = start; row < start + sequence; row += width) {
			const cosine = holds === undefined || holds(row) ? cosineOf(from, to, row, width) : undefined;
			if (cosine === undefined) continue;
			total.cosines += cosine;
			total.rows++;
			last = cosine;
		}
		if (last === undefined) continue;
		total.angles += Math.acos(Math.max(-1, Math.min(1, last))) / Math.PI;
		total.sequences++;
	}
}

/** Undefined where a row is zero. */
function cosineOf(from: Value, to: Value, start: number, width: number): number | undefined {
	let [dot, left, right] = [0, 0, 0];
	for (let at = start; at < start + width; at++) {
		const [a, b] = [from.data[at] ?? 0, to.data[at] ?? 0];
		dot += a * b;
		left += a * a;
		right += b * b;
	}
	return left === 0 || right === 0 ? undefined : dot / Math.sqrt(left * right);
}
