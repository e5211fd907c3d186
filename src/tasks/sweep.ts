/** `-p share=25%,50%` and `-p rank=16:64:16`: parameters that take several values, and every combination of them. */

/** By name, what one writes behind `=`. */
export type Point = Readonly<Record<string, string>>;

/** Values of a range are at most so many: more is a mistake in the step. */
const most = 1000;

/**
 * The combinations of values, the last parameter fastest. Values stand by comma (not in brackets or quotes) or as `first:last:step`, both ends
 * included. Undefined for a range that has no end or is no range of numbers of one unit.
 */
export function combinations(
	params: readonly (readonly [name: string, text: string])[],
): Point[] | undefined {
	let points: Point[] = [{}];
	for (const [name, text] of params) {
		const values = parts(text).map(rangeOf);
		if (values.some((one) => one === undefined)) return undefined;
		const flat = values.flatMap((one) => one ?? []);
		points = points.flatMap((point) => flat.map((value) => ({ ...point, [name]: value })));
	}
	return points;
}

/** Pieces between commas that stand in no bracket and no quotes. */
function parts(text: string): string[] {
	return text.match(/(?:\[[^\]]*\]|"(?:[^"\\]|\\.)*"|[^,])+/g) ?? [];
}

function rangeOf(text: string): string[] | undefined {
	const bounds = text.split(':');
	if (bounds.length === 1 || text.includes('"')) return [text];
	const numbers = bounds.map((one) => /^(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)([a-zA-Z%]*)$/.exec(one));
	const [first, last, step] = numbers.map((one) => Number(one?.[1] ?? NaN));
	const units = new Set(numbers.map((one) => one?.[2]));
	if (
		bounds.length !== 3 ||
		units.size !== 1 ||
		first === undefined ||
		last === undefined ||
		step === undefined
	)
		return undefined;
	const count = Math.floor((last - first) / step + 1e-9) + 1;
	if (!(count >= 1 && count <= most)) return undefined;
	const [unit = ''] = [...units];
	return Array.from({ length: count }, (_, at) => `${Number((first + at * step).toPrecision(12))}${unit}`);
}
