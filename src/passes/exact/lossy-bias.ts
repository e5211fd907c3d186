/**
 * `prune bias 30%`: whole biases go, those that say least beside what their operators make of the input. What the constant did further on is
 * made up for in its mean, on data: the next operators that have a bias of their own put out the same mean as before (FLAP, arXiv:2312.11983). Lossy.
 */
import { bug, Fault, present, type Diagnostic } from '../../diagnostic.ts';
import { nodeLabel, type Model, type Node, type Tensor } from '../../ir/graph/graph.ts';
import { applyPatch } from '../../ir/graph/patch.ts';
import { numbersOf, tensorOf } from '../../ir/graph/tensor.ts';
import { type Net } from '../../ir/axes/net.ts';
import { type Lab } from '../../ir/lab.ts';
import { countToRemove } from '../../ir/recipe/amounts.ts';
import { stays } from '../../messages/exact.ts';
import { noAnatomy } from '../../messages/plan.ts';
import { biasOf, projectionAt, resultAxis, resultOf, setBias, type Projection } from './projection.ts';
import { Rewriting } from './rewriting.ts';
import { sitesInScope } from '../sites.ts';
import { type Lowered, type LowerTask, type Planned, type PlanRequest, saidOf } from '../technique.ts';

/** Operators without their bias, and those whose bias takes up what is missed: ids, and names in the plan's tensors. */
export type Unbiased = {
	readonly gone: readonly number[];
	readonly shifted: readonly { readonly node: number; readonly tensor: string }[];
};
type Site = { readonly projection: Projection; readonly bias: Float64Array };

export async function planUnbiased(request: PlanRequest): Promise<Planned<Unbiased>> {
	const { step, net, numbering, lab, model } = request;
	const inScope = sitesInScope(request);
	const all = sitesOf(new Rewriting(net)).filter(({ projection }) => inScope(projection.node));
	const own = lab?.calibrated === true ? lab : undefined;
	const hidden = own === undefined ? [] : all.filter((site) => isHidden(site, net));
	const sites = all.filter((site) => !isZero(site) && !hidden.includes(site));
	if (all.length === 0 || step.amount === undefined)
		throw new Fault(noAnatomy({ target: 'biases', scoped: step.in.length > 0 }, { span: step.span }));
	const scores = await scoresOf(sites, net, own);
	const { remove } =
		sites.length === 0 ? { remove: 0 } : countToRemove(step.amount, sites.length, { align: 1, min: 0 });
	const order = sites.map((_, at) => at).sort((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0) || a - b);
	const chosen = new Set(order.slice(0, remove));
	const gone = sites.flatMap(({ projection }, at) => (chosen.has(at) ? [projection.node.id] : []));
	const tensors = new Map<string, Tensor>();
	const isLeft = own === undefined || step.without.includes('compensation');
	const shifted = isLeft ? [] : await compensated(model, net, gone, own, tensors);
	const taking = shifted.length === 0 ? '' : ` (their mean taken up by ${shifted.length} others)`;
	return {
		plan: {
			...saidOf(step),
			selected: gone.length,
			of: sites.length,
			unit: `biases${taking}`,
			metric:
				own === undefined
					? 'squared bias beside squared weights'
					: "squared bias beside the output's variance",
			removed: [],
			refused: unweighed(all.filter(isZero), hidden, request),
			decision: { gone, shifted },
		},
		tensors,
		numbering,
	};
}

const isZero = ({ bias }: Site): boolean => bias.every((value) => value === 0);

/** Made inside a body: what an operator puts out there cannot be measured. */
const isHidden = ({ projection }: Pick<Site, 'projection'>, { tensors }: Net): boolean =>
	tensors.get(projection.node.outputs[0] ?? '')?.inBody === true;

function unweighed(zeros: readonly Site[], hidden: readonly Site[], request: PlanRequest): Diagnostic[] {
	return [
		...staying(zeros, 'they are zeros, which a bare `prune bias` takes out exactly', request),
		...staying(hidden, 'inside a body nothing is measured; without data they are weighed too', request),
	];
}

