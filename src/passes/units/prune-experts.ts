/** Experts of a mixture: their matrices, and their place in what the router scores. */
import { type Family } from '../../ir/axes/families.ts';
import { type Role } from '../../ir/axes/row.ts';
import { pruneUnits } from './prune-units.ts';
import { groupsOf, wideFamilies } from './structures.ts';

export const pruneExperts = pruneUnits({
	target: 'experts',
	unit: 'experts',
	aliases: ['expert'],
	align: 1,
	summary:
		'Remove experts of mixtures: their stacked matrices and their scores; the router then chooses among the others.',
	example: 'prune experts 25%',
	find: (request) =>
		groupsOf(
			request,
			'experts',
			wideFamilies(request, ...choosing).filter(isMixture),
			(name) => `the experts of '${name}'`,
		),
});

const choosing: readonly Role[] = ['routed', 'competing'];

/** Whether positions are chosen among, or share one sum, and each has matrices of its own. */
function isMixture(family: Family): boolean {
	const chosen = [...family.letters].some(([node, classes]) =>
		(node.row?.letters ?? []).some(
			({ role }, letter) => choosing.includes(role) && classes[letter] !== undefined,
		),
	);
	const stacked = [...family.axes].some(
		([tensor, axes]) => tensor.constant !== undefined && tensor.sizes.length > 2 && axes[0] !== undefined,
	);
	return chosen && stacked;
}
