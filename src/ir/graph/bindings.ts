/** Sizes for the symbols of a model's inputs: two samples, so that what moves between them is known to be dynamic. */
import { type Dim, type Model, type ValueInfo } from './graph.ts';

/** Concrete sizes of every graph input, by name. */
export type Shapes = ReadonlyMap<string, readonly number[]>;

export type Sample = {
	readonly batch: number;
	/** Tokens or time steps. */
	readonly length: number;
	/** Cached positions. */
	readonly past: number;
	/** Factor on spatial sizes. */
	readonly space: number;
};

/**
 * Different in everything, so that sizes that only happen to agree at one sample differ at the other; small, so that they fit
 * the shortest context (8 positions) of the models tried.
 */
export const samples: readonly [Sample, Sample] = [
	{ batch: 2, length: 5, past: 3, space: 2 },
	{ batch: 3, length: 3, past: 2, space: 3 },
];

/** Every symbol at its least: some sizes are asked for being 1. */
export const smallest: Sample = { batch: 1, length: 1, past: 1, space: 1 };

/** Sizes that a deployment meets: one item, 128 tokens. */
export const typical: Sample = { batch: 1, length: 128, past: 128, space: 5 };

/** Inputs a caller must feed: those without an initializer. */
export function fedInputs(model: Model): ValueInfo[] {
	return model.graph.inputs.filter((input) => !model.graph.initializers.has(input.name));
}

/**
 * Concrete input sizes at a sample. `given` fixes whole inputs (`--shape`, `input` in a recipe); their sizes also bind the
 * symbols they stand for, so that other inputs with the same symbol agree.
 */
export function bindShapes(model: Model, sample: Sample, given: Shapes = new Map()): Shapes {
	const bound = new Map<string, number>();
	for (const input of fedInputs(model)) {
		input.dims?.forEach((dim, axis) => {
			const size = given.get(input.name)?.[axis];
			if (typeof dim === 'string' && size !== undefined) bound.set(dim, size);
		});
	}
	return new Map(
		fedInputs(model).map((input) => [
			input.name,
			given.get(input.name) ?? (input.dims ?? []).map((dim, axis) => sizeOf(input, dim, axis, sample, bound)),
		]),
	);
}

type Guess = (sample: Sample) => number;

/** What a symbol's words say about its role, in the order asked. */
const roles: readonly (readonly [RegExp, Guess])[] = [
	[/past.*\+|total|all_?seq|\+.*past/, ({ past, length }) => past + length],
	[/past|cache|history/, ({ past }) => past],
	[/batch|^n$|^b$|^bs$/, ({ batch }) => batch],
	[/seq|len|time|token|frames|steps|^t$|^s$/, ({ length }) => length],
	[/height|width|^h$|^w$/, ({ space }) => 64 * space],
];

function sizeOf(
	input: ValueInfo,
	dim: Dim,
	axis: number,
	sample: Sample,
	bound: Map<string, number>,
): number {
	if (typeof dim === 'number' && dim > 0) return dim;
	const symbol = typeof dim === 'string' ? dim : '';
	const known = bound.get(symbol);
	if (known !== undefined) return known;
	const size = guess(input, symbol, axis, sample);
	if (symbol !== '') bound.set(symbol, size);
	return size;
}

function guess(input: ValueInfo, symbol: string, axis: number, sample: Sample): number {
	const role = roles.find(([words]) => words.test(symbol.toLowerCase()));
	if (role !== undefined) return role[1](sample);
	if (/past|cache/.test(input.name) && axis === (input.dims?.length ?? 0) - 2) return sample.past;
	// What a recurrence remembers: [layers, batch, units].
	const remembers = /state|hidden|cell|^[hc]_?[0n]?$/.test(input.name.toLowerCase());
	if (axis === 0 || (remembers && axis === 1 && input.dims?.length === 3)) return sample.batch;
	const image = input.dims?.length === 4;
	if (image && axis === 1) return 3;
	return image ? 64 * sample.space : sample.length;
}
