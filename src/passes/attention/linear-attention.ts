/**
 * `prune softmax with linear`: one linear map of what an attention reads, position by position, in its place: the least-squares estimate of
 * what it puts out (neural block linearization, arXiv:2505.21077), damped, and judged on held-out rows. Queries, keys, values and their products
 * go; the output projection becomes the map. Lossy: what one position told another is lost.
 */
import { Fault, present } from '../../diagnostic.ts';
import { FLOAT } from '../../ir/graph/dtype.ts';
import { type Model, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch, type Edit } from '../../ir/graph/patch.ts';
import { tensorOf } from '../../ir/graph/tensor.ts';
import { hasBodies, twinned, type Twin } from '../../ir/graph/twin.ts';
import { type GramRequest, type Lab, type RowsOf, type SplitGram, type Walk } from '../../ir/lab.ts';
import { matrix } from '../../ir/matrix.ts';
import { needsData } from '../../messages/plan.ts';
import { refit, type Refit } from '../../numerics/refit.ts';
import { residualSum, withDifference, withoutBias, withTarget } from '../units/residual-target.ts';
import { type Compensated, type Planned, type PlanRequest, saidOf } from '../technique.ts';
import { chooseAttentions } from './attention-changes.ts';
import { editsFor, type LinearMap, type LinearMaps } from './linear-graph.ts';
import { linearSites, staying, type LinearSite } from './linear-sites.ts';

/** A site with its map: `fit` is what it was made of. */
type Mapped = { readonly site: LinearSite; readonly fit: Refit; readonly map: LinearMap };

export async function planLinear(request: PlanRequest): Promise<Planned<LinearMaps>> {
	const { step, lab, anatomy, numbering } = request;
	const { sites, refused } = linearSites(request);
	if (lab?.calibrated !== true)
		throw new Fault(needsData({ metric: 'linear', fitted: true }, { span: step.spans.with ?? step.span }));
	const fitting = new Fitting(request, lab);
	const fitted = await fitting.alone(sites);
	const better = fitted.filter(({ fit }) => fit.choice === 'affine');
	const editsOf = (some: readonly Mapped[]): Edit[] => fitting.edits(some);
	const chosen = await fitting.together(await chooseAttentions(better, editsOf, request));
	const gone = new Set(chosen.map(({ site }) => site.block));
	const empty = anatomy.layers.flatMap(({ blocks }, at) =>
		blocks.every((one) => gone.has(one)) ? [at] : [],
	);
	return {
		plan: {
			...saidOf(step),
			selected: chosen.length,
			of: sites.length + refused.length,
			unit: 'attentions (a linear map of what they read)',
			...(step.amount && { metric: 'drift' }),
			removed: [],
			refused: [
				...refused,
				...fitted
					.filter(({ fit }) => fit.choice !== 'affine')
					.map(({ site }) =>
						staying(site.block, 'on held-out rows no linear map does better than a constant', request),
					),
			],
			compensated: chosen.map(toldOf),
			decision: { maps: chosen.map(({ map }) => map) },
		},
		tensors: fitting.tensorsOf(chosen),
		numbering: { ...numbering, layers: numbering.layers.filter((_, at) => !empty.includes(at)) },
	};
}

function toldOf({ site, fit: { choice, residual, heldOut, damping } }: Mapped): Compensated {
	return { layer: site.given, choice, residual, heldOut, ...(damping !== undefined && { damping }) };
}

class Fitting {
	private readonly request: PlanRequest;
	private readonly lab: Lab;
	private readonly tensors = new Map<string, Tensor>();

	constructor(request: PlanRequest, lab: Lab) {
		this.request = request;
		this.lab = lab;
	}

	edits(some: readonly Mapped[]): Edit[] {
		return editsFor(
			this.request.net,
			some.map(({ map }) => map),
			this.tensors,
		);
	}

	tensorsOf(some: readonly Mapped[]): ReadonlyMap<string, Tensor> {
		const names = some.flatMap(({ map }) => [map.weight, map.bias]);
		return new Map(names.map((name) => [name, present(this.tensors.get(name), name)]));
	}

