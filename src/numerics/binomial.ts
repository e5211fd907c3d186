/** How rare something is at most, by how often it was seen. */

/**
 * The upper end of the one-sided Clopper–Pearson interval (Biometrika 26, 1934): with this much or more, at most `hits` of `count`
 * trials would have been seen with a chance of `alpha` or less. 1 where nothing was tried.
 */
export function upperBound(hits: number, count: number, alpha: number): number {
	if (hits >= count) return 1;
	let [low, high] = [hits / count, 1];
	for (let step = 0; step < 60; step++) {
		const middle = (low + high) / 2;
		if (atMost(hits, count, middle) > alpha) low = middle;
		else high = middle;
	}
	return high;
}

/** P(X ≤ hits) of a binomial distribution. */
function atMost(hits: number, count: number, share: number): number {
	let log = count * Math.log1p(-share);
	let sum = Math.exp(log);
	for (let at = 1; at <= hits; at++) {
		log += Math.log(count - at + 1) - Math.log(at) + Math.log(share) - Math.log1p(-share);
		sum += Math.exp(log);
	}
	return sum;
}
