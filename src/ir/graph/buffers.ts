/** Buffers that are used again: to touch fresh memory takes longer than what is copied into it. */

/** Bytes of a buffer: few enough to stay in a processor's cache, many enough for few system calls. */
export const pieceLength = 1 << 18;

const spare: Uint8Array[] = [];

/** A buffer of `pieceLength` bytes with anything in it, nobody else's until it is given back. */
export function lend(): Uint8Array {
	return spare.pop() ?? new Uint8Array(pieceLength);
}

export function giveBack(buffer: Uint8Array): void {
	spare.push(buffer);
}
