/** Axes that hold one structure again and again: heads of every item of a batch, one behind the other. */
export type Period = { readonly kept: number; readonly whole: number };

/** How many positions one turn of a set has and keeps, where the set says the same in every turn. */
export function periodOf(set: Uint8Array): Period | undefined {
	for (let whole = 1; 2 * whole <= set.length; whole++) {
		if (set.length % whole !== 0 || !set.every((gone, at) => gone === set[at % whole])) continue;
		const kept = set.subarray(0, whole).filter((gone) => gone === 0).length;
		return kept > 0 ? { kept, whole } : undefined;
	}
	return undefined;
}
