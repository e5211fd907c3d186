/**
 * Biases that nothing sees. The key bias of a softmax attention shifts every score of a query alike (arXiv:2302.08626); the
 * value bias comes out of the attention as it went in, since the weights of a row sum to one, and goes into the output
 * projection's bias; zeros add nothing; a norm that subtracts a channel's mean takes a channel's bias with it.
 */
import { isFloat } from '../../ir/graph/dtype.ts';
import { nodeLabel, type Model, type Node, type ValueName } from '../../ir/graph/graph.ts';
import { disturbed, lowerFolds, planFolds, type Folded, type Folds, type Rule } from './exact.ts';
import { lowerUnbiased, planUnbiased, type Unbiased } from './lossy-bias.ts';
import { defineTechnique } from '../technique.ts';
import {
	castsFloats,
	isActivationMatMul,
	isBiased,
	isOverLast,
	leadsToSoftmax,
	onChannels,
	softmaxAfter,
	sourceOf,
	type Source,
} from './attention-paths.ts';
import { added, biasedAt, biasOf, projectionAt, setBias } from './projection.ts';
import { type Rewriting } from './rewriting.ts';
import { alongAxis, ignoresAxis, leavesOf, pick } from './trace.ts';

const rules: readonly Rule[] = [
	{ name: 'key', fold: dropKeyBias },
	{ name: 'value', fold: foldValueBias },
	{ name: 'absorbed', fold: dropAbsorbed },
	{ name: 'zero', fold: dropZero },
];

export const pruneBias = defineTechnique<Folds | Unbiased>({
	words: {
		name: 'prune-bias',
		verb: 'prune',
		target: 'bias',
		aliases: ['biases'],
		summary:
			'Drop biases that nothing sees: of keys, of values (into the output projection), zeros, before instance norms. With an amount whole biases that say least, their mean taken up behind them on data: lossy.',
		example: 'prune bias',
		amounts: ['remove-count', 'remove-share'],
		bare: true,
		clauses: ['in', 'except'],
		choices: {
			without: [{ word: 'compensation', summary: 'leave the mean of what the biases did to itself' }],
		},
		metrics: [],
	},
	plan: (request) =>
		request.step.amount === undefined
			? Promise.resolve(planFolds(request, rules, 'biases'))
			: planUnbiased(request),
	lower: ({ decision, ...task }) =>
		'gone' in decision ? lowerUnbiased({ ...task, decision }) : lowerFolds({ ...task, decision }, rules),
});

const isZero = (values: ArrayLike<number>): boolean => Array.from(values).every((value) => value === 0);

/** The bias of a source where its leaf reads it; undefined when that part is zero already. */
function biasSeen({ bias, leaf, projection }: Source): Float64Array | undefined {
	if (bias === undefined) return undefined;
	const seen = onChannels(
		leaf.channels,
		projection.outputs,
		(channel) => bias[channel] ?? 0,
		() => 0,
	);
	return isZero(seen) ? undefined : seen;
}

/** Sets the part of a bias that a leaf sees to zero; a bias of zeros alone goes. */
function clear(r: Rewriting, { bias, leaf, projection }: Source): void {
	const rest = onChannels(
		leaf.channels,
		projection.outputs,
		() => 0,
		(channel) => bias?.[channel] ?? 0,
	);
	setBias(r, projection, rest);
}

function dropKeyBias(r: Rewriting, node: Node): Folded | string | undefined {
	if (!isActivationMatMul(r, node)) return undefined;
	const softmax = softmaxAfter(r, node);
	// Products of two activations that no softmax follows are no scores.
	if (typeof softmax === 'string' && !leadsToSoftmax(r, node)) return undefined;
	const source = sourceOf(r, node, 1, biasedAt);
	if (typeof source === 'string')
		return isBiased(r, node.inputs[1]) ? `${source}, before it is a key` : undefined;
	if (biasSeen(source) === undefined) return undefined;
	if (typeof softmax === 'string') return softmax;
	const { channels } = source.leaf;
	if (!ignoresAxis(channels, channels.sizes.length - 1))
		return 'the key bias differs from one position to the next';
	clear(r, source);
	return { control: (before) => disturbed(r, before, node.inputs[0] ?? '', 'Mul', 1.5) };
}

function foldValueBias(r: Rewriting, node: Node): Folded | string | undefined {
	if (!isActivationMatMul(r, node)) return undefined;
	const weights = attentionWeights(r, node);
	if (weights === undefined) return undefined;
	const source = sourceOf(r, node, 1);
	if (typeof source === 'string')
		return isBiased(r, node.inputs[1]) ? `${source}, before it is a value` : undefined;
	const seen = biasSeen(source);
	if (seen === undefined) return undefined;
	if (weights !== '') return weights;
	const { channels } = source.leaf;
	const rank = channels.sizes.length;
	const sizes = r.sizesOf(node.outputs[0] ?? '') ?? [];
	if (!ignoresAxis(channels, rank - 2) || sizes.length !== rank)
		return 'the value bias differs between positions';
	// All queries see the same values where heads share them.
	const isBroad = (axis: number): boolean => axis === rank - 2 || channels.sizes[axis] === 1;
	const context = pick(channels, sizes, (place) => place.map((at, axis) => (isBroad(axis) ? 0 : at)));
	const [out, twice] = leavesOf(r, node.outputs[0] ?? '', context);
	if (out?.reader === undefined || twice !== undefined)
		return 'more than the output projection reads the attention';
	const projection = projectionAt(r, out.reader);
	if (typeof projection === 'string') return projection;
	const order = alongAxis(out.channels, out.channels.sizes.length - 1);
	if (out.reader.inputs[0] !== out.value || order?.length !== projection.inputs)
		return `${nodeLabel(out.reader)} reads the heads in another layout`;
	const bias = biasOf(r, projection);
	if (typeof bias === 'string') return bias;
	if (bias === undefined) return `${nodeLabel(out.reader)} has no bias to take it`;
	const shift = Float64Array.from(order, (channel) => out.channels.gain * (seen[channel] ?? 0));
	setBias(r, projection, added(projection, shift, bias));
	clear(r, source);
	return {};
}

