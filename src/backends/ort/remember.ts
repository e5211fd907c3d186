/**
 * A lab that measures nothing twice: statistics are kept under a hash of the model, the data and what is asked of them, so that
 * the same question has the same answer, in this process and in later ones. A refit asks about the model as it is by then.
 */
import { createHash, type Hash } from 'node:crypto';
import { cacheFolder } from '../../files/cache.ts';
import { type Example } from '../../data/sample.ts';
import { present } from '../../diagnostic.ts';
import { type Model } from '../../ir/graph/graph.ts';
import { type Gram, type GramRequest, type Lab, type SplitGram } from '../../ir/lab.ts';
import { matrix, mirrored, type Matrix } from '../../ir/matrix.ts';
import { version } from '../../version.ts';
import { modelFingerprint } from '../onnx/encode.ts';
import { runtimeVersion } from './session.ts';
import { statisticsStore, type StatisticsStore } from './statistics-store.ts';

/** Where statistics are kept, and how many came from there so far. */
export class StatisticsMemory {
	readonly store: StatisticsStore;
	readonly counts = { fromCache: 0, measured: 0 };

	constructor(store: StatisticsStore) {
		this.store = store;
	}
}

/** The user's own, in the cache folder; none where that is not wanted, or `PRUNEC_NO_CACHE` is set. */
export function usualMemory(isWanted = true): StatisticsMemory | undefined {
	const isForbidden = (process.env['PRUNEC_NO_CACHE'] ?? '') !== '';
	return isWanted && !isForbidden
		? new StatisticsMemory(statisticsStore(cacheFolder('statistics')))
		: undefined;
}

/** How a statistic is written as rows of numbers, and read again. */
type Codec<Asked, Found> = {
	readonly kind: string;
	write(found: Found): readonly Float64Array[];
	read(numbers: readonly Float64Array[], asked: Asked): Found;
};
type Measure<Asked, Found> = (model: Model, asked: readonly Asked[]) => Promise<readonly Found[]>;

/** The lab, asked only for what `memory` does not know. `threads`: rounding depends on them. */
export function remembering(
	lab: Lab,
	examples: readonly Example[],
	threads: number,
	memory: StatisticsMemory,
): Lab {
	const known = new Known(examples, threads, memory);
	return {
		...lab,
		moments: (model, requests) =>
			known.orMeasured(moments, model, requests, (same, some) => lab.moments(same, some)),
		histograms: (model, requests, bins) =>
			known.orMeasured(
				histograms,
				model,
				requests.map(({ value, axis }) => ({ value, axis, bins })),
				(same, some) => lab.histograms(same, some, bins),
			),
		changes: async (model, experiment) => {
			const measure = async (): Promise<Float64Array[]> => [await lab.changes(model, experiment)];
			return present((await known.orMeasured(changes, model, [experiment], measure))[0], 'changes');
		},
		grams: (model, requests, keep) =>
			known.orMeasured(grams, model, requests, (same, some) => lab.grams(same, some, keep)),
		walk: (from) => {
			const walk = lab.walk(from);
			return {
				grams: (model, requests) =>
					known.orMeasured(grams, model, requests, (same, some) => walk.grams(same, some)),
			};
		},
		similarity: (model, pairs) =>
			known.orMeasured(similarity, model, pairs, (same, some) => lab.similarity(same, some)),
		averages: (model, values) =>
			known.orMeasured(averages, model, values, (same, some) => lab.averages(same, some)),
	};
}

class Known {
	private readonly examples: readonly Example[];
	private readonly threads: number;
	private readonly memory: StatisticsMemory;
	private where: Promise<string> | undefined;

	constructor(examples: readonly Example[], threads: number, memory: StatisticsMemory) {
		this.examples = examples;
		this.threads = threads;
		this.memory = memory;
	}

	async orMeasured<Asked, Found>(
		codec: Codec<Asked, Found>,
		model: Model,
		asked: readonly Asked[],
		measure: Measure<Asked, Found>,
	): Promise<Found[]> {
		if (asked.length === 0) return [...(await measure(model, asked))];
		const { store, counts } = this.memory;
		const about = [codec.kind, await this.place(), modelFingerprint(model)];
		const keys = asked.map((one) => digest([...about, one]));
		const found = keys.map((key, at) => {
			const numbers = store.read(key);
			return numbers && codec.read(numbers, present(asked[at], 'what is asked'));
		});
		const missing = asked.flatMap((one, at) => (found[at] === undefined ? [{ one, at }] : []));
		counts.fromCache += asked.length - missing.length;
		counts.measured += missing.length;
		const fresh =
			missing.length === 0
				? []
				: await measure(
						model,
						missing.map(({ one }) => one),
					);
		for (const [turn, { at }] of missing.entries()) {
			const one = present(fresh[turn], 'a statistic');
			store.write(keys[at] ?? '', codec.write(one));
			found[at] = one;
		}
		return found.map((one) => present(one, 'a statistic'));
	}

