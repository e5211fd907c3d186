/** Where a value stands in a JSON text. */
import { type Span } from '../../diagnostic.ts';

const tokens = /\s*(?:("(?:[^"\\]|\\.)*")|([[\]{}:,])|([^\s[\]{}:,"]+))/gy;

/** An array or object that is open: the key or index of the value that comes next, and where its key began. */
type Level = {
	readonly object: boolean;
	key: string | undefined;
	index: number;
	keyStart: number | undefined;
};

/**
 * The span of the value at a JSON pointer, for a field its name included; of the innermost value there is when
 * the pointer leads further. The text is known to be JSON.
 */
export function locate(text: string, pointer: string): Span {
	const path = pointer
		.split('/')
		.slice(1)
		.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
	const levels: Level[] = [];
	const starts: number[] = [];
	const best = { depth: -1, span: { start: 0, end: 0 } };
	const finish = (end: number): void => {
		const depth = levels.length;
		const start = starts.pop() ?? 0;
		const fits = levels.every((level, at) => keyOf(level) === path[at]);
		if (fits && depth > best.depth) Object.assign(best, { depth, span: { start, end } });
		const above = levels.at(-1);
		if (above !== undefined) above.keyStart = undefined;
	};
	for (const { 0: whole, 1: string, 2: sign, index } of text.matchAll(tokens)) {
		const end = index + whole.length;
		const start = index + whole.length - whole.trimStart().length;
		const level = levels.at(-1);
		if (string !== undefined && level?.object === true && level.keyStart === undefined) {
			level.key = JSON.parse(string) as string;
			level.keyStart = start;
		} else if (sign === '[' || sign === '{') {
			starts.push(level?.keyStart ?? start);
			levels.push({ object: sign === '{', key: undefined, index: 0, keyStart: undefined });
		} else if (sign === ']' || sign === '}') {
			levels.pop();
			finish(end);
		} else if (sign === undefined) {
			starts.push(level?.keyStart ?? start);
			finish(end);
		} else if (sign === ',' && level !== undefined) level.index++;
	}
	return best.span;
}

function keyOf({ object, key, index }: Level): string | undefined {
	return object ? key : String(index);
}
