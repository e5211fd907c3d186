/**
 * Models for tests, written in a few lines:
 *
 *     const m = modelBuilder({ opset: 17 });
 *     const y = m.node('MatMul', [m.input('x', ['batch', 8]), m.weight([8, 4])]);
 *     const model = m.output(y).build();
 */
import { FLOAT } from '../../src/ir/graph/dtype.ts';
import {
	type Attribute,
	type Dim,
	type Graph,
	type Model,
	type Node,
	type Tensor,
	type ValueInfo,
	type ValueName,
} from '../../src/ir/graph/graph.ts';
import { floats, ints } from '../../src/ir/graph/tensor.ts';

/** An attribute as plain JS: whole numbers are ints, `{ float: 1 }` is a float, `{ floats: [1] }` a list of them. */
export type Plain =
	| number
	| string
	| boolean
	| { readonly float: number }
	| { readonly floats: readonly number[] }
	| { readonly ints: readonly number[] }
	| readonly number[]
	| readonly string[]
	| Tensor
	| Graph
	| readonly Graph[];

export type BuilderOptions = {
	readonly opset?: number;
	readonly ir?: number;
	/** Where weights go: initializers, or `Constant` nodes as some exporters write them. */
	readonly weightsAs?: 'initializer' | 'constant';
	readonly seed?: number;
	/** Operator sets of other domains. */
	readonly domains?: Readonly<Record<string, number>>;
};

export type NodeOptions = { readonly outputs?: number; readonly domain?: string; readonly name?: string };

