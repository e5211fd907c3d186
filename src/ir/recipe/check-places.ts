/** `in` and `except`. */
import * as messages from '../../messages/check.ts';
import { type PlaceSyntax, type Word } from '../../parser/syntax.ts';
import { type Checking } from './checking.ts';
import { checkPositions } from './check-positions.ts';
import { type Place } from './recipe.ts';

type Words = {
	readonly stack?: 'encoder' | 'decoder';
	readonly kind: 'layers' | 'stack' | 'cross-attention';
};

const places: Readonly<Record<string, Words>> = {
	layers: { kind: 'layers' },
	encoder: { kind: 'stack', stack: 'encoder' },
	decoder: { kind: 'stack', stack: 'decoder' },
	'encoder layers': { kind: 'layers', stack: 'encoder' },
	'decoder layers': { kind: 'layers', stack: 'decoder' },
	'cross attention': { kind: 'cross-attention' },
};

/** A place, or nothing and a message; `begins` finds the word in a place that begins a statement of its own. */
export function checkPlace(
	place: PlaceSyntax,
	begins: (words: readonly Word[]) => Word | undefined,
	checking: Checking,
): Place | undefined {
	const { span } = place;
	if (place.kind === 'glob') return { kind: 'glob', glob: place.glob, span };
	const text = place.words.map((word) => word.text).join(' ');
	const known = Object.hasOwn(places, text) ? places[text] : undefined;
	if (known === undefined) {
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
	const needed = known.kind === 'layers';
	if (needed !== (place.positions !== undefined)) {
		checking.problems.push(
			messages.placePositions({ place: text, needed }, { span: place.positions?.span ?? span }),
		);
		return undefined;
	}
	const ranges = place.positions && checkPositions(place.positions, checking);
	return ranges === undefined && needed ? undefined : made(known, ranges ?? [], span);
}

function made(
	{ kind, stack }: Words,
	ranges: Extract<Place, { kind: 'layers' }>['ranges'],
	span: Place['span'],
): Place {
	switch (kind) {
		case 'layers':
			return { kind, ...(stack !== undefined && { stack }), ranges, span };
		case 'stack':
			return { kind, stack: stack ?? 'encoder', span };
		case 'cross-attention':
			return { kind, span };
	}
}

function wordsSpan(words: readonly Word[], fallback: Word['span']): Word['span'] {
	return { start: words[0]?.span.start ?? fallback.start, end: words.at(-1)?.span.end ?? fallback.end };
}
