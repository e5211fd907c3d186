/** A model with nodes added that sum up products of its values' rows. */
import { BOOL, DOUBLE, INT64 } from '../../ir/graph/dtype.ts';
import {
	type Attribute,
	type Model,
	type Node,
	type Tensor,
	type ValueInfo,
	type ValueName,
} from '../../ir/graph/graph.ts';
import { freshNames } from '../../ir/graph/patch.ts';
import { tensorOf } from '../../ir/graph/tensor.ts';
import { type GramRequest, type RowsOf } from '../../ir/lab.ts';

/** A sum kept from run to run: fed as `input`, given back as `output`. */
export type Sums = {
	readonly input: ValueName;
	readonly output: ValueName;
	readonly rows: number;
	readonly cols: number;
};

/** A value's rows as a matrix of doubles, [rows, size], zero where they are padding, and a column of ones (zeros for padding). */
type RowMatrix = { readonly features: ValueName; readonly ones: ValueName; readonly withOnes: ValueName };

/** The axis of the positions that a mask tells of; the batch is axis 0. `both`: they are one axis, the first. */
export type Layout = number | 'both';
export type Layouts = ReadonlyMap<ValueName, Layout>;

/** Where the mask's `[batch, positions]` show in the sizes of a value: first and second axis, first and third, or as one. */
export function layoutOf(dims: readonly number[], [batch, length]: readonly number[]): Layout | undefined {
	const axis = [1, 2].find((one) => dims[0] === batch && dims[one] === length);
	return axis ?? (dims[0] === (batch ?? 1) * (length ?? 1) ? 'both' : undefined);
}

/** The model with the sizes of values as outputs. */
export function withShapes(
	model: Model,
	values: readonly ValueName[],
): { readonly probe: Model; readonly outputs: readonly ValueName[] } {
	const fresh = freshNames(model.graph);
	const first = nextId(model);
	const outputs = values.map(() => fresh('gram_shape'));
	const nodes = values.map((value, at): Node => ({
		id: first + at,
		...{ name: '', op: 'Shape', domain: '', inputs: [value], attributes: new Map() },
		outputs: [outputs[at] ?? ''],
	}));
	const infos = outputs.map((name) => ({ name, type: INT64, dims: [null] }));
	const { graph } = model;
	return {
		probe: { ...model, graph: { ...graph, nodes: [...graph.nodes, ...nodes], outputs: infos } },
		outputs,
	};
}

const nextId = ({ graph }: Model): number => 1 + Math.max(0, ...graph.nodes.map(({ id }) => id));

export class GramGraph {
	/** The input that a mask is fed to, `[batch, positions]`, where layouts are given. */
	readonly mask: ValueName;
	private readonly model: Model;
	private readonly layouts: Layouts | undefined;
	private readonly fresh: (base: string) => ValueName;
	private readonly nodes: Node[] = [];
	private readonly inputs: ValueInfo[] = [];
	private readonly outputs: ValueInfo[] = [];
	private readonly rows = new Map<string, RowMatrix>();
	private readonly sums = new Map<string, Sums>();
	private nextId: number;

	constructor(model: Model, layouts: Layouts | undefined) {
		this.model = model;
		this.layouts = layouts;
		this.fresh = freshNames(model.graph);
		this.mask = this.fresh('gram_mask');
		this.nextId = nextId(model);
		if (layouts) this.inputs.push({ name: this.mask, type: BOOL, dims: ['mask_batch', 'mask_positions'] });
	}

	/** The sums of a request: Σ x̃ᵀx̃ with x̃ = [x, 1], then Σ x̃ᵀy and Σ y² where another value is given. */
	add(request: GramRequest): Sums[] {
		const own = this.rowsOf(request);
		const width = request.size + 1;
		const gram = this.sum(own.withOnes, own.withOnes, width, width);
		if (request.against === undefined) return [gram];
		const other = this.rowsOf(request.against);
		const { size } = request.against;
		const squared = this.node('Mul', [other.features, other.features]);
		return [
			gram,
			this.sum(own.withOnes, other.features, width, size),
			this.sum(other.ones, squared, 1, size),
		];
	}

