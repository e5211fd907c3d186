/** Which examples are used: the first, or a seeded draw; and which of them are held out. */
import { stream } from './generate.ts';

export type Draw = { readonly take?: number; readonly seed?: number };

/** The first `take`, or with a seed as many drawn without return; in the order of the data either way. */
export function draw<T>(all: readonly T[], { take = all.length, seed }: Draw): T[] {
	if (seed === undefined || take >= all.length) return all.slice(0, take);
	const next = stream(seed);
	const places = all.map((_, at) => at);
	for (let at = 0; at < take; at++) {
		const other = at + Math.floor(next() * (places.length - at));
		[places[at], places[other]] = [places[other] ?? 0, places[at] ?? 0];
	}
	const chosen = new Set(places.slice(0, take));
	return all.filter((_, at) => chosen.has(at));
}

/** Every fifth is held out, so that a sorted set is split alike; fewer than five are used for both. */
export function holdOut<T>(all: readonly T[]): {
	readonly used: readonly T[];
	readonly heldOut: readonly T[];
} {
	if (all.length < 5) return { used: all, heldOut: all };
	return { used: all.filter((_, at) => at % 5 !== 4), heldOut: all.filter((_, at) => at % 5 === 4) };
}
