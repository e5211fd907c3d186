/** Which elements of a value are padding, told by the sizes of its axes and the mask of an example. */
import { elementCount } from '../../ir/graph/graph.ts';
import { type Value } from './session.ts';

/** Whether the element at a row-major place belongs to a position that is no padding. */
export type Holds = (at: number) => boolean;

/**
 * Padding in a value whose axes show the mask's `[batch, positions]`: as its first two, as its first and third (heads between
 * them), or as one. Undefined where nothing is masked: padding cannot be told, or the axis asked for is the positions' own.
 */
export function holding(dims: readonly number[], mask: Value | undefined, axis: number): Holds | undefined {
	if (mask === undefined) return undefined;
	const [batch = 1, length = 1] = mask.dims;
	const place = [1, 2].find((one) => dims[0] === batch && dims[one] === length);
	const flat = dims[0] === batch * length;
	if ((place === undefined && !flat) || axis === (place ?? 0)) return undefined;
	const inner = elementCount(dims.slice((place ?? 0) + 1));
	const whole = elementCount(dims.slice(1));
	return (at) => {
		const position = flat && place === undefined ? 0 : Math.floor(at / inner) % length;
		const row = Math.floor(at / whole);
		return mask.data[place === undefined ? row : row * length + position] !== 0;
	};
}
