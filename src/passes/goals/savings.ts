/** What removing units saves, told by pieces of a model that one or several families of units make smaller. */

/** What is saved of one cost, by how many units each of several families has lost; families are told by their place in a list. */
export type Savings = {
	/** Against the model with all units. */
	saved(removed: readonly number[]): number;
	/** The same over what some families shrink alone; what shrinks with several of them counts once. */
	savedBy(removed: readonly number[], families: readonly number[]): number;
	/** Families that shrink something together with these. */
	near(families: readonly number[]): readonly number[];
};

/** Sums over the pieces, of which each knows its families and what it saves. */
export function savingsOver<Piece>(
	pieces: readonly Piece[],
	families: number,
	{
		familiesOf,
		savedOf,
	}: {
		readonly familiesOf: (piece: Piece) => readonly number[];
		readonly savedOf: (piece: Piece, removed: readonly number[]) => number;
	},
): Savings {
	const touching = Array.from({ length: families }, (_, at) =>
		pieces.filter((piece) => familiesOf(piece).includes(at)),
	);
	const of = (some: readonly number[]): Set<Piece> =>
		new Set(some.flatMap((family) => touching[family] ?? []));
	const total = (some: Iterable<Piece>, removed: readonly number[]): number => {
		let sum = 0;
		for (const piece of some) sum += savedOf(piece, removed);
		return sum;
	};
	return {
		saved: (removed) => total(pieces, removed),
		savedBy: (removed, some) => total(of(some), removed),
		near: (some) => [...of(some)].flatMap(familiesOf),
	};
}
