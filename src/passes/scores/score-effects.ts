/** Scores from what the outputs of the model do when units are left out. */
import { Fault, present } from '../../diagnostic.ts';
import { drawAt } from '../../ir/graph/random.ts';
import { matrix, type Matrix, type Products } from '../../ir/matrix.ts';
import { needsData, noReader } from '../../messages/plan.ts';
import { pick, pickRows } from '../../numerics/statistics.ts';
import { weightMatrix, type Reading } from './grams.ts';
import { knobsFor } from './knobs.ts';
import { surgeon } from './score-data.ts';
import { type ScoreContext } from './score-context.ts';
import { type UnitGroup } from '../units/units.ts';

type Effects = ReadonlyMap<string, Float64Array>;

/** Effects by what was asked of groups that are ranked together: each is measured for all of them at once. */
const measured = new WeakMap<readonly UnitGroup[], Map<string, Promise<Effects>>>();

function once(
	groups: readonly UnitGroup[],
	metric: string,
	measure: () => Promise<Effects>,
): Promise<Effects> {
	const known = measured.get(groups) ?? new Map<string, Promise<Effects>>();
	measured.set(groups, known);
	const found = known.get(metric) ?? measure();
	known.set(metric, found);
	return found;
}

/** Squared change of the outputs over their size when the unit alone is left out. */
export async function ablationScores(group: UnitGroup, context: ScoreContext): Promise<Float64Array> {
	const groups = context.groups ?? [group];
	const effects = await once(groups, 'ablation', () =>
		effectsOf(groups, context, 'ablation', ({ family }) =>
			Array.from({ length: family.units }, (_, unit) => new Set([unit])),
		),
	);
	return present(effects.get(group.key), 'effects of a group');
}

/** Sets of units drawn for each group, and which share of it each holds. */
const [draws, share] = [2, 1 / 8] as const;

/**
 * What the outputs lose, by estimate, when the unit goes and its readers are refitted: the error that it leaves there, times what an
 * error there does to the outputs. The latter is measured by leaving out drawn sets of units: change of the outputs per
 * squared error of the readers. Scores of all layers compare.
 */
export async function sensitivityScores(group: UnitGroup, context: ScoreContext): Promise<Float64Array> {
	const effect = await effectOfErrors(group, context);
	return (await surgeon(group, context)).map((loss) => loss * effect);
}

/** Squared change of the outputs over their size, per squared error of what reads a group's units. Throws `Fault` where it cannot be measured. */
export async function effectOfErrors(group: UnitGroup, context: ScoreContext): Promise<number> {
	const groups = context.groups ?? [group];
	const sets = (one: UnitGroup): Set<number>[] => drawnSets(one, context.seed);
	const effects = await once(groups, 'sensitivity', () => effectsOf(groups, context, 'sensitivity', sets));
	const total = present(effects.get(group.key), 'effects of a group').reduce(
		(sum, effect) => sum + effect,
		0,
	);
	const errors = await errorsOf(group, sets(group), context);
	return errors > 0 ? total / errors : 1;
}

/** The sets that a group's sensitivity is measured with. */
export function drawnSets({ family }: UnitGroup, seed: number): Set<number>[] {
	const count = Math.max(1, Math.round(family.units * share));
	return Array.from({ length: draws }, (_, turn) => {
		const drawn = Array.from({ length: family.units }, (_unit, unit) => ({
			unit,
			at: drawAt(seed, turn, family.seed.node.node.id, unit),
		}));
		return new Set(
			drawn
				.sort((a, b) => a.at - b.at || a.unit - b.unit)
				.slice(0, count)
				.map(({ unit }) => unit),
		);
	});
}

async function effectsOf(
	groups: readonly UnitGroup[],
	{ net, lab }: ScoreContext,
	metric: string,
	sets: (group: UnitGroup) => readonly ReadonlySet<number>[],
): Promise<Effects> {
	if (lab === undefined) throw new Fault(needsData({ metric }));
	const { model, outputs, neutral, without } = knobsFor(net, groups, metric);
	const asked = groups.map((group) => sets(group).map((units) => without(group, units)));
	const changes = await lab.changes(model, { outputs, neutral, settings: asked.flat() });
	let at = 0;
	return new Map(
		groups.map(({ key }, turn) => [key, changes.slice(at, (at += asked[turn]?.length ?? 0))] as const),
	);
}

/** Squared error of the group's linear readers, summed over their outputs and over sets of units that are left out. */
async function errorsOf(
	group: UnitGroup,
	sets: readonly ReadonlySet<number>[],
	{ lab, grams }: ScoreContext,
): Promise<number> {
	if (lab === undefined || grams === undefined) throw new Fault(needsData({ metric: 'sensitivity' }));
	const readings = await grams.of(group);
	if (readings.length === 0) throw new Fault(noReader({ metric: 'sensitivity', what: group.label }));
	let sum = 0;
	for (const reading of readings)
		for (const units of sets) sum += await errorOf(reading, units, lab.products);
	return sum;
}

/** tr(Wᵀ·E[xᵀx]·W) over the inputs of the units. */
async function errorOf(
	{ reader, grams: { fit } }: Reading,
	units: ReadonlySet<number>,
	products: Products,
): Promise<number> {
	const gone = Array.from(reader.owners.keys()).filter((at) => units.has(reader.owners[at] ?? -1));
	const weight = pickRows(weightMatrix(reader), gone);
	const image = await products.multiply(meanSquares(fit.gram, gone, fit.count), weight);
	return image.data.reduce((sum, value, at) => sum + value * (weight.data[at] ?? 0), 0);
}

function meanSquares(gram: Matrix, at: readonly number[], count: number): Matrix {
	const own = pick(gram, at, at);
	return matrix(
		own.rows,
		own.cols,
		own.data.map((value) => value / count),
	);
}
