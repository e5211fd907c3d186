/** Normalizations as folds see them: where their scale and shift stand, and what they are along. */
import { type Node, type ValueName } from '../../ir/graph/graph.ts';
import { present } from '../../diagnostic.ts';
import { numberOf } from '../edits.ts';
import { type Affine } from '../exact/projection.ts';
import { type Rewriting } from '../exact/rewriting.ts';

/** Input slots of a native normalization's scale and shift; `channel` where they lie along axis 1, else the last. */
type Slots = { readonly scale: number; readonly shift?: number; readonly channel?: boolean };
const native: Readonly<Record<string, Slots>> = {
	LayerNormalization: { scale: 1, shift: 2 },
	RMSNormalization: { scale: 1 },
	SimplifiedLayerNormalization: { scale: 1 },
	SkipLayerNormalization: { scale: 2, shift: 3 },
	SkipSimplifiedLayerNormalization: { scale: 2 },
	InstanceNormalization: { scale: 1, shift: 2, channel: true },
};

/** A normalization by statistics of its input, with a stored scale and shift behind them. */
export type Norm = {
	/** The value that readers read. */
	readonly output: ValueName;
	readonly size: number;
	/** Along which axis of the output. */
	readonly axis: number;
	readonly affine: Affine;
	readonly type: number;
	/** Where the scale and the shift are read. */
	readonly scaleAt: readonly [node: Node, slot: number];
	readonly shiftAt?: readonly [node: Node, slot: number];
};

export function isNative(node: Node): boolean {
	return native[node.op] !== undefined;
}

/** The root that marks a normalization written in single operators: of a mean, or of a variance. */
export function isRootOfMean(r: Rewriting, node: Node): boolean {
	if (node.op !== 'Sqrt') return false;
	let maker = r.makerOf(node.inputs[0]);
	for (let steps = 0; steps < 3 && maker !== undefined; steps++) {
		if (maker.op === 'ReduceMean') return true;
		if (!['Add', 'Cast', 'Max', 'Relu', 'Clip'].includes(maker.op)) return false;
		maker = r.makerOf(maker.inputs.find((name) => r.constantOf(name) === undefined));
	}
	return false;
}

/** What a normalization reads: of one in single operators, what its mean of squares is made of, about a mean or not. */
export function inputOf(r: Rewriting, node: Node): ValueName | undefined {
	if (isNative(node)) return node.op.startsWith('Skip') ? undefined : node.inputs[0];
	const base = squaredBy(r, node);
	const centred = r.makerOf(base);
	if (centred?.op === 'Sub') return centred.inputs[0];
	return centred?.op === 'Cast' ? centred.inputs[0] : base;
}

/** The value whose squares a root is made of. */
export function squaredBy(r: Rewriting, root: Node): ValueName | undefined {
	const plain = (value: ValueName | undefined): Node | undefined => {
		const maker = r.makerOf(value);
		return maker?.op === 'Cast' ? r.makerOf(maker.inputs[0]) : maker;
	};
	let mean = r.makerOf(root.inputs[0]);
	for (let steps = 0; steps < 3 && mean !== undefined && mean.op !== 'ReduceMean'; steps++)
		mean = r.makerOf(mean.inputs.find((name) => r.constantOf(name) === undefined));
	return plain(mean?.inputs[0])?.inputs[0];
}

/** The addition of epsilon under a root. */
function epsilonAt(r: Rewriting, root: Node): readonly [add: Node, slot: number] | undefined {
	let maker = r.makerOf(root.inputs[0]);
	if (maker?.op === 'Cast') maker = r.makerOf(maker.inputs[0]);
	if (maker?.op !== 'Add') return undefined;
	const slot = maker.inputs.findIndex((name) => r.numbers(name)?.length === 1);
	return slot < 0 ? undefined : [maker, slot];
}

/** What a norm adds to its mean of squares; undefined where that is not one stored number. */
export function epsilonOf(r: Rewriting, node: Node): number | undefined {
	if (isNative(node)) return numberOf(node, 'epsilon', 1e-5);
	const [add, slot = 0] = epsilonAt(r, node) ?? [];
	return r.numbers(add?.inputs[slot])?.[0];
}

export function setEpsilon(r: Rewriting, id: number, value: number): void {
	const node = present(r.node(id), 'a norm');
	if (isNative(node)) {
		const attributes = new Map([...node.attributes, ['epsilon', { kind: 'float', value }] as const]);
		r.put({ ...node, attributes });
		return;
	}
	const [add, slot] = present(epsilonAt(r, node), 'an epsilon');
	const type = r.constantOf(add.inputs[slot])?.type ?? 1;
	r.setInput(add, slot, r.constant('epsilon', type, [], [value]));
}

export function normAt(r: Rewriting, node: Node): Norm | string {
	return isNative(node) ? nativeNorm(r, node) : writtenNorm(r, node);
}

