/** How good models are on the user's data, side by side: all see an example before the next one is read. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Fault, present } from '../diagnostic.ts';
import { openSession, type Session } from '../backends/ort/session.ts';
import { cutValue } from '../backends/ort/runs.ts';
import { pathBeside, settingsBeside } from '../data/beside.ts';
import { draw, type Draw } from '../data/draw.ts';
import { stream } from '../data/generate.ts';
import { openData } from '../data/inputs.ts';
import { roleOf } from '../data/roles.ts';
import { type Example, type Label, type Pending } from '../data/sample.ts';
import { fedInputs, type Shapes } from '../ir/graph/bindings.ts';
import { type Model, type ValueName } from '../ir/graph/graph.ts';
import { type Evaluation } from '../ir/recipe/recipe.ts';
import { noData } from '../messages/data.ts';
import { metricUnfit, noQuality, unknownClass, unknownQuality } from '../messages/quality.ts';
import { changeOf, intervalOf } from '../quality/intervals.ts';
import { type Metric, type Observation, type Outputs, type Quality, type Seen } from '../quality/metric.ts';
import { metrics, usualMetrics } from '../quality/metrics.ts';
import { scoresOf } from '../quality/outputs.ts';

export type Candidate = {
	readonly name: string;
	readonly model: Model;
	/** Kept positions of inputs and outputs that were cut, by name and axis. */
	readonly kept?: ReadonlyMap<ValueName, ReadonlyMap<number, Int32Array>>;
};

export type EvaluateOptions = Draw & {
	/** The labelled data, or any data to compare with the first model on. */
	readonly path: string;
	/** The first model's file, beside which tokenizers and settings lie. */
	readonly modelPath: string;
	readonly tokens?: number;
	/** By name; absent: what fits the labels and the outputs. */
	readonly metrics?: readonly string[];
	/** A file with the letters of a text recognizer, one a line; else `dictionary.txt` beside the data or the model. */
	readonly dictionary?: string;
	readonly shapes?: Shapes;
	readonly threads?: number;
	readonly signal?: AbortSignal;
	readonly onProgress?: (message: string) => void;
};

export type Evaluated = {
	/** Which data, and how it became inputs. */
	readonly words: string;
	readonly examples: number;
	readonly labelled: number;
	readonly metrics: readonly Quality[];
};

/** Throws `Fault` when the data, a label or a metric does not fit. */
export async function evaluateModels(
	candidates: readonly Candidate[],
	options: EvaluateOptions,
): Promise<Evaluated> {
	const [first] = candidates;
	const { model } = present(first, 'a model to evaluate');
	const data = await openData(model, options);
	const pending = draw(data.examples, options);
	if (pending.length === 0) throw new Fault(noData({ path: options.path, what: 'example' }));
	const sessions: Session[] = [];
	try {
		for (const { name, model } of candidates)
			sessions.push(
				await openSession(model, { which: `'${name}'`, optimize: 'all', threads: options.threads ?? 2 }),
			);
		const seen = await watch(candidates, sessions, pending, options);
		return {
			words: `${pending.length} of '${options.path}' (${data.words})`,
			examples: pending.length,
			...seen,
		};
	} finally {
		for (const session of sessions) await session.release();
	}
}

/** What a recipe's `evaluate` says of its data and metric. */
export function saidBy({ path, take, tokens, seed, metric }: Evaluation): Omit<EvaluateOptions, 'modelPath'> {
	return {
		path,
		...(take !== undefined && { take }),
		...(tokens !== undefined && { tokens }),
		...(seed !== undefined && { seed }),
		...(metric !== undefined && { metrics: [metric] }),
	};
}

/** Original and result on the data of a recipe's `evaluate`, by the first of its metrics that is a share; undefined without one. */
export async function compareShares(
	evaluation: Evaluation,
	{ original, pruned, kept }: { original: Model; pruned: Model; kept: NonNullable<Candidate['kept']> },
	{ modelPath, shapes, threads, signal, onProgress }: Omit<EvaluateOptions, 'path'>,
): Promise<{ before: number; after: number } | undefined> {
	const candidates = [
		{ name: 'original', model: original },
		{ name: 'result', model: pruned, kept },
	];
	const { metrics: measured } = await evaluateModels(candidates, {
		...saidBy(evaluation),
		modelPath,
		...(shapes && { shapes }),
		...(threads !== undefined && { threads }),
		...(signal && { signal }),
		...(onProgress && { onProgress }),
	});
	const [before, after] = measured.find(({ isShare }) => isShare)?.models ?? [];
	return before && after && { before: before.value, after: after.value };
}

/** Runs every model on every example and keeps what the metrics want of it. */
async function watch(
	candidates: readonly Candidate[],
	sessions: readonly Session[],
	pending: readonly Pending[],
	options: EvaluateOptions,
): Promise<Pick<Evaluated, 'labelled' | 'metrics'>> {
	const context = contextOf(options);
	const numbers = context.letters === undefined ? classNumbers(pending, options.modelPath) : undefined;
	let chosen: readonly Metric[] | undefined = options.metrics?.map(metricNamed);
	const kept: Observation[][][] = [];
	for (const [at, { make }] of pending.entries()) {
		options.signal?.throwIfAborted();
		options.onProgress?.(`evaluating ${at + 1} of ${pending.length}`);
		const example = make();
		const outputs: Outputs[] = [];
		for (const [index, session] of sessions.entries())
			outputs.push(await session.run(cutFeeds(example, candidates[index])));
		const original = present(outputs[0], 'outputs of the first model');
		const common = seenOf(example, original, numbers, context, candidates);
		chosen ??= usual({ ...common, outputs: original }, candidates);
		for (const [place, metric] of chosen.entries()) {
			const seen = outputs.map((own, index) =>
				observed(metric, { ...common, outputs: own }, candidates[index]?.name ?? '', example.at),
			);
			const all = (kept[place] ??= candidates.map(() => []));
			for (const [index, one] of seen.entries()) all[index]?.push(one);
		}
	}
	const labelled = pending.filter(({ label }) => label !== undefined).length;
	return {
		labelled,
		metrics: (chosen ?? []).map((metric, at) => summary(metric, kept[at] ?? [], candidates)),
	};
}

