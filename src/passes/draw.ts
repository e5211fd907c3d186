/** Writes small graphs as edits: one call an operator, in the form that the model's operator set has it. */
import { type Net } from '../ir/axes/net.ts';
import { FLOAT, INT64 } from '../ir/graph/dtype.ts';
import { type Attribute, type ValueName } from '../ir/graph/graph.ts';
import { freshNames, type Edit } from '../ir/graph/patch.ts';
import { ints, tensorOf } from '../ir/graph/tensor.ts';
import { amountTensor, type TokenAmount } from './tokens/token-stage.ts';

type Plain = number | readonly number[];

export class Drawing {
	readonly edits: Edit[] = [];
	private readonly fresh: (base: string) => ValueName;
	readonly opset: number;

	/** Element types of the model's own values, where they are known. */
	private readonly typeOf: (value: ValueName) => number | undefined;

	constructor({ model, facts }: Net) {
		this.typeOf = (value) => facts.of(value)?.type;
		this.fresh = freshNames(model.graph);
		this.opset = model.opsets.get('') ?? 1;
	}

	/** A node of the default domain; its first output. */
	op(op: string, inputs: readonly ValueName[], attributes: Readonly<Record<string, Plain>> = {}): ValueName {
		return this.outputs(op, inputs, attributes, 1)[0] ?? '';
	}

	outputs(
		op: string,
		inputs: readonly ValueName[],
		attributes: Readonly<Record<string, Plain>>,
		count: number,
		names?: readonly ValueName[],
	): readonly ValueName[] {
		const outputs = names ?? Array.from({ length: count }, () => this.fresh(`tokens_${op}`));
		const map = new Map(Object.entries(attributes).map(([name, value]) => [name, attributeOf(value)]));
		this.edits.push({ kind: 'insert', node: { name: '', op, domain: '', inputs, outputs, attributes: map } });
		return outputs;
	}

	ints(values: readonly number[], base = 'tokens_ints'): ValueName {
		return this.constant(ints(this.fresh(base), [values.length], values));
	}

	scalar(value: number, type = FLOAT, base = 'tokens_number'): ValueName {
		return this.constant(tensorOf(this.fresh(base), type, [], [value]));
	}

	/** How many tokens stay, a constant that can be set later. */
	amount(base: string, amount: TokenAmount): ValueName {
		return this.constant(amountTensor(this.fresh(base), amount));
	}

	name(base: string): ValueName {
		return this.fresh(base);
	}

	/** Sums or the like over axes; `name` for the result. */
	reduce(op: string, input: ValueName, axes: readonly number[], name?: ValueName): ValueName {
		const asInput = this.opset >= (op === 'ReduceSum' ? 13 : 18);
		const names = name === undefined ? undefined : [name];
		const [result = ''] = asInput
			? this.outputs(op, [input, this.ints(axes)], { keepdims: 0 }, 1, names)
			: this.outputs(op, [input], { axes, keepdims: 0 }, 1, names);
		return result;
	}

	reshape(input: ValueName, sizes: readonly number[]): ValueName {
		return this.op('Reshape', [input, this.ints(sizes)]);
	}

	split(input: ValueName, sizes: readonly number[], axis: number): readonly ValueName[] {
		return this.opset >= 13
			? this.outputs('Split', [input, this.ints(sizes)], { axis }, sizes.length)
			: this.outputs('Split', [input], { axis, split: sizes }, sizes.length);
	}

	unsqueeze(input: ValueName, axes: readonly number[]): ValueName {
		if (axes.length === 0) return input;
		return this.opset >= 13
			? this.op('Unsqueeze', [input, this.ints(axes)])
			: this.op('Unsqueeze', [input], { axes });
	}

	/** The smaller of two whole numbers: `Min` takes them from opset 12 on only. */
	least(left: ValueName, right: ValueName): ValueName {
		return this.op('Where', [this.op('Less', [left, right]), left, right]);
	}

	most(left: ValueName, right: ValueName): ValueName {
		return this.op('Where', [this.op('Less', [left, right]), right, left]);
	}

	/** Pieces of a vector of int64, one behind the other. */
	vector(...pieces: readonly (number | ValueName)[]): ValueName {
		const parts = pieces.map((piece) => (typeof piece === 'number' ? this.ints([piece]) : piece));
		return parts.length === 1 ? (parts[0] ?? '') : this.op('Concat', parts, { axis: 0 });
	}

	/** A value of another type; one that has it already stays itself. */
	cast(input: ValueName, to: number): ValueName {
		if (this.typeOf(input) === to) return input;
		return this.op('Cast', [input], { to });
	}

	/** One size of a value, as a vector of one int64. */
	size(value: ValueName, axis: number): ValueName {
		return this.op('Gather', [this.op('Shape', [value]), this.ints([axis])], { axis: 0 });
	}

	/** 0, 1, … up to, without, a length given as a vector of one int64; before opset 11, which has no Range, the places of as many ones. */
	range(length: ValueName): ValueName {
		if (this.opset < 11) {
			const ones = this.op('Expand', [this.scalar(1, INT64), length]);
			return this.op('Reshape', [this.op('NonZero', [ones]), this.ints([-1])]);
		}
		const scalar = this.op('Reshape', [length, this.ints([])]);
		return this.op('Range', [this.scalar(0, INT64), scalar, this.scalar(1, INT64)]);
	}

	/** Of numbers of any type: `Equal` takes floating ones from opset 11 on only. */
	equal(left: ValueName, right: ValueName): ValueName {
		if (this.opset >= 11) return this.op('Equal', [left, right]);
		return this.op('Not', [
			this.op('Or', [this.op('Less', [left, right]), this.op('Greater', [left, right])]),
		]);
	}

	/** The rest of a division of whole numbers: `Mod` came with opset 10. */
	rest(value: ValueName, by: number): ValueName {
		const divisor = this.scalar(by, INT64);
		if (this.opset >= 10) return this.op('Mod', [value, divisor]);
		return this.op('Sub', [value, this.op('Mul', [this.op('Div', [value, divisor]), divisor])]);
	}

	private constant(tensor: ReturnType<typeof ints>): ValueName {
		this.edits.push({ kind: 'constant', tensor });
		return tensor.name;
	}
}

function attributeOf(value: Plain): Attribute {
	return typeof value === 'number' ? { kind: 'int', value } : { kind: 'ints', value };
}