/** Biases that are not weighed. */
function staying(sites: readonly Site[], why: string, { step }: PlanRequest): Diagnostic[] {
	const labels = sites.map(({ projection }) => nodeLabel(projection.node));
	return labels.length === 0 ? [] : [stays({ unit: 'biases', why, labels }, { span: step.span })];
}

/** Operators with a stored bias. */
function sitesOf(r: Rewriting): Site[] {
	return r.standing().flatMap((node) => {
		const projection = projectionAt(r, node);
		const bias = typeof projection === 'string' ? undefined : biasOf(r, projection);
		if (typeof projection === 'string' || typeof bias !== 'object') return [];
		return [{ projection, bias }];
	});
}

const energy = (values: ArrayLike<number>): number =>
	Array.from(values).reduce((sum, value) => sum + value * value, 0);

/** What a bias says beside its operator: lower goes first. */
async function scoresOf(sites: readonly Site[], net: Net, lab: Lab | undefined): Promise<readonly number[]> {
	if (lab === undefined)
		return sites.map(({ projection, bias }) => energy(bias) / (energy(numbersOf(projection.weight)) || 1));
	const r = new Rewriting(net);
	if (sites.length === 0) return [];
	const moments = await lab.moments(
		net.model,
		sites.map(({ projection }) => outputOf(r, projection)),
	);
	return sites.map(({ bias }, at) => {
		const { count, sum, squares } = present(moments[at], 'moments');
		const variance = squares.reduce(
			(all, square, i) => all + square / count - ((sum[i] ?? 0) / count) ** 2,
			0,
		);
		return variance > 0 ? energy(bias) / variance : Infinity;
	});
}

function outputOf(r: Rewriting, projection: Projection): { readonly value: string; readonly axis: number } {
	const [value = ''] = resultOf(r, projection).outputs;
	return { value, axis: resultAxis(r, projection) };
}

/** Operators behind those without their bias, one after another: each on what the ones before it put out by now. */
async function compensated(
	model: Model,
	net: Net,
	gone: readonly number[],
	lab: Lab,
	tensors: Map<string, Tensor>,
): Promise<Unbiased['shifted']> {
	const r = new Rewriting(net);
	const takers = takersOf(r, gone).filter((projection) => !isHidden({ projection }, net));
	if (takers.length === 0) return [];
	const requests = takers.map((taker) => outputOf(r, taker));
	const wanted = await lab.moments(model, requests);
	const shifted: { node: number; tensor: string }[] = [];
	let current = rewritten(net, { gone, shifted }, tensors);
	for (const [at, { node, weight, outputs }] of takers.entries()) {
		const [now] = await lab.moments(current, [present(requests[at], 'a request')]);
		const [want, have] = [meansOf(present(wanted[at], 'moments')), meansOf(present(now, 'moments'))];
		const tensor = `${node.id}.shift`;
		const values = want.map((mean, channel) => mean - (have[channel] ?? 0));
		tensors.set(tensor, tensorOf(tensor, weight.type, [outputs], values));
		shifted.push({ node: node.id, tensor });
		current = rewritten(net, { gone, shifted }, tensors);
	}
	const without = await lab.drift(model, rewritten(net, { gone, shifted: [] }, tensors));
	const drift = await lab.drift(model, current);
	if (drift.relativeL2 < without.relativeL2) return shifted;
	tensors.clear();
	return [];
}

const meansOf = ({ count, sum }: { readonly count: number; readonly sum: Float64Array }): Float64Array =>
	sum.map((one) => one / count);

/** As far as these many operators behind a bias: a residual sum is read to the end of the network. */
const reach = 24;

