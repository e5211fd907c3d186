/** How often each place of a convolution's kernel lies inside of what it reads, and not on the zeros around it. */
import { type Node } from '../../ir/graph/graph.ts';
import { type NetNode } from '../../ir/axes/net.ts';

/**
 * By place of the kernel, row-major: the share of outputs to which the place adds what it reads. 1 for products, and along axes whose size
 * is not known. (Conv: `pads`, `auto_pad`, `strides`, `dilations`.)
 */
export function insideShares({ node, inputs, outputs }: NetNode, places: number): Float64Array {
	const [input, weight] = inputs;
	const [output] = outputs;
	if (places === 1 || input === undefined || weight === undefined || output === undefined)
		return new Float64Array(places).fill(1);
	const kernel = weight.sizes.slice(2);
	const along = kernel.map((taps, axis): readonly number[] => {
		const at = axis + 2;
		if (input.dynamic[at] === true) return new Array<number>(taps).fill(1);
		const [size, count] = [input.sizes[at] ?? 0, output.sizes[at] ?? 0];
		return sharesAlong(node, { axis, axes: kernel.length, taps, size, count });
	});
	return Float64Array.from({ length: places }, (_, place) => {
		let [share, rest] = [1, place];
		for (let axis = kernel.length - 1; axis >= 0; axis--) {
			const taps = kernel[axis] ?? 1;
			share *= along[axis]?.[rest % taps] ?? 1;
			rest = Math.floor(rest / taps);
		}
		return share;
	});
}

type Along = {
	readonly axis: number;
	readonly axes: number;
	readonly taps: number;
	readonly size: number;
	readonly count: number;
};

function sharesAlong(node: Node, { axis, axes, taps, size, count }: Along): number[] {
	const stride = numbers(node, 'strides')[axis] ?? 1;
	const dilation = numbers(node, 'dilations')[axis] ?? 1;
	const needed = Math.max(0, (count - 1) * stride + dilation * (taps - 1) + 1 - size);
	const mode = node.attributes.get('auto_pad');
	const automatic = mode?.kind === 'string' && mode.value.startsWith('SAME');
	const half = automatic && mode.value === 'SAME_LOWER' ? Math.ceil(needed / 2) : Math.floor(needed / 2);
	const pads = numbers(node, 'pads');
	const before = automatic ? half : pads.length === 2 * axes ? (pads[axis] ?? 0) : 0;
	return Array.from({ length: taps }, (_, tap) => {
		let inside = 0;
		for (let at = 0; at < count; at++) {
			const read = at * stride + tap * dilation - before;
			if (read >= 0 && read < size) inside++;
		}
		return count === 0 ? 1 : inside / count;
	});
}

function numbers({ attributes }: Node, name: string): readonly number[] {
	const attribute = attributes.get(name);
	return attribute?.kind === 'ints' ? attribute.value : [];
}

/** Whether an operator reads zeros, or nothing, around its input at some of its places. */
export function isPadded(node: Node): boolean {
	const mode = node.attributes.get('auto_pad');
	const automatic = mode?.kind === 'string' && mode.value.startsWith('SAME');
	return automatic || numbers(node, 'pads').some((pad) => pad !== 0);
}
