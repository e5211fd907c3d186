/**
 * Units that are the same number whatever the input: filters whose weights are all zero, and what becomes of them on the way to those who read
 * them, followed without running anything. No data is needed, and nothing is estimated.
 */
import { type Family } from '../../ir/axes/families.ts';
import { type NetNode, type NetTensor } from '../../ir/axes/net.ts';
import { elementType } from '../../ir/graph/dtype.ts';
import { elementCount, type Node, type Tensor } from '../../ir/graph/graph.ts';
import { isReadable, numbersOf } from '../../ir/graph/tensor.ts';
import { intOf, numberOf } from '../edits.ts';
import { isPadded } from './borders.ts';
import { isDepthwise } from './structures.ts';

/** By unit of a family: its number, NaN where it depends on the input. */
type Values = Float64Array;

/** Functions of one number. https://onnx.ai/onnx/operators/ */
const functions: Readonly<Record<string, (x: number, node: NetNode) => number>> = {
	Relu: (x) => Math.max(0, x),
	LeakyRelu: (x, { node }) => (x < 0 ? x * numberOf(node, 'alpha', 0.01) : x),
	Elu: (x, { node }) => (x < 0 ? numberOf(node, 'alpha', 1) * Math.expm1(x) : x),
	Sigmoid: (x) => 1 / (1 + Math.exp(-x)),
	Tanh: Math.tanh,
	HardSigmoid: (x, { node }) => clip(numberOf(node, 'alpha', 0.2) * x + numberOf(node, 'beta', 0.5), 0, 1),
	HardSwish: (x) => x * clip(x / 6 + 0.5, 0, 1),
	Clip: clipped,
	Exp: Math.exp,
	Softplus: (x) => Math.log1p(Math.exp(x)),
	Abs: Math.abs,
	Neg: (x) => -x,
};

const clip = (x: number, least: number, most: number): number => Math.min(Math.max(x, least), most);

/** Bounds are inputs from opset 11 on. */
function clipped(x: number, { node, inputs }: NetNode): number {
	const bound = (slot: number, name: string, absent: number): number => {
		const given = node.inputs[slot] ?? '';
		return given === '' ? numberOf(node, name, absent) : (numbersIn(uncast(inputs[slot]))?.[0] ?? NaN);
	};
	return clip(x, bound(1, 'min', -Infinity), bound(2, 'max', Infinity));
}

/** What a constant was before it was cast, as exporters write bounds. */
function uncast(tensor: NetTensor | undefined): NetTensor | undefined {
	return tensor?.producer?.node.op === 'Cast' ? uncast(tensor.producer.inputs[0]) : tensor;
}

const sums: Readonly<Record<string, (a: number, b: number) => number>> = {
	Add: (a, b) => a + b,
	Sub: (a, b) => a - b,
	Mul: (a, b) => (a === 0 || b === 0 ? 0 : a * b),
	Div: (a, b) => a / b,
	PRelu: (x, slope) => (x < 0 ? x * slope : x),
};

/** Operators that only move numbers, or take one of several equal ones. */
const moving: ReadonlySet<string> = new Set([
	...['Identity', 'Dropout', 'Reshape', 'Flatten', 'Transpose', 'Squeeze', 'Unsqueeze', 'Slice', 'Split'],
	...['MaxPool', 'GlobalMaxPool', 'GlobalAveragePool', 'Gather', 'DepthToSpace', 'SpaceToDepth'],
	...['ReduceMean', 'ReduceMax', 'ReduceMin'],
]);

export class ConstantUnits {
	private readonly family: Family;
	private readonly known = new Map<NetTensor, Values>();

	constructor(family: Family) {
		this.family = family;
	}

	/** Of the units at a value on whose axes they lie. */
	at(tensor: NetTensor): Values {
		const known = this.known.get(tensor);
		if (known !== undefined) return known;
		const unknown = this.all(NaN);
		// A value of a loop is not known while it is followed.
		this.known.set(tensor, unknown);
		const { producer } = tensor;
		const found = producer === undefined || tensor.inBody ? unknown : this.of(producer, tensor);
		this.known.set(tensor, found);
		return found;
	}

	private of(made: NetNode, output: NetTensor): Values {
		const { op } = made.node;
		const [input] = made.inputs;
		const [map, sum] = [functions[op], sums[op]];
		if (map !== undefined) return this.read(input).map((value) => map(value, made));
		if (sum !== undefined) return this.combined(sum, made);
		if (moving.has(op)) return this.read(input);
		switch (op) {
			case 'Conv':
			case 'ConvTranspose':
			case 'Gemm':
			case 'MatMul':
				return this.written(made);
			case 'BatchNormalization':
				return this.normalised(made);
			case 'AveragePool':
				return this.averaged(made);
			case 'Concat':
				return this.joined(made, output);
			default:
				return this.all(NaN);
		}
	}

	private all(value: number): Values {
		return new Float64Array(this.family.units).fill(value);
	}

	/** An operand that the family lies on, or a constant that is one number for each of its units, or for all. */
	private read(tensor: NetTensor | undefined): Values {
		if (tensor === undefined) return this.all(NaN);
		if (tensor.constant === undefined) return this.isOn(tensor) ? this.at(tensor) : this.all(NaN);
		const numbers = numbersIn(tensor);
		const axis = this.axisOf(tensor);
		if (numbers === undefined) return this.all(NaN);
		if (axis === undefined) return this.all(numbers.length === 1 ? (numbers[0] ?? NaN) : NaN);
		return this.perUnit(tensor, axis, (values) =>
			values.every((one) => one === values[0]) ? values[0] : NaN,
		);
	}

