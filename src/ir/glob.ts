/**
 * Globs over node and weight names: `*` is any run of characters, `?` any one, and all others are themselves.
 * Takes time in proportion to the product of both lengths at most: on a mismatch only the last `*` takes one more.
 */
export function matchesGlob(glob: string, text: string): boolean {
	let [at, position] = [0, 0];
	let [star, resume] = [-1, 0];
	while (position < text.length) {
		if (glob[at] === '*') {
			star = at++;
			resume = position;
		} else if (at < glob.length && (glob[at] === '?' || glob[at] === text[position])) {
			at++;
			position++;
		} else if (star >= 0) {
			at = star + 1;
			position = ++resume;
		} else return false;
	}
	while (glob[at] === '*') at++;
	return at === glob.length;
}
