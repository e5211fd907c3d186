/** What a goal may take of units: how many of each group can go, and what is lost at every count. */
import { type Step } from '../../ir/recipe/recipe.ts';
import { eliminate } from '../../numerics/elimination.ts';
import { Fault, present } from '../../diagnostic.ts';
import { linearReaders, weightMatrix, type Reading } from './grams.ts';
import { type ScoreContext } from './score-context.ts';
import { effectOfErrors } from './score-effects.ts';
import { alignFor, multipleFor, orderOf, type Candidate } from './select.ts';
import { type Offered } from '../technique.ts';
import { tiesOf } from '../units/tied.ts';
import { type Lab } from '../../ir/lab.ts';
import { type Reader, readersOf } from '../units/units.ts';

/** Counts of a group that are told apart: finer ones would cost time and change little. */
const levels = 48;

type Terms = {
	readonly step: Step;
	readonly align: number;
	readonly unit: string;
	/** Where statistics are measured. */
	readonly context: ScoreContext;
};

/** Groups that share a weight are offered as one. */
export async function offerUnits(candidates: readonly Candidate[], terms: Terms): Promise<Offered[]> {
	const ties = tiesOf(candidates);
	const classes = [...new Set(ties)].map((tie) => candidates.filter((_, at) => ties[at] === tie));
	const effects = await effectsOf(candidates, terms.context);
	const offers: Offered[] = [];
	for (const mates of classes) {
		const first = present(mates[0], 'a candidate');
		const order = orderOf(first, terms.step.min);
		const losses: Float64Array[] = [];
		for (const mate of mates) losses.push(await lossesOf(mate, order, terms.context, effects?.get(mate.key)));
		const total = first.scores.length;
		const at = (multiple: number): Offered => {
			const counts = countsFor(total, order.length, multiple);
			return {
				keys: mates.map(({ key }) => key),
				label: `the ${terms.unit} of ${first.label}`,
				unit: terms.unit,
				families: mates.map(({ family }) => family),
				...{ order, counts },
				damage: counts.map((count) => losses.reduce((sum, own) => sum + (own[count] ?? 0), 0)),
			};
		};
		const multiple = multipleFor(terms.step, first, terms.align);
		const isFree = terms.step.align === undefined && multiple > 1;
		const arePositions = multiple === alignFor(terms.step, total, terms.align);
		offers.push({ ...at(multiple), ...(isFree && arePositions && { align: at }) });
	}
	return offers;
}

/** 0, and counts that leave a multiple of the alignment, at most so many as there are levels, the largest among them. */
function countsFor(total: number, most: number, align: number): number[] {
	const all = Array.from({ length: most }, (_, at) => at + 1).filter(
		(count) => (total - count) % align === 0,
	);
	const every = Math.ceil(all.length / levels);
	return [0, ...all.filter((_, at) => (all.length - 1 - at) % every === 0)];
}

/** Whether all that a group's units are read by is linear, and measured. */
function isMeasured(candidate: Candidate, { lab, grams }: ScoreContext): boolean {
	const linear = linearReaders(candidate).length;
	return (
		lab?.calibrated === true &&
		grams !== undefined &&
		linear > 0 &&
		linear === readersOf(candidate.family).length
	);
}

/**
 * What an error in each group does to the outputs, so that layers compare. Absent where that cannot be told of every group, as through
 * norms that run over what is kept: then an error counts as its share of what the readers put out.
 */
async function effectsOf(
	groups: readonly Candidate[],
	context: ScoreContext,
): Promise<ReadonlyMap<string, number> | undefined> {
	if (!groups.every((group) => isMeasured(group, context))) return undefined;
	const effects = new Map<string, number>();
	try {
		for (const group of groups) effects.set(group.key, await effectOfErrors(group, { ...context, groups }));
	} catch (problem) {
		if (problem instanceof Fault) return undefined;
		throw problem;
	}
	return effects;
}

/** What is lost with the first so many units of an order, at the place of their number: of the outputs, or of what reads the units. */
async function lossesOf(
	candidate: Candidate,
	order: readonly number[],
	context: ScoreContext,
	effect: number | undefined,
): Promise<Float64Array> {
	const { lab, grams } = context;
	if (lab === undefined || grams === undefined || !isMeasured(candidate, context))
		return sums(energyOf(candidate, order));
	const [losses, readings] = [new Float64Array(order.length), await grams.of(candidate)];
	let variance = 0;
	for (const reading of readings) {
		const own = await eliminated(reading, candidate, order, lab);
		variance += own.variance;
		own.losses.forEach((loss, at) => (losses[at] = (losses[at] ?? 0) + loss));
	}
	const weight = effect ?? (variance > 0 ? 1 / variance : 0);
	return sums(losses.map((loss) => loss * weight));
}

/** Without statistics of what reads the units: their share of the squares of all scores. */
function energyOf({ scores }: Candidate, order: readonly number[]): Float64Array {
	const total = scores.reduce((sum, score) => sum + score * score, 0);
	return Float64Array.from(order, (unit) => (total > 0 ? (scores[unit] ?? 0) ** 2 / total : 0));
}

async function eliminated(
	{ reader, grams }: Reading,
	{ label }: Candidate,
	order: readonly number[],
	{ products }: Lab,
): Promise<{ readonly losses: Float64Array; readonly variance: number }> {
	const { inputs, counts } = inputsInOrder(reader, order);
	const weight = weightMatrix(reader);
	const { losses, variance } = await eliminate(grams.fit, weight, inputs, `what ${label} reads`, products);
	let at = 0;
	const byUnit = counts.map((count) =>
		losses.subarray(at, (at += count)).reduce((sum, loss) => sum + loss, 0),
	);
	return { losses: Float64Array.from(byUnit), variance };
}

/** The inputs of each unit of an order, then those that stay in any case. */
function inputsInOrder(
	{ owners }: Reader,
	order: readonly number[],
): { readonly inputs: readonly number[]; readonly counts: readonly number[] } {
	const places = Array.from(owners.keys());
	const leaving = new Set(order);
	const own = order.map((unit) => places.filter((at) => owners[at] === unit));
	const rest = places.filter((at) => !leaving.has(owners[at] ?? -1));
	return { inputs: [...own.flat(), ...rest], counts: own.map(({ length }) => length) };
}

/** Prefix sums, from none. */
function sums(values: Float64Array): Float64Array {
	const result = new Float64Array(values.length + 1);
	values.forEach((value, at) => (result[at + 1] = (result[at] ?? 0) + value));
	return result;
}
