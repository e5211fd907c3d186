/** How a diagnostic is shown without the situation that makes it. */
import { type Diagnostic, type Place } from '../diagnostic.ts';

/** As it is shown: with the text that it points into, where it points into one. */
export type Sample = { readonly diagnostic: Diagnostic; readonly text?: string };

export const plain = (diagnostic: Diagnostic): Sample => ({ diagnostic });

/** A diagnostic that marks a part of a recipe. */
export function marked(text: string, part: string, made: (place: Place) => Diagnostic): Sample {
	const start = text.indexOf(part);
	return { text, diagnostic: made({ span: { start, end: start + part.length } }) };
}
