/** Tensors told apart by what is in them. */
import { type Tensor } from './graph.ts';

/** FNV-1a, 32 bits (http://www.isthe.com/chongo/tech/comp/fnv/). Equal bytes give equal hashes, not the other way round. */
export function hashOf({ bytes }: Tensor): number {
	let hash = 0x811c9dc5;
	for (const byte of bytes?.read() ?? []) hash = Math.imul(hash ^ byte, 0x01000193);
	return hash >>> 0;
}

/** Whether two tensors hold the same bytes; type and sizes are the caller's. */
export function sameBytes(left: Tensor, right: Tensor): boolean {
	if (left.bytes === right.bytes) return true;
	const [a, b] = [left.bytes?.read(), right.bytes?.read()];
	return a !== undefined && b?.length === a.length && a.every((byte, at) => byte === b[at]);
}
