/** Inputs whose values follow from what they are for: masks of ones, positions counted up, caches that are empty. */
import { elementType } from '../ir/graph/dtype.ts';
import { elementCount, type Dim, type ValueInfo } from '../ir/graph/graph.ts';
import { type Sample, type SampleValue } from './sample.ts';

export type Role = 'ids' | 'mask' | 'types' | 'positions' | 'past' | 'rate' | 'other';

/** What an input is for, by its name and kind of numbers; `ids` is any other whole-number input of rank 1 or 2. */
export function roleOf({ name, type, dims }: ValueInfo): Role {
	const words = name.toLowerCase();
	if (/past|cache/.test(words)) return 'past';
	if (/^sr$|sampl\w*_?rate/.test(words)) return 'rate';
	if (words.includes('mask')) return 'mask';
	if (elementType(type)?.kind !== 'int') return 'other';
	if (words.includes('position')) return 'positions';
	if (/type|segment/.test(words)) return 'types';
	const rank = dims?.length ?? 2;
	return rank === 1 || rank === 2 ? 'ids' : 'other';
}

/** Which inputs were given values that the data did not hold, in words: `attention_mask of ones`. */
export type Filled = { readonly feeds: Sample; readonly words: readonly string[] };

type Size = { readonly batch: number; readonly length: number };
type Filling = {
	readonly words: string;
	readonly value: (input: ValueInfo, size: Size) => SampleValue | undefined;
};

const fillings: Partial<Record<Role, Filling>> = {
	mask: { words: 'of ones', value: (input, { batch, length }) => filled(input, [batch, length], () => 1) },
	types: { words: 'of zeros', value: (input, { batch, length }) => filled(input, [batch, length], () => 0) },
	positions: {
		words: 'counted from 0',
		value: (input, { batch, length }) => filled(input, [batch, length], (at) => at % length),
	},
	past: { words: 'empty', value: emptyPast },
};

/** Fills in what the ids determine. Inputs that nothing determines stay absent. */
export function fillRoles(inputs: readonly ValueInfo[], given: Sample): Filled {
	const ids = inputs.find((input) => roleOf(input) === 'ids' && given.has(input.name));
	const dims = ids && given.get(ids.name)?.dims;
	if (dims === undefined) return { feeds: given, words: [] };
	const [batch = 1, length = 1] = dims.length === 1 ? [1, ...dims] : dims;
	const feeds = new Map(given);
	const words: string[] = [];
	for (const input of inputs) {
		const filling = fillings[roleOf(input)];
		const value = feeds.has(input.name) ? undefined : filling?.value(input, { batch, length });
		if (filling === undefined || value === undefined) continue;
		feeds.set(input.name, value);
		words.push(`${input.name} ${filling.words}`);
	}
	return { feeds, words };
}

function filled(
	input: ValueInfo,
	size: readonly number[],
	value: (at: number) => number,
): SampleValue | undefined {
	const rank = input.dims?.length ?? size.length;
	if (rank > size.length) return undefined;
	const dims = size.slice(size.length - rank);
	return {
		type: input.type,
		dims,
		data: Float64Array.from({ length: elementCount(dims) }, (_, at) => value(at)),
	};
}

/** A cache of no positions: the batch first, the one open size in between 0, the others as the model fixes them. */
function emptyPast(input: ValueInfo, { batch }: Size): SampleValue | undefined {
	const open = (input.dims ?? []).flatMap((dim: Dim, axis) =>
		typeof dim === 'number' && dim > 0 ? [] : axis,
	);
	const inner = open.filter((axis) => axis !== 0);
	if (inner.length !== 1) return undefined;
	const dims = (input.dims ?? []).map((dim, axis) => {
		if (axis === inner[0]) return 0;
		return typeof dim === 'number' && dim > 0 ? dim : batch;
	});
	return { type: input.type, dims, data: [] };
}

/** The mask that says which positions of a sample are padding: the rank-2 input for it that holds a zero. */
export function paddingOf(inputs: readonly ValueInfo[], feeds: Sample): SampleValue | undefined {
	for (const input of inputs) {
		const value = roleOf(input) === 'mask' ? feeds.get(input.name) : undefined;
		if (value?.dims.length === 2 && Array.from(value.data).includes(0)) return value;
	}
	return undefined;
}
