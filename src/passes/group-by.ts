/** A list by a key, groups in the order of their first member. */
export function groupBy<T>(list: readonly T[], keyOf: (one: T) => string | number): T[][] {
	const groups = new Map<string | number, T[]>();
	for (const one of list) {
		const key = keyOf(one);
		const group = groups.get(key);
		if (group === undefined) groups.set(key, [one]);
		else group.push(one);
	}
	return [...groups.values()];
}
