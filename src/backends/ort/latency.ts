/** Latency side by side: models take turns, so that the machine's moods hit all alike. */
import { generate } from '../../data/generate.ts';
import { Fault } from '../../diagnostic.ts';
import { bindShapes, typical, type Sample, type Shapes } from '../../ir/graph/bindings.ts';
import { type Model } from '../../ir/graph/graph.ts';
import { openSession, type Session } from './session.ts';

export type Timing = {
	readonly medianMs: number;
	readonly minMs: number;
	readonly maxMs: number;
	/** Median of the pairwise ratios to the first model. */ readonly ratio: number;
	readonly runs: number;
	readonly threads: number;
};

export async function timeModels(
	models: readonly Model[],
	shapes: Shapes,
	threads: number,
	runs: number,
): Promise<Timing[]> {
	const sessions = await Promise.all(
		models.map((model, at) => openSession(model, { which: `${at + 1}.`, optimize: 'all', threads })),
	);
	const sample = await longest(models[0], sessions[0], shapes);
	const feeds = models.map((model) => generate(model, bindShapes(model, sample, shapes), 1));
	const times = models.map(() => new Array<number>());
	for (let run = -2; run < runs; run++) {
		for (const [at, session] of sessions.entries()) {
			const start = performance.now();
			await session.run(feeds[at] ?? new Map());
			if (run >= 0) times[at]?.push(performance.now() - start);
		}
	}
	for (const session of sessions) await session.release();
	const [first = []] = times;
	return times.map((own) => ({
		medianMs: median(own),
		minMs: Math.min(...own),
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

/** Times enough to tell a hundredth apart on a machine with other work. */
const comparisons = 31;

/** Median milliseconds of the first model, and the median over pairs of runs of the second's time over the first's. */
export async function compareTimes(
	original: Model,
	changed: Model,
	shapes: Shapes,
	threads: number,
): Promise<{ readonly ms: number; readonly ratio: number }> {
	const [first, second] = await timeModels([original, changed], shapes, threads, comparisons);
	return { ms: first?.medianMs ?? NaN, ratio: second?.ratio ?? NaN };
}

function median(values: readonly number[]): number {
	const sorted = [...values].sort((a, b) => a - b);
	return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
