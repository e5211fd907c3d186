/** `share … with basis`: the matrices that stand in one place of several layers read one basis, with coefficients of their own. */
import { Fault, present, type Diagnostic } from '../../diagnostic.ts';
import { type Block } from '../../ir/anatomy/parts.ts';
import { byteLength } from '../../ir/graph/dtype.ts';
import { positionsInWords } from '../../ir/recipe/ranges.ts';
import { layerStays, oneLayer } from '../../messages/layers.ts';
import { noGain } from '../../messages/plan.ts';
import { plainProducts } from '../../numerics/plain-products.ts';
import { type Factors } from '../low-rank/factor-graph.ts';
import { mostRank, rankWanted, sitesOf, type Site } from '../low-rank/factor-sites.ts';
import { factoredSites, sideBySide, type Together } from '../low-rank/factor-together.ts';
import { layersInScope } from '../scope.ts';
import { sharedBasis } from '../low-rank/shared-basis.ts';
import { saidOf, type Planned, type PlanRequest } from '../technique.ts';

type Member = { readonly given: number; readonly sites: readonly Site[] };

export async function planBasis(request: PlanRequest, kind: Block['kind']): Promise<Planned<Factors>> {
	const { step, numbering } = request;
	const { members, refused } = await membersIn(request, kind);
	const made: Together[] = [];
	const stays: Diagnostic[] = [...refused];
	for (const role of present(members[0], 'a layer').sites.keys()) {
		const sites = members.flatMap((member) => member.sites[role] ?? []);
		const found = await basisOf(sites, request);
		if ('code' in found) stays.push(found);
		else made.push(found);
	}
	const layers = made.length === 0 ? [] : members.map(({ given }) => given);
	return {
		plan: {
			...saidOf(step),
			selected: layers.length,
			of: members.length + new Set(refused.map(({ at }) => at)).size,
			unit: `layers ${savings(made, members)}`,
			removed: layers.map((layer) => ({ layer, units: [] })),
			refused: stays,
			certificates: made.flatMap(({ certificates }) => certificates),
			decision: { matrices: made.flatMap(({ matrices }) => matrices) },
		},
		tensors: new Map(made.flatMap(({ tensors }) => tensors.map((one) => [one.name, one] as const))),
		numbering,
	};
}

/** What is less to store, and what products with two factors take of one's time: less or more, as the rank is. */
function savings(made: readonly Together[], members: readonly Member[]): string {
	const nodes = new Set(made.flatMap(({ matrices }) => matrices.map(({ node }) => node)));
	const sites = members.flatMap((one) => one.sites.filter(({ linear }) => nodes.has(linear.node.node.id)));
	const before = sites.reduce(
		(sum, { type, values }) => sum + byteLength(type, values.rows * values.cols),
		0,
	);
	const after = made
		.flatMap(({ tensors }) => tensors)
		.filter(({ dims }) => dims.length === 2)
		.reduce((sum, { type, dims: [rows = 0, cols = 0] }) => sum + byteLength(type, rows * cols), 0);
	const macs = made.reduce((sum, one) => sum + one.macs, 0);
	const dense = sites.reduce((sum, { values }) => sum + values.rows * values.cols, 0);
	const share = dense === 0 ? 100 : Math.round((100 * macs) / dense);
	return `on ${made.length} bases (${before - after} bytes less to store, ${share}% of their multiply-adds)`;
}

/** Layers whose matrices have the sizes of the first one's. */
async function membersIn(
	request: PlanRequest,
	kind: Block['kind'],
): Promise<{ readonly members: readonly Member[]; readonly refused: readonly Diagnostic[] }> {
	const { step } = request;
	const layers = layersInScope({ ...request, step: { ...step, in: step.across } });
	const placed = layers.flatMap(({ layer, given }) =>
		layer.blocks
			.filter((block) => block.kind === kind)
			.flatMap(({ linears }) => linears.map((linear) => ({ linear, layer: given }))),
	);
	const found = await sitesOf(request, placed);
	const members: Member[] = [];
	const refused: Diagnostic[] = [...found.refused];
	for (const { given } of layers) {
		const sites = found.sites.filter(({ layer }) => layer === given);
		const count = placed.filter(({ layer }) => layer === given).length;
		const why = misfit(sites, count, members[0]?.sites ?? sites);
		if (why === undefined) members.push({ given, sites });
		else refused.push(layerStays({ layer: given, why }, { span: step.span, at: `layer ${given}` }));
	}
	if (members.length > 1) return { members, refused };
	const reading = positionsInWords(
		'layer',
		members.map(({ given }) => given),
	);
	const place = { span: step.spans.across ?? step.span };
	throw new Fault(oneLayer({ what: 'sharing', reading }, place), ...refused);
}

/** Why a layer cannot read the bases of the first one; undefined when it can. */
function misfit(own: readonly Site[], placed: number, other: readonly Site[]): string | undefined {
	if (own.length === 0) return 'its matrices were not found';
	if (own.length < placed) return 'not all of its matrices are stored as numbers';
	if (own.length !== other.length) return `it holds ${own.length} matrices, not ${other.length}`;
	const kindOf = ({ type, values: { rows, cols } }: Site): string => `${type} ${rows} × ${cols}`;
	const odd = own.find((site, role) => kindOf(site) !== kindOf(present(other[role], 'a matrix')));
	return odd && `'${odd.linear.weight.name}' is of another size or type`;
}

/** One basis for these matrices; or why that saves nothing. */
async function basisOf(sites: readonly Site[], request: PlanRequest): Promise<Together | Diagnostic> {
	const values = sideBySide(sites.map((site) => site.values));
	const where = sites.map((site) => site.where).join(', ');
	const most = mostRank(values);
	const place = { span: request.step.span, at: where };
	const wanted = rankWanted(request.step, values);
	if (typeof wanted === 'number' && wanted > most) return noGain({ where, rank: wanted, most }, place);
	const measured = sites.flatMap(({ inputs }) => inputs ?? []);
	const { basis, parts, certificates } = await sharedBasis(
		sites.map((site) => site.values),
		measured.length === sites.length ? measured : undefined,
		present(sites[0], 'a matrix').type,
		wanted,
		request.lab?.products ?? plainProducts,
	);
	if (basis.cols > most) return noGain({ where, rank: basis.cols, most }, place);
	const factored = sites.map((site, at) => {
		const { coefficients, shift } = present(parts[at], 'a layer');
		return { site, right: coefficients, shift };
	});
	const names = certificates.length === 1 ? [where] : sites.map((site) => site.where);
	return {
		...factoredSites(basis, factored),
		certificates: certificates.map((one, at) => ({ of: names[at] ?? where, ...one })),
		rank: basis.cols,
		macs: sites.length * basis.cols * (basis.rows + present(sites[0], 'a matrix').values.cols),
	};
}
