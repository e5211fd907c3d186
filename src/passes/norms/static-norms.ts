/**
 * `prune norms with static`: a normalization divides by a deviation that depends on the input; here constants take its place, fitted to data
 * by least squares. Where products alone read it they are refitted to read its input, and nothing of it is left; elsewhere one scale and one
 * shift a channel stand in its place. Removing norms after training: Baroni et al., arXiv:2507.02559. Lossy.
 */
import { Fault, present, type Diagnostic } from '../../diagnostic.ts';
import { linearOf, type Linear } from '../../ir/anatomy/parts.ts';
import { intAttribute } from '../../ir/axes/view.ts';
import { type Net } from '../../ir/axes/net.ts';
import { nodeLabel, type Model, type Node, type Tensor, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch } from '../../ir/graph/patch.ts';
import { isReadable, numbersOf, tensorOf } from '../../ir/graph/tensor.ts';
import { type Gram, type GramRequest, type Lab, type SplitGram } from '../../ir/lab.ts';
import { matrix, type Matrix } from '../../ir/matrix.ts';
import { countToRemove } from '../../ir/recipe/amounts.ts';
import { stays } from '../../messages/exact.ts';
import { needsData, noAnatomy } from '../../messages/plan.ts';
import { affineOf, errorOf, type Affine } from '../../numerics/channel-affine.ts';
import { refit } from '../../numerics/refit.ts';
import { biasOf } from '../exact/bias.ts';
import { recordRefit, type RefitDecision } from '../units/refit-edits.ts';
import { orient } from '../low-rank/factor-sites.ts';
import { inputOf, isNative, isRootOfMean, normAt } from './norms.ts';
import { editsFor, type Static, type Statics } from './norm-constants.ts';
import { Rewriting } from '../exact/rewriting.ts';
import { sitesInScope } from '../sites.ts';
import { type Compensated, type Planned, type PlanRequest, saidOf } from '../technique.ts';

type Site = {
	/** The norm, or the root that marks one in single operators. */
	readonly node: Node;
	readonly input: ValueName;
	readonly output: ValueName;
	readonly size: number;
	readonly rank: number;
	readonly type: number;
	/** The products that read it, where nothing else does and all can be refitted; else none. */
	readonly readers: readonly Linear[];
};

export async function planStatic(request: PlanRequest): Promise<Planned<Statics>> {
	const { step, numbering, lab } = request;
	const { sites, refused } = sitesOf(request);
	if (lab?.calibrated !== true)
		throw new Fault(needsData({ metric: 'static', fitted: true }, { span: step.spans.with ?? step.span }));
	const chosen = await choose(request, sites, lab);
	const tensors = new Map<string, Tensor>();
	const statics: Static[] = [];
	const told: Compensated[] = [];
	let current = request.model;
	// One after another: each is fitted on what the ones before it left.
	for (const site of chosen) {
		const made = await replace(current, site, lab, tensors);
		told.push(...made.told.map((one) => ({ ...one, layer: layerOf(site, request) })));
		statics.push(made.decided);
		current = applyPatch(current, { label: 'so far', edits: editsFor(current, [made.decided], tensors) });
	}
	return {
		plan: {
			...saidOf(step),
			selected: chosen.length,
			of: sites.length,
			unit: 'norms (constants in their place)',
			...(step.amount && { metric: 'held-out error' }),
			removed: [],
			refused,
			compensated: told,
			decision: { statics },
		},
		tensors,
		numbering,
	};
}

/** Norms along the last axis in scope. The first and the last of the model stay unless the statement says where. */
function sitesOf(request: PlanRequest): {
	readonly sites: readonly Site[];
	readonly refused: readonly Diagnostic[];
} {
	const { step, net } = request;
	const inScope = sitesInScope(request);
	const r = new Rewriting(net);
	const all = r.standing().flatMap((node) => siteAt(r, net, node) ?? []);
	const wanted = all.filter(({ node }) => inScope(node));
	if (wanted.length === 0)
		throw new Fault(
			noAnatomy({ target: 'norms along the last axis', scoped: step.in.length > 0 }, { span: step.span }),
		);
	if (step.in.length > 0) return { sites: wanted, refused: [] };
	const ends = new Set([all[0], all.at(-1)]);
	const labels = wanted.filter((site) => ends.has(site)).map(({ node }) => nodeLabel(node));
	const why = 'the first and the last norm go only where `in` says so';
	const refused = labels.length === 0 ? [] : [stays({ unit: 'norms', why, labels }, { span: step.span })];
	return { sites: wanted.filter((site) => !ends.has(site)), refused };
}

function siteAt(r: Rewriting, net: Net, node: Node): Site | undefined {
	if (!isNative(node) && !isRootOfMean(r, node)) return undefined;
	const norm = normAt(r, node);
	const input = inputOf(r, node);
	if (typeof norm === 'string' || input === undefined) return undefined;
	const [from, to] = [net.tensors.get(input), net.tensors.get(norm.output)];
	const rank = to?.sizes.length ?? 0;
	if (from?.sizes.length !== rank || norm.axis !== rank - 1 || to === undefined || from.inBody)
		return undefined;
	const readers = to.consumers.map((one) => linearOf(one)).filter((one) => one !== undefined);
	const all = readers.length === to.consumers.length && to.io.length === 0 && !to.captured;
	const { output, size, type } = norm;
	return { node, input, output, size, rank, type, readers: all && readers.every(isPlain) ? readers : [] };
}

/** A stored matrix on the right, read by this product alone, no scale. */
function isPlain({ node, slot, weight }: Linear): boolean {
	const { view, node: product } = node;
	const alpha = product.attributes.get('alpha');
	const scaled = alpha?.kind === 'float' && alpha.value !== 1;
	const { constant } = weight;
	return (
		slot === 1 &&
		!scaled &&
		intAttribute(view, 'transA', 0) === 0 &&
		constant !== undefined &&
		isReadable(constant)
	);
}

