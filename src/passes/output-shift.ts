/** Adding constants to what a matrix product puts out. */
import { numbersOf, tensorOf } from '../ir/graph/tensor.ts';
import { constantsOf } from '../ir/graph/constants.ts';
import { elementCount, type Model, type Node, type Tensor, type ValueName } from '../ir/graph/graph.ts';
import { type Edit } from '../ir/graph/patch.ts';
import { insert } from './edits.ts';

export type Fresh = (base: string) => ValueName;
/** The product's node as it becomes, and the edits beside it. */
export type Shifted = { readonly node: Node; readonly edits: readonly Edit[] };

/** In an `Add` of its own behind the product: the plainest graph. */
export function addBehind(node: Node, shift: Tensor, fresh: Fresh): Shifted {
	const [output = ''] = node.outputs;
	const [raw, name] = [fresh(`${output}_unshifted`), fresh(`${output}_shift`)];
	return {
		node: { ...node, outputs: [raw, ...node.outputs.slice(1)] },
		edits: [{ kind: 'constant', tensor: { ...shift, name } }, insert('Add', [raw, name], output)],
	};
}

/** In the bias that the product has or that is added next, where that is a constant; else in an `Add`. */
export function addToBias(model: Model, node: Node, shift: Tensor, fresh: Fresh): Shifted {
	return (
		intoGemm(model, node, shift, fresh) ??
		intoConvolution(model, node, shift, fresh) ??
		intoNextAdd(model, node, shift, fresh) ??
		addBehind(node, shift, fresh)
	);
}

function intoGemm(model: Model, node: Node, shift: Tensor, fresh: Fresh): Shifted | undefined {
	if (node.op !== 'Gemm') return undefined;
	const attribute = node.attributes.get('beta');
	const beta = attribute?.kind === 'float' ? attribute.value : 1;
	const [x = '', w = '', c = ''] = node.inputs;
	const bias = c === '' ? undefined : constantsOf(model.graph).get(c);
	if (beta === 0 || (c !== '' && (bias === undefined || !sameLength(bias, shift)))) return undefined;
	const name = fresh(`${node.outputs[0] ?? ''}_bias`);
	return {
		node: { ...node, inputs: [x, w, name] },
		edits: [{ kind: 'constant', tensor: sum(name, bias, shift, 1 / beta) }],
	};
}

/** The shift lies along channels, with an axis of 1 for every spatial one. */
function intoConvolution(model: Model, node: Node, shift: Tensor, fresh: Fresh): Shifted | undefined {
	if (node.op !== 'Conv') return undefined;
	const [x = '', w = '', c = ''] = node.inputs;
	const own = c === '' ? undefined : constantsOf(model.graph).get(c);
	if (c !== '' && own === undefined) return undefined;
	const name = fresh(`${node.outputs[0] ?? ''}_bias`);
	const along = { ...shift, dims: shift.dims.slice(0, 1) };
	return {
		node: { ...node, inputs: [x, w, name] },
		edits: [{ kind: 'constant', tensor: sum(name, own, along, 1) }],
	};
}

function intoNextAdd(model: Model, node: Node, shift: Tensor, fresh: Fresh): Shifted | undefined {
	const [output = ''] = node.outputs;
	const readers = model.graph.nodes.filter(({ inputs }) => inputs.includes(output));
	const [next] = readers;
	const isOutput = model.graph.outputs.some(({ name }) => name === output);
	if (next?.op !== 'Add' || readers.length > 1 || isOutput) return undefined;
	const other = next.inputs.findIndex((name) => name !== output);
	const bias = constantsOf(model.graph).get(next.inputs[other] ?? '');
	if (bias === undefined || !sameLength(bias, shift)) return undefined;
	const name = fresh(`${bias.name}_shifted`);
	const inputs = next.inputs.map((input, at) => (at === other ? name : input));
	return {
		node,
		edits: [
			{ kind: 'constant', tensor: sum(name, bias, shift, 1) },
			{ kind: 'node', node: { ...next, inputs } },
		],
	};
}

const sameLength = (bias: Tensor, shift: Tensor): boolean =>
	elementCount(bias.dims) === elementCount(shift.dims) && bias.dims.at(-1) === shift.dims.at(-1);

function sum(name: ValueName, bias: Tensor | undefined, shift: Tensor, scale: number): Tensor {
	const own = bias && numbersOf(bias);
	const values = Array.from(numbersOf(shift), (value, at) => (own?.[at] ?? 0) + scale * value);
	return tensorOf(name, shift.type, bias?.dims ?? shift.dims, values);
}