	/** What all statistics here have in common: program, runtime, threads, data. */
	private place(): Promise<string> {
		this.where ??= runtimeVersion().then((runtime) =>
			digest([version(), runtime, this.threads, this.examples.map(({ feeds, mask }) => [feeds, mask])]),
		);
		return this.where;
	}
}

/** A hash of plain values, maps and arrays of numbers. */
function digest(value: unknown): string {
	const hash = createHash('sha256');
	feed(hash, value);
	return hash.digest('hex');
}

function feed(hash: Hash, value: unknown): void {
	if (ArrayBuffer.isView(value)) {
		const { buffer, byteOffset, byteLength } = value;
		hash.update(`${value.constructor.name}${byteLength}:`);
		hash.update(new Uint8Array(buffer, byteOffset, byteLength));
	} else if (value instanceof Map) feed(hash, [...(value as ReadonlyMap<unknown, unknown>)]);
	else if (Array.isArray(value)) {
		hash.update(`[${value.length}:`);
		for (const one of value as readonly unknown[]) feed(hash, one);
	} else if (typeof value === 'object' && value !== null) feed(hash, Object.entries(value));
	else hash.update(`${typeof value} ${String(value)};`);
}

const part = (numbers: readonly Float64Array[], at: number): Float64Array =>
	present(numbers[at], 'numbers of a statistic');

type Along = { readonly value: string; readonly axis: number };
type Returned<Name extends 'moments' | 'histograms' | 'similarity' | 'averages'> = Awaited<
	ReturnType<Lab[Name]>
>[number];

const moments: Codec<Along, Returned<'moments'>> = {
	kind: 'moments',
	write: ({ count, sum, squares }) => [Float64Array.of(count), sum, squares],
	read: (numbers) => ({ count: part(numbers, 0)[0] ?? 0, sum: part(numbers, 1), squares: part(numbers, 2) }),
};

const histograms: Codec<Along & { readonly bins: number }, Matrix> = {
	kind: 'histograms',
	write: ({ rows, cols, data }) => [Float64Array.of(rows, cols), data],
	read: (numbers) => {
		const [rows = 0, cols = 0] = part(numbers, 0);
		return matrix(rows, cols, part(numbers, 1));
	},
};

const changes: Codec<Parameters<Lab['changes']>[1], Float64Array> = {
	kind: 'changes',
	write: (shares) => [shares],
	read: (numbers) => part(numbers, 0),
};

const similarity: Codec<readonly [string, string], Returned<'similarity'>> = {
	kind: 'similarity',
	write: ({ cosine, angle }) => [Float64Array.of(cosine, angle)],
	read: (numbers) => {
		const [cosine = NaN, angle = NaN] = part(numbers, 0);
		return { cosine, angle };
	},
};

const averages: Codec<string, Returned<'averages'>> = {
	kind: 'averages',
	write: ({ dims, mean }) => [Float64Array.from(dims), mean],
	read: (numbers) => ({ dims: [...part(numbers, 0)], mean: part(numbers, 1) }),
};

const grams: Codec<GramRequest, SplitGram> = {
	kind: 'grams',
	write: ({ fit, heldOut }) => [...gramNumbers(fit), ...gramNumbers(heldOut)],
	read: (numbers, asked) => {
		const half = numbers.length / 2;
		return { fit: gramFrom(numbers.slice(0, half), asked), heldOut: gramFrom(numbers.slice(half), asked) };
	},
};

function gramNumbers({ count, sum, gram, against }: Gram): Float64Array[] {
	const own = [Float64Array.of(count), sum, lowerTriangle(gram)];
	return against === undefined ? own : [...own, against.cross.data, against.sum, against.squares];
}

function gramFrom(numbers: readonly Float64Array[], { size, against }: GramRequest): Gram {
	const own = {
		count: part(numbers, 0)[0] ?? 0,
		sum: part(numbers, 1),
		gram: fromTriangle(part(numbers, 2), size),
	};
	if (against === undefined) return own;
	const cross = matrix(size, against.size, part(numbers, 3));
	return { ...own, against: { cross, sum: part(numbers, 4), squares: part(numbers, 5) } };
}

/** Row by row up to the diagonal: the rest is the same. */
function lowerTriangle({ rows, cols, data }: Matrix): Float64Array {
	const packed = new Float64Array((rows * (rows + 1)) / 2);
	for (let row = 0; row < rows; row++)
		packed.set(data.subarray(row * cols, row * cols + row + 1), (row * (row + 1)) / 2);
	return packed;
}

function fromTriangle(packed: Float64Array, size: number): Matrix {
	const result = matrix(size, size);
	for (let row = 0; row < size; row++)
		result.data.set(packed.subarray((row * (row + 1)) / 2, ((row + 1) * (row + 2)) / 2), row * size);
	return mirrored(result);
}
