/** What a condition can ask of a unit: parameters and multiply–adds that go with it, and metrics in raw units. */
import { productsOf } from '../../ir/products.ts';
import { fieldsOf } from '../../ir/recipe/predicate.ts';
import { type Step } from '../../ir/recipe/recipe.ts';
import { type Family } from '../../ir/axes/families.ts';
import { elementCount } from '../../ir/graph/graph.ts';
import { type ScoreContext } from './score-context.ts';
import { metricNamed, metrics } from './scores.ts';
import { type UnitGroup } from '../units/units.ts';

/** By name, the value of each unit. */
export type Fields = ReadonlyMap<string, Float64Array>;

/** The fields that the condition of a step reads, beside its position and importance. */
export async function fieldsFor(step: Step, group: UnitGroup, context: ScoreContext): Promise<Fields> {
	const fields = new Map<string, Float64Array>();
	for (const name of step.where === undefined ? [] : fieldsOf(step.where)) {
		if (name === 'params') fields.set(name, paramsOf(group.family));
		else if (name === 'macs') fields.set(name, macsOf(group.family));
		else if (metrics.some((metric) => metric.name === name))
			fields.set(name, await metricNamed(name).score(group, context));
	}
	return fields;
}

/** Numbers in weights that go with each unit. */
function paramsOf(family: Family): Float64Array {
	const sums = new Float64Array(family.units);
	for (const [tensor, axes] of family.axes) {
		if (tensor.constant === undefined) continue;
		const size = elementCount(tensor.sizes);
		axes.forEach((owners, axis) => addShares(sums, owners, size / (tensor.sizes[axis] ?? 1)));
	}
	return sums;
}

/** Multiply–adds that go with each unit, at the sizes that costs are counted at. */
function macsOf(family: Family): Float64Array {
	const sums = new Float64Array(family.units);
	for (const [node, owners] of family.letters) {
		for (const { letters, times } of productsOf(node)) {
			const sizes = letters.map((letter) => node.row?.letters[letter]?.size ?? 1);
			const macs = times * elementCount(sizes);
			letters.forEach((letter, at) => {
				addShares(sums, owners[letter], macs / (sizes[at] ?? 1));
			});
		}
	}
	return sums;
}

function addShares(sums: Float64Array, owners: Int32Array | undefined, each: number): void {
	for (const unit of owners ?? []) if (unit >= 0) sums[unit] = (sums[unit] ?? 0) + each;
}
