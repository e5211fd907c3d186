/** Layers: blocks in the order of the residual path, and the values between them. */
import { type ValueName } from '../graph/graph.ts';
import { operandOf, type NetNode, type NetTensor } from '../axes/net.ts';
import { isProduct, operandsOf, quantization, type Block, type Layer, type Residual } from './parts.ts';

const passing: ReadonlySet<string> = new Set([
	'Identity',
	'Cast',
	...quantization,
	'Dropout',
	'Reshape',
	'Transpose',
	'Squeeze',
	'Unsqueeze',
	'Slice',
]);
const skipNorms: ReadonlySet<string> = new Set([
	'SkipLayerNormalization',
	'SkipSimplifiedLayerNormalization',
]);
const projects = (node: NetNode): boolean => isProduct(node) || node.node.op === 'Einsum';

/** The sum that ends a residual branch: the node, the value added to, and the value that comes out. */
export type Sum = { readonly node: NetNode; readonly skip: NetTensor; readonly output: NetTensor };

/** The addition of two activations that ends a branch. */
export const residualAfter = (from: NetNode): Sum | undefined => follow(from, sumAt);

/** Whether a branch ends in an addition of two activations, quantized ones too: those are no values that can stand for each other. */
export function isAddedBack(from: NetNode): boolean {
	return follow(from, anySumAt) !== undefined;
}

const anySumAt: typeof sumAt = (node, value) => sumAt(node, value) ?? quantizedSumAt(node, value);

/** Follows a branch forward to where it ends. */
function follow(from: NetNode, endAt: typeof sumAt): Sum | undefined {
	let value = from.outputs[0];
	for (let steps = 0; steps < 24 && value !== undefined; steps++) {
		const current: NetTensor = value;
		const sum = current.consumers.flatMap((node) => endAt(node, current) ?? [])[0];
		if (sum !== undefined) return sum;
		value = current.consumers.flatMap((node) => passedOn(node) ?? []).find(isRead);
	}
	return undefined;
}

/** Somebody reads the numbers, and not how many there are: quantizers make floats for that alone. */
const isRead = ({ consumers, io }: NetTensor): boolean =>
	io.length > 0 || consumers.some(({ node }) => node.op !== 'Shape');

function sumAt(node: NetNode, value: NetTensor): Sum | undefined {
	const { op } = node.node;
	if (op !== 'Add' && !skipNorms.has(op)) return undefined;
	const skip = [operandOf(node, 'in', 0), operandOf(node, 'in', 1)].find((input) => input !== value);
	// A norm that adds puts the sum out too, where somebody goes on with it.
	const sum = node.outputs[3];
	const output = (sum?.consumers.length ?? 0) > 0 ? sum : node.outputs[0];
	if (skip === undefined || output === undefined || skip.fixed || !sameSizes(skip, value)) return undefined;
	return { node, skip, output };
}

function quantizedSumAt(node: NetNode, value: NetTensor): Sum | undefined {
	const skip = operandsOf(node).find((input) => input !== value);
	const [output] = node.outputs;
	if (node.node.op !== 'QLinearAdd' || skip === undefined || output === undefined) return undefined;
	return skip.fixed || !sameSizes(skip, value) ? undefined : { node, skip, output };
}

function sameSizes(left: NetTensor, right: NetTensor): boolean {
	return (
		left.sizes.length === right.sizes.length && left.sizes.every((size, axis) => size === right.sizes[axis])
	);
}

/** The output of a node that only moves, scales or shifts by constants, or projects on. */
function passedOn(node: NetNode): NetTensor | undefined {
	const { op } = node.node;
	const byConstant =
		['Add', 'Mul', 'Div', 'QLinearAdd', 'QLinearMul'].includes(op) &&
		operandsOf(node).some((input) => input?.fixed === true || isScale(input));
	const byMatrix = projects(node) && node.inputs.some((input) => input?.fixed);
	return passing.has(op) || byConstant || byMatrix ? node.outputs[0] : undefined;
}

/** One number, or one for each position of the last axis: of quantization by the range of what comes in. */
function isScale(value: NetTensor | undefined): boolean {
	return value !== undefined && value.sizes.length <= 1 && value.producer?.node.op === 'Mul';
}

type Step = { readonly block: Block; readonly sum: Sum | undefined };

const isOfBytes = (sum: Sum | undefined): boolean => sum?.node.node.op === 'QLinearAdd';

