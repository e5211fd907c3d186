/**
 * Quantized layers as tools write them, in exact models alone, where scales are whole and integers stay what they are: in others a
 * difference of rounding may become a step.
 */
import { INT8, UINT8 } from '../../src/ir/graph/dtype.ts';
import { type Block } from './blocks.ts';
import { type Flow, type Kit } from './kit.ts';

type Build = (kit: Kit, x: Flow) => Flow;

/** A scale of one, and a zero point of the type. */
function point(kit: Kit, type: number): { readonly scale: string; readonly zero: string } {
	const zero = type === UINT8 ? kit.draw.from(100, 150) : kit.draw.from(-9, 9);
	return {
		scale: kit.b.floats([1], []),
		zero: kit.b.constant({ type, dims: [], data: [zero] }),
	};
}

/** Integers from -3 to 3 around a zero point. */
function narrow(kit: Kit, dims: readonly number[], type: number, zero: number): string {
	const count = dims.reduce((product, dim) => product * dim, 1);
	const data = Array.from({ length: count }, () => zero + kit.draw.from(-3, 3));
	return kit.b.constant({ type, dims, data });
}

function quantized(
	kit: Kit,
	value: string,
	type: number,
): { readonly value: string; readonly scale: string; readonly zero: string } {
	const { scale, zero } = point(kit, type);
	return { value: kit.node('QuantizeLinear', [value, scale, zero]), scale, zero };
}

const back = (kit: Kit, { value, scale, zero }: ReturnType<typeof quantized>): string =>
	kit.node('DequantizeLinear', [value, scale, zero]);

/** A weight of integers with a scale and a zero point for each position of an axis, or one for all. */
function dequantized(kit: Kit, dims: readonly number[], axis: number): string {
	const weight = narrow(kit, dims, INT8, 0);
	const size = dims[axis] ?? 1;
	const each = kit.draw.chance(0.6);
	const scales = Array.from({ length: size }, () => kit.draw.pick([1, 2]));
	const inputs = each
		? [kit.b.floats(scales), kit.b.constant({ type: INT8, dims: [size], data: scales.map(() => 0) })]
		: [kit.b.floats([scales[0] ?? 1], [])];
	return kit.node('DequantizeLinear', [weight, ...inputs], each ? { axis } : {});
}

/** Quantized and back before and behind a product or convolution. */
const simulated: Build = (kit, x) => {
	const width = kit.draw.from(3, 8);
	const value = back(kit, quantized(kit, x.name, kit.draw.pick([UINT8, INT8])));
	const name =
		x.kind === 'image'
			? kit.node('Conv', [value, dequantized(kit, [width, x.width, 1, 1], 0)])
			: kit.node('MatMul', [value, dequantized(kit, [x.width, width], 1)]);
	return { ...x, width, name: kit.bounded(back(kit, quantized(kit, kit.bounded(name), INT8))) };
};

/** A product or convolution of integers, whose sums go on as floats. */
const integer: Build = (kit, x) => {
	const width = kit.draw.from(3, 8);
	const { value, scale, zero } = quantized(kit, x.name, UINT8);
	const of = kit.draw.from(-2, 2);
	const dims = x.kind === 'image' ? [width, x.width, 1, 1] : [x.width, width];
	const weight = narrow(kit, dims, INT8, of);
	const points = [zero, kit.b.constant({ type: INT8, dims: [], data: [of] })];
	const op = x.kind === 'image' ? 'ConvInteger' : 'MatMulInteger';
	const sums = kit.node('Cast', [kit.node(op, [value, weight, ...points])], { to: 1 });
	return { ...x, width, name: kit.bounded(kit.node('Mul', [sums, scale])) };
};

/** The product in integers from end to end. */
const endToEnd: Build = (kit, x) => {
	const width = kit.draw.from(3, 8);
	const type = kit.draw.pick([UINT8, INT8]);
	const { value, scale, zero } = quantized(kit, x.name, type);
	const weight = [
		narrow(kit, [x.width, width], INT8, 0),
		kit.b.floats([1], []),
		kit.b.constant({ type: INT8, dims: [], data: [0] }),
	];
	const out = {
		scale: kit.b.floats([1], []),
		zero: kit.b.constant({ type, dims: [], data: [type === UINT8 ? 128 : 0] }),
	};
	const product = kit.node('QLinearMatMul', [value, scale, zero, ...weight, out.scale, out.zero]);
	return { ...x, width, name: kit.bounded(back(kit, { value: product, ...out })) };
};

export const quantizedBlocks: Readonly<Record<string, Block>> = {
	simulated: { takes: ['image', 'sequence', 'vector'], only: 'exact', build: simulated },
	integer: { takes: ['image', 'sequence', 'vector'], only: 'exact', build: integer },
	endToEnd: { takes: ['sequence', 'vector'], only: 'exact', build: endToEnd },
};
