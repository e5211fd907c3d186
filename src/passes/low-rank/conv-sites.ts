/** Convolutions as factorization sees them: their kernel, what they slide over, and what they read on data. */
import { elementType } from '../../ir/graph/dtype.ts';
import { elementCount, type Attribute, type Model, type Node } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { isReadable, numbersOf, tensorOf } from '../../ir/graph/tensor.ts';
import { intAttribute, stringAttribute } from '../../ir/axes/view.ts';
import { type NetNode } from '../../ir/axes/net.ts';
import { type Lab, type RowsOf } from '../../ir/lab.ts';
import { matrix, transposed } from '../../ir/matrix.ts';
import { type Kernel, type Link } from '../../numerics/conv-chain.ts';
import { insert } from '../edits.ts';
import { inputsOf, type Inputs } from './low-rank.ts';

/** https://onnx.ai/onnx/operators/onnx__Conv.html */
export type ConvSite = {
	readonly node: NetNode;
	readonly kernel: Kernel;
	/** Element type of the kernel. */
	readonly type: number;
	/** Spatial sizes of what it reads and writes, at the first sample. */
	readonly before: readonly number[];
	readonly after: readonly number[];
};

const convolutions = [
	'Conv',
	'ConvTranspose',
	'FusedConv',
	'NhwcFusedConv',
	'DeformConv',
	'QLinearConv',
	'ConvInteger',
];

export function isConvolution({ node }: NetNode): boolean {
	return convolutions.includes(node.op);
}

/** The convolution as one with a kernel to factor, or why it is none. */
export function convSite(node: NetNode): ConvSite | string {
	const [x, weight] = node.inputs;
	const sizes = { before: x?.sizes.slice(2) ?? [], after: node.outputs[0]?.sizes.slice(2) ?? [] };
	const constant = weight?.constant;
	if (node.node.op !== 'Conv')
		return `${node.node.op} has no chain of plain convolutions that means the same`;
	if (constant === undefined) return 'the kernel is computed, not stored';
	if (!isReadable(constant)) return 'its weights are not there';
	if (elementType(constant.type)?.kind !== 'float') return 'its weights are no floating-point numbers';
	if (intAttribute(node.view, 'group', 1) !== 1) return 'it has groups, which hold few numbers already';
	const [outputs = 0, inputs = 0, ...window] = constant.dims;
	if (sizes.before.length !== window.length) return 'sizes cannot be told';
	const stored = matrix(outputs, inputs * elementCount(window), Float64Array.from(numbersOf(constant)));
	return {
		node,
		kernel: { matrix: transposed(stored), inputs, outputs, window },
		type: constant.type,
		...sizes,
	};
}

/** Attributes of one link of a chain that stands for the convolution: it slides along its own axes, and on the others not at all. */
export function slidingAlong({ attributes }: Node, { dims, axes, depthwise }: Link): Map<string, Attribute> {
	const window = dims.slice(2);
	const own = (name: string, otherwise: number): Attribute | undefined => {
		const attribute = attributes.get(name);
		if (attribute?.kind !== 'ints') return undefined;
		const value = attribute.value.map((one, at) => (axes.includes(at % window.length) ? one : otherwise));
		return { kind: 'ints', value };
	};
	const kept: [string, Attribute | undefined][] = [
		['kernel_shape', { kind: 'ints', value: window }],
		['strides', own('strides', 1)],
		['dilations', own('dilations', 1)],
		['pads', own('pads', 0)],
		['auto_pad', axes.length > 0 ? attributes.get('auto_pad') : undefined],
		['group', depthwise ? { kind: 'int', value: dims[0] ?? 1 } : undefined],
	];
	return new Map(kept.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
}

/**
 * What each kernel is multiplied with on the user's inputs, in one run: windows are laid out by convolutions with kernels of a single one.
 * Nothing where there are no inputs.
 */
export async function measureWindows(
	model: Model,
	lab: Lab | undefined,
	sites: readonly ConvSite[],
): Promise<readonly (Inputs | undefined)[]> {
	if (lab?.calibrated !== true) return [];
	const fresh = freshNames(model.graph);
	const laid = sites.map((site) => layWindows(site, fresh));
	const edits = laid.flatMap((one) => one.edits);
	const outputs = laid.map(({ rows }) => ({ name: rows.value, type: 1 }));
	const { graph } = model;
	const open = { ...model, graph: { ...graph, outputs: [...graph.outputs, ...outputs] } };
	const grams = await lab.grams(
		applyPatch(open, { label: 'windows', edits }),
		laid.map(({ rows }) => rows),
	);
	return grams.map(inputsOf);
}

/** Places of one example that are enough to tell `size` features apart, over some examples. */
const enough = (size: number): number => Math.max(1024, 4 * size);

function layWindows(
	{ node, kernel: { inputs, window }, type, after }: ConvSite,
	fresh: (base: string) => string,
): { edits: Edit[]; rows: RowsOf } {
	const places = elementCount(window);
	const [kernel, value] = [fresh('window_kernel'), fresh('windows')];
	const ones = Float64Array.from({ length: inputs * places * places }, (_, at) =>
		at % places === Math.floor(at / places) % places ? 1 : 0,
	);
	const dims = [inputs * places, 1, ...window];
	const link: Link = { dims, axes: window.map((_, axis) => axis), depthwise: false };
	const attributes = slidingAlong(node.node, link);
	attributes.set('group', { kind: 'int', value: inputs });
	thinOut(node, attributes, elementCount(after) / enough(inputs * places));
	return {
		edits: [
			{ kind: 'constant', tensor: tensorOf(kernel, type, dims, ones) },
			insert('Conv', [node.node.inputs[0] ?? '', kernel], value, attributes),
		],
		rows: { value, rank: dims.length, axis: 1, size: inputs * places },
	};
}

/** Larger strides see fewer places, all of which the convolution sees; padding by `SAME` would move with them. */
function thinOut({ node, view }: NetNode, attributes: Map<string, Attribute>, excess: number): void {
	if (excess <= 1 || stringAttribute(view, 'auto_pad', '').startsWith('SAME')) return;
	const given = node.attributes.get('strides');
	const rank = (attributes.get('kernel_shape') as { value: readonly number[] }).value.length;
	const step = Math.ceil(excess ** (1 / rank));
	const value = Array.from(
		{ length: rank },
		(_, at) => step * ((given?.kind === 'ints' ? given.value[at] : 1) ?? 1),
	);
	attributes.set('strides', { kind: 'ints', value });
}
