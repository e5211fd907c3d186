/** What of a model could go, by target: the groups of units that statements choose from, and what stays and why. */
import { type Anatomy } from '../ir/anatomy/anatomy.ts';
import { type Survey, type SurveyedGroup } from '../ir/anatomy/groups.ts';
import { type Family } from '../ir/axes/families.ts';
import { type NetTensor } from '../ir/axes/net.ts';
import { parametersOf } from '../ir/cost.ts';
import { type Bytes } from '../ir/graph/graph.ts';
import { plainStep } from '../ir/recipe/plain-step.ts';
import { type TechniqueWords } from '../ir/recipe/vocabulary.ts';
import { techniques } from './table.ts';
import { firstNumbering, type PlanRequest } from './technique.ts';

/** Looks at every target that has groups of its own; heads and neurons are in the anatomy's layers. Nothing is run. */
export function survey(anatomy: Anatomy): Survey {
	const found = techniques.flatMap((technique) => {
		const { target = '' } = technique.words;
		const all = technique.survey?.(wholeModel(anatomy, technique.words));
		return all === undefined ? [] : [{ target, ...all }];
	});
	const families = found.flatMap(({ groups }) => groups.map(({ family }) => family));
	return {
		removable: parametersIn([...anatomy.families, ...families]),
		groups: found.flatMap(({ target, groups }) =>
			groups.map(({ family, names }): SurveyedGroup => ({
				target,
				name: names[0] ?? '',
				units: family.units,
				pinned: family.pinned,
				reasons: family.reasons,
				params: parametersIn([family]),
				members: names,
			})),
		),
		stuck: found.flatMap(({ target, refused }) =>
			refused.map(({ at = '', message }) => ({ target, what: at, why: message })),
		),
	};
}

/** Numbers in the weights that some live unit cuts, each weight once. */
function parametersIn(families: readonly Family[]): number {
	const weights = new Map<Bytes | string, number>();
	for (const { axes, units } of families) {
		if (units < 2) continue;
		for (const [tensor, classes] of axes)
			if (classes.some((one) => one?.some((unit) => unit >= 0))) count(weights, tensor);
	}
	return [...weights.values()].reduce((sum, size) => sum + size, 0);
}

/** By its data: a weight that has several names is one. */
function count(weights: Map<Bytes | string, number>, { constant }: NetTensor): void {
	if (constant !== undefined) weights.set(constant.bytes ?? constant.name, parametersOf(constant));
}

/** A statement about the whole model. */
function wholeModel(anatomy: Anatomy, words: TechniqueWords): PlanRequest {
	const { net, layers } = anatomy;
	return {
		...{
			step: plainStep({ ...words, technique: words.name }),
			model: net.model,
			net,
			anatomy,
			shapes: new Map(),
		},
		...{ numbering: firstNumbering(layers.length), protect: [], seed: 0 },
	};
}
