/**
 * `prune softmax with relu`, `with sigmoid`, `with topk`: other functions of the scores in a softmax's place (arXiv:2309.08586,
 * arXiv:2409.04431). Lossy; they save nothing on a CPU, and the plan says so.
 */
import { Fault, type Diagnostic } from '../../diagnostic.ts';
import { nodeLabel, type Tensor } from '../../ir/graph/graph.ts';
import { type Edit } from '../../ir/graph/patch.ts';
import { isOverLast } from '../exact/attention-paths.ts';
import { type NetNode } from '../../ir/axes/net.ts';
import { keepAndTopk, stays } from '../../messages/exact.ts';
import { noAnatomy } from '../../messages/plan.ts';
import { chooseAttentions, compensated, soleProduct, weighsValues } from './attention-changes.ts';
import { Rewriting } from '../exact/rewriting.ts';
import { sitesInScope } from '../sites.ts';
import { editsForWeighings, type Weighing, type Weighings, type Kept } from './softmax-graph.ts';
import { type Planned, type PlanRequest, saidOf } from '../technique.ts';

export const functionWords = [
	{ word: 'relu', summary: 'scores above zero, over the number of positions that are seen' },
	{ word: 'sigmoid', summary: 'the sigmoid of scores less the logarithm of that number' },
	{ word: 'topk', summary: 'the softmax over the largest weights of a row alone: `keep 32`, `keep 25%`' },
] as const;
export type FunctionWord = (typeof functionWords)[number]['word'];

export async function planWeighings(by: FunctionWord, request: PlanRequest): Promise<Planned<Weighings>> {
	const { step, net, numbering } = request;
	const keep = keptOf(by, request);
	const { found, refused } = sitesOf(request);
	const all = found.map(({ softmax, values }): Weighing => {
		const rank = softmax.outputs[0]?.sizes.length ?? 0;
		return { softmax: softmax.node.id, values: values.node.id, rank, by, ...(keep && { keep }) };
	});
	const tensors = new Map<string, Tensor>();
	const editsOf = (some: readonly Weighing[]): Edit[] => editsForWeighings(net, some, tensors);
	const functions: Weighing[] = [];
	// How many weights stay is no number of attentions: all in scope change.
	for (const one of keep ? all : await chooseAttentions(all, editsOf, request))
		functions.push(await compensated(one, editsOf, request, tensors));
	return {
		plan: {
			...saidOf(step),
			selected: functions.length,
			of: found.length + refused.length,
			unit: `attentions (${by} in the place of softmax: ${by === 'topk' ? 'slower' : 'nothing saved'} on a CPU)`,
			...(step.amount && !keep && { metric: 'drift' }),
			removed: [],
			refused,
			decision: { functions },
		},
		tensors,
		numbering,
	};
}

/** How many attentions may weigh otherwise. */
export const weighable = (request: PlanRequest): number => sitesOf(request).found.length;

/** How many weights of a row stay: with `topk` alone, and there it must be said. */
function keptOf(by: FunctionWord, { step: { amount, spans, span } }: PlanRequest): Kept | undefined {
	const kept: Kept | undefined =
		amount?.kind === 'keep-count'
			? { count: amount.count }
			: amount?.kind === 'keep-share'
				? { millionths: Math.round(1e6 * amount.share) }
				: undefined;
	if ((kept !== undefined) !== (by === 'topk'))
		throw new Fault(keepAndTopk({ keeps: kept !== undefined }, { span: spans.amount ?? spans.with ?? span }));
	return kept;
}

type Site = { readonly softmax: NetNode; readonly values: NetNode };

/** Softmaxes of attentions in scope; and those that stay, with the reason. */
function sitesOf(request: PlanRequest): {
	readonly found: readonly Site[];
	readonly refused: readonly Diagnostic[];
} {
	const { step, net } = request;
	const r = new Rewriting(net);
	const inScope = sitesInScope(request);
	const softmaxes = net.nodes.filter(
		(one) => one.node.op === 'Softmax' && inScope(one.node) && weighsValues(one),
	);
	if (softmaxes.length === 0)
		throw new Fault(noAnatomy({ target: 'attentions', scoped: step.in.length > 0 }, { span: step.span }));
	const since = step.with === 'topk' ? 10 : 9;
	const valuesOf = (softmax: NetNode): NetNode | string => {
		if (r.opset() < since) return `its operators came with opset ${since}`;
		return isOverLast(r, softmax.node) ? soleProduct(softmax) : 'it is over another axis than the last';
	};
	const tried = softmaxes.map((softmax) => ({ softmax, values: valuesOf(softmax) }));
	const refused = tried.flatMap(({ softmax, values: why }) =>
		typeof why === 'string'
			? [stays({ unit: 'attentions', why, labels: [nodeLabel(softmax.node)] }, { span: step.span })]
			: [],
	);
	return {
		found: tried.flatMap(({ softmax, values }) => (typeof values === 'string' ? [] : [{ softmax, values }])),
		refused,
	};
}
