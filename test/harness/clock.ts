/** Recipes carried out by times that a test makes up, so that no clock is in it. */
import { labOf } from '../../src/backends/ort/lab.ts';
import { costOf } from '../../src/ir/cost.ts';
import { inferFacts } from '../../src/ir/graph/facts.ts';
import { type Model } from '../../src/ir/graph/graph.ts';
import { runRecipe, type RunResult } from '../../src/passes/run.ts';
import { checkText } from '../../src/recipe-text/check-text.ts';

/** @param timeOf milliseconds of a part; undefined for one that does not run by itself. */
export function timedBy(
	model: Model,
	recipe: string,
	timeOf: (part: Model) => number | undefined,
): Promise<RunResult> {
	const lab = {
		...labOf([], 'none', false, 1),
		timeParts: (parts: readonly { readonly model: Model }[]) =>
			Promise.resolve(parts.map((part) => timeOf(part.model))),
	};
	return runRecipe(checkText(recipe, {}).recipe!, model, { shapes: new Map(), seed: 0, lab });
}

export const multiplyAdds = (part: Model): number => costOf(part, inferFacts(part)).macs;
