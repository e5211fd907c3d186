/** Models of one node, their operands drawn by a seed, and their runs in onnxruntime. */
import { openSession } from '../../src/backends/ort/session.ts';
import { present } from '../../src/diagnostic.ts';
import { elementType, FLOAT, INT64 } from '../../src/ir/graph/dtype.ts';
import { elementCount, type Attribute, type Model } from '../../src/ir/graph/graph.ts';
import { halfBits, halfValue } from '../../src/ir/graph/tensor.ts';
import { oneNodeModel } from '../../src/ir/axes/example.ts';
import { type Example, type ExampleInput } from '../../src/ir/axes/operator.ts';

/** A tensor as numbers, row-major. */
export type Value = {
	readonly type: number;
	readonly dims: readonly number[];
	readonly data: readonly number[];
};
export type Fed = Value & {
	/** Part of the model, as shapes and axes are, and not fed. */
	readonly constant: boolean;
};

/** A node and its operands: all that a run needs. */
export type Call = {
	readonly op: string;
	readonly domain: string;
	readonly opset?: number;
	readonly attributes: ReadonlyMap<string, Attribute>;
	readonly inputs: readonly (Fed | undefined)[];
	/** Element types of the outputs; undefined is an absent one. */
	readonly outputs: readonly (number | undefined)[];
};

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function generator(seed: number): () => number {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

/** The operand that an example describes. */
export function drawn(input: ExampleInput, random: () => number): Fed {
	if ('ints' in input) return listed(input.ints, input.type ?? INT64, input);
	if ('floats' in input) return listed(input.floats, FLOAT, input);
	const { sizes, type = FLOAT, ...how } = 'sizes' in input ? input : { sizes: input, type: FLOAT };
	const draw = drawer(type, how, random);
	const data = Array.from({ length: elementCount(sizes) }, draw);
	return { type, dims: sizes, data, constant: 'constant' in how && (how.constant ?? false) };
}

function listed(data: readonly number[], type: number, { scalar = false }: { scalar?: boolean }): Fed {
	return {
		type,
		dims: scalar ? [] : [data.length],
		data: data.map((value) => rounded(type, value)),
		constant: true,
	};
}

function drawer(
	type: number,
	how: {
		readonly positive?: boolean;
		readonly negative?: boolean;
		readonly below?: number;
		readonly from?: number;
	},
	random: () => number,
): () => number {
	const kind = elementType(type)?.kind;
	if (kind === 'bool') return () => Number(random() < 0.5);
	if (how.below !== undefined) {
		const [from, below] = [how.from ?? 0, how.below];
		return () => from + Math.floor(random() * (below - from));
	}
	if (kind === 'float' && how.positive) return () => rounded(type, 0.5 + random());
	if (kind === 'float' && how.negative) return () => rounded(type, -0.5 - random());
	if (kind === 'float') return () => rounded(type, 2 * random() - 1);
	// Two products of a byte with a signed byte of this range stay within 16 bits, where some processors saturate.
	return kind === 'uint' ? () => Math.floor(random() * 200) : () => Math.floor(random() * 120) - 60;
}

function rounded(type: number, value: number): number {
	if (type === FLOAT) return Math.fround(value);
	return elementType(type)?.name === 'float16' ? halfValue(halfBits(value)) : value;
}

/** The call that an example of an operator describes. */
export function callOf(
	op: string,
	domain: string,
	example: Example,
	types: readonly (number | undefined)[],
): Call {
	const random = generator(7 + op.length);
	return {
		op,
		domain,
		...(example.opset !== undefined && { opset: example.opset }),
		attributes: new Map(Object.entries(example.attributes ?? {})),
		inputs: example.inputs.map((input) => (input === null ? undefined : drawn(input, random))),
		outputs: types,
	};
}

/** The model of a call. */
export function modelOf({ inputs, attributes, ...call }: Call): Model {
	return oneNodeModel({
		...call,
		attributes: Object.fromEntries(attributes),
		inputs: inputs.map(
			(input) =>
				input && { type: input.type, dims: input.dims, ...(input.constant && { constant: input.data }) },
		),
	});
}

/** Runs a call; the outputs by slot. Rejects with onnxruntime's words when it refuses. */
export async function run(call: Call): Promise<(Value | undefined)[]> {
	const session = await openSession(modelOf(call), { which: 'node', threads: 1 });
	try {
		const feeds = call.inputs.flatMap((input, slot): [string, Value][] =>
			input === undefined || input.constant ? [] : [[`i${slot}`, input]],
		);
		const results = await session.run(new Map(feeds));
		return call.outputs.map((type, slot) => {
			if (type === undefined) return undefined;
			const { data, ...rest } = present(results.get(`o${slot}`), `output ${slot}`);
			return { ...rest, data: Array.from(data) };
		});
	} finally {
		await session.release();
	}
}
