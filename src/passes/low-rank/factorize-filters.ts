/** Convolutions become chains of thinner ones: by channels, by spatial axes, Tucker and canonical decompositions. */
import { Fault } from '../../diagnostic.ts';
import { type Node, type Tensor } from '../../ir/graph/graph.ts';
import { tensorOf } from '../../ir/graph/tensor.ts';
import { type Certificate } from '../../ir/proof.ts';
import { notFactorized } from '../../messages/factorize.ts';
import { noAnatomy } from '../../messages/plan.ts';
import { lowerChains, type Chained, type Chains } from './conv-graph.ts';
import { isConvolution, measureWindows, type ConvSite } from './conv-sites.ts';
import { bestChain, candidate, type Chosen, type Tried } from './conv-ways.ts';
import { Stopwatch } from './pace.ts';
import { sitesInScope } from '../sites.ts';
import { defineTechnique, type Planned, type PlanRequest, saidOf } from '../technique.ts';

export const factorizeFilters = defineTechnique<Chains>({
	words: {
		name: 'factorize-filters',
		verb: 'factorize',
		target: 'filters',
		aliases: ['convolutions', 'conv', 'kernels'],
		summary:
			'Replace convolutions by chains of thinner ones, in the way that loses least at a `ratio`, costs least at an `energy`, is fastest with `auto`, or that `with` says; with data by the variance of what they put out.',
		example: 'factorize filters rank 16 with tucker',
		amounts: ['rank', 'energy', 'ratio', 'auto'],
		bare: false,
		clauses: ['in', 'except', 'align'],
		choices: {
			with: [
				{
					word: 'channels',
					summary: 'the window to `rank` channels, then 1×1: singular values (arXiv:1505.06798)',
				},
				{ word: 'spatial', summary: 'k×1 to `rank` channels, then 1×k (arXiv:1405.3866)' },
				{
					word: 'tucker',
					summary: '1×1, the window between `rank` channels, 1×1: Tucker-2 (arXiv:1511.06530)',
				},
				{
					word: 'cp',
					summary: '1×1, a depthwise one along each axis, 1×1: CP by least squares (arXiv:1412.6553)',
				},
			],
		},
		metrics: [],
	},
	plan,
	lower: lowerChains,
});

async function plan(request: PlanRequest): Promise<Planned<Chains>> {
	const { step, net, numbering } = request;
	const inScope = sitesInScope(request);
	const found = net.nodes.filter((node) => isConvolution(node) && inScope(node.node));
	if (found.length === 0) throw new Fault(noAnatomy({ target: 'convolutions' }, { span: step.span }));
	const refusals = new Refusals();
	const tried = found.flatMap((node): Tried[] => {
		const ways = candidate(node, request);
		if (typeof ways !== 'string') return [ways];
		refusals.add(node.node, ways);
		return [];
	});
	const stopwatch = new Stopwatch(request);
	const { tensors, ...decided } = await chains(tried, refusals, request, stopwatch);
	return {
		plan: {
			...saidOf(step),
			selected: decided.convolutions.length,
			of: found.length,
			unit: 'convolutions',
			...(step.amount?.kind === 'auto' && { metric: stopwatch.metric }),
			removed: [],
			refused: refusals.list(request),
			certificates: decided.certificates,
			decision: { convolutions: decided.convolutions },
		},
		tensors,
		numbering,
	};
}

type Decided = {
	readonly convolutions: readonly Chained[];
	readonly certificates: readonly Certificate[];
	readonly tensors: ReadonlyMap<string, Tensor>;
};

/** What is measured on the inputs is measured for all convolutions at once. */
async function chains(
	tried: readonly Tried[],
	refusals: Refusals,
	request: PlanRequest,
	stopwatch: Stopwatch,
): Promise<Decided> {
	const sites = tried.map(({ site }) => site);
	const inputs = await measureWindows(request.model, request.lab, sites);
	const tensors = new Map<string, Tensor>();
	const convolutions: Chained[] = [];
	const certificates: Certificate[] = [];
	for (const [at, one] of tried.entries()) {
		const { node } = one.site.node;
		const chosen = await bestChain(one, request, inputs[at], stopwatch);
		if (typeof chosen === 'string') refusals.add(node, chosen);
		else {
			convolutions.push(kept(one.site, chosen, tensors));
			certificates.push({ of: node.name || (node.outputs[0] ?? ''), ...chosen.certificate });
		}
	}
	return { convolutions, certificates, tensors };
}

/** What stays, by reason. */
class Refusals {
	private readonly byReason = new Map<string, string[]>();

	add({ op, name, outputs }: Node, why: string): void {
		this.byReason.set(why, [...(this.byReason.get(why) ?? []), `${op} '${name || (outputs[0] ?? '')}'`]);
	}

	list({ step: { span } }: PlanRequest): ReturnType<typeof notFactorized>[] {
		return [...this.byReason].map(([why, labels]) => notFactorized({ why, labels }, { span }));
	}
}

function kept(
	{ node, kernel, type }: ConvSite,
	{ scheme, ranks, stages, shift }: Chosen,
	tensors: Map<string, Tensor>,
): Chained {
	const { id } = node.node;
	const links = stages.map(({ dims, data, axes, depthwise }, at) => {
		const name = `${id}.${at}`;
		tensors.set(name, tensorOf(name, type, dims, data));
		return { axes, depthwise, kernel: name };
	});
	const chained = { node: id, scheme, ranks, links };
	if (shift === undefined) return chained;
	const name = `${id}.shift`;
	tensors.set(name, tensorOf(name, type, [kernel.outputs, ...kernel.window.map(() => 1)], shift.data));
	return { ...chained, shift: name };
}
