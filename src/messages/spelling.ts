/** Hints for words that are not known. */
import { nearest, oneOf } from './nearest.ts';

/** A word that is not known, and those that are. */
export type Found = { readonly found: string; readonly known: readonly string[] };

/** The nearest of the known words, when one is near. */
export function spelling({ found, known }: Found): string | undefined {
	const near = nearest(found, known);
	return near === undefined ? undefined : `\`${near}\` is the nearest spelling`;
}

/** The nearest of the known words, to stand in the place of what was found. */
export function respelt({ found, known }: Found): string | undefined {
	return nearest(found, known);
}

/** The nearest of the known words, else all of them. */
export function spellingOrList(what: string): (found: Found) => string {
	return ({ found, known }) =>
		spelling({ found, known }) ??
		(known.length === 0 ? `there are no ${what}` : `${what} are ${oneOf(known, 'and')}`);
}
