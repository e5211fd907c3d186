/** Running one model on many inputs, and comparing what came out. */
import { FLOAT, FLOAT16 } from '../../ir/graph/dtype.ts';
import { elementCount, type Model, type ValueName } from '../../ir/graph/graph.ts';
import { type Kept } from '../../ir/proof.ts';
import { openSession, type Feeds, type Value } from './session.ts';

export type Runs = readonly ReadonlyMap<ValueName, Value>[];

/** All outputs for all feeds. The session is closed before this returns: sessions of large models never stand side by side. */
export async function runAll(
	model: Model,
	which: string,
	feeds: readonly Feeds[],
	{ optimize = 'disabled', threads }: { readonly optimize?: 'disabled' | 'all'; readonly threads: number },
): Promise<Runs> {
	const session = await openSession(model, { which, optimize, threads });
	try {
		const runs: ReadonlyMap<ValueName, Value>[] = [];
		for (const feed of feeds) runs.push(await session.run(feed));
		return runs;
	} finally {
		await session.release();
	}
}

/** The inputs at the positions that are kept. */
export function cutFeeds(feeds: readonly Feeds[], kept: Kept): readonly Feeds[] {
	return feeds.map(
		(feed) => new Map([...feed].map(([name, value]) => [name, cutValue(value, kept.get(name))] as const)),
	);
}

/** The inputs of a model that was widened to single precision. */
export function widenedFeeds(feeds: readonly Feeds[]): readonly Feeds[] {
	const wide = (value: Value): Value => (value.type === FLOAT16 ? { ...value, type: FLOAT } : value);
	return feeds.map((feed) => new Map([...feed].map(([name, value]) => [name, wide(value)] as const)));
}

/** Largest magnitude; infinite when a number is missing. Minus infinity, by which a score is ruled out, has none. */
export function largest({ data }: Value): number {
	let most = 0;
	for (const value of Array.from(data))
		if (value !== -Infinity) most = Math.max(most, Number.isNaN(value) ? Infinity : Math.abs(value));
	return most;
}

/** Largest difference; infinite when shapes differ or a number is missing, none where both rule a score out. */
export function distance(left: Value, right: Value | undefined): number {
	if (left.data.length !== right?.data.length) return Infinity;
	let most = 0;
	for (let at = 0; at < left.data.length; at++) {
		const [a, b] = [left.data[at] ?? 0, right.data[at] ?? 0];
		if (a === b) continue;
		const difference = Math.abs(a - b);
		if (Number.isNaN(difference)) return Infinity;
		if (difference > most) most = difference;
	}
	return most;
}

/** A value at the kept positions of its axes. */
export function cutValue(value: Value, kept: ReadonlyMap<number, Int32Array> | undefined): Value {
	let current = value;
	for (const [axis, positions] of kept ?? []) {
		const inner = elementCount(current.dims.slice(axis + 1));
		const size = current.dims[axis] ?? 1;
		const outer = elementCount(current.dims.slice(0, axis));
		const data = new Float64Array(outer * positions.length * inner);
		let at = 0;
		for (let block = 0; block < outer; block++) {
			for (const given of positions) {
				const position = given < 0 ? given + size : given;
				for (let offset = 0; offset < inner; offset++)
					data[at++] = current.data[(block * size + position) * inner + offset] ?? 0;
			}
		}
		current = {
			type: current.type,
			dims: current.dims.map((dim, index) => (index === axis ? positions.length : dim)),
			data,
		};
	}
	return current;
}
