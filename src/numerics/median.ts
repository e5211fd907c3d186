/** The geometric median: the point with the least sum of distances to all points given. */
import { rowsOf, type Matrix } from '../ir/matrix.ts';

/** Steps of the iteration before it is taken as it is; each one shrinks the error by a constant factor. */
const steps = 200;
/** The iteration ends when a step is this short against the spread of the points. */
const short = 1e-10;

/**
 * Distance of each row to the geometric median of all rows, by Weiszfeld's iteration with the step of Vardi and Zhang (PNAS 97,
 * 2000) where it meets a row. Filters near the median are those that others can stand for (FPGM, arXiv:1811.00250).
 */
export function distancesToMedian(points: Matrix): Float64Array {
	let centre = meanOf(points);
	let far = distancesTo(points, centre);
	const spread = far.reduce((a, b) => Math.max(a, b), 0);
	for (let step = 0; step < steps && spread > 0; step++) {
		const next = stepFrom(points, centre, far, spread * short);
		const moved = distance(next, centre);
		centre = next;
		far = distancesTo(points, centre);
		if (moved <= spread * short) break;
	}
	return far;
}

/** Rows weighed by one over their distance; a row that the centre lies on pulls with what the others leave of it. */
function stepFrom(points: Matrix, centre: Float64Array, far: Float64Array, near: number): Float64Array {
	const sum = new Float64Array(points.cols);
	const pull = new Float64Array(points.cols);
	let [weights, met] = [0, 0];
	for (let row = 0; row < points.rows; row++) {
		const away = far[row] ?? 0;
		if (away <= near) {
			met++;
			continue;
		}
		weights += 1 / away;
		rowsOf(points, row, row + 1).data.forEach((value, at) => {
			sum[at] = (sum[at] ?? 0) + value / away;
			pull[at] = (pull[at] ?? 0) + (value - (centre[at] ?? 0)) / away;
		});
	}
	if (weights === 0) return centre;
	const stay =
		met === 0 ? 0 : Math.min(1, met / Math.sqrt(pull.reduce((total, value) => total + value * value, 0)));
	return sum.map((value, at) => ((1 - stay) * value) / weights + stay * (centre[at] ?? 0));
}

function meanOf(points: Matrix): Float64Array {
	const mean = new Float64Array(points.cols);
	points.data.forEach((value, at) => {
		mean[at % points.cols] = (mean[at % points.cols] ?? 0) + value / points.rows;
	});
	return mean;
}

function distancesTo(points: Matrix, centre: Float64Array): Float64Array {
	return Float64Array.from({ length: points.rows }, (_, row) =>
		distance(rowsOf(points, row, row + 1).data, centre),
	);
}

function distance(a: Float64Array, b: Float64Array): number {
	let sum = 0;
	for (let at = 0; at < a.length; at++) sum += ((a[at] ?? 0) - (b[at] ?? 0)) ** 2;
	return Math.sqrt(sum);
}
