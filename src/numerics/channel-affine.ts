/** One scale and one shift a channel, by least squares from sums over rows; and what they miss on other rows. */
import { present } from '../diagnostic.ts';
import { type Gram } from '../ir/lab.ts';

/** Least squares by channel: y ≈ scale · (x − from) + to. */
export type Affine = { readonly scale: Float64Array; readonly from: Float64Array; readonly to: Float64Array };

export function affineOf({ count, sum, gram, against }: Gram): Affine {
	const [from, to] = [
		sum.map((one) => one / count),
		present(against, 'an output').sum.map((one) => one / count),
	];
	const cross = present(against, 'an output').cross;
	const scale = from.map((mean, at) => {
		const variance = (gram.data[at * gram.cols + at] ?? 0) / count - mean * mean;
		const shared = (cross.data[at * cross.cols + at] ?? 0) / count - mean * (to[at] ?? 0);
		return variance > 0 ? shared / variance : 0;
	});
	return { scale, from, to };
}

/** E‖y − ŷ‖² over E‖y − E[y]‖² on other rows. */
export function errorOf({ scale, from, to }: Affine, { count, sum, gram, against }: Gram): number {
	const out = present(against, 'an output');
	let [error, variance] = [0, 0];
	for (let at = 0; at < scale.length; at++) {
		const [mx, my, a] = [(sum[at] ?? 0) / count, (out.sum[at] ?? 0) / count, scale[at] ?? 0];
		const xx = (gram.data[at * gram.cols + at] ?? 0) / count - mx * mx;
		const yy = (out.squares[at] ?? 0) / count - my * my;
		const xy = (out.cross.data[at * out.cross.cols + at] ?? 0) / count - mx * my;
		const offset = my - (to[at] ?? 0) - a * (mx - (from[at] ?? 0));
		error += yy - 2 * a * xy + a * a * xx + offset * offset;
		variance += yy;
	}
	return variance > 0 ? Math.max(0, error) / variance : 0;
}
