/** Scores from statistics of what the readers of units read. */
import { Fault, present } from '../../diagnostic.ts';
import { elementCount } from '../../ir/graph/graph.ts';
import { isReadable, numbersOf } from '../../ir/graph/tensor.ts';
import { type Lab, type Moments } from '../../ir/lab.ts';
import { matrix, rowsOf, type Matrix } from '../../ir/matrix.ts';
import { needsData, noReader } from '../../messages/plan.ts';
import { surgeonScores } from '../../numerics/brain-surgeon.ts';
import { covariance } from '../../numerics/statistics.ts';
import { weightMatrix, type Reading as GramReading } from './grams.ts';
import { type ScoreContext } from './score-context.ts';
import { isMeasurable, ownerAt, readersOf, type Reader, type UnitGroup } from '../units/units.ts';

type Reading = { readonly reader: Reader; readonly moments: Moments };

/** What everybody who reads the units reads, measured. */
async function readings(group: UnitGroup, { net, lab }: ScoreContext, metric: string): Promise<Reading[]> {
	const readers = measurableReaders(group, lab, metric);
	const requests = readers.map(({ input, inputAxis }) => ({ value: input.name, axis: inputAxis }));
	const moments = (await lab?.moments(net.model, requests)) ?? [];
	return readers.map((reader, at) => ({ reader, moments: present(moments[at], 'the measured moments') }));
}

/** Readers whose inputs can be measured. Throws `Fault` without any, and where nothing may be run. */
function measurableReaders({ family, label }: UnitGroup, lab: Lab | undefined, metric: string): Reader[] {
	if (lab === undefined) throw new Fault(needsData({ metric }));
	const readers = readersOf(family).filter(isMeasurable);
	if (readers.length === 0) throw new Fault(noReader({ metric, what: label }));
	return readers;
}

/** Mean square of what is read at each summed coordinate. */
const squaresOf = ({ reader, moments }: Reading): Float64Array =>
	perCoordinate(reader, moments.squares, moments);

/** Mean of what is read at each summed coordinate. */
const meansOf = ({ reader, moments }: Reading): Float64Array => perCoordinate(reader, moments.sum, moments);

function perCoordinate(reader: Reader, totals: Float64Array, { count }: Moments): Float64Array {
	const sums = new Float64Array(reader.owners.length);
	const counts = new Float64Array(reader.owners.length);
	totals.forEach((total, position) => {
		const at = reader.inputIndex === null ? position : (reader.inputIndex[position] ?? -1);
		if (at < 0) return;
		sums[at] = (sums[at] ?? 0) + total / Math.max(1, count);
		counts[at] = (counts[at] ?? 0) + 1;
	});
	return sums.map((sum, at) => sum / Math.max(1, counts[at] ?? 1));
}

/** Every weight that reads a unit, with its summed coordinate. */
function forEachWeight(
	{ weight, weightAxis, weightIndex, owners }: Reader,
	take: (value: number, coordinate: number, unit: number) => void,
): void {
	const inner = elementCount(weight.sizes.slice(weightAxis + 1));
	const size = weight.sizes[weightAxis] ?? 1;
	for (const [at, value] of numbersOf(present(weight.constant, 'a weight')).entries()) {
		const position = Math.floor(at / inner) % size;
		const coordinate = weightIndex === null ? position : (weightIndex[position] ?? -1);
		const unit = owners[coordinate] ?? -1;
		if (unit >= 0) take(value, coordinate, unit);
	}
}

/** A unit's share of each matrix or filter that reads it: size of what is read times weight (Wanda, arXiv:2306.11695). */
export async function wandaScores(group: UnitGroup, context: ScoreContext): Promise<Float64Array> {
	const scores = new Float64Array(group.family.units);
	for (const reading of await readings(group, context, 'wanda')) {
		const { reader } = reading;
		if (reader.weight.constant === undefined || !isReadable(reader.weight.constant)) continue;
		const norms = squaresOf(reading).map(Math.sqrt);
		forEachWeight(reader, (value, coordinate, unit) => {
			scores[unit] = (scores[unit] ?? 0) + Math.abs(value) * (norms[coordinate] ?? 0);
		});
	}
	return scores;
}

/** Root mean square of what a unit puts out, over all that read it. */
export async function activationScores(group: UnitGroup, context: ScoreContext): Promise<Float64Array> {
	const [sums, counts] = [new Float64Array(group.family.units), new Float64Array(group.family.units)];
	for (const reading of await readings(group, context, 'activation')) {
		squaresOf(reading).forEach((square, coordinate) => {
			const unit = reading.reader.owners[coordinate] ?? -1;
			if (unit < 0) return;
			sums[unit] = (sums[unit] ?? 0) + square;
			counts[unit] = (counts[unit] ?? 0) + 1;
		});
	}
	return sums.map((sum, unit) => Math.sqrt(sum / Math.max(1, counts[unit] ?? 1)));
}

