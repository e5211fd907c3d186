/** Where a statement about tokens stands in a model: its layer, the attention that scores them, and the inputs that say more of them. */
import { Fault } from '../../diagnostic.ts';
import { fusedAttentions } from '../../ir/anatomy/attention.ts';
import { type Layer } from '../../ir/anatomy/parts.ts';
import { type Net, type NetNode, type NetTensor } from '../../ir/axes/net.ts';
import { elementType } from '../../ir/graph/dtype.ts';
import { nodeLabel, type Node, type ValueName } from '../../ir/graph/graph.ts';
import { upstream } from '../../ir/graph/flow.ts';
import { resolveRanges } from '../../ir/recipe/ranges.ts';
import { noAnatomy, noSuchUnit } from '../../messages/plan.ts';
import { tokensStay } from '../../messages/tokens.ts';
import { formOf } from '../attention/plain-attention.ts';
import { protectedBehind, type Placed } from '../scope.ts';
import { type PlanRequest } from '../technique.ts';
import {
	merges,
	positionsName,
	sizesName,
	type Attended,
	type TokenMetric,
	type TokenStage,
} from './token-stage.ts';

/** The one layer that `after` names, by the numbers of the model as it was given. */
export function layerAfter({ step, anatomy, numbering }: PlanRequest): Placed {
	const layers = anatomy.layers.map((layer, at) => ({ layer, given: numbering.layers[at] ?? at }));
	if (layers.length === 0) throw new Fault(noAnatomy({ target: 'layers' }, { span: step.span }));
	const [point] = step.after;
	const wanted = point?.kind === 'layers' ? resolveRanges(point.ranges, numbering.layerCount) : [];
	const found = layers.find(({ given }) => given === wanted[0]);
	if (found !== undefined && wanted.length === 1 && step.after.length === 1) return found;
	if (found !== undefined || point?.kind === 'last-attention')
		throw new Fault(
			tokensStay(
				{ why: 'an amount is for one layer; `keep [70%, 50%] after layers [2, 5]` is for several' },
				{ span: step.spans.after ?? step.span },
			),
		);
	const from = point?.kind === 'layers' ? point.ranges[0]?.from : undefined;
	const index = from !== undefined && 'index' in from ? from.index : numbering.layerCount;
	const said = { index, what: 'layer', where: '', count: numbering.layerCount };
	throw new Fault(noSuchUnit(said, { span: step.spans.after ?? step.span }));
}

/** All of a stage but how many stay, and the attention that scores them. */
export function placeOf(request: PlanRequest, metric: TokenMetric): Omit<TokenStage, 'amount' | 'attention'> {
	const { net, seed } = request;
	const { layer, given } = layerAfter(request);
	const value = layer.residuals.at(-1)?.after;
	const start = value === undefined ? undefined : net.tensors.get(value);
	if (value === undefined || start === undefined || layer.residuals.length < layer.blocks.length)
		throw refusal(request, `the residual path of layer ${given} could not be followed`);
	const closed = protectedBehind(request, given);
	if (closed !== undefined) throw refusal(request, `layer ${closed}, which would read fewer, is protected`);
	const { picks, whole } = historyOf(request, start);
	const mask = maskInput(request, whole);
	const join = merges(metric) ? 'alike' : request.step.with === 'fused' ? 'fused' : undefined;
	const sizes = join === 'alike' ? sizesIn(request, start) : undefined;
	const stay = staying(request, whole);
	return {
		...{ value, metric, seed, picks, whole: whole.name },
		...(mask && { mask }),
		...(stay && { stay }),
		...(join && { join }),
		...(sizes && { sizes }),
	};
}

/** How many tokens earlier merges have put into each: a value of our own, told by its name, at the positions chosen since. */
function sizesIn({ net, model: { graph } }: PlanRequest, start: NetTensor): TokenStage['sizes'] {
	const before = upstream(graph.nodes, [start.name]);
	const made = net.nodes.filter(
		({ node, outputs }) => before.has(node) && outputs[0]?.name.startsWith(sizesName) === true,
	);
	const last = made.at(-1);
	if (last === undefined) return undefined;
	const later = sortsBefore(net, before).filter(({ index }) => index > last.index);
	return { value: last.outputs[0]?.name ?? '', picks: later.map(({ node }) => node.outputs[0] ?? '') };
}

/**
 * What earlier steps chose: they sort the positions that stay, which is a TopK of whole numbers, smallest first, or give them a name of
 * our own where the opset cannot; and a value that is as long as the sequence was before them.
 */