/** Groups blocks into layers: an attention opens one (a cross-attention joins), a feed-forward closes it. */
export function arrange(blocks: readonly Block[]): Layer[] {
	const steps = blocks.map((block): Step => ({ block, sum: follow(block.node, anySumAt) }));
	const residuals = steps.map((step, at) => residualOf(step, steps.slice(at + 1)));
	const groups: number[][] = [];
	let open: number[] | undefined;
	steps.forEach(({ block }, at) => {
		const before = open?.map((index) => steps[index]?.block.kind);
		const starts =
			open === undefined ||
			before?.includes('ffn') === true ||
			(block.kind === 'attention' && !joins(block, before));
		if (starts) groups.push((open = []));
		open?.push(at);
	});
	return groups.map((group, index) => ({
		index,
		blocks: group.flatMap((at) => steps[at]?.block ?? []),
		...sorted(group.flatMap((at) => residuals[at] ?? [])),
		name: commonName(group.flatMap((at) => steps[at]?.block ?? [])),
	}));
}

function sorted(residuals: readonly Residual[]): Pick<Layer, 'residuals' | 'ofBytes'> {
	return {
		residuals: residuals.filter(({ ofBytes }) => !ofBytes),
		ofBytes: residuals.filter(({ ofBytes }) => ofBytes),
	};
}

function joins(block: Block, before: readonly (string | undefined)[] | undefined): boolean {
	return block.cross && before?.length === 1;
}

/** The value the next block adds to is this block's result; the last one's ends at its sum, or at the norm behind it. */
function residualOf({ block, sum }: Step, later: readonly Step[]): Residual | undefined {
	if (sum === undefined) return undefined;
	const next = later.find(({ sum: other }) => other !== undefined && isBehind(other.skip, sum.output));
	const after = next?.sum?.skip.name ?? lastAfter(sum);
	if (after === sum.skip.name) return undefined;
	return { block, before: sum.skip.name, after, ofBytes: isOfBytes(sum) || isOfBytes(next?.sum) };
}

/** Whether `value` is made from `origin` by a norm or nothing: within a short, product-free chain. */
function isBehind(value: NetTensor, origin: NetTensor): boolean {
	const pending = [value];
	const seen = new Set<NetTensor>();
	for (let next = pending.shift(); next !== undefined && seen.size < 40; next = pending.shift()) {
		if (next === origin) return true;
		if (seen.has(next)) continue;
		seen.add(next);
		const { producer } = next;
		if (producer === undefined || projects(producer)) continue;
		for (const input of producer.inputs) if (input !== undefined && !input.fixed) pending.push(input);
	}
	return false;
}

/** With norms after the sum (the skip is itself what the projections read), the last layer's norm belongs to it. */
function lastAfter(sum: Sum): ValueName {
	const isPost = sum.skip.consumers.some((node) => projects(node) || node.node.op === 'Attention');
	if (!isPost || skipNorms.has(sum.node.node.op)) return sum.output.name;
	return normAfter(sum.output)?.name ?? sum.output.name;
}

/** The output of the normalization that reads a value: one operator, or the chain from its mean to its last affine step. */
function normAfter(summed: NetTensor): NetTensor | undefined {
	const [reader, ...others] = summed.consumers;
	const isBytes = reader?.node.op === 'DequantizeLinear' && others.length === 0;
	const value = (isBytes ? reader.outputs[0] : undefined) ?? summed;
	const native = value.consumers.find(({ node }) => /LayerNormalization|RMSNormalization/.test(node.op));
	if (native !== undefined) return native.outputs[0];
	if (!value.consumers.some(({ node }) => node.op === 'ReduceMean')) return undefined;
	const reached = new Set<NetTensor>([value]);
	let last: NetTensor | undefined;
	const inside: ReadonlySet<string> = new Set([
		'ReduceMean',
		'Sub',
		'Pow',
		'Mul',
		'Add',
		'Sqrt',
		'Div',
		'Cast',
		'Reciprocal',
		...['QLinearAdd', 'QLinearMul', ...quantization],
	]);
	const pending = [value];
	for (let next = pending.shift(); next !== undefined && reached.size < 24; next = pending.shift()) {
		for (const node of next.consumers) {
			const [output] = node.outputs;
			const foreign = node.inputs.some((input) => input !== undefined && !input.fixed && !reached.has(input));
			if (!inside.has(node.node.op) || output === undefined || reached.has(output) || foreign) continue;
			reached.add(output);
			pending.push(output);
			if (sameSizes(output, value) && !quantization.includes(node.node.op)) last = output;
		}
	}
	return last;
}

function commonName(blocks: readonly Block[]): string {
	const names = blocks.flatMap(({ linears, node }) => [
		node.node.name,
		...linears.map((linear) => linear.node.node.name),
	]);
	const labelled = names.filter((name) => name !== '');
	const [first = ''] = labelled;
	let length = first.length;
	for (const name of labelled) while (!name.startsWith(first.slice(0, length))) length--;
	return first
		.slice(0, length)
		.replace(/[/._]+$/, '')
		.replace(/^[/._]+/, '');
}
