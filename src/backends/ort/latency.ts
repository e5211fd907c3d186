/** Latency side by side: models take turns, so that the machine's moods hit all alike. */
import { generate } from '../../data/generate.ts';
import { Fault } from '../../diagnostic.ts';
import { bindShapes, typical, type Sample, type Shapes } from '../../ir/graph/bindings.ts';
import { type Model } from '../../ir/graph/graph.ts';
import { openSession, type Session } from './session.ts';

export type Timing = {
	readonly medianMs: number;
	readonly minMs: number;
	/** A tenth of the runs took no longer: other work on the machine has part in it least. */
	readonly lowMs: number;
	readonly maxMs: number;
	/** Median of the pairwise ratios to the first model. */ readonly ratio: number;
	readonly runs: number;
	readonly threads: number;
};

export async function timeModels(
	models: readonly Model[],
	shapes: Shapes,
	threads: number,
	least: number,
	enoughMs = 0,
): Promise<Timing[]> {
	const sessions = await Promise.all(
		models.map((model, at) => openSession(model, { which: `${at + 1}.`, optimize: 'all', threads })),
	);
	const sample = await longest(models[0], sessions[0], shapes);
	const feeds = models.map((model) => generate(model, bindShapes(model, sample, shapes), 1));
	const times = models.map(() => new Array<number>());
	let [runs, started] = [-2, performance.now()];
	while (runs < least || (runs < most && performance.now() - started < enoughMs)) {
		// The first two of each allocate.
		const isCounted = runs++ >= 0;
		if (!isCounted) started = performance.now();
		for (const [at, session] of sessions.entries()) {
			const start = performance.now();
			await session.run(feeds[at] ?? new Map());
			if (isCounted) times[at]?.push(performance.now() - start);
		}
	}
	for (const session of sessions) await session.release();
	const [first = []] = times;
	return times.map((own) => ({
		medianMs: median(own),
		minMs: Math.min(...own),
		lowMs: quantile(own, 1 / 10),
		maxMs: Math.max(...own),
		ratio: median(own.map((time, at) => time / (first[at] ?? time))),
		runs,
		threads,
	}));
}

/** Of the typical length and past: shorter where a table of positions is short, longer where windows of sound are asked for. */
const lengths = [1, 1 / 2, 1 / 4, 1 / 8, 1 / 32, 4, 12] as const;

/** Typical sizes, or the first others that a model runs on. */
async function longest(
	model: Model | undefined,
	session: Session | undefined,
	shapes: Shapes,
): Promise<Sample> {
	if (model === undefined || session === undefined) return typical;
	const samples = lengths.map((part) => ({
		...typical,
		length: typical.length * part,
		past: typical.past * Math.min(1, part),
	}));
	for (const sample of samples) {
		try {
			await session.run(generate(model, bindShapes(model, sample, shapes), 1));
			return sample;
		} catch (problem) {
			if (!(problem instanceof Fault)) throw problem;
		}
	}
	return typical;
}

/** Times enough to tell a hundredth apart on a machine with other work, and of models of a millisecond as many as take a while. */
const [comparisons, comparedMs] = [31, 600];
/** Times of one model at most. */
const most = 400;

/**
 * Milliseconds of the first model, and the second's over them, both by the fastest tenth of their runs: what other work adds to a run
 * is the same for both, so that it would draw the ratio of medians to one.
 */
export async function compareTimes(
	original: Model,
	changed: Model,
	shapes: Shapes,
	threads: number,
): Promise<{ readonly ms: number; readonly ratio: number }> {
	const [first, second] = await timeModels([original, changed], shapes, threads, comparisons, comparedMs);
	const [before, after] = [first?.lowMs ?? NaN, second?.lowMs ?? NaN];
	return { ms: before, ratio: after / before };
}

const median = (values: readonly number[]): number => quantile(values, 1 / 2);

function quantile(values: readonly number[], share: number): number {
	const sorted = [...values].sort((a, b) => a - b);
	return sorted[Math.floor(sorted.length * share)] ?? 0;
}
