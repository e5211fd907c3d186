/** `auto`: matrices get factors where those are faster, one first factor together or each its own. */
import { type Diagnostic } from '../../diagnostic.ts';
import { type Edit } from '../../ir/graph/patch.ts';
import { notFaster } from '../../messages/factorize.ts';
import { noGain } from '../../messages/plan.ts';
import { biasOf } from '../exact/bias.ts';
import { factorEdits } from './factor-graph.ts';
import { type Site } from './factor-sites.ts';
import { factorTogether, type Together } from './factor-together.ts';
import { worthwhile, type Stopwatch } from './pace.ts';
import { automatic } from './ranks.ts';
import { type PlanRequest } from '../technique.ts';

export type Outcome = { readonly found: readonly Together[]; readonly refused: readonly Diagnostic[] };

/** @param group matrices that read one value alike, or one. */
export async function factorAuto(
	group: readonly Site[],
	request: PlanRequest,
	stopwatch: Stopwatch,
): Promise<Outcome> {
	const found: Together[] = [];
	const refused: Diagnostic[] = [];
	for (const site of group) {
		const alone = await factorAlone(site, request, stopwatch);
		if ('code' in alone) refused.push(alone);
		else found.push(alone);
	}
	const together = group.length === 1 ? undefined : await factorTogether(group, request);
	if (together === undefined || 'code' in together) return { found, refused };
	const isBetter = await pays(together, { group, found, request, stopwatch });
	return isBetter ? { found: [together], refused: [] } : { found, refused };
}

async function factorAlone(
	site: Site,
	request: PlanRequest,
	stopwatch: Stopwatch,
): Promise<Together | Diagnostic> {
	const found = await factorTogether([site], request);
	if ('code' in found) return found;
	const { where, values } = site;
	const [rank, place] = [found.rank, { span: request.step.span, at: where }];
	const [ratio] = (await stopwatch.ratios(partAround([site]), [editsOf([found], request)])) ?? [];
	if (ratio !== undefined) return ratio <= worthwhile ? found : notFaster({ where, rank, ratio }, place);
	const most = Math.floor((automatic.macs * values.rows * values.cols) / (values.rows + values.cols));
	return rank <= most ? found : noGain({ where, rank, most }, place);
}

type Rivals = {
	readonly group: readonly Site[];
	/** Those of them with factors of their own. */
	readonly found: readonly Together[];
	readonly request: PlanRequest;
	readonly stopwatch: Stopwatch;
};

/** Whether one first factor is worth it, and better than what single ones come to. */
async function pays(together: Together, { group, found, request, stopwatch }: Rivals): Promise<boolean> {
	const rivals = found.length === 0 ? [[together]] : [[together], found];
	const edits = rivals.map((rival) => editsOf(rival, request));
	const ratios = await stopwatch.ratios(partAround(group), edits);
	const [joint = 1, single = 1] = ratios ?? byMacs(together, group, found);
	return joint <= (ratios === undefined ? automatic.macs : worthwhile) && joint < single;
}

/** Multiply–adds of both ways over those of the matrices as they are. */
function byMacs(together: Together, group: readonly Site[], found: readonly Together[]): readonly number[] {
	const factored = new Set(found.flatMap(({ matrices }) => matrices.map(({ node }) => node)));
	const plain = (sites: readonly Site[]): number =>
		sites.reduce((sum, { values: { rows, cols } }) => sum + rows * cols, 0);
	const rest = plain(group.filter(({ linear }) => !factored.has(linear.node.node.id)));
	const single = found.reduce((sum, { macs }) => sum + macs, rest);
	return [together.macs / plain(group), single / plain(group)];
}

/** The products, and the additions of biases that the rewrite changes. */
function partAround(sites: readonly Site[]): ReadonlySet<number> {
	return new Set(
		sites.flatMap(({ linear: { node }, values }) => [
			node.node.id,
			biasOf(node, values.cols).place?.node ?? node.node.id,
		]),
	);
}

function editsOf(found: readonly Together[], { net }: PlanRequest): readonly Edit[] {
	const matrices = found.flatMap((one) => one.matrices);
	const tensors = new Map(found.flatMap((one) => one.tensors.map((tensor) => [tensor.name, tensor])));
	return factorEdits({ net, decision: { matrices }, tensors }).edits;
}
