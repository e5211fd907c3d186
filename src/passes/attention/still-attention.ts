/**
 * `prune softmax with mean`, `with constant`: attentions that hardly depend on their input stop asking for it. Every position takes the mean
 * of the values that it may see, or, at a fixed length, what its attention is on average (after PAPA, arXiv:2211.03495); queries, keys
 * and their product go. The bias of the output projection makes up for the mean of what changes. Lossy.
 */
import { Fault, present, type Diagnostic } from '../../diagnostic.ts';
import { isActivationProduct } from '../../ir/anatomy/parts.ts';
import { FLOAT } from '../../ir/graph/dtype.ts';
import { nodeLabel, type Tensor } from '../../ir/graph/graph.ts';
import { type Edit } from '../../ir/graph/patch.ts';
import { tensorOf } from '../../ir/graph/tensor.ts';
import { intAttribute } from '../../ir/axes/view.ts';
import { type NetNode, type NetTensor } from '../../ir/axes/net.ts';
import { needsData, noAnatomy } from '../../messages/plan.ts';
import { chooseAttentions, compensated, soleProduct } from './attention-changes.ts';
import { isCounted } from '../positions/position-tables.ts';
import { listRefusals } from '../exact/exact.ts';
import { sitesInScope } from '../sites.ts';
import { editsFor, type Still, type Stills } from './still-graph.ts';
import { type Planned, type PlanRequest, saidOf } from '../technique.ts';

type Site = {
	readonly scores: NetNode;
	readonly softmax: NetNode;
	readonly values: NetNode;
	readonly masks: readonly NetTensor[];
};

export async function planStill(request: PlanRequest): Promise<Planned<Stills>> {
	const { step, numbering } = request;
	const { sites, of, refused } = sitesOf(request);
	const tensors = new Map<string, Tensor>();
	const all: Still[] = [];
	for (const site of sites) all.push(await stillOf(site, request, tensors));
	const editsOf = (some: readonly Still[]): Edit[] => editsFor(request.net, some, tensors);
	const still: Still[] = [];
	for (const one of await chooseAttentions(all, editsOf, request))
		still.push(await compensated(one, editsOf, request, tensors));
	return {
		plan: {
			...saidOf(step),
			selected: still.length,
			of,
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

/** How many attentions may ignore their input. */
export const stillable = (request: PlanRequest): number => sitesOf(request).sites.length;

/** Attentions written in single operators, in scope; and those that stay, with the reason. */
function sitesOf(request: PlanRequest): {
	readonly sites: readonly Site[];
	readonly of: number;
	readonly refused: readonly Diagnostic[];
} {
	const { step, net } = request;
	const inScope = sitesInScope(request);
	const softmaxes = net.nodes.filter(({ node }) => node.op === 'Softmax' && inScope(node));
	const found = softmaxes.map((node) => siteAt(node, step.with === 'constant'));
	const sites = found.filter((one) => typeof one === 'object');
	const labelAt = (at: number): string => nodeLabel(present(softmaxes[at], 'a softmax').node);
	const refused = found.flatMap((why, at) => (typeof why === 'string' ? [{ why, label: labelAt(at) }] : []));
	if (found.length === 0)
		throw new Fault(noAnatomy({ target: 'attentions', scoped: step.in.length > 0 }, { span: step.span }));
	return { sites, of: found.length, refused: listRefusals(refused, 'attentions', request) };
}

function siteAt(softmax: NetNode, fixed: boolean): Site | string {
	const [output] = softmax.outputs;
	const axis = intAttribute(softmax.view, 'axis', -1);
	if (output?.sizes.length !== 4 || (axis !== -1 && axis !== 3))
		return 'it is no softmax of [batch, heads, length, length] over the last axis';
	if (output.sizes[2] !== output.sizes[3])
		return 'it sees more or fewer positions than ask: those of a cache, or of another sequence';
	const values = soleProduct(softmax);
	if (typeof values === 'string') return values;
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
		throw new Fault(needsData({ metric: 'constant', fitted: true }, { span: step.spans.with ?? step.span }));
	const [average] = await lab.averages(model, [output.name]);
	const name = `${output.name}.weights`;
	const { dims, mean } = present(average, 'an average');
	const type = values.view.inputs[0]?.type ?? FLOAT;
	tensors.set(name, tensorOf(name, type, [1, ...dims], mean));
	return { ...base, weights: name };
}
