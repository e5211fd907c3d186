/** Evaluated models side by side. */
import { type Interval, type Quality } from '../quality/metric.ts';
import { table } from './tables.ts';

/**
 * A table a metric, the 95 % intervals behind the values:
 *
 *     accuracy        95 %              against the first
 *     big.onnx        86.1% (84.5-87.5)
 *     small.onnx      85.2% (83.6-86.7) -0.9 points (-1.6 to -0.2)
 */
export function qualityReport(words: string, metrics: readonly Quality[]): string {
	const tables = metrics.map((one) =>
		table([
			[one.metric, 'value (95 %)', one.models.length > 1 ? 'change against the first (95 %)' : ''],
			...one.models.map(({ name, value, interval, change }) => [
				name,
				valueText(one, value, interval),
				change === undefined ? '' : changeText(one, change.value, change.interval),
			]),
		]),
	);
	return [`data     ${words}`, ...tables].join('\n\n');
}

function valueText({ isShare }: Quality, value: number, [low, high]: Interval): string {
	const text = (one: number): string => (isShare ? (100 * one).toFixed(1) : one.toPrecision(4));
	return `${text(value)}${isShare ? '%' : ''} (${text(low)} to ${text(high)})`;
}

function changeText({ isShare }: Quality, value: number, [low, high]: Interval): string {
	const text = (one: number): string => {
		const size = isShare ? (100 * one).toFixed(1) : one.toPrecision(3);
		return one > 0 ? `+${size}` : size;
	};
	return `${text(value)}${isShare ? ' points' : ''} (${text(low)} to ${text(high)})`;
}
