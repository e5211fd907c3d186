/** Sums over weights, compiled from `wasm/sums.ts`: they run over everything that a model holds. */
import { sumsModule } from './sums.wasm.ts';
import { compileModule, instantiate, page, type Memory } from './wasm.ts';

type Numbers = Float32Array | Float64Array;
type Runs = (
	from: number,
	count: number,
	totals: number,
	lengths: number,
	stretches: number,
	state: number,
	squared: boolean,
) => void;
type Each = (from: number, count: number, totals: number, squared: boolean) => void;
type Exports = {
	readonly memory: Memory;
	readonly runFloats: Runs;
	readonly runDoubles: Runs;
	readonly eachFloat: Each;
	readonly eachDouble: Each;
};

/** Numbers that are given to the compiled code at a time. */
const batch = 1 << 17;
let shared: Exports | undefined;

/** One for all: every sum is done before the next begins. */
function kernelFor(bytes: number): Exports {
	shared ??= instantiate(compileModule(sumsModule)) as Exports;
	const missing = page + bytes - shared.memory.buffer.byteLength;
	if (missing > 0) shared.memory.grow(Math.ceil(missing / page));
	return shared;
}

/**
 * Sums of |v| (`power` 1) or v² (2) over stretches of elements that follow each other and begin anew after the last.
 * @param pieces the elements, each piece good until the next is taken.
 * @param lengths elements of each stretch.
 */
export function sumStretches(
	pieces: Iterable<Numbers>,
	lengths: readonly number[],
	power: 1 | 2,
): Float64Array {
	const { length } = lengths;
	if (length === 0) return new Float64Array();
	// In memory one after the other: totals, what stretches need, the elements.
	const own = length * 8 + 8;
	const kernel = kernelFor(length * 8 + own + batch * 8);
	const [totals, from] = [page, page + length * 8 + own];
	const all = new Float64Array(kernel.memory.buffer, totals, length).fill(0);
	const add = lengths.every((one) => one === 1)
		? addEach(kernel, { totals, from, length }, power === 2)
		: addRuns(kernel, { totals, from, lengths }, power === 2);
	for (const piece of pieces)
		for (let start = 0; start < piece.length; start += batch) {
			const part = piece.subarray(start, start + batch);
			const isFloat = part instanceof Float32Array;
			const room = isFloat
				? new Float32Array(kernel.memory.buffer, from, part.length)
				: new Float64Array(kernel.memory.buffer, from, part.length);
			room.set(part);
			add(part.length, isFloat);
		}
	return all.slice();
}

/** Takes what lies at `from`, a batch after the other. */
type Add = (count: number, isFloat: boolean) => void;

/** Every element has a total of its own. */
function addEach(
	{ eachFloat, eachDouble }: Exports,
	{ totals, from, length }: { readonly totals: number; readonly from: number; readonly length: number },
	squared: boolean,
): Add {
	let next = 0;
	return (count, isFloat) => {
		const [each, size] = isFloat ? [eachFloat, 4] : [eachDouble, 8];
		for (let done = 0; done < count;) {
			const run = Math.min(count - done, length - next);
			each(from + done * size, run, totals + next * 8, squared);
			next = (next + run) % length;
			done += run;
		}
	};
}

/** Elements that follow each other have one total. */
function addRuns(
	{ memory, runFloats, runDoubles }: Exports,
	task: { readonly totals: number; readonly from: number; readonly lengths: readonly number[] },
	squared: boolean,
): Add {
	const { totals, from, lengths } = task;
	const [state, told] = [totals + lengths.length * 8, totals + lengths.length * 8 + 8];
	new Int32Array(memory.buffer, state, 2).set([0, lengths[0] ?? 0]);
	new Int32Array(memory.buffer, told, lengths.length).set(lengths);
	return (count, isFloat) => {
		const runs = isFloat ? runFloats : runDoubles;
		runs(from, count, totals, told, lengths.length, state, squared);
	};
}
