/** Drift: how far the last model is from the first, over all samples. */
import { type Model } from '../../ir/graph/graph.ts';
import { type Drift, type Kept } from '../../ir/proof.ts';
import { cutFeeds, cutValue, runAll } from './runs.ts';
import { type Feeds, type Value } from './session.ts';

/** How far the last model is from the first, over all samples: the outputs of both at the kept positions. */
export async function measureDrift(
	models: { readonly original: Model; readonly pruned: Model; readonly kept: Kept },
	feeds: readonly Feeds[],
	threads: number,
): Promise<Drift> {
	const original = await runAll(models.original, 'original', feeds, { threads });
	const pruned = await runAll(models.pruned, 'pruned', cutFeeds(feeds, models.kept), { threads });
	const cosines: number[] = [];
	const outputs: Outputs = new Map();
	let [signal, noise, divergence, agreed, rows] = [0, 0, 0, 0, 0];
	for (const [at, values] of original.entries()) {
		let worst = 1;
		for (const [name, whole] of values) {
			const after = pruned[at]?.get(name);
			const before = cutValue(whole, models.kept.get(name));
			if (after?.data.length !== before.data.length) continue;
			const { dot, left, right, error } = inner(before, after);
			const cosine = left > 0 && right > 0 ? dot / Math.sqrt(left * right) : Number(left === right);
			worst = Math.min(worst, cosine);
			note(outputs, name, { cosine, signal: left, noise: error });
			signal += left;
			noise += error;
			const classes = before.dims.at(-1) ?? 1;
			if (classes < 2 || before.type !== 1 || before.dims.length > 3 || models.kept.has(name)) continue;
			const compared = compareRows(before, after, classes);
			divergence += compared.divergence;
			agreed += compared.agreed;
			rows += compared.rows;
		}
		cosines.push(worst);
	}
	return {
		cosine: cosines.reduce((sum, cosine) => sum + cosine, 0) / Math.max(1, cosines.length),
		relativeL2: signal > 0 ? Math.sqrt(noise / signal) : 0,
		...(noise > 0 && signal > 0 && { sqnrDb: 10 * Math.log10(signal / noise) }),
		outputs: outputDrifts(outputs),
		...(rows > 0 && { kl: Math.max(0, divergence / rows), top1Agreement: agreed / rows }),
	};
}

type Sums = { readonly cosine: number; readonly signal: number; readonly noise: number };
type Outputs = Map<string, Sums & { readonly runs: number }>;

function note(outputs: Outputs, name: string, { cosine, signal, noise }: Sums): void {
	const own = outputs.get(name) ?? { cosine: 0, signal: 0, noise: 0, runs: 0 };
	const sums = { cosine: own.cosine + cosine, signal: own.signal + signal, noise: own.noise + noise };
	outputs.set(name, { ...sums, runs: own.runs + 1 });
}

function outputDrifts(outputs: Outputs): Drift['outputs'] {
	return [...outputs].map(([name, { cosine, signal, noise, runs }]) => ({
		name,
		cosine: cosine / runs,
		relativeL2: signal > 0 ? Math.sqrt(noise / signal) : 0,
	}));
}

/** Over all but scores that one of the two rules out: as of columns that go, what stays is compared. */
function inner(before: Value, after: Value): { dot: number; left: number; right: number; error: number } {
	let [dot, left, right, error] = [0, 0, 0, 0];
	for (let at = 0; at < before.data.length; at++) {
		const [a, b] = [before.data[at] ?? 0, after.data[at] ?? 0];
		if (a === -Infinity || b === -Infinity) continue;
		dot += a * b;
		left += a * a;
		right += b * b;
		error += (a - b) ** 2;
	}
	return { dot, left, right, error };
}

/** Rows of the last axis as distributions: given ones when they sum to 1, else through a softmax. */
function compareRows(
	before: Value,
	after: Value,
	classes: number,
): { divergence: number; agreed: number; rows: number } {
	const rows = before.data.length / classes;
	let [divergence, agreed] = [0, 0];
	for (let row = 0; row < rows; row++) {
		const take = (value: Value): number[] =>
			Array.from({ length: classes }, (_, at) => value.data[row * classes + at] ?? 0);
		const [a, b] = [take(before), take(after)];
		const [p, q] = [probabilities(a), probabilities(b)];
		divergence += p.reduce(
			(sum, share, at) => (share > 0 ? sum + share * Math.log(share / Math.max(q[at] ?? 0, 1e-30)) : sum),
			0,
		);
		if (argmax(a) === argmax(b)) agreed++;
	}
	return { divergence, agreed, rows };
}

function probabilities(values: readonly number[]): number[] {
	const sum = values.reduce((total, value) => total + value, 0);
	if (Math.abs(sum - 1) < 1e-3 && values.every((value) => value >= 0))
		return values.map((value) => value / sum);
	const most = values.reduce((a, b) => Math.max(a, b), -Infinity);
	const powers = values.map((value) => Math.exp(value - most));
	const total = powers.reduce((a, b) => a + b, 0);
	return powers.map((power) => power / total);
}

function argmax(values: readonly number[]): number {
	return values.reduce((best, value, at) => (value > (values[best] ?? -Infinity) ? at : best), 0);
}
