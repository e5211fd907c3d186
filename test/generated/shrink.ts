/** The smallest recipe that still fails: blocks are left out, or give way to a chain inside them, as long as it does. */
import { isWhole, type Recipe, type Spec } from './recipe.ts';

/** Seeds tried on a smaller model: another net removes something else for the same seed. */
const seeds = 6;

/** @param fails whether a recipe's model goes wrong. */
export async function shrink(recipe: Recipe, fails: (recipe: Recipe) => Promise<boolean>): Promise<Recipe> {
	for (const smaller of candidates(recipe)) {
		for (let more = 0; more < seeds; more++) {
			const tried = { ...smaller, seed: recipe.seed + more };
			if (await fails(tried)) return shrink(tried, fails);
		}
	}
	return recipe;
}

function candidates(recipe: Recipe): Recipe[] {
	return simpler(recipe.blocks)
		.map((blocks) => ({ ...recipe, blocks }))
		.filter(isWhole);
}

/** Every chain that is one step smaller, the largest steps first. */
function simpler(specs: readonly Spec[]): Spec[][] {
	const around = (at: number, middle: readonly Spec[]): Spec[] => [
		...specs.slice(0, at),
		...middle,
		...specs.slice(at + 1),
	];
	const without = specs.map((_, at) => around(at, []));
	const opened = specs.flatMap(({ chains }, at) => chains.map((chain) => around(at, chain)));
	const inside = specs.flatMap((spec, at) =>
		spec.chains.flatMap((chain, which) =>
			simpler(chain).map((less) => {
				const chains = spec.chains.map((own, place) => (place === which ? less : own));
				return around(at, [{ ...spec, chains }]);
			}),
		),
	);
	return [...without, ...opened, ...inside];
}
