/** Models in code, concise: seeded weights, values by name. */
import {
	type Attribute,
	type Dim,
	type Model,
	type Node,
	type Tensor,
	type ValueInfo,
} from '../../src/ir/graph/graph.ts';
import { floats, ints, tensorOf } from '../../src/ir/graph/tensor.ts';
import { stream } from '../../src/data/generate.ts';

type Plain = number | string | readonly number[] | Attribute;
export type Build = {
	input(name: string, dims: readonly Dim[], type?: number): string;
	weight(dims: readonly number[], name?: string): string;
	/** A vector of numbers from 0.5 to 1.5, as variances are. */
	positive(size: number): string;
	ints(values: readonly number[], dims?: readonly number[]): string;
	floats(values: readonly number[], dims?: readonly number[]): string;
	/** A constant of any element type. */
	constant(of: {
		readonly type: number;
		readonly dims: readonly number[];
		readonly data: readonly number[];
	}): string;
	node(
		op: string,
		inputs: readonly string[],
		attributes?: Readonly<Record<string, Plain>>,
		domain?: string,
		outputs?: number,
	): string;
	output(name: string, dims?: readonly Dim[]): void;
	/** A builder for a body inside this graph: its names and ids are no one else's. */
	body(): Build;
	build(): Model;
};

function attributeOf(value: Plain): Attribute {
	if (typeof value === 'number') return { kind: 'int', value };
	if (typeof value === 'string') return { kind: 'string', value };
	return 'kind' in value ? value : { kind: 'ints', value };
}

/**
 * Weights are drawn about normal over the square root of their first size; `constants` puts them into Constant nodes. A body of
 * another graph has names that begin with a `prefix` of its own, and ids from `firstId` on.
 */
export function modelBuilder({
	opset = 17,
	ir = 8,
	seed = 1,
	constants = false,
	prefix = '',
	firstId = 0,
	bodies = { count: 0 },
} = {}): Build {
	const next = stream(seed);
	const nodes: Node[] = [];
	const initializers = new Map<string, Tensor>();
	const inputs: ValueInfo[] = [];
	const outputs: ValueInfo[] = [];
	const add = (tensor: Tensor): string => {
		if (!constants) initializers.set(tensor.name, tensor);
		else {
			const attributes = new Map<string, Attribute>([['value', { kind: 'tensor', value: tensor }]]);
			nodes.push({
				id: firstId + nodes.length,
				name: '',
				op: 'Constant',
				domain: '',
				inputs: [],
				outputs: [tensor.name],
				attributes,
			});
		}
		return tensor.name;
	};
	return {
		input: (name, dims, type = 1) => {
			inputs.push({ name, type, dims });
			return name;
		},
		weight: (dims, name = `${prefix}w${initializers.size + nodes.length}`) => {
			const count = dims.reduce((product, dim) => product * dim, 1);
			const scale = Math.sqrt(12 / (dims[0] ?? 1));
			return add(
				floats(
					name,
					dims,
					Float32Array.from({ length: count }, () => (next() - 0.5) * scale),
				),
			);
		},
		positive: (size) =>
			add(
				floats(
					`${prefix}p${initializers.size + nodes.length}`,
					[size],
					Float32Array.from({ length: size }, () => 0.5 + next()),
				),
			),
		ints: (values, dims = [values.length]) =>
			add(ints(`${prefix}i${initializers.size + nodes.length}`, dims, values)),
		floats: (values, dims = [values.length]) =>
			add(floats(`${prefix}f${initializers.size + nodes.length}`, dims, values)),
		constant: ({ type, dims, data }) =>
			add(tensorOf(`${prefix}c${initializers.size + nodes.length}`, type, dims, data)),
		node: (op, from, attributes = {}, domain = '', count = 1) => {
			const at = nodes.length;
			const names = Array.from(
				{ length: count },
				(_, slot) => `${prefix}${op}_${at}${slot === 0 ? '' : `_${slot}`}`,
			);
			const map = new Map(Object.entries(attributes).map(([name, value]) => [name, attributeOf(value)]));
			nodes.push({
				id: firstId + at,
				name: `${prefix}${op}_${at}`,
				op,
				domain,
				inputs: from,
				outputs: names,
				attributes: map,
			});
			return names[0] ?? '';
		},
		body: () => {
			const at = ++bodies.count;
			return modelBuilder({ opset, ir, seed: seed + at, prefix: `b${at}/`, firstId: at * 100_000, bodies });
		},
		output: (name, dims) => outputs.push({ name, type: 1, ...(dims && { dims }) }),
		build: () => ({
			irVersion: ir,
			opsets: new Map([
				['', opset],
				['com.microsoft', 1],
			]),
			graph: { name: 'built', inputs, outputs, nodes, initializers, valueInfo: new Map() },
			metadata: new Map(),
			functions: [],
		}),
	};
}

export type LayerSizes = {
	readonly heads: number;
	readonly width: number;
	readonly hidden: number;
	/** Norms behind the sums. */
	readonly post?: boolean;
	/** The feed-forward block reads positions of all sequences as rows, as OPT has it. */
	readonly rows?: boolean;
};

/** A transformer encoder layer: `heads` × `width`, a feed-forward block of `hidden`, norms before or after the sum. */
export function encoderLayer(
	b: Build,
	x: string,
	{ heads, width, hidden, post = false, rows = false }: LayerSizes,
): string {
	const d = heads * width;
	const norm = (value: string): string => b.node('LayerNormalization', [value, b.weight([d]), b.weight([d])]);
	const linear = (value: string, from: number, to: number): string =>
		b.node('Add', [b.node('MatMul', [value, b.weight([from, to])]), b.weight([to])]);
	const split = (value: string, perm: readonly number[]): string =>
		b.node('Transpose', [b.node('Reshape', [value, b.ints([0, -1, heads, width])])], { perm });
	const a = post ? x : norm(x);
	const scores = b.node('MatMul', [
		split(linear(a, d, d), [0, 2, 1, 3]),
		split(linear(a, d, d), [0, 2, 3, 1]),
	]);
	const context = b.node('MatMul', [
		b.node('Softmax', [scores], { axis: 3 }),
		split(linear(a, d, d), [0, 2, 1, 3]),
	]);
	const merged = b.node('Reshape', [
		b.node('Transpose', [context], { perm: [0, 2, 1, 3] }),
		b.ints([0, -1, d]),
	]);
	const first = b.node('Add', [x, linear(merged, d, d)]);
	const laid = rows ? b.node('Reshape', [first, b.ints([-1, d])]) : first;
	const middle = post ? norm(laid) : laid;
	const f = post ? middle : norm(middle);
	const second = b.node('Add', [middle, linear(b.node('Relu', [linear(f, d, hidden)]), hidden, d)]);
	const put = rows ? b.node('Reshape', [second, b.node('Shape', [first])]) : second;
	return post ? norm(put) : put;
}

/** A stack of encoder layers over `x [batch, seq, heads·width]`. */
export function encoder(
	layers: number,
	options: LayerSizes,
	build: Parameters<typeof modelBuilder>[0] = {},
): Model {
	const b = modelBuilder(build);
	const d = options.heads * options.width;
	let x = b.input('x', ['batch', 'seq', d]);
	for (let layer = 0; layer < layers; layer++) x = encoderLayer(b, x, options);
	b.output(b.node('MatMul', [x, b.weight([d, 5])]), ['batch', 'seq', 5]);
	return b.build();
}
