/** Numbers that look random and are the same everywhere. */

/** A number from 0 to 1 that depends on the seed and the places alone (Weyl sequence, mixed). */
export function drawAt(seed: number, ...places: readonly number[]): number {
	let state = seed >>> 0;
	for (const place of places) {
		state = Math.imul(state ^ (place + 0x9e3779b9), 0x85ebca6b) >>> 0;
		state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35) >>> 0;
		state = (state ^ (state >>> 16)) >>> 0;
	}
	return state / 2 ** 32;
}
