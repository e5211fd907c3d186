/** A small transformer encoder with seeded weights, for tests of recipes without a download. */
import { stream } from '../data/generate.ts';
import { type Attribute, type Model, type Node, type Tensor } from '../ir/graph/graph.ts';
import { floats, ints } from '../ir/graph/tensor.ts';

export type EncoderSize = {
	readonly layers: number;
	readonly heads: number;
	/** Of a head. */
	readonly width: number;
	readonly ffn: number;
	readonly seed: number;
};

/** Reads `x [batch, seq, heads·width]`, gives five numbers a position; pre-norm layers, opset 17. */
export function encoderModel(size: EncoderSize): Model {
	const building = new Building(size);
	let value = 'x';
	for (let layer = 0; layer < size.layers; layer++) value = building.layer(value);
	return building.finish(building.node('MatMul', [value, building.weight([size.heads * size.width, 5])]));
}

class Building {
	private readonly nodes: Node[] = [];
	private readonly initializers = new Map<string, Tensor>();
	private readonly next: () => number;
	private readonly size: EncoderSize;

	constructor(size: EncoderSize) {
		this.size = size;
		this.next = stream(size.seed);
	}

	layer(x: string): string {
		const { heads, width, ffn } = this.size;
		const d = heads * width;
		const a = this.norm(x, d);
		const scores = this.node('MatMul', [
			this.split(this.linear(a, d, d), [0, 2, 1, 3]),
			this.split(this.linear(a, d, d), [0, 2, 3, 1]),
		]);
		const context = this.node('MatMul', [
			this.node('Softmax', [scores], 'axis', 3),
			this.split(this.linear(a, d, d), [0, 2, 1, 3]),
		]);
		const merged = this.node('Reshape', [
			this.node('Transpose', [context], 'perm', [0, 2, 1, 3]),
			this.shape([0, -1, d]),
		]);
		const middle = this.node('Add', [x, this.linear(merged, d, d)]);
		const hidden = this.node('Relu', [this.linear(this.norm(middle, d), d, ffn)]);
		return this.node('Add', [middle, this.linear(hidden, ffn, d)]);
	}

	finish(output: string): Model {
		const x = { name: 'x', type: 1, dims: ['batch', 'seq', this.size.heads * this.size.width] };
		const y = { name: output, type: 1, dims: ['batch', 'seq', 5] };
		const graph = {
			name: 'encoder',
			inputs: [x],
			outputs: [y],
			nodes: this.nodes,
			initializers: this.initializers,
			valueInfo: new Map(),
		};
		return { irVersion: 8, opsets: new Map([['', 17]]), graph, metadata: new Map(), functions: [] };
	}

	/** Drawn evenly, with the variance of one over the first size. */
	weight(dims: readonly number[]): string {
		const count = dims.reduce((product, dim) => product * dim, 1);
		const scale = Math.sqrt(12 / (dims[0] ?? 1));
		return this.add(
			floats(
				`w${this.initializers.size}`,
				dims,
				Float32Array.from({ length: count }, () => (this.next() - 0.5) * scale),
			),
		);
	}

	node(
		op: string,
		inputs: readonly string[],
		attribute?: string,
		value: number | readonly number[] = 0,
	): string {
		const id = this.nodes.length;
		const given: Attribute = typeof value === 'number' ? { kind: 'int', value } : { kind: 'ints', value };
		const attributes = new Map(attribute === undefined ? [] : [[attribute, given] as const]);
		this.nodes.push({
			id,
			name: `${op}_${id}`,
			op,
			domain: '',
			inputs,
			outputs: [`${op}_${id}`],
			attributes,
		});
		return `${op}_${id}`;
	}

	private linear(value: string, from: number, to: number): string {
		return this.node('Add', [this.node('MatMul', [value, this.weight([from, to])]), this.weight([to])]);
	}

	private norm(value: string, d: number): string {
		return this.node('LayerNormalization', [value, this.weight([d]), this.weight([d])]);
	}

	private split(value: string, perm: readonly number[]): string {
		const shape = this.shape([0, -1, this.size.heads, this.size.width]);
		return this.node('Transpose', [this.node('Reshape', [value, shape])], 'perm', perm);
	}

	private shape(values: readonly number[]): string {
		return this.add(ints(`s${this.initializers.size}`, [values.length], values));
	}

	private add(tensor: Tensor): string {
		this.initializers.set(tensor.name, tensor);
		return tensor.name;
	}
}