	private combined(sum: (a: number, b: number) => number, { inputs: [left, right] }: NetNode): Values {
		const [one, other] = [this.read(left), this.read(right)];
		// Nothing times what depends on the input is nothing; both are finite.
		return one.map((value, unit) => sum(value, other[unit] ?? NaN));
	}

	/** A filter of zeros puts out its bias; one that alone reads a constant map, a constant where no border is padded. */
	private written(node: NetNode): Values {
		const [input, weight] = node.inputs;
		const axis = weight && outAxis(node.node, weight);
		if (weight === undefined || axis === undefined || numbersIn(weight) === undefined) return this.all(NaN);
		if (this.family.axes.get(weight)?.[axis] === undefined) return this.all(NaN);
		const bias = node.inputs[2] === undefined ? this.all(0) : this.read(node.inputs[2]);
		const [alpha, beta] = ['alpha', 'beta'].map((name) => numberOf(node.node, name, 1));
		const weighed = this.perUnit(weight, axis, (values) => values.reduce((total, one) => total + one, 0));
		const isZero = this.perUnit(weight, axis, (values) => (values.every((one) => one === 0) ? 1 : 0));
		const single = node.node.op === 'Conv' && isDepthwise(node) ? this.read(input) : this.all(NaN);
		return bias.map((added, unit) => {
			const value = single[unit] ?? NaN;
			const isFlat = isZero[unit] === 1 || value === 0;
			const through = isFlat ? 0 : isPadded(node.node) ? NaN : (alpha ?? 1) * value * (weighed[unit] ?? NaN);
			return through + (beta ?? 1) * added;
		});
	}

	/** scale · (x − mean) / √(variance + ε) + shift; a scale of zero leaves the shift alone. */
	private normalised({ node, inputs }: NetNode): Values {
		const [x, scale, shift, mean, variance] = [0, 1, 2, 3, 4].map((slot) => this.read(inputs[slot]));
		const epsilon = numberOf(node, 'epsilon', 1e-5);
		return this.all(0).map((_, unit) => {
			const [by, added] = [scale?.[unit] ?? NaN, shift?.[unit] ?? NaN];
			if (by === 0) return added;
			const deviation = Math.sqrt((variance?.[unit] ?? NaN) + epsilon);
			return (by * ((x?.[unit] ?? NaN) - (mean?.[unit] ?? NaN))) / deviation + added;
		});
	}

	/** Zeros around the input count, where they are counted. */
	private averaged({ node, inputs: [input] }: NetNode): Values {
		const isMixed = isPadded(node) && intOf(node, 'count_include_pad', 0) === 1;
		return this.read(input).map((value) => (isMixed && value !== 0 ? NaN : value));
	}

	/** Units come out of one of the parts, or of several that agree. */
	private joined({ inputs }: NetNode, output: NetTensor): Values {
		const found = this.all(NaN);
		const seen = new Set<number>();
		for (const input of inputs) {
			const own =
				input && this.isOn(input)
					? new Set(this.family.axes.get(input)?.flatMap((units) => [...(units ?? [])]))
					: [];
			const values = this.read(input);
			for (const unit of own) {
				if (unit < 0) continue;
				if (seen.has(unit) && found[unit] !== values[unit]) found[unit] = NaN;
				else found[unit] = values[unit] ?? NaN;
				seen.add(unit);
			}
		}
		return this.isOn(output) ? found : this.all(NaN);
	}

	private isOn(tensor: NetTensor): boolean {
		return this.axisOf(tensor) !== undefined;
	}

	private axisOf(tensor: NetTensor): number | undefined {
		const at = this.family.axes.get(tensor)?.findIndex((units) => units?.some((unit) => unit >= 0)) ?? -1;
		return at < 0 ? undefined : at;
	}

	/** One number of all the elements that are a unit's. */
	private perUnit(
		tensor: NetTensor,
		axis: number,
		of: (values: readonly number[]) => number | undefined,
	): Values {
		const numbers = numbersIn(tensor) ?? [];
		const units = this.family.axes.get(tensor)?.[axis] ?? new Int32Array();
		const inner = elementCount(tensor.sizes.slice(axis + 1));
		const size = tensor.sizes[axis] ?? 1;
		const lists: number[][] = Array.from({ length: this.family.units }, () => []);
		for (let at = 0; at < numbers.length; at++)
			lists[units[Math.floor(at / inner) % size] ?? -1]?.push(numbers[at] ?? NaN);
		return Float64Array.from(lists, (values) => of(values) ?? NaN);
	}
}

/** The axis of a weight that tells what it puts out. */
function outAxis(node: Node, { sizes }: NetTensor): number | undefined {
	if (node.op === 'Conv') return 0;
	if (node.op === 'ConvTranspose') return intOf(node, 'group', 1) === 1 ? 1 : undefined;
	return sizes.length === 2 ? 1 - intOf(node, 'transB', 0) : undefined;
}

function numbersIn(tensor: NetTensor | undefined): ArrayLike<number> | undefined {
	const constant: Tensor | undefined = tensor?.constant;
	const isFloat = constant !== undefined && elementType(constant.type)?.kind === 'float';
	return isFloat && isReadable(constant) ? numbersOf(constant) : undefined;
}