function historyOf(
	{ net, model: { graph } }: PlanRequest,
	start: NetTensor,
): { readonly picks: readonly ValueName[]; readonly whole: NetTensor } {
	const sorts = sortsBefore(net, upstream(graph.nodes, [start.name]));
	const picks = sorts.map(({ node }) => node.outputs[0] ?? '');
	return { picks, whole: sorts[0] === undefined ? start : (chosenFrom(sorts[0]) ?? start) };
}

const choosing: ReadonlySet<string> = new Set(['TopK', 'Neg', 'Cast']);

/** [batch, tokens]: the scores that a choice sorts, or whether each stays. */
function chosenFrom({ inputs: [input] }: NetNode): NetTensor | undefined {
	let value = input;
	while (value?.producer !== undefined && choosing.has(value.producer.node.op))
		[value] = value.producer.inputs;
	return value;
}

function sortsBefore(net: Net, before: ReadonlySet<Node>): NetNode[] {
	return net.nodes.filter((one) => before.has(one.node) && (isSort(one) || isNamed(one)));
}

const isNamed = ({ node }: NetNode): boolean => node.outputs[0]?.startsWith(positionsName) === true;

const isSort = ({ node, view }: NetNode): boolean =>
	node.op === 'TopK' &&
	node.attributes.get('largest') !== undefined &&
	elementType(view.inputs[0]?.type ?? 0)?.kind === 'int';

/** The graph input [batch, tokens] whose name has `mask` in it. */
function maskInput({ net }: PlanRequest, whole: NetTensor): ValueName | undefined {
	return net.model.graph.inputs.find(
		({ name }) => /mask/i.test(name) && sameSizes(net.tensors.get(name), whole.sizes.slice(0, 2)),
	)?.name;
}

export function sameSizes(tensor: NetTensor | undefined, sizes: readonly number[] | undefined): boolean {
	return tensor?.sizes.length === sizes?.length && tensor?.sizes.join() === sizes?.join();
}

/** `except "@..16"`: so many positions at the front. */
const front = /^@\.\.(\d+)$/;

/** `except "@..16", "[SEP]", "#102"`: what always stays, by position, by text in the files beside the model, or by id. */
function staying(request: PlanRequest, whole: NetTensor): TokenStage['stay'] {
	const { step } = request;
	if (step.except.length === 0) return undefined;
	const span = step.spans.except ?? step.span;
	const names = step.except.map((place) => {
		if (place.kind === 'glob') return place.glob;
		throw new Fault(tokensStay({ why: '`except` names tokens by their text: `except "[SEP]"`' }, { span }));
	});
	const fronts = names.flatMap((name) => front.exec(name)?.[1] ?? []).map(Number);
	const others = names.filter((name) => !front.test(name));
	return {
		...(fronts.length > 0 && { front: Math.max(1, ...fronts) }),
		...(others.length > 0 && { named: namedTokens(others, request, whole) }),
	};
}

