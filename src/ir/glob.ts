/** Globs over node and weight names: `*` is any run of characters, `?` any one. */
export function matchesGlob(glob: string, text: string): boolean {
	const escaped = glob
		.replace(/[.+^${}()|[\]\\]/g, '\\$&')
		.replaceAll('*', '.*')
		.replaceAll('?', '.');
	return new RegExp(`^${escaped}$`, 's').test(text);
}
