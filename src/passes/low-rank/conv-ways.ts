/** Ways to factor a convolution: which schemes fit it, at which ranks, and whether they pay. */
import { Fault } from '../../diagnostic.ts';
import { elementCount, type Model } from '../../ir/graph/graph.ts';
import { freshNames } from '../../ir/graph/patch.ts';
import { tensorOf } from '../../ir/graph/tensor.ts';
import { noSpectrum } from '../../messages/factorize.ts';
import { linksOf, macsOfChain, schemes, sizeOfChain, type Scheme } from '../../numerics/conv-chain.ts';
import { plainProducts } from '../../numerics/plain-products.ts';
import { type Ranks } from '../../numerics/conv-factors.ts';
import { chainFor } from './conv-graph.ts';
import { convSite, type ConvSite } from './conv-sites.ts';
import { fitKernel, type Fitted } from './kernel-fit.ts';
import { type Inputs } from './low-rank.ts';
import { worthwhile, type Stopwatch } from './pace.ts';
import { alignedRank, automatic, rankKeeping } from './ranks.ts';
import { type PlanRequest } from '../technique.ts';

/** A way to factor one convolution: the scheme, and how its ranks are found. */
type Way = { readonly scheme: Scheme; readonly wanted: Ranks };
export type Tried = { readonly site: ConvSite; readonly ways: readonly Way[] };

export function candidate(node: ConvSite['node'], request: PlanRequest): Tried | string {
	const site = convSite(node);
	if (typeof site === 'string') return site;
	const found = schemesFor(request.step).map((scheme) => unfit(scheme, site) ?? wayOf(scheme, site, request));
	const ways = found.filter((way) => typeof way !== 'string');
	const [why = ''] = found.filter((way) => typeof way === 'string');
	return ways.length === 0 ? why : { site, ways };
}

/**
 * The scheme that a statement names; where it names none, those among which the numbers choose. A rank counts something else in each
 * scheme, so it means the first; a canonical decomposition has no spectrum and is taken by name alone.
 */
function schemesFor({ with: named, amount }: PlanRequest['step']): readonly Scheme[] {
	const one = schemes.find((scheme) => scheme === named);
	if (one !== undefined) return [one];
	return amount?.kind === 'rank' ? ['channels'] : schemes.filter((scheme) => scheme !== 'cp');
}

/** Why a scheme has nothing to take apart here. */
function unfit(scheme: Scheme, { kernel: { window } }: ConvSite): string | undefined {
	const [high = 1, wide = 1] = window;
	if (scheme === 'spatial' && (window.length !== 2 || high === 1 || wide === 1))
		return 'its window has no two axes to take apart';
	const isPoint = window.every((size) => size === 1);
	return isPoint && scheme !== 'channels'
		? `it has no window; \`with channels\` takes 1×1 ones too`
		: undefined;
}

function wayOf(scheme: Scheme, site: ConvSite, { step }: PlanRequest): Way | string {
	const { amount, align } = step;
	const most = mostRanks(scheme, site);
	switch (amount?.kind) {
		case 'rank': {
			const ranks = most.map((limit) => Math.min(limit, amount.rank));
			if (saves(scheme, site, ranks)) return { scheme, wanted: ranks };
			const best = largest(amount.rank, (rank) =>
				saves(
					scheme,
					site,
					most.map((limit) => Math.min(limit, rank)),
				),
			);
			return `rank ${amount.rank} saves nothing there${best === undefined ? '' : `; ranks up to ${best} do`}`;
		}
		case 'ratio':
			return within(scheme, site, amount.share, align);
		default:
			return keeping(scheme, amount?.kind === 'energy' ? amount.share : automatic.energy, { step });
	}
}

function keeping(scheme: Scheme, share: number, { step }: Pick<PlanRequest, 'step'>): Way {
	if (scheme === 'cp') throw new Fault(noSpectrum({ scheme }, { span: step.spans.amount ?? step.span }));
	// Two truncations share what may be lost.
	const each = scheme === 'tucker' ? 1 - (1 - share) / 2 : share;
	return { scheme, wanted: [rankKeeping(each, step.align), rankKeeping(each, step.align)] };
}

