/** The proof: a rewritten model equals its reference, on real runs, to rounding. And drift: how far it is from the original. */
import { elementCount, type Model, type ValueName } from '../../ir/graph/graph.ts';
import { FLOAT16 } from '../../ir/graph/dtype.ts';
import { type Drift, type OutputError, type Proof } from '../../ir/proof.ts';
import { openSession, type Feeds, type Value } from './session.ts';

export type StepModels = {
	readonly original: Model;
	readonly reference: Model;
	readonly control?: Model;
	readonly pruned: Model;
	/** Kept positions of graph inputs and outputs whose shape changed, by name and axis. */
	readonly kept: ReadonlyMap<ValueName, ReadonlyMap<number, Int32Array>>;
};

type Runs = readonly ReadonlyMap<ValueName, Value>[];

async function runAll(
	model: Model,
	which: string,
	feeds: readonly Feeds[],
	optimize: 'disabled' | 'all',
	threads: number,
): Promise<Runs> {
	const session = await openSession(model, { which, optimize, threads });
	try {
		const runs: ReadonlyMap<ValueName, Value>[] = [];
		for (const feed of feeds) runs.push(await session.run(feed));
		return runs;
	} finally {
		await session.release();
	}
}

/** Proves one step. Sessions are opened one after another; the tolerance is the original's own rounding, measured. */
export async function proveStep(
	models: StepModels,
	feeds: readonly Feeds[],
	threads: number,
): Promise<Proof> {
	const original = await runAll(models.original, 'original', feeds, 'disabled', threads);
	const optimized = await runAll(models.original, 'original', feeds, 'all', threads);
	const reference = await runAll(models.reference, 'reference', feeds, 'disabled', threads);
	const control = models.control && (await runAll(models.control, 'control', feeds, 'disabled', threads));
	const cutFeeds = feeds.map(
		(feed) =>
			new Map([...feed].map(([name, value]) => [name, cutValue(value, models.kept.get(name))] as const)),
	);
	const pruned = await runAll(models.pruned, 'pruned', cutFeeds, 'disabled', threads);
	const prunedFast = await runAll(models.pruned, 'pruned', cutFeeds, 'all', threads);
	const names = [...(original[0]?.keys() ?? [])].filter((name) => pruned[0]?.has(name));
	const outputs = names.map((name) =>
		judge(name, models.kept.get(name), { original, optimized, reference, control, pruned, prunedFast }),
	);
	const worst = outputs.reduce((a, b) => (b.maxRel > a.maxRel ? b : a), outputs[0] ?? none);
	return {
		ok: outputs.length > 0 && outputs.every(({ maxAbs, tolerance }) => maxAbs <= tolerance),
		samples: feeds.length,
		maxAbs: Math.max(0, ...outputs.map(({ maxAbs }) => maxAbs)),
		maxRel: worst.maxRel,
		tolerance: worst.tolerance,
		effect: Math.max(0, ...outputs.map(({ effect }) => effect)),
		control: Math.max(0, ...outputs.map((output) => output.control)),
		weak: !outputs.some((output) => output.control >= 100 * output.tolerance),
		outputs,
	};
}

const none: OutputError = { name: '', maxAbs: 0, maxRel: 0, tolerance: 0, effect: 0, control: 0 };

type Compared = {
	original: Runs;
	optimized: Runs;
	reference: Runs;
	control: Runs | undefined;
	pruned: Runs;
	prunedFast: Runs;
};

