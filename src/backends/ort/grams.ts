/** Gram matrices of values on examples: onnxruntime runs the model, and multiplies what it made a batch of rows at a time. */
import { type Example } from '../../data/sample.ts';
import { present } from '../../diagnostic.ts';
import { INT64 } from '../../ir/graph/dtype.ts';
import { highestId, type Model, type Node, type ValueName } from '../../ir/graph/graph.ts';
import { freshNames } from '../../ir/graph/patch.ts';
import { type Gram, type GramRequest, type SplitGram } from '../../ir/lab.ts';
import { GramSums } from './gram-sums.ts';
import { openSession, type Feeds, type Session } from './session.ts';

/** Bytes that sums may take in one run over the inputs, and values that come out of the runtime together. */
const [sumMemory, valueMemory] = [2 ** 30, 2 ** 29];
/** Every so many samples one is held out; of two to four samples the last. */
const most = 5;

/** Whether the sample at a place is held out. */
function isHeldOut(at: number, samples: number): boolean {
	const fold = Math.min(most, Math.max(2, samples));
	return at % fold === fold - 1;
}

export type Measured = {
	readonly grams: readonly SplitGram[];
	/** Of each example the values to be kept, by name; none where they would take too much memory. */
	readonly kept: readonly Feeds[];
};

/** As `Lab.grams`, over the examples given. `room`: bytes that kept values may take. */
export async function measureGrams(
	model: Model,
	requests: readonly GramRequest[],
	{ examples, threads }: { readonly examples: readonly Example[]; readonly threads: number },
	{ keep, room }: { readonly keep: readonly ValueName[]; readonly room: number },
): Promise<Measured> {
	const names = [...new Set([...valuesOf(requests), ...keep])];
	const sizes = await sizesOf(model, names, examples, threads);
	const bytes = keep.reduce((sum, name) => sum + 4 * (sizes.get(name) ?? 0), 0) * examples.length;
	const results: SplitGram[] = [];
	let kept: readonly Feeds[] = [];
	for (const [at, chunk] of chunksOf(requests, sizes).entries()) {
		const carried = at === 0 && bytes <= room ? keep : [];
		const { grams, values } = await measureChunk(model, chunk, { examples, threads, carried });
		results.push(...grams);
		if (at === 0) kept = values;
	}
	return { grams: results, kept };
}

function valuesOf(requests: readonly GramRequest[]): ValueName[] {
	return [...new Set(requests.flatMap(({ value, against }) => (against ? [value, against.value] : [value])))];
}

/** Numbers in each value on the first example. */
async function sizesOf(
	model: Model,
	values: readonly ValueName[],
	[first]: readonly Example[],
	threads: number,
): Promise<ReadonlyMap<ValueName, number>> {
	if (first === undefined || values.length < 2) return new Map();
	const { probe, outputs } = withSizes(model, values);
	const session = await openSession(probe, { which: 'calibration', threads });
	try {
		const sizes = await session.run(first.feeds, outputs);
		return new Map(values.map((value, at) => [value, sizes.get(outputs[at] ?? '')?.data[0] ?? 0]));
	} finally {
		await session.release();
	}
}

/** The model with the sizes of values as its outputs. */
function withSizes(
	model: Model,
	values: readonly ValueName[],
): { readonly probe: Model; readonly outputs: readonly ValueName[] } {
	const { graph } = model;
	const fresh = freshNames(graph);
	const first = highestId(graph) + 1;
	const outputs = values.map(() => fresh('gram_size'));
	const nodes = values.map((value, at): Node => ({
		...{ id: first + at, name: '', op: 'Size', domain: '', inputs: [value], attributes: new Map() },
		outputs: [outputs[at] ?? ''],
	}));
	const infos = outputs.map((name) => ({ name, type: INT64, dims: [] }));
	return {
		probe: { ...model, graph: { ...graph, nodes: [...graph.nodes, ...nodes], outputs: infos } },
		outputs,
	};
}

/** Requests that fit into memory together, in their order. */
function chunksOf(requests: readonly GramRequest[], sizes: ReadonlyMap<ValueName, number>): GramRequest[][] {
	const chunks: GramRequest[][] = [];
	let [sums, values] = [0, 0];
	for (const request of requests) {
		const sum = 16 * request.size * (request.size + 2 * (request.against?.size ?? 0));
		const value = 4 * valuesOf([request]).reduce((all, name) => all + (sizes.get(name) ?? 0), 0);
		if (chunks.length === 0 || sum > sums || value > values) {
			chunks.push([]);
			[sums, values] = [sumMemory, valueMemory];
		}
		chunks.at(-1)?.push(request);
		[sums, values] = [sums - sum, values - value];
	}
	return chunks;
}

type Running = {
	readonly examples: readonly Pick<Example, 'feeds' | 'mask'>[];
	readonly threads: number;
	/** Values to hand out of every example. */
	readonly carried?: readonly ValueName[];
};

/** Sums over all examples in one run. */
export async function measureChunk(
	model: Model,
	requests: readonly GramRequest[],
	{ examples, threads, carried = [] }: Running,
): Promise<{ readonly grams: SplitGram[]; readonly values: readonly Feeds[] }> {
	const fed = new Set(model.graph.inputs.map(({ name }) => name));
	const names = [...new Set([...valuesOf(requests), ...carried])].filter((name) => !fed.has(name));
	const session = await openSession(giving(model, names), { which: 'calibration', threads });
	const values = examples.map((): Feeds => new Map());
	const sumOver = async (heldOut: boolean): Promise<Gram[]> => {
		const sums = new GramSums(requests, threads);
		for (const [at, { feeds, mask }] of examples.entries()) {
			if (isHeldOut(at, examples.length) !== heldOut) continue;
			const made = await runOn(session, feeds, names);
			await sums.add((name) => present(made.get(name) ?? feeds.get(name), `value '${name}'`), mask);
			values[at] = new Map(carried.map((name) => [name, present(made.get(name), name)] as const));
		}
		return sums.finish();
	};
	try {
		const [fit, heldOut] = [await sumOver(false), await sumOver(true)];
		const grams = fit.map((one, at) => ({ fit: one, heldOut: present(heldOut[at], 'a Gram matrix') }));
		return { grams, values };
	} finally {
		await session.release();
	}
}

/** The model with other outputs, whose types onnxruntime tells itself. */
function giving(model: Model, names: readonly ValueName[]): Model {
	const outputs = names.map((name) => ({ name, type: 0 }));
	return names.length === 0 ? model : { ...model, graph: { ...model.graph, outputs } };
}

function runOn(session: Session, feeds: Feeds, names: readonly ValueName[]): Promise<Feeds> {
	return names.length === 0 ? Promise.resolve(new Map()) : session.run(feeds, names);
}
