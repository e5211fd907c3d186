/** Two models in turns, for ratios that an unquiet machine moves little. */
import { openSession, type Feeds, type Session } from '../src/backends/ort/session.ts';
import { present } from '../src/diagnostic.ts';
import { type Model } from '../src/ir/graph/graph.ts';

/** Milliseconds of one run: on the clock, and of the processor. */
export type Times = { readonly clock: number; readonly processor: number };
export type Turn = readonly [left: Times, right: Times];

export type Turning = {
	readonly pairs: number;
	readonly threads: number;
	/**
	 * How often sessions are opened anew: where the weights of one come to lie moves it by some percent for as long as it is open.
	 * Who is opened first, and who begins a turn, changes.
	 */
	readonly openings: number;
	readonly feeds: (turn: number) => Feeds;
};

export async function inTurns(
	left: Model,
	right: Model,
	{ pairs, threads, openings, feeds }: Turning,
): Promise<readonly Turn[]> {
	const found: Turn[] = [];
	for (let opening = 0; opening < openings; opening++) {
		const sessions = new Map<0 | 1, Session>();
		for (const at of order(opening)) {
			const model = at === 0 ? left : right;
			sessions.set(at, await openSession(model, { which: `${at + 1}.`, optimize: 'all', threads }));
		}
		for (let turn = -2; turn < pairs / openings; turn++) {
			const given = feeds(100 * opening + turn + 2);
			const times = new Map<0 | 1, Times>();
			for (const at of order(turn + 2))
				times.set(at, await timed(present(sessions.get(at), 'a session'), given));
			if (turn >= 0) found.push([present(times.get(0), 'a time'), present(times.get(1), 'a time')]);
		}
		for (const session of sessions.values()) await session.release();
	}
	return found;
}

const order = (turn: number): readonly (0 | 1)[] => (turn % 2 === 0 ? [0, 1] : [1, 0]);

async function timed(session: Session, feeds: Feeds): Promise<Times> {
	const [start, used] = [performance.now(), process.cpuUsage()];
	await session.run(feeds);
	const clock = performance.now() - start;
	const { user, system } = process.cpuUsage(used);
	return { clock, processor: (user + system) / 1000 };
}

/** The median, and the order statistics that hold it with 95 % confidence (normal approximation of the binomial). */
export function interval(values: readonly number[]): readonly [low: number, median: number, high: number] {
	const sorted = values.toSorted((a, b) => a - b);
	const [half, reach] = [sorted.length / 2, 0.98 * Math.sqrt(sorted.length)];
	const at = (place: number): number =>
		sorted[Math.min(sorted.length - 1, Math.max(0, Math.floor(place)))] ?? NaN;
	return [at(half - reach), at(half), at(half + reach)];
}

/** How many times as fast the second is, and the interval, in words. */
export function speedUp(
	turns: readonly Turn[],
	of: keyof Times,
): readonly [median: string, interval: string] {
	const [low, middle, high] = interval(turns.map(([left, right]) => left[of] / right[of]));
	return [middle.toFixed(3), `${low.toFixed(3)} to ${high.toFixed(3)}`];
}
