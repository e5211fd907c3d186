/** The width of the residual stream: what every layer reads and writes. */
import { type Family } from '../../ir/axes/families.ts';
import { type NetNode } from '../../ir/axes/net.ts';
import { matrixOf } from '../../ir/anatomy/parts.ts';
import { pruneUnits } from './prune-units.ts';
import { groupsOf, wideFamilies } from './structures.ts';
import { type Found, type PlanRequest } from '../technique.ts';
import { areTied } from './tied.ts';

export const pruneHidden = pruneUnits({
	target: 'hidden',
	unit: 'dimensions',
	listed: true,
	aliases: ['width', 'embeddings dims'],
	align: 16,
	refits: true,
	summary:
		'Remove dimensions of the residual stream from every table, projection and norm; norms then run over the kept ones.',
	example: 'prune hidden 25%',
	find: hidden,
});

function hidden(request: PlanRequest): Found {
	const streams = new Set(
		request.anatomy.layers.flatMap(({ residuals, ofBytes }) =>
			[...residuals, ...ofBytes].flatMap(({ before, after }) => [before, after]),
		),
	);
	const isStream = (family: Family): boolean =>
		[...family.axes].some(
			([tensor, axes]) => streams.has(tensor.name) && axes.some((units) => units !== undefined),
		) && [...family.letters.keys()].some((node) => cutsMatrix(family, node));
	const families = wideFamilies(request);
	const wide = families.filter(isStream);
	// A head that is tied to the table may read what a projection made of the stream: it loses the columns that the table loses.
	const mates = families.filter(
		(family) => !wide.includes(family) && wide.some((one) => areTied(one, family)),
	);
	return groupsOf(request, 'hidden', [...wide, ...mates], () => 'the residual width');
}

/** Places of an image or a sequence go past matrices; what the stream is wide, through them. */
function cutsMatrix({ axes }: Family, node: NetNode): boolean {
	const matrix = matrixOf(node)?.weight;
	return matrix !== undefined && axes.has(matrix);
}