function cutFeeds({ feeds }: Example, candidate: Candidate | undefined): Example['feeds'] {
	return new Map([...feeds].map(([name, value]) => [name, cutValue(value, candidate?.kept?.get(name))]));
}

function observed(metric: Metric, seen: Seen, model: string, at: string): Observation {
	const observation = metric.observe(seen);
	if (observation === undefined) throw new Fault(metricUnfit({ metric: metric.name, model }, { at }));
	return observation;
}

function usual(seen: Seen | undefined, [first]: readonly Candidate[]): readonly Metric[] {
	const chosen = seen === undefined ? [] : usualMetrics(seen);
	if (chosen.length === 0) throw new Fault(noQuality({ model: first?.name ?? '' }));
	return chosen;
}

function metricNamed(name: string): Metric {
	const found = metrics.find((metric) => metric.name === name);
	if (found === undefined)
		throw new Fault(unknownQuality({ found: name, known: metrics.map((metric) => metric.name) }));
	return found;
}

type Context = {
	readonly letters?: readonly string[];
	readonly pooling: 'mean' | 'cls';
	readonly ids?: string;
};

function contextOf(options: EvaluateOptions): Context {
	const folder =
		existsSync(options.path) && statSync(options.path).isDirectory() ? options.path : dirname(options.path);
	const beside = join(folder, 'dictionary.txt');
	const file =
		options.dictionary ?? (existsSync(beside) ? beside : pathBeside(options.modelPath, 'dictionary.txt'));
	const letters =
		file === undefined
			? undefined
			: readFileSync(file, 'utf8')
					.replace(/\r?\n$/, '')
					.split(/\r?\n/);
	const pooling = settingsBeside(options.modelPath, '1_Pooling/config.json');
	return {
		pooling: pooling?.['pooling_mode_cls_token'] === true ? 'cls' : 'mean',
		...(letters !== undefined && { letters }),
	};
}

/** What is the same for all models of one example. */
function seenOf(
	{ feeds, mask, label, at }: Example,
	original: Outputs,
	numbers: ClassNumbers | undefined,
	{ letters, pooling }: Context,
	[first]: readonly Candidate[],
): Omit<Seen, 'outputs'> {
	const input = fedInputs(present(first, 'a model').model).find((one) => roleOf(one) === 'ids');
	const ids = input && feeds.get(input.name);
	const right = letters === undefined ? numbered(label, original, numbers, at) : label && textOf(label);
	return {
		original,
		pooling,
		...(letters && { letters }),
		...(mask && { mask }),
		...(ids && { ids }),
		...(right !== undefined && { label: right }),
	};
}

/** A text that looks like a number was read as one. */
const textOf = (label: Label): Label => (typeof label === 'number' ? String(label) : label);

/** The numbers of classes by their names; `isGuess` when they come from the data alone. */
type ClassNumbers = { readonly byName: ReadonlyMap<string, number>; readonly isGuess: boolean };

function classNumbers(pending: readonly Pending[], modelPath: string): ClassNumbers {
	const said = settingsBeside(modelPath, 'config.json')?.['id2label'];
	if (typeof said === 'object' && said !== null)
		return {
			byName: new Map(Object.entries(said).map(([id, name]) => [String(name), Number(id)])),
			isGuess: false,
		};
	const names = pending.flatMap(({ label }) => (typeof label === 'string' ? [label] : []));
	const sorted = [...new Set(names)].toSorted();
	return { byName: new Map(sorted.map((name, at) => [name, at])), isGuess: true };
}

function numbered(
	label: Label | undefined,
	outputs: Outputs,
	numbers: ClassNumbers | undefined,
	at: string,
): Label | undefined {
	if (typeof label !== 'string' || numbers === undefined) return label;
	const { byName, isGuess } = numbers;
	const classes = scoresOf(outputs)?.dims.at(-1) ?? byName.size;
	const number = byName.get(label);
	if (number === undefined || (isGuess && classes !== byName.size))
		throw new Fault(unknownClass({ ...(!isGuess && { found: label }), classes, names: byName.size }, { at }));
	return number;
}

function summary(
	metric: Metric,
	kept: readonly (readonly Observation[])[],
	candidates: readonly Candidate[],
): Quality {
	const all = kept.map((own) => metric.across?.(own) ?? own);
	const [before = []] = all;
	const first = metric.value(before);
	const models = all.map((own, at) => {
		const value = metric.value(own);
		return {
			name: candidates[at]?.name ?? '',
			value,
			interval: intervalOf(metric, own, stream(0)),
			...(at > 0 && { change: { value: value - first, interval: changeOf(metric, before, own, stream(0)) } }),
		};
	});
	return { metric: metric.name, better: metric.better, isShare: metric.isShare, models };
}