/** Uniform numbers in [0, 1), the same for the same seed: mulberry32. */
export function randomNumbers(seed: number): () => number {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

/** Normal numbers of mean 0 and variance 1, by Box and Muller. */
export function normalNumbers(seed: number): () => number {
	const random = randomNumbers(seed);
	return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

export function attributeOf(value: Plain): Attribute {
	if (typeof value === 'boolean') return { kind: 'int', value: Number(value) };
	if (typeof value === 'number') return { kind: Number.isInteger(value) ? 'int' : 'float', value };
	if (typeof value === 'string') return { kind: 'string', value };
	if (Array.isArray(value)) return listAttribute(value as readonly (number | string | Graph)[]);
	if ('float' in value) return { kind: 'float', value: value.float };
	if ('floats' in value) return { kind: 'floats', value: value.floats };
	if ('ints' in value) return { kind: 'ints', value: value.ints };
	if ('nodes' in value) return { kind: 'graph', value };
	return { kind: 'tensor', value: value as Tensor };
}

function listAttribute(values: readonly (number | string | Graph)[]): Attribute {
	const [first] = values;
	if (typeof first === 'string') return { kind: 'strings', value: values as readonly string[] };
	if (typeof first === 'object') return { kind: 'graphs', value: values as readonly Graph[] };
	const numbers = values as readonly number[];
	return { kind: numbers.every(Number.isInteger) ? 'ints' : 'floats', value: numbers };
}

/** Collects a model; names are made up in order (`w0`, `MatMul_3`), so that the same calls give the same model. */
export class ModelBuilder {
	private readonly options: Required<BuilderOptions>;
	private readonly normal: () => number;
	private readonly inputs: ValueInfo[] = [];
	private readonly outputs: ValueInfo[] = [];
	private readonly nodes: Node[] = [];
	private readonly initializers = new Map<ValueName, Tensor>();
	private readonly valueInfo = new Map<ValueName, ValueInfo>();
	private weights = 0;

	constructor(options: BuilderOptions) {
		this.options = { opset: 17, ir: 8, weightsAs: 'initializer', seed: 1, domains: {}, ...options };
		this.normal = normalNumbers(this.options.seed);
	}

	/** Declares a graph input and returns its name. */
	input(name: ValueName, dims: readonly Dim[], type = FLOAT): ValueName {
		this.inputs.push({ name, type, dims });
		return name;
	}

	/** float32 values ~ N(0, 1/fan-in), the fan-in being the size of all axes but the first for rank ≥ 3 and of the first for a matrix. */
	weight(dims: readonly number[], name?: ValueName): ValueName {
		const count = dims.reduce((product, size) => product * size, 1);
		const fanIn = dims.length <= 2 ? (dims[0] ?? 1) : count / (dims[0] ?? 1);
		const scale = 1 / Math.sqrt(Math.max(1, fanIn));
		return this.floats(
			Array.from({ length: count }, () => this.normal() * scale),
			dims,
			name,
		);
	}

	/** An int64 constant; a vector unless `dims` says otherwise, `[]` for a scalar. */
	ints(values: readonly number[], dims: readonly number[] = [values.length], name?: ValueName): ValueName {
		return this.constant(ints(name ?? this.freshName(), dims, values));
	}

	floats(values: readonly number[], dims: readonly number[] = [values.length], name?: ValueName): ValueName {
		return this.constant(floats(name ?? this.freshName(), dims, values));
	}

	/** Any tensor as a constant, under its own name. */
	constant(tensor: Tensor): ValueName {
		if (this.options.weightsAs === 'constant') {
			this.push('Constant', [], { value: tensor }, [tensor.name], { name: `Constant_${tensor.name}` });
		} else {
			this.initializers.set(tensor.name, tensor);
		}
		return tensor.name;
	}

	/** Adds a node and returns the name of its output, or the list of names when `outputs` is given. */
	node(
		op: string,
		inputs: readonly ValueName[],
		attributes: Readonly<Record<string, Plain>> | undefined,
		options: NodeOptions & { readonly outputs: number },
	): ValueName[];
	node(
		op: string,
		inputs: readonly ValueName[],
		attributes?: Readonly<Record<string, Plain>>,
		options?: NodeOptions,
	): ValueName;
	node(
		op: string,
		inputs: readonly ValueName[],
		attributes: Readonly<Record<string, Plain>> = {},
		options: NodeOptions = {},
	): ValueName | ValueName[] {
		const name = options.name ?? `${op}_${this.nodes.length}`;
		const outputs = Array.from({ length: options.outputs ?? 1 }, (_, slot) =>
			slot === 0 ? `${name}_out` : `${name}_out${slot}`,
		);
		this.push(op, inputs, attributes, outputs, { ...options, name });
		return options.outputs === undefined ? `${name}_out` : outputs;
	}

	/** Makes a value a graph output, under its own name. */
	output(name: ValueName, dims?: readonly Dim[], type = FLOAT): this {
		this.outputs.push({ name, type, ...(dims && { dims }) });
		return this;
	}

	/** An annotation of a value inside. */
	annotate(name: ValueName, dims: readonly Dim[], type = FLOAT): this {
		this.valueInfo.set(name, { name, type, dims });
		return this;
	}

	graph(name = 'test'): Graph {
		return {
			name,
			inputs: [...this.inputs],
			outputs: [...this.outputs],
			nodes: [...this.nodes],
			initializers: new Map(this.initializers),
			valueInfo: new Map(this.valueInfo),
		};
	}

	/** The model; node ids are unique, those in bodies included. */
	build(): Model {
		const { opset, ir, domains } = this.options;
		return {
			irVersion: ir,
			opsets: new Map([['', opset], ...Object.entries(domains)]),
			graph: renumbered(this.graph(), { next: 0 }),
			metadata: new Map(),
			functions: [],
		};
	}

	private freshName(): ValueName {
		return `w${this.weights++}`;
	}

	private push(
		op: string,
		inputs: readonly ValueName[],
		attributes: Readonly<Record<string, Plain>>,
		outputs: readonly ValueName[],
		{ name = '', domain = '' }: NodeOptions,
	): void {
		const known = new Map(Object.entries(attributes).map(([key, value]) => [key, attributeOf(value)]));
		this.nodes.push({ id: this.nodes.length, name, op, domain, inputs, outputs, attributes: known });
	}
}

function renumbered(graph: Graph, ids: { next: number }): Graph {
	const inside = (attribute: Attribute): Attribute => {
		if (attribute.kind === 'graph') return { kind: 'graph', value: renumbered(attribute.value, ids) };
		if (attribute.kind !== 'graphs') return attribute;
		return { kind: 'graphs', value: attribute.value.map((one) => renumbered(one, ids)) };
	};
	const nodes = graph.nodes.map((node) => ({
		...node,
		id: ids.next++,
		attributes: new Map([...node.attributes].map(([name, attribute]) => [name, inside(attribute)])),
	}));
	return { ...graph, nodes };
}

export function modelBuilder(options: BuilderOptions = {}): ModelBuilder {
	return new ModelBuilder(options);
}
