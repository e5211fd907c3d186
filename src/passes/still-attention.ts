/**
 * `prune softmax with mean`, `with constant`: attentions that hardly depend on their input stop asking for it. Every position takes the mean
 * of the values that it may see, or, at a fixed length, what its attention is on average (after PAPA, arXiv:2211.03495); queries, keys
 * and their product go. The bias of the output projection makes up for the mean of what changes. Lossy.
 */
import { Fault, present, type Diagnostic } from '../diagnostic.ts';
import { isActivationProduct, linearOf, type Linear } from '../ir/anatomy/parts.ts';
import { residualAfter } from '../ir/anatomy/layers.ts';
import { FLOAT } from '../ir/graph/dtype.ts';
import { nodeLabel, type Model, type Tensor, type ValueName } from '../ir/graph/graph.ts';
import { applyPatch } from '../ir/graph/patch.ts';
import { tensorOf } from '../ir/graph/tensor.ts';
import { intAttribute } from '../ir/axes/view.ts';
import { type Net, type NetNode, type NetTensor } from '../ir/axes/net.ts';
import { type Lab } from '../ir/lab.ts';
import { countToRemove } from '../ir/recipe/amounts.ts';
import { stays } from '../messages/exact.ts';
import { needsData, noAnatomy } from '../messages/plan.ts';
import { isCounted } from './position-tables.ts';
import { sitesInScope } from './sites.ts';
import { editsFor, nodeAt, type Still, type Stills } from './still-graph.ts';
import { type Planned, type PlanRequest, saidOf } from './technique.ts';

type Site = {
	readonly scores: NetNode;
	readonly softmax: NetNode;
	readonly values: NetNode;
	readonly masks: readonly NetTensor[];
};

export async function planStill(request: PlanRequest): Promise<Planned<Stills>> {
	const { step, numbering } = request;
	const { sites, refused } = sitesOf(request);
	const tensors = new Map<string, Tensor>();
	const all: Still[] = [];
	for (const site of sites) all.push(await stillOf(site, request, tensors));
	const chosen = await choose(all, tensors, request);
	const still: Still[] = [];
	for (const one of chosen) still.push(await compensated(one, request, tensors));
	return {
		plan: {
			...saidOf(step),
			selected: still.length,
			of: sites.length + refused.length,
			unit: `attentions (${step.with === 'constant' ? 'constant weights' : 'the mean of what they see'})`,
			...(step.amount && { metric: 'drift' }),
			removed: [],
			refused,
			decision: { still },
		},
		tensors: new Map(
			[...tensors].filter(([name]) =>
				still.some((one) => one.weights === name || one.shift?.tensor === name),
			),
		),
		numbering,
	};
}

/** Attentions written in single operators, in scope; and those that stay, with the reason. */
function sitesOf(request: PlanRequest): {
	readonly sites: readonly Site[];
	readonly refused: readonly Diagnostic[];
} {
	const { step, net } = request;
	const inScope = sitesInScope(request);
	const softmaxes = net.nodes.filter(({ node }) => node.op === 'Softmax' && inScope(node));
	const found = softmaxes.map((node) => siteAt(node, step.with === 'constant'));
	const sites = found.filter((one) => typeof one === 'object');
	const refused = found.flatMap((why, at) => (typeof why === 'string' ? [{ why, at }] : []));
	if (found.length === 0)
		throw new Fault(noAnatomy({ target: 'attentions', scoped: step.in.length > 0 }, { span: step.span }));
	const place = { span: step.span };
	const labelAt = (at: number): string => nodeLabel(present(softmaxes[at], 'a softmax').node);
	return {
		sites,
		refused: refused.map(({ why, at }) => stays({ unit: 'attentions', why, labels: [labelAt(at)] }, place)),
	};
}

function siteAt(softmax: NetNode, fixed: boolean): Site | string {
	const [output] = softmax.outputs;
	const rank = output?.sizes.length ?? 0;
	const axis = intAttribute(softmax.view, 'axis', -1);
	const [values, ...others] = output?.consumers ?? [];
	const isProduct = values !== undefined && isActivationProduct(values) && values.inputs[0] === output;
	if (rank !== 4 || (axis !== -1 && axis !== 3))
		return 'it is no softmax of [batch, heads, length, length] over the last axis';
	if (output?.sizes[2] !== output?.sizes[3]) return 'it is between two sequences';
	if (others.length > 0 || !isProduct || output?.io.length !== 0)
		return 'more than the product with the values reads its weights';
	const masks: NetTensor[] = [];
	let value = softmax.inputs[0];
	for (let steps = 0; steps < 8 && value?.producer !== undefined; steps++) {
		const { producer } = value;
		if (isActivationProduct(producer)) {
			const moving = masks.find((mask) => !mask.fixed && !isCounted(mask));
			if (fixed && moving) return `its mask '${moving.name}' depends on the input`;
			if (fixed && (output.dynamic[2] === true || output.dynamic[3] === true))
				return 'its length depends on the input: `with mean` needs none';
			return { scores: producer, softmax, values, masks };
		}
		const inputs = producer.inputs.filter((input) => input !== undefined);
		const next = inputs.find((input) => leadsToProduct(input));
		if (
			!['Add', 'Mul', 'Div', 'Where', 'Identity', 'Cast', 'Sub'].includes(producer.node.op) ||
			next === undefined
		)
			break;
		masks.push(
			...inputs.filter((input) => input !== next && input.sizes.length > 0 && input.sizes.at(-1) !== 1),
		);
		value = next;
	}
	return 'its scores are no product of two activations';
}

