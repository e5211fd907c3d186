/** Shares of counts, exact in decimals: 29 % of 50 is 14.5, and binary fractions make less of it. */

/** The nearest whole number of `share` · `count`, halves up. The share is 0 to 1 and means the decimal it prints as. */
export function shareOf(share: number, count: number): number {
	const { digits, scale } = decimalOf(share);
	return nearest(digits * BigInt(count), scale);
}

/** The nearest whole number of (1 − `share`) · `count`, halves up. */
export function restOf(share: number, count: number): number {
	const { digits, scale } = decimalOf(share);
	return nearest((scale - digits) * BigInt(count), scale);
}

function nearest(numerator: bigint, denominator: bigint): number {
	return Number((2n * numerator + denominator) / (2n * denominator));
}

/** A number from 0 to 1 as `digits` / `scale`, a power of ten. */
function decimalOf(value: number): { readonly digits: bigint; readonly scale: bigint } {
	const [, whole = '0', part = '', exponent = '0'] =
		/^(\d+)(?:\.(\d+))?(?:e-(\d+))?$/.exec(String(value)) ?? [];
	return { digits: BigInt(whole + part), scale: 10n ** BigInt(part.length + Number(exponent)) };
}
