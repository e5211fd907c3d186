/** Seeded inputs that respect each input's type, shape and role. */
import { fedInputs, type Shapes } from '../ir/graph/bindings.ts';
import { elementType, FLOAT } from '../ir/graph/dtype.ts';
import { elementCount, type Model, type Node, type ValueInfo, type ValueName } from '../ir/graph/graph.ts';
import { constantsOf } from '../ir/graph/constants.ts';
import { opened } from '../ir/graph/open.ts';

export type Generated = {
	readonly type: number;
	readonly dims: readonly number[];
	readonly data: Float32Array | Float64Array;
};

/** A stream of numbers from 0 to 1 (mulberry32's mixing of a Weyl sequence). */
export function stream(seed: number): () => number {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

/** About normal, without logarithms whose last digit differs between machines. */
function bell(next: () => number): number {
	let sum = 0;
	for (let at = 0; at < 6; at++) sum += next();
	return (sum - 3) * Math.SQRT2;
}

/** One set of inputs at these sizes. Same model, sizes and seed: same numbers. */
export function generate(model: Model, shapes: Shapes, seed: number): Map<ValueName, Generated> {
	const limits = tableSizes(model);
	const next = stream(seed);
	return new Map(
		fedInputs(model).map((input) => {
			const dims = shapes.get(input.name) ?? [];
			const draw = drawer(input, dims, limits.get(input.name), next);
			const length = elementCount(dims);
			const data = input.type === FLOAT ? new Float32Array(length) : new Float64Array(length);
			for (let at = 0; at < length; at++) data[at] = draw(at);
			return [input.name, { type: input.type, dims, data }];
		}),
	);
}

function drawer(
	{ name, type }: ValueInfo,
	dims: readonly number[],
	limit: number | undefined,
	next: () => number,
): (at: number) => number {
	const kind = elementType(type)?.kind ?? 'float';
	const words = name.toLowerCase();
	const isMask = words.includes('mask');
	if (kind === 'bool') return () => 1;
	if (kind === 'float') return isMask ? () => 1 : () => bell(next);
	if (isMask) return () => 1;
	if (words.includes('position')) return (at) => at % (dims.at(-1) ?? 1);
	if (/type|segment/.test(words)) return () => 0;
	if (/^sr$|sample_?rate/.test(words)) return () => 16000;
	return () => Math.floor(next() * (limit ?? 2));
}

/** Rows of the tables that integer inputs select from, through operators that keep the numbers. */
function tableSizes(given: Model): Map<ValueName, number> {
	const model = opened(given);
	const constants = constantsOf(model.graph);
	const readers = new Map<ValueName, Node[]>();
	for (const node of model.graph.nodes)
		for (const name of node.inputs) readers.set(name, [...(readers.get(name) ?? []), node]);
	const keeps = new Set([
		'Cast',
		'Identity',
		'Reshape',
		'Unsqueeze',
		'Squeeze',
		'Flatten',
		'Transpose',
		'Expand',
		'Slice',
	]);
	const limits = new Map<ValueName, number>();
	for (const { name } of fedInputs(model)) {
		const pending = [name];
		const seen = new Set<ValueName>();
		let least = Infinity;
		for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
			if (seen.has(value)) continue;
			seen.add(value);
			for (const node of readers.get(value) ?? []) {
				const table = tableRead(node, value, (table) => constants.get(table)?.dims[0]);
				if (table !== undefined) least = Math.min(least, table);
				else if (keeps.has(node.op) && node.inputs[0] === value) pending.push(...node.outputs);
			}
		}
		if (least < Infinity) limits.set(name, least);
	}
	return limits;
}

const embedTables: Readonly<Record<number, number>> = { 0: 2, 1: 4 };

function tableRead(
	node: Node,
	index: ValueName,
	rows: (table: ValueName) => number | undefined,
): number | undefined {
	if (node.op === 'Gather' && node.inputs[1] === index) return rows(node.inputs[0] ?? '');
	if (node.op !== 'EmbedLayerNormalization') return undefined;
	const slot = node.inputs.indexOf(index);
	return rows(node.inputs[embedTables[slot] ?? -1] ?? '');
}