/** The next operators with a bias that stays, in the order of the graph. */
function takersOf(r: Rewriting, gone: readonly number[]): Projection[] {
	const found = new Map<number, Projection>();
	for (const id of gone) {
		const [start = ''] = resultOf(r, projectionOf(r, id)).outputs;
		const seen = new Set<number>();
		const queue = r.numbersReaders(start);
		for (let node = queue.shift(); node !== undefined && seen.size < reach; node = queue.shift()) {
			if (seen.has(node.id)) continue;
			seen.add(node.id);
			const projection = projectionAt(r, node);
			if (typeof projection === 'string')
				queue.push(...node.outputs.flatMap((name) => r.numbersReaders(name)));
			else if (!gone.includes(node.id) && typeof biasOf(r, projection) === 'object')
				found.set(node.id, projection);
		}
	}
	const order = new Map(r.standing().map((node, at) => [node.id, at]));
	return [...found.values()].sort((a, b) => (order.get(a.node.id) ?? 0) - (order.get(b.node.id) ?? 0));
}

function projectionOf(r: Rewriting, id: number): Projection {
	const projection = projectionAt(r, present(r.node(id), 'a projection'));
	return typeof projection === 'string' ? bug('a plan names a bias that is not there', { id }) : projection;
}

function rewritten(net: Net, decision: Unbiased, tensors: ReadonlyMap<string, Tensor>): Model {
	return applyPatch(net.model, {
		label: 'without biases',
		edits: rewritingOf(net, decision, tensors).edits(),
	});
}

function rewritingOf(net: Net, { gone, shifted }: Unbiased, tensors: ReadonlyMap<string, Tensor>): Rewriting {
	const r = new Rewriting(net);
	for (const id of gone) {
		const projection = projectionOf(r, id);
		setBias(r, projection, new Float64Array(projection.outputs));
	}
	for (const { node, tensor } of shifted) {
		const projection = projectionOf(r, node);
		const shift = numbersOf(present(tensors.get(tensor), tensor));
		const bias = biasOf(r, projection);
		if (typeof bias !== 'object') return bug('a plan shifts a bias that is not there', { node });
		setBias(
			r,
			projection,
			bias.map((value, at) => value + (shift[at] ?? 0)),
		);
	}
	return r;
}

/**
 * Reference: what the operators put out, less their bias, and the shifts added to what others put out. Controls: nothing gone, and the shifts
 * left out.
 */
export function lowerUnbiased({ net, decision, tensors, label }: LowerTask<Unbiased>): Lowered {
	const r = new Rewriting(net);
	for (const id of decision.gone) {
		const projection = projectionOf(r, id);
		const bias = biasOf(r, projection);
		if (typeof bias === 'object')
			addBehind(
				r,
				projection,
				bias.map((value) => -value),
			);
	}
	for (const { node, tensor } of decision.shifted)
		addBehind(r, projectionOf(r, node), numbersOf(present(tensors.get(tensor), tensor)));
	const reference = applyPatch(net.model, { label: 'reference', edits: r.edits() });
	return {
		patch: { label, edits: rewritingOf(net, decision, tensors).edits() },
		claims: [
			{
				says: 'results less their bias, and shifts added to what others put out',
				reference,
				controls: [() => net.model, () => rewritten(net, { ...decision, shifted: [] }, tensors)],
			},
		],
	};
}

/** An addition of its own behind a projection and its bias. */
function addBehind(r: Rewriting, projection: Projection, values: ArrayLike<number>): void {
	const last: Node = resultOf(r, projection);
	const { value, axis } = outputOf(r, projection);
	const rank = r.sizesOf(value)?.length ?? 1;
	const raw = r.value(`${value}_plain`, value);
	const dims = [projection.outputs, ...new Array<number>(rank - 1 - axis).fill(1)];
	const name = r.constant(`${value}_less`, projection.weight.type, dims, values);
	r.put({ ...last, outputs: [raw, ...last.outputs.slice(1)] });
	r.insert({ name: '', op: 'Add', domain: '', inputs: [raw, name], outputs: [value], attributes: new Map() });
}
