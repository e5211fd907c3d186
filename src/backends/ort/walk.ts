/** Gram matrices of models that change further and further behind: each run starts where the one before ended. */
import { present } from '../../diagnostic.ts';
import { type Example } from '../../data/sample.ts';
import { BOOL } from '../../ir/graph/dtype.ts';
import { type Model, type ValueInfo, type ValueName } from '../../ir/graph/graph.ts';
import { stretchOf } from '../../ir/graph/stretch.ts';
import { type GramRequest, type SplitGram, type Walk } from '../../ir/lab.ts';
import { GramGraph, layoutOf, type Layout, type Sums } from './gram-graph.ts';
import { accumulate, gramOf, isHeldOut, zeros, type Totals } from './grams.ts';
import { openSession, type Feeds, type Session, type Value } from './session.ts';

/** Bytes of values that are kept between runs; with more, the next one starts at the inputs. */
const memory = 2 ** 31;

export function walkOver(examples: readonly Example[], threads: number): Walk {
	let carried: readonly Feeds[] = examples.map(() => new Map());
	return {
		grams: async (model, requests) => {
			const wanted = [
				...new Set(requests.flatMap(({ value, against }) => [value, ...(against ? [against.value] : [])])),
			];
			const known = infosOf(carried);
			const stretch = stretchOf(model, wanted, known);
			const fetched = [...new Set([...wanted, ...stretch.carried])].filter((name) => !known.has(name));
			const inputs = new Set(stretch.model.graph.inputs.map(({ name }) => name));
			const tally = new Tally(model, requests, threads);
			const session = await openSession(untyped(stretch.model, fetched), { which: 'calibration', threads });
			const next: Feeds[] = [];
			try {
				for (const [at, { feeds, mask }] of examples.entries()) {
					const whole = new Map([...feeds, ...(carried[at] ?? [])]);
					const fed = new Map([...whole].filter(([name]) => inputs.has(name)));
					const made = fetched.length === 0 ? [] : await session.run(fed, fetched);
					const values = new Map([...whole, ...made]);
					await tally.add(values, mask, isHeldOut(at, examples.length));
					next.push(only(values, stretch.carried));
				}
				carried = fits(next) ? next : examples.map(() => new Map());
				return tally.grams();
			} finally {
				await session.release();
				await tally.release();
			}
		},
	};
}

/** Values that are known of every example, as inputs. */
function infosOf(carried: readonly Feeds[]): Map<ValueName, ValueInfo> {
	const everywhere = [...(carried[0] ?? [])].filter(([name]) => carried.every((one) => one.has(name)));
	return new Map(
		everywhere.map(([name, { type, dims }]) => [name, { name, type, dims: dims.map(() => null) }]),
	);
}

/** With outputs whose types onnxruntime tells itself. */
function untyped(model: Model, outputs: readonly ValueName[]): Model {
	return { ...model, graph: { ...model.graph, outputs: outputs.map((name) => ({ name, type: 0 })) } };
}

function only(values: Feeds, names: readonly ValueName[]): Feeds {
	return new Map(
		names.flatMap((name) => (values.has(name) ? [[name, present(values.get(name), name)]] : [])),
	);
}

function fits(kept: readonly Feeds[]): boolean {
	let bytes = 0;
	for (const feeds of kept) for (const { data } of feeds.values()) bytes += data.length * 4;
	return bytes <= memory;
}

/** Sums over values that are handed in. Examples with a mask and without go through graphs of their own. */
class Tally {
	private readonly model: Model;
	private readonly requests: readonly GramRequest[];
	private readonly threads: number;
	private readonly summing = new Map<boolean, Promise<Summing>>();
	private totals: { readonly fit: Totals; readonly heldOut: Totals } | undefined;
	private asked: readonly (readonly Sums[])[] = [];

	constructor(model: Model, requests: readonly GramRequest[], threads: number) {
		this.model = model;
		this.requests = requests;
		this.threads = threads;
	}

	async add(values: Feeds, mask: Value | undefined, heldOut: boolean): Promise<void> {
		const summing = this.summing.get(mask !== undefined) ?? this.open(values, mask);
		this.summing.set(mask !== undefined, summing);
		const { session, graph, asked, names } = await summing;
		const sums = [...new Map(asked.flat().map((one) => [one.output, one])).values()];
		this.asked = asked;
		this.totals ??= { fit: zeros(sums), heldOut: zeros(sums) };
		const masked: Feeds = mask === undefined ? new Map() : new Map([[graph.mask, { ...mask, type: BOOL }]]);
		const feed = new Map([...only(values, names), ...masked]);
		await accumulate(session, feed, sums, heldOut ? this.totals.heldOut : this.totals.fit);
	}

	private async open(values: Feeds, mask: Value | undefined): Promise<Summing> {
		const names = [
			...new Set(this.requests.flatMap(({ value, against }) => [value, against?.value ?? value])),
		];
		const shaped = names.map((name) => present(values.get(name), `value '${name}'`));
		const inputs = names.map((name, at): ValueInfo => {
			const { type, dims } = present(shaped[at], name);
			return { name, type, dims: dims.map(() => null) };
		});
		const layouts = new Map<ValueName, Layout>();
		names.forEach((name, at) => {
			const layout = mask && layoutOf(shaped[at]?.dims ?? [], mask.dims);
			if (layout !== undefined) layouts.set(name, layout);
		});
		const { graph, ...rest } = this.model;
		const bare = { ...graph, nodes: [], outputs: [], initializers: new Map(), valueInfo: new Map(), inputs };
		const sums = new GramGraph({ ...rest, graph: bare }, mask && layouts);
		const asked = this.requests.map((request) => sums.add(request));
		const session = await openSession(sums.build(), { which: 'calibration', threads: this.threads });
		return { session, graph: sums, asked, names };
	}

	grams(): SplitGram[] {
		const { fit, heldOut } = this.totals ?? { fit: new Map(), heldOut: new Map() };
		return this.requests.map((request, at) => ({
			fit: gramOf(request, this.asked[at] ?? [], fit),
			heldOut: gramOf(request, this.asked[at] ?? [], heldOut),
		}));
	}

	async release(): Promise<void> {
		for (const summing of this.summing.values()) await (await summing).session.release();
	}
}

type Summing = {
	readonly session: Session;
	readonly graph: GramGraph;
	readonly asked: readonly (readonly Sums[])[];
	readonly names: readonly ValueName[];
};