/** At most this share of the numbers. Tucker's ranks are two: the pairs that fit, and the numbers say which. */
function within(scheme: Scheme, site: ConvSite, share: number, align: number | undefined): Way | string {
	const most = mostRanks(scheme, site);
	const numbers = share * elementCount([site.kernel.matrix.rows, site.kernel.outputs]);
	const fits = (ranks: readonly number[]): boolean =>
		Math.min(...ranks) > 0 && sizeOfChain(linksOf(scheme, site.kernel, ranks)) <= numbers;
	const aligned = (limit: number): number[] => [
		...new Set(Array.from({ length: limit }, (_, at) => alignedRank(at + 1, align))),
	];
	const [first = 1, second] = most;
	const lots =
		second === undefined
			? aligned(first).map((rank) => [rank])
			: aligned(first).flatMap((rank) => aligned(second).map((other) => [rank, other]));
	const fitting = lots.filter(fits);
	if (fitting.length === 0) return 'no rank makes it that small';
	const saving = fitting.filter((ranks) => saves(scheme, site, ranks));
	if (saving.length === 0) return 'at that size it takes no fewer multiply–adds';
	if (second === undefined) return { scheme, wanted: saving.at(-1) ?? [] };
	// Of each first rank the largest second one: it loses least.
	const pairs = [...new Map(saving.map(([one = 1, other = 1]) => [one, other] as const))];
	return { scheme, wanted: { pairs } };
}

function largest(from: number, holds: (value: number) => boolean): number | undefined {
	for (let value = from; value > 0; value--) if (holds(value)) return value;
	return undefined;
}

/** Ranks beyond which a scheme represents every kernel. */
function mostRanks(scheme: Scheme, { kernel: { inputs, outputs, window } }: ConvSite): number[] {
	const [high = 1, wide = 1] = window;
	switch (scheme) {
		case 'channels':
			return [Math.min(outputs, inputs * elementCount(window))];
		case 'spatial':
			return [Math.min(inputs * high, wide * outputs)];
		case 'tucker':
			return [inputs, outputs];
		case 'cp':
			return [Math.min(inputs, outputs) * elementCount(window)];
	}
}

type Work = { readonly macs: number; readonly numbers: number };

function workOf(scheme: Scheme, { kernel, before, after }: ConvSite, ranks: readonly number[]): Work {
	const links = linksOf(scheme, kernel, ranks);
	return { macs: macsOfChain(links, before, after), numbers: sizeOfChain(links) };
}

function plainWork({ kernel, after }: ConvSite): Work {
	const numbers = kernel.matrix.rows * kernel.outputs;
	return { macs: numbers * elementCount(after), numbers };
}

function saves(scheme: Scheme, site: ConvSite, ranks: readonly number[]): boolean {
	const [now, then] = [plainWork(site), workOf(scheme, site, ranks)];
	return then.macs < now.macs && then.numbers < now.numbers;
}

export type Chosen = Fitted & { readonly scheme: Scheme };

/** Of the ways to try, the one that loses least at a given size, that is fastest with `auto`, else that takes the fewest multiply–adds; or why none pays. */
export async function bestChain(
	{ site, ways }: Tried,
	{ step: { amount }, net, lab }: PlanRequest,
	inputs: Inputs | undefined,
	stopwatch: Stopwatch,
): Promise<Chosen | string> {
	const found: Chosen[] = [];
	for (const { scheme, wanted } of ways)
		found.push({
			scheme,
			...(await fitKernel(scheme, site, wanted, inputs, lab?.products ?? plainProducts)),
		});
	const macs = ({ scheme, ranks }: Chosen): number => workOf(scheme, site, ranks).macs;
	const saving = found.filter(({ scheme, ranks }) => saves(scheme, site, ranks));
	const cost = amount?.kind === 'ratio' ? ({ lost }: Chosen): number => lost : macs;
	const ranked = saving.toSorted((a, b) => cost(a) - cost(b));
	if (amount?.kind === 'auto' && ranked.length > 0) return fastest(site, ranked, net.model, stopwatch);
	return ranked[0] ?? 'keeping that much saves nothing there';
}

/** Of chains in the order of their multiply–adds, the one that takes least time, where that is worth it. */
async function fastest(
	site: ConvSite,
	chains: readonly Chosen[],
	model: Model,
	stopwatch: Stopwatch,
): Promise<Chosen | string> {
	const kept = `keeping ${100 * automatic.energy}% takes more than`;
	const { node } = site.node;
	const edits = chains.map(({ stages }) => {
		const kernels = stages.map(({ dims, data }) => tensorOf('', site.type, dims, data));
		return chainFor(node, stages, kernels, freshNames(model.graph));
	});
	const times = await stopwatch.ratios(new Set([node.id]), edits);
	if (times === undefined) {
		const [least] = chains;
		const most = automatic.macs * plainWork(site).macs;
		if (least !== undefined && workOf(least.scheme, site, least.ranks).macs <= most) return least;
		return `${kept} ${100 * automatic.macs}% of its multiply–adds`;
	}
	const ratio = Math.min(...times);
	const best = chains[times.indexOf(ratio)];
	return best !== undefined && ratio <= worthwhile ? best : `${kept} ${100 * worthwhile}% of its time here`;
}