function leadsToProduct(value: NetTensor, steps = 0): boolean {
	const { producer } = value;
	if (producer === undefined || steps > 6) return false;
	if (isActivationProduct(producer)) return true;
	const passing = ['Add', 'Mul', 'Div', 'Where', 'Identity', 'Cast', 'Sub'].includes(producer.node.op);
	return passing && producer.inputs.some((input) => input !== undefined && leadsToProduct(input, steps + 1));
}

async function stillOf(
	{ scores, softmax, values, masks }: Site,
	{ step, lab, model }: PlanRequest,
	tensors: Map<string, Tensor>,
): Promise<Still> {
	const rows = Math.max(1, ...masks.map(({ sizes }) => sizes.at(-2) ?? 1));
	const base = {
		scores: scores.node.id,
		values: values.node.id,
		oneRow: rows === 1,
		masked: masks.length > 0,
	};
	if (step.with !== 'constant') return base;
	const [output] = softmax.outputs;
	if (lab?.calibrated !== true || output === undefined)
		throw new Fault(needsData({ metric: 'constant' }, { span: step.spans.with ?? step.span }));
	const [average] = await lab.averages(model, [output.name]);
	const name = `${output.name}.weights`;
	const { dims, mean } = present(average, 'an average');
	tensors.set(name, tensorOf(name, FLOAT, [1, ...dims], mean));
	return { ...base, weights: name };
}

/** All, or with an amount those after whose change, each alone, the outputs drift least. */
async function choose(
	all: readonly Still[],
	tensors: ReadonlyMap<string, Tensor>,
	{ step, net, lab }: PlanRequest,
): Promise<readonly Still[]> {
	if (step.amount === undefined) return all;
	if (lab?.calibrated !== true)
		throw new Fault(needsData({ metric: 'drift' }, { span: step.spans.amount ?? step.span }));
	const harm: number[] = [];
	for (const one of all) {
		const changed = applyPatch(net.model, { label: 'tried', edits: editsFor(net, [one], tensors) });
		const { kl, relativeL2 } = await lab.drift(net.model, changed);
		harm.push(kl ?? relativeL2);
	}
	const { remove } = countToRemove(step.amount, all.length, { align: 1, min: 0 });
	const order = harm.map((_, at) => at).sort((a, b) => (harm[a] ?? 0) - (harm[b] ?? 0) || a - b);
	const gone = new Set(order.slice(0, remove));
	return all.filter((_, at) => gone.has(at));
}

/** What the output projection puts out less in the mean, for its bias. */
async function compensated(
	one: Still,
	{ net, lab }: PlanRequest,
	tensors: Map<string, Tensor>,
): Promise<Still> {
	const product = outputProjection(net, one);
	const output = product?.node.outputs[0];
	if (lab?.calibrated !== true || product === undefined || output === undefined) return one;
	const axis = output.sizes.length - 1;
	const meanIn = async (model: Model): Promise<Float64Array> => meanAt(lab, model, output.name, axis);
	const before = await meanIn(net.model);
	const after = await meanIn(applyPatch(net.model, { label: 'tried', edits: editsFor(net, [one], tensors) }));
	const tensor = `${output.name}.shift`;
	tensors.set(
		tensor,
		tensorOf(
			tensor,
			product.weight.constant?.type ?? FLOAT,
			[before.length],
			before.map((mean, at) => mean - (after[at] ?? 0)),
		),
	);
	return { ...one, shift: { node: product.node.node.id, tensor } };
}

async function meanAt(lab: Lab, model: Model, value: ValueName, axis: number): Promise<Float64Array> {
	const [moments] = await lab.moments(model, [{ value, axis }]);
	const { sum, count } = present(moments, 'moments');
	return sum.map((one) => one / Math.max(1, count));
}

/** The first matrix behind the product with the values, on the way to the residual sum. */
function outputProjection(net: Net, { values }: Still): Linear | undefined {
	const start = nodeAt(net, values);
	if (residualAfter(net, start) === undefined) return undefined;
	let value = start.outputs[0];
	for (let steps = 0; steps < 6 && value?.consumers.length === 1; steps++) {
		const [next] = value.consumers;
		const linear = next && linearOf(next);
		if (linear !== undefined) return linear;
		value = next?.outputs[0];
	}
	return undefined;
}
