/** What a goal may take of units: how many of each group can go, and what is lost at every count. */
import { type Step } from '../ir/recipe/recipe.ts';
import { eliminate } from '../numerics/elimination.ts';
import { present } from '../diagnostic.ts';
import { linearReaders, weightMatrix, type Grams, type Reading } from './grams.ts';
import { multipleFor, orderOf, type Candidate } from './select.ts';
import { type Offered } from './technique.ts';
import { tiesOf } from './tied.ts';
import { type Lab } from '../ir/lab.ts';
import { type Reader, readersOf } from './units.ts';

/** Counts of a group that are told apart: finer ones would cost time and change little. */
const levels = 48;

type Terms = {
	readonly step: Step;
	readonly align: number;
	readonly unit: string;
	/** Where statistics are measured; absent without data. */
	readonly lab?: Lab;
	readonly grams?: Grams;
};

/** Groups that share a weight are offered as one. */
export async function offerUnits(candidates: readonly Candidate[], terms: Terms): Promise<Offered[]> {
	const ties = tiesOf(candidates);
	const classes = [...new Set(ties)].map((tie) => candidates.filter((_, at) => ties[at] === tie));
	const offers: Offered[] = [];
	for (const mates of classes) {
		const first = present(mates[0], 'a candidate');
		const order = orderOf(first, terms.step.min);
		const multiple = multipleFor(terms.step, first, terms.align);
		const counts = countsFor(first.scores.length, order.length, multiple);
		const losses: Float64Array[] = [];
		for (const mate of mates) losses.push(await lossesOf(mate, order, terms));
		offers.push({
			keys: mates.map(({ key }) => key),
			label: `the ${terms.unit} of ${first.label}`,
			families: mates.map(({ family }) => family),
			...{ order, counts },
			damage: counts.map((count) => losses.reduce((sum, own) => sum + (own[count] ?? 0), 0)),
		});
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

/** Share of the readers' variance that is lost with the first so many units of an order, at the place of their number. */
async function lossesOf(
	candidate: Candidate,
	order: readonly number[],
	{ lab, grams }: Terms,
): Promise<Float64Array> {
	const linear = linearReaders(candidate).length;
	if (
		lab?.calibrated !== true ||
		grams === undefined ||
		linear === 0 ||
		linear < readersOf(candidate.family).length
	)
		return sums(energyOf(candidate, order));
	const [losses, readings] = [new Float64Array(order.length), await grams.of(candidate)];
	let variance = 0;
	for (const reading of readings) {
		const own = await eliminated(reading, candidate, order, lab);
		variance += own.variance;
		own.losses.forEach((loss, at) => (losses[at] = (losses[at] ?? 0) + loss));
	}
	return sums(losses.map((loss) => (variance > 0 ? loss / variance : 0)));
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
