/** How good and how fast a result is, against the model as given. */
import { measureDrift } from '../backends/ort/drift.ts';
import { timeModels } from '../backends/ort/latency.ts';
import { type Diagnostic } from '../diagnostic.ts';
import { type InputSet } from '../data/calibration.ts';
import { type BuildDocument } from '../document.ts';
import { compareShares } from '../tasks/evaluate.ts';
import { type Shapes } from '../ir/graph/bindings.ts';
import { type Model } from '../ir/graph/graph.ts';
import { type Kept } from '../ir/proof.ts';
import { slower } from '../messages/run.ts';
import { type Recipe } from '../ir/recipe/recipe.ts';
import { qualitiesOf } from '../passes/expect.ts';
import { type Qualities } from '../passes/goals/goal-words.ts';

export type Judging = {
	readonly modelPath: string;
	readonly threads: number;
	readonly signal?: AbortSignal;
	readonly onProgress?: (message: string) => void;
};
type Models = { readonly original: Model; readonly pruned: Model; readonly kept: Kept };

/** For goals of quality: drift on held-out inputs, and the metric of `evaluate`, where the recipe asks for it. */
export async function judgeResult(
	recipe: Recipe,
	models: Models,
	shapes: Shapes,
	inputs: InputSet,
	judging: Judging,
): Promise<Qualities> {
	const drift = await measureDrift(models, inputs.heldOut, judging.threads);
	const isLabelled = recipe.steps.some((step) =>
		step.while.some(({ subject }) => subject.startsWith('accuracy')),
	);
	return qualitiesOf(drift, isLabelled ? await sharesOf(recipe, models, shapes, judging) : undefined);
}

/** By the metric of `evaluate`, where the recipe has one. */
export function sharesOf(
	recipe: Recipe | undefined,
	models: Models,
	shapes: Shapes,
	judging: Judging,
): ReturnType<typeof compareShares> | undefined {
	return recipe?.evaluate && compareShares(recipe.evaluate, models, { ...judging, shapes });
}

/**
 * What is wrong with a result whose fastest run takes longer than half of the original's, by more than a clock's noise: nobody asked for
 * that. An expectation of latency is judged by itself, and some statements are known to take time.
 */
export function slowerThanBefore(
	latency: BuildDocument['latency'],
	recipe: Recipe | undefined,
	isToldSlower: (technique: string) => boolean,
): Diagnostic[] {
	const isAllowed =
		recipe?.expectations.some(({ subject }) => subject === 'latency') === true ||
		recipe?.steps.some(({ technique }) => isToldSlower(technique)) === true;
	if (latency === undefined || isAllowed) return [];
	const { beforeMs, afterRangeMs, ratio } = latency;
	const [fastest] = afterRangeMs;
	return fastest > 1.02 * beforeMs ? [slower({ before: beforeMs, after: fastest, ratio })] : [];
}

/** Both models in turns; not for results whose inputs have other shapes than the original's. */
export async function timeBoth(
	models: readonly [original: Model, pruned: Model],
	shapes: Shapes,
	threads: number,
): Promise<BuildDocument['latency']> {
	const [before, after] = await timeModels(models, shapes, threads, 15);
	if (before === undefined || after === undefined) return undefined;
	const { ratio, runs } = after;
	const times = { beforeMs: before.medianMs, afterMs: after.medianMs };
	const beforeRangeMs = [before.minMs, before.maxMs] as const;
	const afterRangeMs = [after.minMs, after.maxMs] as const;
	return { ...times, beforeRangeMs, afterRangeMs, ratio, threads, runs };
}
