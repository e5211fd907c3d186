/** Amounts of costs and qualities in words. */

export type AmountUnit = 'share' | 'bytes' | 'count' | 'ms' | 'plain';

/** `59.8%`, `12.3ms`, `40MB`: four digits, in a unit that a recipe could be written with. */
export function amount(unit: AmountUnit, value: number): string {
	const digits = (number: number): string => String(Number(number.toPrecision(4)));
	switch (unit) {
		case 'share':
			return `${digits(100 * value)}%`;
		case 'ms':
			return `${digits(value)}ms`;
		case 'bytes':
			return `${digits(value / 1e6)}MB`;
		case 'count':
		case 'plain':
			return digits(value);
	}
}