/** What the readers lose when a unit goes and the rest is refitted. */
export async function surgeon(group: UnitGroup, { lab, grams }: ScoreContext): Promise<Float64Array> {
	if (lab === undefined || grams === undefined) throw new Fault(needsData({ metric: 'obs' }));
	const { family, label } = group;
	const readings = await grams.of(group);
	if (readings.length === 0) throw new Fault(noReader({ metric: 'obs', what: label }));
	const scores = new Float64Array(family.units);
	for (const { reader, grams: measured } of readings) {
		const weight = weightMatrix(reader);
		const what = `what ${label} reads`;
		const own = await surgeonScores(measured.fit, weight, reader.owners, family.units, what, lab.products);
		own.forEach((score, unit) => (scores[unit] = (scores[unit] ?? 0) + score));
	}
	return scores;
}

/** Variance of what is read times the squares of the weights that read it, over the unit's coordinates (FLAP, arXiv:2312.11983). */
export async function fluctuationScores(group: UnitGroup, context: ScoreContext): Promise<Float64Array> {
	const scores = new Float64Array(group.family.units);
	for (const reading of await readings(group, context, 'fluctuation')) {
		const { reader } = reading;
		if (reader.weight.constant === undefined || !isReadable(reader.weight.constant)) continue;
		const variances = variancesOf(reading);
		forEachWeight(reader, (value, coordinate, unit) => {
			scores[unit] = (scores[unit] ?? 0) + value * value * (variances[coordinate] ?? 0);
		});
	}
	return scores;
}

/** Variance of what is read at each summed coordinate. */
function variancesOf(reading: Reading): Float64Array {
	const means = meansOf(reading);
	return squaresOf(reading).map((square, at) => Math.max(0, square - (means[at] ?? 0) ** 2));
}

/**
 * One minus the largest likeness to another unit of the group: the RV coefficient of what both put out, for single features the
 * squared correlation. A unit whose like stays can be made up for.
 */
export async function similarityScores(
	group: UnitGroup,
	{ lab, grams }: ScoreContext,
): Promise<Float64Array> {
	if (lab === undefined || grams === undefined) throw new Fault(needsData({ metric: 'similarity' }));
	const measured = await grams.of(group);
	if (measured.length === 0) throw new Fault(noReader({ metric: 'similarity', what: group.label }));
	const nearest = new Float64Array(group.family.units);
	for (const reading of measured) {
		const squares = blockSquares(reading, group.family.units);
		nearest.forEach((known, unit) => (nearest[unit] = Math.max(known, likest(squares, unit))));
	}
	return nearest.map((most) => 1 - most);
}

/** Squared Frobenius norms of the covariance's blocks, units × units. */
function blockSquares({ reader, grams }: GramReading, units: number): Matrix {
	const { cols, data } = covariance(grams.fit);
	const squares = matrix(units, units);
	data.forEach((value, at) => {
		const [row, col] = [reader.owners[Math.floor(at / cols)] ?? -1, reader.owners[at % cols] ?? -1];
		if (row < 0 || col < 0) return;
		squares.data[row * units + col] = (squares.data[row * units + col] ?? 0) + value * value;
	});
	return squares;
}

/** The largest RV coefficient of a unit with another one; one that never moves is like all. */
function likest({ rows, data }: Matrix, unit: number): number {
	const own = Math.sqrt(data[unit * rows + unit] ?? 0);
	if (own === 0) return 1;
	let most = 0;
	for (let other = 0; other < rows; other++) {
		const theirs = Math.sqrt(data[other * rows + other] ?? 0);
		if (other === unit || theirs === 0) continue;
		most = Math.max(most, (data[unit * rows + other] ?? 0) / (own * theirs));
	}
	return Math.min(1, most);
}

/** Bins of a histogram, as many as an entropy of 5 bits fills. */
const bins = 32;

/** Entropy in bits of what each unit puts out: of a histogram between its least and its largest value (arXiv:1706.05791). */
export async function entropyScores(group: UnitGroup, { net, lab }: ScoreContext): Promise<Float64Array> {
	const readers = measurableReaders(group, lab, 'entropy');
	const requests = readers.map(({ input, inputAxis }) => ({ value: input.name, axis: inputAxis }));
	const histograms = (await lab?.histograms(net.model, requests, bins)) ?? [];
	const [sums, counts] = [new Float64Array(group.family.units), new Float64Array(group.family.units)];
	for (const [at, { owners, inputIndex }] of readers.entries()) {
		const counted = present(histograms[at], 'a histogram');
		for (let position = 0; position < counted.rows; position++) {
			const unit = ownerAt(owners, inputIndex, position);
			if (unit < 0) continue;
			sums[unit] = (sums[unit] ?? 0) + entropyOf(rowsOf(counted, position, position + 1).data);
			counts[unit] = (counts[unit] ?? 0) + 1;
		}
	}
	return sums.map((sum, unit) => sum / Math.max(1, counts[unit] ?? 1));
}

function entropyOf(counts: Float64Array): number {
	const total = counts.reduce((sum, count) => sum + count, 0);
	return counts.reduce(
		(sum, count) => (count > 0 ? sum - (count / total) * Math.log2(count / total) : sum),
		0,
	);
}