function namedTokens(
	names: readonly string[],
	request: PlanRequest,
	whole: NetTensor,
): NonNullable<NonNullable<TokenStage['stay']>['named']> {
	const { step, lexicon } = request;
	const span = step.spans.except ?? step.span;
	const ids = idsInput(request, whole);
	if (ids === undefined)
		throw new Fault(tokensStay({ why: '`except` needs an input [batch, tokens] of token ids' }, { span }));
	const spelled = names.filter((name) => !/^#\d+$/.test(name));
	const known = spelled.length === 0 ? [] : lexicon?.spelled(spelled);
	if (known === undefined)
		throw new Fault(
			tokensStay({ why: `no files may be read here: name ids, as in \`except "#102"\`` }, { span }),
		);
	const numbers = names.filter((name) => !spelled.includes(name)).map((name) => Number(name.slice(1)));
	return { ids, tokens: [...new Set([...numbers, ...known])].sort((a, b) => a - b) };
}

/** The whole-number input [batch, tokens] that indexes the largest table: types and positions have shorter ones. */
function idsInput({ net }: PlanRequest, whole: NetTensor): ValueName | undefined {
	const found = net.model.graph.inputs
		.map(({ name }) => ({ name, tensor: net.tensors.get(name) }))
		.filter(({ tensor }) => sameSizes(tensor, whole.sizes.slice(0, 2)))
		.map(({ name, tensor }) => ({ name, rows: tensor === undefined ? 0 : tableRows(tensor) }))
		.toSorted((a, b) => b.rows - a.rows);
	return found.find(({ rows }) => rows > 0)?.name;
}

function tableRows(tensor: NetTensor): number {
	const own = tensor.consumers.map((node) => rowsLookedUp(node));
	const further = tensor.consumers
		.filter(({ node }) => ['Cast', 'Identity', 'Reshape'].includes(node.op))
		.flatMap(({ outputs }) => outputs.flatMap((one) => (one === undefined ? [] : tableRows(one))));
	return Math.max(0, ...own, ...further);
}

function rowsLookedUp({ node, inputs }: NetNode): number {
	if (node.op === 'EmbedLayerNormalization') return inputs[2]?.sizes[0] ?? 0;
	return node.op === 'Gather' && inputs[0]?.fixed === true ? (inputs[0].sizes[0] ?? 0) : 0;
}

/** The attention that the metric of a stage reads, in the layer that the tokens leave behind. */
export function scoredBy(request: PlanRequest, stage: TokenStage): Pick<TokenStage, 'attention'> {
	const start = request.net.tensors.get(stage.value);
	const reads = ['attention', 'cls', 'value', 'keys'].includes(stage.metric);
	if (!reads || start === undefined) return {};
	return { attention: attendedIn(request, layerAfter(request).layer, start) };
}

/** Throws `Fault` where a score cannot read it. Tokens can leave there all the same: `by norm` is a way on. */
function attendedIn(request: PlanRequest, layer: Layer, start: NetTensor): Attended {
	const product = layer.blocks.find(({ kind, cross }) => kind === 'attention' && !cross)?.node;
	const closed = product && fusedAttentions.has(product.node.op) ? formOf(product) : undefined;
	if (product !== undefined && typeof closed === 'string')
		throw refusal(
			request,
			`the probabilities of ${nodeLabel(product.node)} cannot be read (${closed}); use \`by norm\``,
		);
	const [weights, values] = product?.inputs ?? [];
	const softmax = softmaxBehind(weights);
	if (weights === undefined || softmax === undefined || values === undefined)
		throw refusal(request, 'the layer has no attention whose probabilities can be read; use `by norm`');
	const made = softmax.outputs[0];
	// Behind a Reshape they have the product's axes, as the values have.
	const value = made?.sizes.length === weights.sizes.length ? made : weights;
	const [batch = 1, length = 0] = start.sizes;
	const heads = headsOf(value.sizes, batch, length);
	if (heads === undefined)
		throw refusal(
			request,
			`the keys of '${value.name}' are not its queries, [batch, heads, tokens, tokens], as with a cache; use \`by norm\``,
		);
	const keys = keysOf(softmax, heads);
	return { probabilities: value.name, values: values.name, heads, ...(keys !== undefined && { keys }) };
}

/** The softmax that a value is made of, by operators that leave every number in its place. */
function softmaxBehind(from: NetTensor | undefined): NetNode | undefined {
	let value = from;
	for (let steps = 0; steps < 8; steps++) {
		const producer = value?.producer;
		if (producer === undefined || producer.node.op === 'Softmax') return producer;
		value = sameNumbers(producer, value);
	}
	return undefined;
}

/** The operand that a node reshapes, masks, scales or casts. */
function sameNumbers(node: NetNode, output: NetTensor | undefined): NetTensor | undefined {
	if (node.node.op === 'Reshape') return node.inputs[0];
	return node.inputs.find((input) => input?.fixed === false && sameSizes(input, output?.sizes));
}

/** What the product before a softmax multiplies the queries with. */
function keysOf(softmax: NetNode, heads: number): ValueName | undefined {
	let value = softmax.inputs[0];
	for (let steps = 0; steps < 8; steps++) {
		const producer = value?.producer;
		if (producer === undefined) return undefined;
		const [, keys] = producer.inputs;
		if (producer.node.op === 'MatMul')
			return keys?.sizes.length === (heads === 0 ? 4 : 3) ? keys.name : undefined;
		value = sameNumbers(producer, value);
	}
	return undefined;
}

/** 0 where heads have an axis of their own, their number where they lie beside the batch; undefined for anything else. */
function headsOf(sizes: readonly number[], batch: number, length: number): number | undefined {
	const [queries, keys] = sizes.slice(-2);
	if (queries !== length || keys !== length) return undefined;
	if (sizes.length === 4) return sizes[0] === batch ? 0 : undefined;
	const heads = (sizes[0] ?? 0) / batch;
	return sizes.length === 3 && Number.isInteger(heads) ? heads : undefined;
}

export function refusal({ step }: PlanRequest, why: string): Fault {
	return new Fault(tokensStay({ why }, { span: step.span }));
}
