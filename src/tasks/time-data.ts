/** Latency on the user's data, for models whose work depends on the input: all see an example before the next one is read. */
import { Fault, present } from '../diagnostic.ts';
import { openSession, type Feeds, type Session } from '../backends/ort/session.ts';
import { draw, type Draw } from '../data/draw.ts';
import { openData } from '../data/inputs.ts';
import { type Shapes } from '../ir/graph/bindings.ts';
import { type Model } from '../ir/graph/graph.ts';
import { noData } from '../messages/data.ts';
import { withTaken } from '../passes/exits/exit-taken.ts';
import { classesOf } from '../quality/outputs.ts';

export type TimedOnData = {
	readonly meanMs: number;
	readonly p95Ms: number;
	/** Mean time of the first model over this one's: how many times as fast it is. */
	readonly speedUp: number;
	/** Share of the rows of class scores that name what the first model names; absent without scores. */
	readonly agreement?: number;
	/** Share of the examples that leave after a layer; the rest runs to the end. Absent without exits. */
	readonly exits?: readonly { readonly layer: number; readonly share: number }[];
};

export type TimeOptions = Draw & {
	readonly path: string;
	/** The first model's file, beside which tokenizers and settings lie. */
	readonly modelPath: string;
	/** Tokens of a text. */
	readonly tokens?: number;
	readonly shapes?: Shapes;
	readonly threads: number;
	readonly onProgress?: (message: string) => void;
};

/** One example at a time, models in turns, the first one's turn going round. Throws `Fault` when the data does not fit. */
export async function timeOnData(
	models: readonly Model[],
	options: TimeOptions,
): Promise<{ readonly words: string; readonly examples: number; readonly models: readonly TimedOnData[] }> {
	const data = await openData(present(models[0], 'a model'), options);
	const pending = draw(data.examples, options);
	const [first] = pending;
	if (first === undefined) throw new Fault(noData({ path: options.path, what: 'example' }));
	const watches: Watch[] = [];
	try {
		for (const [at, model] of models.entries()) watches.push(await Watch.open(model, at, options.threads));
		for (const watch of watches) await watch.warm(first.make().feeds);
		for (const [at, { make }] of pending.entries()) {
			options.onProgress?.(`timing ${at + 1} of ${pending.length}`);
			const { feeds } = make();
			for (const turn of watches.keys()) await watches[(turn + at) % watches.length]?.time(feeds);
		}
		const [base] = watches;
		return {
			words: `${pending.length} of '${options.path}' (${data.words})`,
			examples: pending.length,
			models: watches.map((watch) => watch.summary(base ?? watch)),
		};
	} finally {
		for (const watch of watches) await watch.close();
	}
}

/** One model: its times, what it named, and where it left. */
class Watch {
	private readonly times: number[] = [];
	private readonly named: number[] = [];
	private readonly layers: number[] = [];
	private readonly session: Session;
	private readonly telling: { readonly session: Session; readonly output: string } | undefined;

	private constructor(session: Session, telling: Watch['telling']) {
		this.session = session;
		this.telling = telling;
	}

	/** With exits, a second session says which was taken, so that asking costs the first one nothing. */
	static async open(model: Model, at: number, threads: number): Promise<Watch> {
		const options = { which: `${at + 1}.`, optimize: 'all', threads } as const;
		const told = withTaken(model);
		const session = await openSession(model, options);
		if (told === undefined) return new Watch(session, undefined);
		return new Watch(session, { session: await openSession(told.model, options), output: told.output });
	}

	async warm(feeds: Feeds): Promise<void> {
		for (let turn = 0; turn < 3; turn++) await this.session.run(feeds);
	}

	async time(feeds: Feeds): Promise<void> {
		const start = performance.now();
		const outputs = await this.session.run(feeds);
		this.times.push(performance.now() - start);
		this.named.push(...(classesOf(outputs) ?? []));
		if (this.telling === undefined) return;
		const { session, output } = this.telling;
		const layer = (await session.run(feeds, [output])).get(output)?.data[0];
		this.layers.push(layer ?? NaN);
	}

	summary(base: Watch): TimedOnData {
		const sorted = this.times.toSorted((a, b) => a - b);
		const same = this.named.filter((one, at) => one === base.named[at]).length;
		const taken = [...new Set(this.layers)].filter((layer) => layer >= 0).sort((a, b) => a - b);
		const share = (layer: number): number =>
			this.layers.filter((one) => one === layer).length / this.layers.length;
		return {
			meanMs: mean(this.times),
			p95Ms: sorted[Math.min(sorted.length - 1, Math.ceil(0.95 * sorted.length) - 1)] ?? NaN,
			speedUp: mean(base.times) / mean(this.times),
			...(this.named.length > 0 &&
				this.named.length === base.named.length && { agreement: same / this.named.length }),
			...(this.telling && { exits: taken.map((layer) => ({ layer, share: share(layer) })) }),
		};
	}

	async close(): Promise<void> {
		await this.session.release();
		await this.telling?.session.release();
	}
}

function mean(values: readonly number[]): number {
	return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}