	/** The model that gives the sums, and other values whose types onnxruntime tells itself. */
	build(others: readonly ValueName[] = []): Model {
		const { graph } = this.model;
		const told = others.map((name) => ({ name, type: 0 }));
		return {
			...this.model,
			graph: {
				...graph,
				nodes: [...graph.nodes, ...this.nodes],
				inputs: [...graph.inputs, ...this.inputs],
				outputs: [...this.outputs, ...told],
			},
		};
	}

	/** Aᵀ·B added to what was summed before. */
	private sum(a: ValueName, b: ValueName, rows: number, cols: number): Sums {
		const key = `${a} ${b}`;
		const known = this.sums.get(key);
		if (known !== undefined) return known;
		const info = (name: ValueName): ValueInfo => ({ name, type: DOUBLE, dims: [rows, cols] });
		const [input, output] = [this.fresh('sum_before'), this.fresh('sum_after')];
		this.node('Gemm', [a, b, input], { transA: 1 }, output);
		this.inputs.push(info(input));
		this.outputs.push(info(output));
		const sums = { input, output, rows, cols };
		this.sums.set(key, sums);
		return sums;
	}

	private rowsOf(rows: RowsOf): RowMatrix {
		const key = `${rows.value} ${rows.axis} ${rows.only?.join() ?? ''}`;
		const known = this.rows.get(key) ?? this.makeRows(rows);
		this.rows.set(key, known);
		return known;
	}

	private makeRows({ value, rank, axis, only }: RowsOf): RowMatrix {
		const picked =
			only === undefined
				? value
				: this.node('Gather', [value, this.constant(INT64, [only.length], only)], { axis });
		const wide = this.node('Cast', [picked], { to: DOUBLE });
		const none = this.constant(DOUBLE, [], [0]);
		const real = this.realAt(value, rank, axis);
		// Not a product with zero: padding may hold NaN.
		const features = real === undefined ? wide : this.node('Where', [real, wide, none]);
		const first = this.node('Gather', [features, this.constant(INT64, [1], [0])], { axis });
		const ones = this.node('Add', [this.node('Mul', [first, none]), this.constant(DOUBLE, [], [1])]);
		const counted = real === undefined ? ones : this.node('Where', [real, ones, none]);
		const [flat, column] = [this.flatten(features, rank, axis), this.flatten(counted, rank, axis)];
		return {
			features: flat,
			ones: column,
			withOnes: this.node('Concat', [flat, column], { axis: 1 }),
		};
	}

	/** [other axes, axis] as a matrix. */
	private flatten(value: ValueName, rank: number, axis: number): ValueName {
		const others = Array.from({ length: rank }, (_, at) => at).filter((at) => at !== axis);
		const last = axis === rank - 1 ? value : this.node('Transpose', [value], { perm: [...others, axis] });
		return this.node('Flatten', [last], { axis: rank - 1 });
	}

	/** The mask with an axis of 1 for every axis of the value but its own; absent where it has none for the value's rows. */
	private realAt(value: ValueName, rank: number, axis: number): ValueName | undefined {
		const layout = this.layouts?.get(value);
		if (layout === undefined || axis === 0 || axis === layout) return undefined;
		// In a target of Reshape 0 copies the size at that place, and -1 is what is left.
		const target = Array.from({ length: rank }, (_, at) => {
			if (at === 0) return layout === 'both' ? -1 : 0;
			return at === layout ? -1 : 1;
		});
		return this.node('Reshape', [this.mask, this.constant(INT64, [rank], target)]);
	}

	/** A node rather than an initializer: old models list those among their inputs. */
	private constant(type: number, dims: readonly number[], values: readonly number[]): ValueName {
		return this.node('Constant', [], { value: tensorOf('', type, dims, values) });
	}

	private node(
		op: string,
		inputs: readonly ValueName[],
		attributes: Readonly<Record<string, number | readonly number[] | Tensor>> = {},
		output: ValueName = this.fresh(`gram_${op}`),
	): ValueName {
		const map = new Map(Object.entries(attributes).map(([name, value]) => [name, attributeOf(value)]));
		this.nodes.push({
			id: this.nextId++,
			name: '',
			op,
			domain: '',
			inputs,
			outputs: [output],
			attributes: map,
		});
		return output;
	}
}

function attributeOf(value: number | readonly number[] | Tensor): Attribute {
	if (typeof value === 'number') return { kind: 'int', value };
	return 'type' in value ? { kind: 'tensor', value } : { kind: 'ints', value };
}
