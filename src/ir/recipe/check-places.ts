/** `in` and `except`. */
import * as messages from '../../messages/check.ts';
import { type PlaceSyntax, type Word } from '../../parser/syntax.ts';
import { quote } from '../../parser/values.ts';
import { type Checking } from './checking.ts';
import { checkPositions } from './check-positions.ts';
import { type Place, type Point } from './recipe.ts';

type Words = {
	readonly stack?: 'encoder' | 'decoder';
	readonly kind: 'layers' | 'stack' | 'cross-attention' | 'last-attention';
};

const layers: Readonly<Record<string, Words>> = {
	layers: { kind: 'layers' },
	'encoder layers': { kind: 'layers', stack: 'encoder' },
	'decoder layers': { kind: 'layers', stack: 'decoder' },
	layer: { kind: 'layers' },
	'encoder layer': { kind: 'layers', stack: 'encoder' },
	'decoder layer': { kind: 'layers', stack: 'decoder' },
};
const known = {
	places: {
		...layers,
		encoder: { kind: 'stack', stack: 'encoder' },
		decoder: { kind: 'stack', stack: 'decoder' },
		'cross attention': { kind: 'cross-attention' },
	},
	/** Where `after` can stand: behind a layer that is complete. */
	points: { ...layers, 'last attention': { kind: 'last-attention' } },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Words>>>>;

/** Finds the word in a place that begins a statement of its own. */
type Begins = (words: readonly Word[]) => Word | undefined;

/** Where a statement looks, or nothing and a message. */
export function checkPlace(place: PlaceSyntax, begins: Begins, checking: Checking): Place | undefined {
	const found = checkWords(place, 'places', begins, checking);
	return found?.kind === 'last-attention' ? undefined : found;
}

/** What a statement stands behind, or nothing and a message. */
export function checkPoint(place: PlaceSyntax, begins: Begins, checking: Checking): Point | undefined {
	const found = checkWords(place, 'points', begins, checking);
	return found?.kind === 'layers' || found?.kind === 'last-attention' ? found : undefined;
}

function checkWords(
	place: PlaceSyntax,
	kind: keyof typeof known,
	begins: Begins,
	checking: Checking,
): Place | Point | undefined {
	const { span } = place;
	if (place.kind === 'glob' && kind === 'places') return { kind: 'glob', glob: place.glob.value, span };
	if (place.kind === 'glob') {
		const found = quote(place.glob.value);
		checking.problems.push(messages.unknownPlace({ found, known: Object.keys(known[kind]) }, { span }));
		return undefined;
	}
	const text = place.words.map((word) => word.text).join(' ');
	const places: Readonly<Record<string, Words>> = known[kind];
	const found = Object.hasOwn(places, text) ? places[text] : undefined;
	if (found === undefined) {
		const verb = begins(place.words.slice(1));
		checking.problems.push(
			verb === undefined
				? messages.unknownPlace(
						{ found: text, known: Object.keys(places) },
						{ span: wordsSpan(place.words, span) },
					)
				: messages.missingTerminator({ found: verb.text }, { span: verb.span }),
		);
		return undefined;
	}
	const needed = found.kind === 'layers';
	if (needed !== (place.positions !== undefined)) {
		checking.problems.push(
			messages.placePositions({ place: text, needed }, { span: place.positions?.span ?? span }),
		);
		return undefined;
	}
	const ranges = place.positions && checkPositions(place.positions, checking);
	return ranges === undefined && needed ? undefined : made(found, ranges ?? [], span);
}

function made(
	{ kind, stack }: Words,
	ranges: Extract<Place, { kind: 'layers' }>['ranges'],
	span: Place['span'],
): Place | Point {
	switch (kind) {
		case 'layers':
			return { kind, ...(stack !== undefined && { stack }), ranges, span };
		case 'stack':
			return { kind, stack: stack ?? 'encoder', span };
		case 'cross-attention':
		case 'last-attention':
			return { kind, span };
	}
}

function wordsSpan(words: readonly Word[], fallback: Word['span']): Word['span'] {
	return { start: words[0]?.span.start ?? fallback.start, end: words.at(-1)?.span.end ?? fallback.end };
}
