/** Integer products that come out the same on every processor. */
import { constantsOf } from './constants.ts';
import { INT32, INT8, UINT8 } from './dtype.ts';
import { elementCount, highestId, type Model, type Node, type Tensor, type ValueName } from './graph.ts';
import { freshNames } from './patch.ts';
import { numbersOf, tensorOf } from './tensor.ts';

/** Slots of the right-hand matrix and of its zero point. */
const slots: ReadonlyMap<string, readonly [matrix: number, zero: number]> = new Map([
	['MatMulInteger', [1, 3]],
	['DynamicQuantizeMatMul', [1, 3]],
	['MatMulIntegerToFloat', [1, 5]],
	['QLinearMatMul', [3, 5]],
]);

/**
 * The model with its constant matrices of int8 as uint8, zero points moved along: the same products. Without VNNI, x86 adds products of
 * unsigned and signed bytes in pairs that saturate at 16 bits, so that what a sum comes to depends on which terms stand next to each other;
 * products of unsigned bytes are exact (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html, "U8S8").
 */
export function unsignedMatrices(model: Model): Model {
	if (!model.graph.nodes.some(({ op }) => slots.has(op))) return model;
	const constants = constantsOf(model.graph);
	const initializers = new Map(model.graph.initializers);
	const moved = (tensor: Tensor): ValueName => {
		const name = `${tensor.name}_unsigned`;
		if (!initializers.has(name)) initializers.set(name, unsigned(tensor, name));
		return name;
	};
	const signed = new SignedProducts(model, moved, constants);
	const nodes = model.graph.nodes.flatMap((node): Node | Node[] => {
		if (signed.has(node)) return signed.rewrite(node);
		const [at, zeroAt] = slots.get(node.op) ?? [];
		const matrix = constants.get(node.inputs[at ?? -1] ?? '');
		if (at === undefined || zeroAt === undefined || matrix?.type !== INT8) return node;
		const given = node.inputs[zeroAt] ?? '';
		const zero = given === '' ? signedZero : constants.get(given);
		if (zero?.type !== INT8) return node;
		const inputs = Array.from({ length: Math.max(zeroAt + 1, node.inputs.length) }, (_, slot) =>
			slot === at ? moved(matrix) : slot === zeroAt ? moved(zero) : (node.inputs[slot] ?? ''),
		);
		return { ...node, inputs };
	});
	if (signed.shift !== undefined) initializers.set(signed.shift.name, signed.shift);
	const isSame = nodes.every((node, at) => node === model.graph.nodes[at]);
	return isSame ? model : { ...model, graph: { ...model.graph, nodes, initializers } };
}

/**
 * `QLinearMatMul` of signed bytes with signed bytes, which there is no kernel for with one of them unsigned: both are moved where they are
 * read, and the product is moved back.
 */
class SignedProducts {
	/** What moves a signed byte, once something was moved. */
	shift: Tensor | undefined;
	private id: number;
	private readonly model: Model;
	private readonly moved: (tensor: Tensor) => ValueName;
	private readonly constants: ReadonlyMap<ValueName, Tensor>;

	constructor(model: Model, moved: (tensor: Tensor) => ValueName, constants: ReadonlyMap<ValueName, Tensor>) {
		this.model = model;
		this.moved = moved;
		this.constants = constants;
		this.id = highestId(model.graph);
	}

	has({ op, inputs }: Node): boolean {
		const zeros = [2, 5, 7].map((slot) => this.constants.get(inputs[slot] ?? '')?.type);
		return op === 'QLinearMatMul' && zeros.every((type) => type === INT8);
	}

	rewrite(product: Node): Node[] {
		const before: Node[] = [];
		const inputs = product.inputs.map((name, slot) => {
			const constant = this.constants.get(name);
			if (constant?.type === INT8) return this.moved(constant);
			if (slot !== 0 && slot !== 3) return name;
			const bytes = `${name}_${product.id}_${slot}`;
			before.push(...this.shifted(product, name, 'Add', bytes, UINT8));
			return bytes;
		});
		const [output = ''] = product.outputs;
		const raw = `${output}_unsigned`;
		const after = this.shifted(product, raw, 'Sub', output, INT8);
		return [...before, { ...product, inputs, outputs: [raw] }, ...after];
	}

	/** Moves a value by 128, as whole numbers, to another type of bytes. */
	private shifted(
		{ id, scope }: Node,
		value: ValueName,
		op: 'Add' | 'Sub',
		output: ValueName,
		type: number,
	): Node[] {
		const by = (this.shift ??= tensorOf(freshNames(this.model.graph)('prunec_shift'), INT32, [], [128]));
		const at = (step: string): ValueName => `${output}_${id}_${step}`;
		const node = (kind: string, inputs: readonly ValueName[], made: ValueName, to?: number): Node => ({
			...{ id: ++this.id, name: '', op: kind, domain: '', inputs, outputs: [made] },
			...(scope && { scope }),
			attributes: new Map(to === undefined ? [] : [['to', { kind: 'int', value: to }]]),
		});
		return [
			node('Cast', [value], at('i32'), INT32),
			node(op, [at('i32'), by.name], at('moved')),
			node('Cast', [at('moved')], output, type),
		];
	}
}

const signedZero: Tensor = tensorOf('prunec_zero', INT8, [], [0]);

/** Moved by 128 when it is read, and not held afterwards. */
function unsigned(tensor: Tensor, name: ValueName): Tensor {
	const read = (): Uint8Array => Uint8Array.from(numbersOf(tensor), (value) => value + 128);
	return { name, type: UINT8, dims: tensor.dims, bytes: { length: elementCount(tensor.dims), read } };
}
