/** Scores of everything in a model that statements rank: what `inspect --scores` shows. Nothing is changed. */
import { type Loaded } from '../backends/onnx/load.ts';
import { usualMemory } from '../backends/ort/remember.ts';
import { labOf } from '../backends/ort/lab.ts';
import { readInputs } from '../data/calibration.ts';
import { Fault } from '../diagnostic.ts';
import { findAnatomy } from '../ir/anatomy/anatomy.ts';
import { buildNet } from '../ir/axes/net.ts';
import { type Shapes } from '../ir/graph/bindings.ts';
import { inferFacts } from '../ir/graph/facts.ts';
import { opened } from '../ir/graph/open.ts';
import { type Lab } from '../ir/lab.ts';
import { plainStep } from '../ir/recipe/plain-step.ts';
import { techniques } from '../passes/table.ts';
import { firstNumbering, type PlanRequest, type Scored, type Technique } from '../passes/technique.ts';

export type ScoreOptions = {
	readonly metric?: string;
	readonly data?: string;
	readonly shapes?: Shapes;
	readonly seed?: number;
	readonly threads?: number;
	readonly samples?: number;
	/** As of `CompileOptions`. */
	readonly cache?: boolean;
	readonly onProgress?: (message: string) => void;
};

export type ModelScores = {
	/** What was run, in words. */
	readonly inputs: string;
	readonly targets: readonly ScoredTarget[];
};
/** `why` says what keeps a target from being scored. */
export type ScoredTarget = { readonly target: string } & (Scored | { readonly why: string });

/** By the metric given where it ranks a target, else by the one that a statement without `by` takes. */
export async function scoreModel(loaded: Loaded, options: ScoreOptions): Promise<ModelScores> {
	const { shapes = new Map(), seed = 0, threads = 2, samples = 8, data } = options;
	const inputs = await readInputs(loaded.model, {
		...{ shapes, seed, samples, modelPath: loaded.file.path },
		...(data !== undefined && { data: { path: data } }),
	});
	const lab = labOf(
		inputs.calibration,
		inputs.words,
		data !== undefined,
		threads,
		shapes,
		usualMemory(options.cache),
	);
	const request = requestOf(loaded, { ...options, shapes, seed }, lab);
	const targets: ScoredTarget[] = [];
	for (const technique of techniques) {
		const { target = '', metrics } = technique.words;
		if (technique.score === undefined) continue;
		if (options.metric !== undefined && !metrics.includes(options.metric)) continue;
		options.onProgress?.(`scores of ${target}`);
		const scored = await scoreTarget(technique, request);
		if (scored !== undefined) targets.push({ target, ...scored });
	}
	return { inputs: inputs.words.replace(/(, \d+ held out.*|; the proof.*)$/, ''), targets };
}

/** Metrics that rank something whose scores can be shown. */
export function shownMetrics(): string[] {
	return [...new Set(techniques.flatMap((one) => (one.score === undefined ? [] : one.words.metrics)))];
}

/** Undefined where the model has nothing of the kind. */
async function scoreTarget(
	technique: Technique,
	request: PlanRequest,
): Promise<Scored | { readonly why: string } | undefined> {
	const { words } = technique;
	const { by } = request.step;
	const step = { ...plainStep({ ...words, technique: words.name }), ...(by !== undefined && { by }) };
	try {
		const scored = await technique.score?.({ ...request, step });
		return (scored?.groups.length ?? 0) > 0 ? scored : undefined;
	} catch (problem) {
		if (!(problem instanceof Fault)) throw problem;
		const [first] = problem.diagnostics;
		return first?.code === 'plan/nothing-found' ? undefined : { why: first?.message ?? '' };
	}
}

function requestOf(
	loaded: Loaded,
	{ metric, seed, shapes }: Required<Pick<ScoreOptions, 'seed' | 'shapes'>> & Pick<ScoreOptions, 'metric'>,
	lab: Lab,
): PlanRequest {
	const model = opened(loaded.model);
	const net = buildNet(model, inferFacts(model, shapes));
	const anatomy = findAnatomy(net);
	const plain = plainStep({ technique: '', verb: '' });
	return {
		...{ step: { ...plain, ...(metric !== undefined && { by: metric }) }, model, net, anatomy, lab, seed },
		...{ shapes, numbering: firstNumbering(anatomy.layers.length), protect: [] },
	};
}
