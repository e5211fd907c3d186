/** Gram matrices, accumulated inside onnxruntime by nodes added to the user's model. */
import { type Example } from '../../data/sample.ts';
import { BOOL, DOUBLE } from '../../ir/graph/dtype.ts';
import { type Model, type ValueName } from '../../ir/graph/graph.ts';
import { type Gram, type GramRequest, type SplitGram } from '../../ir/lab.ts';
import { matrix, mirrored, rowsOf, type Matrix } from '../../ir/matrix.ts';
import { GramGraph, layoutOf, withShapes, type Layout, type Layouts, type Sums } from './gram-graph.ts';
import { openSession, type Feeds, type Session, type Value } from './session.ts';

/** Bytes of sums that one run over the inputs may hold. */
const memory = 2 ** 30;
/** Every so many samples one is held out; of two to four samples the last. */
const most = 5;

/** Whether the sample at a place is held out. */
function isHeldOut(at: number, samples: number): boolean {
	const fold = Math.min(most, Math.max(2, samples));
	return at % fold === fold - 1;
}

/** As `Lab.grams`, over the examples given. */
export async function measureGrams(
	model: Model,
	requests: readonly GramRequest[],
	examples: readonly Example[],
	threads: number,
): Promise<SplitGram[]> {
	const layouts = await layoutsOf(model, requests, examples, threads);
	const results: SplitGram[] = [];
	for (const chunk of chunksOf(requests)) {
		const { grams } = await measureChunk(model, chunk, layouts, { examples, threads });
		results.push(...grams);
	}
	return results;
}

/** Where the positions of a mask lie in each value, read off one run; values that do not show them are left out. */
export async function layoutsOf(
	model: Model,
	requests: readonly GramRequest[],
	examples: Running['examples'],
	threads: number,
): Promise<Layouts> {
	const found = new Map<ValueName, Layout>();
	const first = examples.find(({ mask }) => mask !== undefined);
	if (first?.mask === undefined) return found;
	const values = [...new Set(requests.flatMap(({ value, against }) => [value, against?.value ?? value]))];
	const { probe, outputs } = withShapes(model, values);
	const session = await openSession(probe, { which: 'calibration', threads });
	try {
		const shapes = await session.run(first.feeds, outputs);
		for (const [at, value] of values.entries()) {
			const layout = layoutOf(Array.from(shapes.get(outputs[at] ?? '')?.data ?? []), first.mask.dims);
			if (layout !== undefined) found.set(value, layout);
		}
	} finally {
		await session.release();
	}
	return found;
}

/** Requests that fit into memory together, in their order. */
function chunksOf(requests: readonly GramRequest[]): GramRequest[][] {
	const chunks: GramRequest[][] = [];
	let room = 0;
	for (const request of requests) {
		const need = 16 * (request.size + 1) * (request.size + 1 + 2 * (request.against?.size ?? 0));
		if (need > room || chunks.length === 0) {
			chunks.push([]);
			room = memory;
		}
		chunks.at(-1)?.push(request);
		room -= need;
	}
	return chunks;
}

type Totals = Map<ValueName, Matrix>;

type Running = {
	readonly examples: readonly Pick<Example, 'feeds' | 'mask'>[];
	readonly threads: number;
	/** Values to hand out of every example. */
	readonly carried?: readonly ValueName[];
};

/** Sums over all examples in one run; examples with a mask and without go through graphs of their own. */
export async function measureChunk(
	model: Model,
	requests: readonly GramRequest[],
	layouts: Layouts,
	{ examples, threads, carried = [] }: Running,
): Promise<{ readonly grams: SplitGram[]; readonly values: readonly Feeds[] }> {
	let asked: readonly (readonly Sums[])[] = [];
	let totals: { readonly fit: Totals; readonly heldOut: Totals } | undefined;
	const values = examples.map((): Feeds => new Map());
	for (const isMasked of [true, false]) {
		if (!examples.some(({ mask }) => (mask !== undefined) === isMasked)) continue;
		const graph = new GramGraph(model, isMasked ? layouts : undefined);
		asked = requests.map((request) => graph.add(request));
		const sums = [...new Map(asked.flat().map((one) => [one.output, one])).values()];
		totals ??= { fit: zeros(sums), heldOut: zeros(sums) };
		const session = await openSession(graph.build(carried), { which: 'calibration', threads });
		try {
			for (const [at, { feeds, mask }] of examples.entries()) {
				if ((mask !== undefined) !== isMasked) continue;
				const feed = mask === undefined ? feeds : new Map([...feeds, [graph.mask, { ...mask, type: BOOL }]]);
				const part = isHeldOut(at, examples.length) ? totals.heldOut : totals.fit;
				values[at] = await accumulate(session, feed, { sums, totals: part, carried });
			}
		} finally {
			await session.release();
		}
	}
	const { fit, heldOut } = totals ?? { fit: new Map(), heldOut: new Map() };
	const grams = requests.map((request, at) => ({
		fit: gramOf(request, asked[at] ?? [], fit),
		heldOut: gramOf(request, asked[at] ?? [], heldOut),
	}));
	return { grams, values };
}

function zeros(sums: readonly Sums[]): Totals {
	return new Map(sums.map(({ output, rows, cols }) => [output, matrix(rows, cols)]));
}

/** Adds one sample: the sums so far go in, and what comes out is written over them. */
async function accumulate(
	session: Session,
	feed: Feeds,
	to: { readonly sums: readonly Sums[]; readonly totals: Totals; readonly carried: readonly ValueName[] },
): Promise<Feeds> {
	const value = ({ output }: Sums): Value => {
		const { rows, cols, data } = to.totals.get(output) ?? matrix(0, 0);
		return { type: DOUBLE, dims: [rows, cols], data };
	};
	const inputs = new Map([...feed, ...to.sums.map((one) => [one.input, value(one)] as const)]);
	const outputs = new Map(to.sums.map((one) => [one.output, value(one)] as const));
	return session.runInto(inputs, outputs, to.carried);
}

/** The last feature of each side is 1: the last row holds the plain sums, and its end the number of rows. */
function gramOf(
	{ size, against }: GramRequest,
	[own, cross, squares]: readonly Sums[],
	totals: Totals,
): Gram {
	const total = (sums: Sums | undefined): Matrix => totals.get(sums?.output ?? '') ?? matrix(0, 0);
	const all = total(own);
	const gram = matrix(size, size);
	for (let row = 0; row < size; row++)
		gram.data.set(all.data.subarray(row * (size + 1), row * (size + 1) + size), row * size);
	// Both sides to the last bit, so that half of it says all.
	mirrored(gram);
	const last = rowsOf(all, size, size + 1).data;
	const base: Gram = { count: last[size] ?? 0, sum: last.slice(0, size), gram };
	if (against === undefined) return base;
	const product = total(cross);
	return {
		...base,
		against: {
			cross: rowsOf(product, 0, size),
			sum: rowsOf(product, size, size + 1).data,
			squares: total(squares).data,
		},
	};
}