/** All, or with an amount those that constants replace with the least error on held-out rows. */
async function choose(
	{ step, model }: PlanRequest,
	sites: readonly Site[],
	lab: Lab,
): Promise<readonly Site[]> {
	if (step.amount === undefined) return sites;
	const grams = await lab.grams(
		model,
		sites.map((site) => throughNorm(site)),
	);
	const errors = sites.map((_, at) => {
		const { fit, heldOut } = present(grams[at], 'a Gram matrix');
		return errorOf(affineOf(fit), heldOut);
	});
	const { remove } = countToRemove(step.amount, sites.length, { align: 1, min: 0 });
	const order = errors.map((_, at) => at).sort((a, b) => (errors[a] ?? 0) - (errors[b] ?? 0) || a - b);
	const gone = new Set(order.slice(0, remove));
	return sites.filter((_, at) => gone.has(at));
}

const rowsAt = (value: ValueName, { rank, size }: Site): GramRequest => ({
	value,
	rank,
	axis: rank - 1,
	size,
});
const throughNorm = (site: Site): GramRequest => ({
	...rowsAt(site.input, site),
	against: rowsAt(site.output, site),
});

type Made = { readonly decided: Static; readonly told: readonly Compensated[] };

async function replace(model: Model, site: Site, lab: Lab, tensors: Map<string, Tensor>): Promise<Made> {
	const { input, output, readers } = site;
	const behind = readers.map(({ node, weight, outAxis }) => ({
		...rowsAt(input, site),
		against: {
			...rowsAt(node.node.outputs[0] ?? '', site),
			rank: node.outputs[0]?.sizes.length ?? 0,
			axis: (node.outputs[0]?.sizes.length ?? 1) - 1,
			size: weight.sizes[outAxis] ?? 0,
		},
	}));
	const [own, ...products] = await lab.grams(model, [throughNorm(site), ...behind]);
	const affine = affineOf(present(own, 'a Gram matrix').fit);
	if (readers.length === 0)
		return { decided: { input, output, refits: [], affine: stored(site, affine, tensors) }, told: [] };
	const refits: RefitDecision[] = [];
	const told: Compensated[] = [];
	for (const [at, reader] of readers.entries()) {
		const found = await refitReader(site, reader, affine, present(products[at], 'a Gram matrix'), lab);
		const { choice, damping, residual, heldOut, weight, shift } = found;
		told.push({ layer: 0, choice, residual, heldOut, ...(damping !== undefined && { damping }) });
		const { node, weight: old, inAxis } = reader;
		refits.push(recordRefit({ node, weight: old, weightAxis: inAxis }, weight, shift, tensors));
	}
	return { decided: { input, output, refits }, told };
}

/** Starts from the scale by channel folded into the product's weight. */
function refitReader(
	{ size, node }: Site,
	reader: Linear,
	{ scale }: Affine,
	grams: SplitGram,
	lab: Lab,
): ReturnType<typeof refit> {
	const { rows, cols, data } = orient(present(reader.weight.constant, 'a weight'), reader.inAxis === 0);
	const weight = matrix(
		rows,
		cols,
		data.map((value, at) => value * (scale[Math.floor(at / cols)] ?? 1)),
	);
	const kept = Array.from({ length: size }, (_, at) => at);
	const bias = ownBias(reader);
	const task = {
		grams: { fit: withoutBias(grams.fit, bias), heldOut: withoutBias(grams.heldOut, bias) },
		kept,
		weight,
	};
	return refit({ ...task, what: `what ${nodeLabel(node)} reads` }, lab.products);
}

/** What a Gemm adds itself: it is in what it puts out. */
function ownBias({ node, weight, outAxis }: Linear): ArrayLike<number> | undefined {
	const { place, constant, scale } = biasOf(node, weight.sizes[outAxis] ?? 0);
	if (constant === undefined || place?.node !== node.node.id) return undefined;
	return numbersOf(constant).map((value) => value * scale);
}

/** Sums as they are before a constant is added to each output. */
function withoutBias(gram: Gram, bias: ArrayLike<number> | undefined): Gram {
	const { against, count, sum } = gram;
	if (bias === undefined || against === undefined) return gram;
	const b = (at: number): number => bias[at] ?? 0;
	const { rows, cols, data } = against.cross;
	const cross: Matrix = matrix(
		rows,
		cols,
		data.map((value, at) => value - (sum[Math.floor(at / cols)] ?? 0) * b(at % cols)),
	);
	const squares = against.squares.map(
		(value, at) => value - 2 * b(at) * (against.sum[at] ?? 0) + count * b(at) ** 2,
	);
	return { ...gram, against: { cross, squares, sum: against.sum.map((value, at) => value - count * b(at)) } };
}

function stored(
	{ output, size, type }: Site,
	affine: Affine,
	tensors: Map<string, Tensor>,
): NonNullable<Static['affine']> {
	const named = (part: keyof Affine): string => {
		const name = `${output}.${part}`;
		tensors.set(name, tensorOf(name, type, [size], affine[part]));
		return name;
	};
	return { scale: named('scale'), from: named('from'), to: named('to') };
}

/** The layer that reads a norm, for reports; 0 where none does. */
function layerOf({ readers }: Site, { anatomy, numbering }: PlanRequest): number {
	const nodes = new Set(readers.map(({ node }) => node));
	const at = anatomy.layers.findIndex(({ blocks }) =>
		blocks.some(({ linears }) => linears.some(({ node }) => nodes.has(node))),
	);
	return numbering.layers[at] ?? 0;
}