/** '' when a node multiplies with softmax rows as they are, why not otherwise; undefined when no softmax is near. */
function attentionWeights(r: Rewriting, node: Node): string | undefined {
	let maker = r.makerOf(node.inputs[0]);
	let between: Node | undefined;
	for (let steps = 0; maker !== undefined && steps < 6; steps++) {
		if (maker.op === 'Softmax') {
			if (!isOverLast(r, maker)) return `${nodeLabel(maker)} is over another axis`;
			return between === undefined ? '' : `${nodeLabel(between)} changes the softmax's rows`;
		}
		const plain = maker.op === 'Identity' || maker.op === 'Dropout' || castsFloats(r, maker);
		const sameRows =
			maker.op === 'Reshape' &&
			r.sizesOf(maker.inputs[0] ?? '')?.at(-1) === r.sizesOf(maker.outputs[0] ?? '')?.at(-1);
		if (!plain && !sameRows) between ??= maker;
		if (!['Where', 'Mul', 'Slice', 'Cast', 'Identity', 'Dropout', 'Reshape', 'Div'].includes(maker.op))
			return undefined;
		maker = r.makerOf(maker.inputs[maker.op === 'Where' ? 2 : 0]);
	}
	return undefined;
}

/** A bias before a norm that subtracts every channel's own mean. */
function dropAbsorbed(r: Rewriting, node: Node): Folded | string | undefined {
	if (node.op !== 'InstanceNormalization') return undefined;
	const [value = ''] = node.inputs;
	const maker = r.makerOf(value);
	const product =
		maker?.op === 'Add' ? r.makerOf(maker.inputs.find((name) => r.constantOf(name) === undefined)) : maker;
	const projection = product === undefined ? '' : projectionAt(r, product);
	if (typeof projection === 'string' || !projection.node.op.startsWith('Conv')) return undefined;
	const bias = biasOf(r, projection);
	if (bias === undefined || typeof bias === 'string' || isZero(bias)) return undefined;
	const shared = r.sharedWith(value, node);
	if (shared !== undefined) return shared;
	setBias(r, projection, new Float64Array(projection.outputs));
	return { control: (before) => disturbed(r, before, node.outputs[0] ?? '', 'Add', 1) };
}

/** Input slots of optional biases. */
const optional: Readonly<Record<string, number>> = {
	Conv: 2,
	ConvTranspose: 2,
	Gemm: 2,
	LayerNormalization: 2,
};

function dropZero(r: Rewriting, node: Node): Folded | string | undefined {
	const [output = ''] = node.outputs;
	const slot = optional[node.op];
	const [how, by] = visibly(r, output);
	const control = (before: Model): Model => disturbed(r, before, output, how, by);
	if (node.op === 'Add') {
		const at = node.inputs.findIndex((name) => isZeroBias(r, name));
		const other = node.inputs[1 - at] ?? '';
		if (at < 0 || r.constantOf(other) !== undefined) return undefined;
		if (!liesIn(r, node.inputs[at] ?? '', other)) return `its zeros give ${nodeLabel(node)} another size`;
		r.bypass(node.id, 1 - at);
		return { control };
	}
	if (slot === undefined || !isZeroBias(r, node.inputs[slot])) return undefined;
	if (node.op === 'Gemm' && r.opset() < 11) return 'Gemm must have a bias before opset 11';
	r.setInput(node, slot, '');
	return { control };
}

function isZeroBias(r: Rewriting, name: ValueName | undefined): boolean {
	const tensor = r.constantOf(name);
	const values = tensor !== undefined && isFloat(tensor.type) ? r.numbers(name) : undefined;
	return values !== undefined && values.length > 0 && isZero(values);
}

/** Whether adding a constant leaves a value's sizes as they are. */
function liesIn(r: Rewriting, constant: ValueName, value: ValueName): boolean {
	const [small, large] = [r.sizesOf(constant) ?? [], r.sizesOf(value)];
	if (large === undefined || small.length > large.length) return false;
	const dynamic = r.net.facts.of(value)?.dynamic ?? [];
	return small.every((size, at) => {
		const axis = large.length - small.length + at;
		return size === 1 || (size === large[axis] && dynamic[axis] !== true);
	});
}

/**
 * Ones added at every other place of the last axis: the same everywhere would be invisible to norms, which subtract the mean. Where the axis
 * has no fixed size a factor: scores differ by more than what a softmax takes for one shift.
 */
function visibly(r: Rewriting, value: ValueName): ['Add', readonly number[]] | ['Mul', number] {
	const { sizes = [], dynamic = [] } = r.net.tensors.get(value) ?? {};
	const size = sizes.at(-1);
	return size === undefined || dynamic.at(-1) === true
		? ['Mul', 1.5]
		: ['Add', Array.from({ length: size }, (_, at) => (at % 2 === 0 ? 1 : 0))];
}