function judge(
	name: ValueName,
	kept: ReadonlyMap<number, Int32Array> | undefined,
	runs: Compared,
): OutputError {
	let [maxAbs, scale, own, effect, control, half] = [0, 0, 0, 0, 0, false];
	for (const [at, values] of runs.original.entries()) {
		const pick = (all: Runs | undefined): Value | undefined => all?.[at]?.get(name);
		const [original, reference, optimized] = [
			values.get(name),
			pick(runs.reference),
			pick(runs.optimized),
		].map((value) => value && cutValue(value, kept));
		if (original === undefined || reference === undefined || optimized === undefined) continue;
		if (!isFinite(largest(original))) continue;
		half ||= original.type === FLOAT16;
		scale = Math.max(scale, largest(original), largest(reference));
		own = Math.max(own, distance(original, optimized));
		effect = Math.max(effect, distance(original, reference));
		maxAbs = Math.max(
			maxAbs,
			distance(reference, pick(runs.pruned)),
			distance(reference, pick(runs.prunedFast)),
		);
		const moved = pick(runs.control);
		control = Math.max(
			control,
			moved ? distance(reference, cutValue(moved, kept)) : distance(reference, original),
		);
	}
	// float32 sums of a few thousand terms differ by about 1e-6 of the largest; half precision carries 11 bits.
	const tolerance = Math.max((half ? 1e-2 : 1e-5) * scale, 8 * own);
	return { name, maxAbs, maxRel: scale > 0 ? maxAbs / scale : maxAbs, tolerance, effect, control };
}

function largest({ data }: Value): number {
	let most = 0;
	for (const value of Array.from(data))
		most = Math.max(most, Number.isNaN(value) ? Infinity : Math.abs(value));
	return most;
}

/** Largest difference; infinite when shapes differ or a number is missing. */
function distance(left: Value, right: Value | undefined): number {
	if (left.data.length !== right?.data.length) return Infinity;
	let most = 0;
	for (let at = 0; at < left.data.length; at++) {
		const difference = Math.abs((left.data[at] ?? 0) - (right.data[at] ?? 0));
		if (Number.isNaN(difference)) return Infinity;
		if (difference > most) most = difference;
	}
	return most;
}

/** A value at the kept positions of its axes. */
export function cutValue(value: Value, kept: ReadonlyMap<number, Int32Array> | undefined): Value {
	let current = value;
	for (const [axis, positions] of kept ?? []) {
		const inner = elementCount(current.dims.slice(axis + 1));
		const size = current.dims[axis] ?? 1;
		const outer = elementCount(current.dims.slice(0, axis));
		const data = new Float64Array(outer * positions.length * inner);
		let at = 0;
		for (let block = 0; block < outer; block++) {
			for (const position of positions) {
				for (let offset = 0; offset < inner; offset++)
					data[at++] = current.data[(block * size + position) * inner + offset] ?? 0;
			}
		}
		current = {
			type: current.type,
			dims: current.dims.map((dim, index) => (index === axis ? positions.length : dim)),
			data,
		};
	}
	return current;
}

/** How far the last model is from the first, over all samples: the outputs of both at the kept positions. */
export async function measureDrift(
	models: Pick<StepModels, 'original' | 'pruned' | 'kept'>,
	feeds: readonly Feeds[],
	threads: number,
): Promise<Drift> {
	const original = await runAll(models.original, 'original', feeds, 'disabled', threads);
	const cutFeeds = feeds.map(
		(feed) =>
			new Map([...feed].map(([name, value]) => [name, cutValue(value, models.kept.get(name))] as const)),
	);
	const pruned = await runAll(models.pruned, 'pruned', cutFeeds, 'disabled', threads);
	const cosines: number[] = [];
	let [signal, noise, divergence, agreed, rows] = [0, 0, 0, 0, 0];
	for (const [at, values] of original.entries()) {
		let worst = 1;
		for (const [name, whole] of values) {
			const after = pruned[at]?.get(name);
			const before = cutValue(whole, models.kept.get(name));
			if (after?.data.length !== before.data.length) continue;
			const { dot, left, right, error } = inner(before, after);
			worst = Math.min(worst, left > 0 && right > 0 ? dot / Math.sqrt(left * right) : Number(left === right));
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
		...(rows > 0 && { kl: divergence / rows, top1Agreement: agreed / rows }),
	};
}

function inner(before: Value, after: Value): { dot: number; left: number; right: number; error: number } {
	let [dot, left, right, error] = [0, 0, 0, 0];
	for (let at = 0; at < before.data.length; at++) {
		const [a, b] = [before.data[at] ?? 0, after.data[at] ?? 0];
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
