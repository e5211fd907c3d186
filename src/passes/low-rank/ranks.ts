/** Ranks that statements ask for. */

/** Ranks that are not given go down to a multiple that onnxruntime computes fast. */
export function alignedRank(rank: number, given?: number): number {
	const align = given ?? (rank >= 32 ? 16 : 4);
	return rank > align ? Math.floor(rank / align) * align : rank;
}

/** The rank that keeps a share of the energy, of shares from the largest on. */
export function rankKeeping(share: number, align?: number): (shares: Float64Array) => number {
	return (shares) => {
		let rank = shares.length;
		for (let tail = 0; rank > 0; rank--) {
			tail += shares[rank - 1] ?? 0;
			if (tail > 1 - share) break;
		}
		return alignedRank(rank, align);
	};
}

/** What `auto` keeps of the energy, and the share of the multiply–adds above which it is not worth two operators for one. */
export const automatic = { energy: 0.99, macs: 0.8 } as const;