	/** Each as if no other changed: what the projection puts out, by what the attention reads. */
	async alone(sites: readonly LinearSite[]): Promise<Mapped[]> {
		const requests = sites.map((site): GramRequest => {
			const { from, to } = rowsAt(site);
			return { ...from, against: to };
		});
		const grams = await this.lab.grams(this.request.model, requests);
		const mapped: Mapped[] = [];
		for (const [at, site] of sites.entries())
			mapped.push(this.recorded(site, await this.fitOf(site, present(grams[at], 'a Gram matrix'))));
		return mapped;
	}

	/** One after another, each on what it reads by now, for the sum behind it to be what it was. */
	async together(chosen: readonly Mapped[]): Promise<Mapped[]> {
		const { model } = this.request;
		if (hasBodies(model)) return [...chosen];
		const [walk, done]: [Walk, Mapped[]] = [this.lab.walk(model), []];
		for (const one of chosen) {
			const changed = applyPatch(model, { label: 'mapped', edits: this.edits(done) });
			const fit = done.length === 0 ? one.fit : await this.fitBehind(one.site, changed, walk);
			done.push(this.recorded(one.site, fit.choice === 'affine' ? fit : one.fit));
		}
		return done;
	}

	private async fitBehind(site: LinearSite, changed: Model, walk: Walk): Promise<Refit> {
		const twin = twinned(this.request.model, changed);
		const { from, to } = rowsAt(site);
		const wanted = wantedAt(site, twin);
		const against = { ...to, value: wanted?.value ?? to.value };
		const [grams] = await walk.grams(wanted?.model ?? twin.model, [
			{ ...from, value: twin.of(from.value), against },
		]);
		const { fit, heldOut } = present(grams, 'a Gram matrix');
		return this.fitOf(site, {
			fit: withoutBias(fit, wanted?.bias),
			heldOut: withoutBias(heldOut, wanted?.bias),
		});
	}

	private fitOf(site: LinearSite, grams: SplitGram): Promise<Refit> {
		const { from, to } = rowsAt(site);
		const kept = Array.from({ length: from.size }, (_, at) => at);
		const what = `what the attention of layer ${site.given} reads`;
		return refit({ grams, kept, weight: matrix(from.size, to.size), what }, this.lab.products);
	}

	private recorded(site: LinearSite, fit: Refit): Mapped {
		const { from, to, projection } = site;
		const type = this.request.net.facts.of(to.name)?.type ?? FLOAT;
		const [weight, bias] = [`${to.name}.map`, `${to.name}.shift`];
		const { rows, cols, data } = fit.weight;
		this.tensors.set(weight, tensorOf(weight, type, [rows, cols], data));
		this.tensors.set(bias, tensorOf(bias, type, [cols], fit.shift));
		const named = projection && { projection: projection.node.node.id };
		return { site, fit, map: { from: from.name, to: to.name, ...named, weight, bias } };
	}
}

/**
 * What must come out for the sum behind to be what it was, with what is added to it anyway. Undefined where the sum is followed by no name: then
 * what came out before is wanted.
 */
function wantedAt(
	{ projection, sum, to }: LinearSite,
	twin: Twin,
): { readonly model: Model; readonly value: ValueName; readonly bias?: Float64Array } | undefined {
	if (projection === undefined) {
		if (sum.node.node.op !== 'Add') return undefined;
		const value = `${to.name}/wanted`;
		const { output, skip } = sum;
		return { model: withDifference(twin.model, output.name, twin.of(skip.name), value), value };
	}
	const { node, weight, inAxis } = projection;
	const residual = residualSum({ node, weight, weightAxis: inAxis });
	if (residual === undefined) return undefined;
	// A Gemm's own bias goes with it: the map stands for all that it puts out.
	const { bias } = node.node.op === 'Gemm' ? {} : residual;
	return { ...withTarget(twin.model, residual, twin), ...(bias && { bias }) };
}

function rowsAt({ from, to }: LinearSite): { readonly from: RowsOf; readonly to: RowsOf } {
	const [read, put] = [from, to].map(({ name, sizes }): RowsOf => {
		const rank = sizes.length;
		return { value: name, rank, axis: rank - 1, size: sizes[rank - 1] ?? 0 };
	});
	return { from: present(read, 'what is read'), to: present(put, 'what is put out') };
}