function nativeNorm(r: Rewriting, node: Node): Norm | string {
	const slots = native[node.op];
	const [output = ''] = node.outputs;
	const rank = r.sizesOf(output)?.length;
	const scale = r.numbers(node.inputs[slots?.scale ?? 1]);
	if (slots === undefined || scale === undefined || rank === undefined)
		return `its scale is computed, not stored`;
	const shiftName = slots.shift === undefined ? '' : (node.inputs[slots.shift] ?? '');
	const shift = shiftName === '' ? new Float64Array(scale.length) : r.numbers(shiftName);
	if (shift === undefined) return 'its shift is computed, not stored';
	const axis = slots.channel === true ? 1 : rank - 1;
	if (r.sizesOf(output)?.[axis] !== scale.length) return 'its scale is not one number a channel';
	return {
		output,
		axis,
		size: scale.length,
		affine: { scale, shift },
		type: r.constantOf(node.inputs[slots.scale])?.type ?? 1,
		scaleAt: [node, slots.scale],
		...(shiftName !== '' && slots.shift !== undefined && { shiftAt: [node, slots.shift] as const }),
	};
}

/** From the root: one over it, times the input, times the scale, plus the shift. */
function writtenNorm(r: Rewriting, root: Node): Norm | string {
	const apart = 'its scale cannot be told apart from its statistics';
	let value = root.outputs[0] ?? '';
	for (let steps = 0; steps < 5; steps++) {
		const [reader, other] = r.readersOf(value);
		if (
			reader === undefined ||
			other !== undefined ||
			!['Reciprocal', 'Div', 'Mul', 'Cast'].includes(reader.op)
		)
			return apart;
		const constant = reader.inputs.find((name) => r.constantOf(name) !== undefined);
		if (reader.op === 'Mul' && constant !== undefined)
			return scaleOf(r, reader, constant, value) ?? (isElsewhere(r, constant) ? elsewhere : apart);
		value = reader.outputs[0] ?? '';
	}
	return apart;
}

const elsewhere = 'its scale lies along another axis than the last, as of norms with channels first';

function isElsewhere(r: Rewriting, constant: ValueName): boolean {
	const sizes = r.sizesOf(constant) ?? [];
	return sizes.at(-1) === 1 && sizes.some((size) => size > 1);
}

function scaleOf(r: Rewriting, mul: Node, constant: ValueName, from: ValueName): Norm | undefined {
	const [product = ''] = mul.outputs;
	const sizes = r.sizesOf(product);
	const scale = r.numbers(constant);
	const size = sizes?.at(-1);
	// A scale that meets the statistic before the input does is no affine of the norm's output.
	const whole = r.sizesOf(from)?.at(-1) === size;
	if (sizes === undefined || scale === undefined || scale.length !== size || !whole) return undefined;
	if (r.sizesOf(constant)?.at(-1) !== size) return undefined;
	const base = { size, axis: sizes.length - 1, type: r.constantOf(constant)?.type ?? 1 };
	const scaleAt = [mul, mul.inputs.indexOf(constant)] as const;
	const [add, other] = r.readersOf(product);
	const name = add?.inputs.find((input) => r.constantOf(input) !== undefined);
	const shift = r.numbers(name);
	const plain = add?.op === 'Add' && other === undefined && r.seenOutside(product) === undefined;
	if (!plain || name === undefined || shift?.length !== size)
		return { ...base, output: product, scaleAt, affine: { scale, shift: new Float64Array(size) } };
	const shiftAt = [add, add.inputs.indexOf(name)] as const;
	return { ...base, output: add.outputs[0] ?? '', scaleAt, shiftAt, affine: { scale, shift } };
}

/** A batch normalization at inference as an affine of its channels, or why it is none. */
export function batchAffine(r: Rewriting, node: Node): Affine | string {
	const training = node.attributes.get('training_mode');
	if (training?.kind === 'int' && training.value === 1) return 'it is in training mode';
	if (node.outputs.slice(1).some((name) => name !== '' && r.readersOf(name).length > 0))
		return 'its statistics are read';
	const [scale, shift, mean, variance] = node.inputs.slice(1, 5).map((name) => r.numbers(name));
	if (scale === undefined || shift === undefined || mean === undefined || variance === undefined)
		return 'its numbers are computed, not stored';
	const epsilon = numberOf(node, 'epsilon', 1e-5);
	const factors = Float64Array.from(scale, (value, at) => value / Math.sqrt((variance[at] ?? 0) + epsilon));
	if (!factors.every(Number.isFinite)) return 'its variance is negative';
	const shifts = Float64Array.from(factors, (factor, at) => (shift[at] ?? 0) - factor * (mean[at] ?? 0));
	return { scale: factors, shift: shifts };
}

export function isIdentity({ scale, shift }: Affine): boolean {
	return Array.from(scale).every((value) => value === 1) && Array.from(shift).every((value) => value === 0);
}
