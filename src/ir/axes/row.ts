/**
 * A row says how axes run through one operator: its letters, and for every axis of every operand the letters that
 * its positions are made of. The relation that all of prunec stands on, for every term:
 *
 *     position p of the axis is dead  ⇔  some part's letter is dead at coordinate index[p]
 */

/**
 * What removing coordinates of a letter means at this operator.
 * - `carried`: cutting inputs cuts outputs, and nothing else changes.
 * - `contracted`: cutting is the same as zeroing (a summed axis).
 * - `statistic`: legal, but a mean or norm over the axis then runs over fewer positions.
 * - `competing`: positions share one sum (softmax): legal, but those that stay then have larger parts of it.
 * - `routed`: positions are chosen among by a score each: legal; those that stay are chosen among.
 * - `indexed`: rows may go if the indices that select them are remapped.
 * - `scale`: the operator computes a factor from the size (fused attention's 1/√d).
 * - `gate`: positions have fixed meanings (gates of an LSTM, the three of packed q, k, v).
 * - `recurrent`: positions act on each other by sums (hidden units that feed back, a prefix sum, a norm): cutting equals
 *   zeroing them where they act (a recurrence's columns) and cutting the output.
 * - `produced`: made by the operator (Expand, Pad, Tile); only a size slot changes.
 * - `pinned`: the operator mixes the axis; nothing of it can go here.
 */
export type Role =
	| 'carried'
	| 'contracted'
	| 'statistic'
	| 'competing'
	| 'routed'
	| 'indexed'
	| 'scale'
	| 'gate'
	| 'recurrent'
	| 'produced'
	| 'pinned';

export type Letter = { readonly name: string; readonly size: number; readonly role: Role };

/** One letter's share in an axis: position p has coordinate `index[p]`, or none where that is -1; null is the identity. */
export type Part = { readonly letter: number; readonly index: Int32Array | null };

/** The coordinate at each of so many positions. A loop: `Int32Array.from` takes many times as long, and rows are made of these. */
export function indexBy(size: number, at: (position: number) => number): Int32Array {
	const index = new Int32Array(size);
	for (let position = 0; position < size; position++) index[position] = at(position);
	return index;
}

export type Side = 'in' | 'out';

/** An axis of an operand and the letters its positions are made of; an axis without a term is pinned when reached. */
export type Term = {
	readonly side: Side;
	readonly slot: number;
	readonly axis: number;
	readonly parts: readonly Part[];
};

/** What a node's terms are found by. */
export const termKey = ({ side, slot, axis }: Pick<Term, 'side' | 'slot' | 'axis'>): string =>
	`${side}${slot}.${axis}`;

export type Row = {
	readonly letters: readonly Letter[];
	readonly terms: readonly Term[];
	/** Coordinates that the operator picks by number and drops the axis of (Gather with a scalar): they stay while its result is read. */
	readonly selected?: readonly { readonly letter: number; readonly coordinates: readonly number[] }[];
};

/** Why a node has no row, in words that a plan can print. */
export type Unrelated = { readonly unrelated: string };

export const blind: Unrelated = { unrelated: 'sizes cannot be told' };

export function isRow(row: Row | Unrelated): row is Row {
	return 'letters' in row;
}

/** Builds a row axis by axis, for operators whose relation is no fixed notation (Reshape, Concat, Slice, …). */
export class RowBuilder {
	readonly letters: Letter[] = [];
	readonly terms: Term[] = [];
	readonly selected: { letter: number; coordinates: readonly number[] }[] = [];

	letter(name: string, size: number, role: Role = 'carried'): number {
		return this.letters.push({ name, size, role }) - 1;
	}

	/** Links an axis of input `slot` to letters: a number is the whole letter, a part gives the coordinate map. */
	input(slot: number, axis: number, ...parts: readonly (number | Part)[]): this {
		return this.term('in', slot, axis, parts);
	}

	output(slot: number, axis: number, ...parts: readonly (number | Part)[]): this {
		return this.term('out', slot, axis, parts);
	}

	/** One axis that goes through unchanged, from input axis to output axis. */
	through(
		name: string,
		size: number,
		input: readonly [slot: number, axis: number],
		output: readonly [slot: number, axis: number],
	): number {
		const letter = this.letter(name, size);
		this.input(...input, letter).output(...output, letter);
		return letter;
	}

	build(): Row {
		return { letters: this.letters, terms: this.terms, selected: this.selected };
	}

	private term(side: Side, slot: number, axis: number, parts: readonly (number | Part)[]): this {
		const whole = parts.map((part) => (typeof part === 'number' ? { letter: part, index: null } : part));
		this.terms.push({ side, slot, axis, parts: whole });
		return this;
	}
}
