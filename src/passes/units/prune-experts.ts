/** Experts of a mixture: their matrices, stacked or each by itself, and their place in what the router scores. */
import { type Diagnostic } from '../../diagnostic.ts';
import { type Passage } from '../../ir/axes/barriers.ts';
import { type Family } from '../../ir/axes/families.ts';
import { type NetTensor } from '../../ir/axes/net.ts';
import { intAttribute } from '../../ir/axes/view.ts';
import { pinned } from '../../messages/plan.ts';
import { pruneUnits } from './prune-units.ts';
import { handedOnBy, ownWeights } from './silent.ts';
import { groupsOf, wideFamilies } from './structures.ts';
import { type Found, type PlanRequest } from '../technique.ts';
import { type UnitGroup } from './units.ts';

export const pruneExperts = pruneUnits({
	target: 'experts',
	unit: 'experts',
	aliases: ['expert'],
	align: 1,
	summary:
		'Remove experts of mixtures: their matrices and their scores; the router then chooses among the others.',
	example: 'prune experts 25%',
	find: (request) => {
		const [stacked, separate] = [stackedExperts(request), separateExperts(request)];
		return {
			groups: [...stacked.groups, ...separate.groups].map((group, layer) => ({ ...group, layer })),
			refused: [...stacked.refused, ...separate.refused],
			total: stacked.total + separate.total,
		};
	},
});

const choosing: readonly Passage[] = ['routed', 'competing'];
const named = (name: string): string => `the experts of '${name}'`;

function stackedExperts(request: PlanRequest): Found {
	const families = wideFamilies(request, ...choosing).filter(
		(family) => isChosen(family) && isStacked(family),
	);
	return groupsOf(request, 'experts', families, named);
}

/** Experts with operators of their own, of which each is picked by its number. */
function separateExperts(request: PlanRequest): Found {
	const families = wideFamilies(request, ...choosing, 'picked').filter(
		(family) => isChosen(family) && !isStacked(family) && isPickedFrom(family),
	);
	const found = groupsOf(request, 'experts', families, named);
	const refused: Diagnostic[] = [];
	const groups = found.groups.flatMap((group): UnitGroup[] => {
		const all = Array.from({ length: group.family.units }, (_, unit) => unit);
		const stuck = all.flatMap((unit) => whyStuck(request, group, unit) ?? []);
		if (stuck[0] !== undefined) {
			refused.push(pinned({ what: group.label, why: stuck[0] }, { span: request.step.span }));
			return [];
		}
		return [{ ...group, own: all.map((unit) => ownWeights(request.net, group.family, unit)) }];
	});
	return { ...found, groups, refused: [...found.refused, ...refused] };
}

function whyStuck({ net }: PlanRequest, { family }: UnitGroup, unit: number): string | undefined {
	const handedOn = handedOnBy(net, family, new Set([unit]));
	if ('why' in handedOn) return handedOn.why;
	return handedOn.length === 0 ? `nothing is left out where one of them is not chosen` : undefined;
}

/** Whether positions are chosen among, or share one sum. */
function isChosen({ letters }: Family): boolean {
	return [...letters].some(([node, classes]) =>
		(node.row?.letters ?? []).some(
			({ role }, letter) => choosing.includes(role) && classes[letter] !== undefined,
		),
	);
}

/** Whether matrices of each lie on one axis. */
function isStacked({ axes }: Family): boolean {
	return [...axes].some(
		([tensor, own]) =>
			tensor.constant !== undefined && tensor.sizes.length > 2 && own[0] !== undefined && !isKernel(tensor),
	);
}

/** A convolution's kernel holds a filter for each channel that comes out; a matrix for each group where there are several. */
function isKernel({ consumers }: NetTensor): boolean {
	return consumers.some(
		({ node, view }) => node.op.startsWith('Conv') && intAttribute(view, 'group', 1) === 1,
	);
}

function isPickedFrom({ letters, axes }: Family): boolean {
	const isOne = (units: Int32Array | undefined): boolean => units?.length === 1 && (units[0] ?? -1) >= 0;
	const byNumber = [...letters].some(([node, classes]) =>
		(node.row?.selected ?? []).some(({ letter, coordinates }) =>
			coordinates.some((at) => (classes[letter]?.[at] ?? -1) >= 0),
		),
	);
	return byNumber || [...axes.values()].some((own) => own.some(isOne));
}
