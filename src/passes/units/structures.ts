/** Structures that lie in no layer's block: channels, residual width, recurrent units. Each is a choice among the families of the model. */
import { type Diagnostic } from '../../diagnostic.ts';
import { mayLose } from '../../ir/anatomy/state.ts';
import { type Passage } from '../../ir/axes/barriers.ts';
import { findFamilies, isFilled, type Family } from '../../ir/axes/families.ts';
import { operandOf, type NetNode, type NetTensor } from '../../ir/axes/net.ts';
import { type Part } from '../../ir/axes/row.ts';
import { matchesGlob } from '../../ir/glob.ts';
import { pinned } from '../../messages/plan.ts';
import { leastOf } from '../scores/limits.ts';
import { layersInScope, namesOf } from '../scope.ts';
import { type Found, type PlanRequest } from '../technique.ts';
import { type UnitGroup } from './units.ts';

/** Families that may pass norms and means, whose reference computes the statistic over what is kept, and what else is asked for. */
export function wideFamilies({ net, step }: PlanRequest, ...passages: readonly Passage[]): Family[] {
	return findFamilies(net, {
		io: mayLose(net, step.mayChange),
		roles: new Set<Passage>(['statistic', ...passages]),
	});
}

/**
 * Families as groups of units, in graph order, and those that cannot go. A position of a weight belongs to one of them at most: where
 * families read an axis in several ways (groups of channels, channels of each group), the finest comes first.
 */
export function groupsOf(
	request: PlanRequest,
	kind: string,
	families: readonly Family[],
	label: (name: string) => string,
): Found {
	const layers = layerNames(request);
	const inScope = families.filter((family) => isInScope(request, family, layers));
	const isLive = (family: Family): boolean => family.units > leastOf(family);
	const isStuck = (family: Family): boolean => (family.units > 1 ? !isLive(family) : family.pinned > 1);
	// Of an axis that can be read in a way that goes, the other ways are no news: q, k and v above the heads of a packed projection.
	const all = distinct([...inScope.filter(isLive), ...inScope.filter(isStuck)]);
	const live = all.filter(isLive).sort((a, b) => firstOf(a) - firstOf(b));
	const groups = live.map((family, layer): UnitGroup => {
		const names = namesIn(family);
		return { family, layer, key: `${kind}/${firstOf(family)}`, label: label(names[0] ?? ''), names };
	});
	const stuck = all.filter(isStuck);
	return {
		groups,
		refused: stuck.map((family) => refusal(request, family, label)),
		total: [...live, ...stuck].reduce((sum, { units, pinned: fixed }) => sum + units + fixed, 0),
	};
}

/** The lowest id among the nodes whose weights the family cuts: it stays the same while other nodes come and go. */
function firstOf(family: Family): number {
	return Math.min(...weightNodes(family).map(({ node }) => node.id));
}

const isStored = (tensor: NetTensor): boolean => tensor.constant !== undefined || isFilled(tensor);

/** Nodes that have a weight cut by the family, in graph order. */
function weightNodes(family: Family): NetNode[] {
	return [...family.letters.keys()]
		.filter((node) =>
			node.inputs.some(
				(tensor) =>
					tensor !== undefined &&
					isStored(tensor) &&
					tensor.sizes.length > 1 &&
					family.axes.get(tensor)?.some(Boolean),
			),
		)
		.sort((a, b) => a.index - b.index);
}

/** Names of the nodes and weights that a family cuts, in graph order. */
export function namesIn(family: Family): string[] {
	return weightNodes(family).flatMap((node) => [
		node.node.name || (node.node.outputs[0] ?? ''),
		...node.inputs.flatMap((tensor) =>
			tensor !== undefined && isStored(tensor) && family.axes.has(tensor) ? [tensor.name] : [],
		),
	]);
}

const oneUnderNorm = 'a norm over the one that is left would give the same whatever goes in';

function refusal({ step }: PlanRequest, family: Family, label: (name: string) => string): Diagnostic {
	const [name = ''] = namesIn(family);
	return pinned(
		{
			what: label(name),
			why: family.reasons[0] ?? (family.units > 1 ? oneUnderNorm : 'nothing there can go'),
		},
		{ span: step.span, at: name },
	);
}

/** Families that share no position of a weight, the one with most units first. */
function distinct(families: readonly Family[]): Family[] {
	const taken = new Map<string, Uint8Array>();
	return families
		.toSorted((a, b) => b.units - a.units)
		.filter((family) => {
			const axes = weightAxes(family);
			const isFree = axes.every(({ key, units }) => {
				const set = taken.get(key);
				return set === undefined || !units.some((unit, at) => set[at] === 1 && claims(family, unit));
			});
			if (isFree)
				axes.forEach(({ key, units }) => {
					const set = taken.get(key) ?? new Uint8Array(units.length);
					taken.set(key, set);
					for (let at = 0; at < units.length; at++) if (claims(family, units[at] ?? -1)) set[at] = 1;
				});
			return isFree;
		});
}

/** Where nothing can go, the family stands for all that it touches. */
const claims = (family: Family, unit: number): boolean => unit >= 0 || family.units === 0;

/** Axes of weights that a family touches, with the unit at each position. */
function weightAxes(family: Family): { readonly key: string; readonly units: Int32Array }[] {
	return [...family.axes].flatMap(([tensor, axes]) =>
		!isStored(tensor) || tensor.sizes.length < 2
			? []
			: axes.flatMap((units, axis) => (units ? [{ key: `${tensor.key}|${axis}`, units }] : [])),
	);
}

/** Whether the statement means a family: by globs over `namesIn`, or by `layers`, the names that belong to the layers it asks for. */
export function isInScope(request: PlanRequest, family: Family, layers: ReadonlySet<string>): boolean {
	const { step, protect } = request;
	const names = namesIn(family);
	const globs = (places: typeof step.in): string[] =>
		places.flatMap((place) => (place.kind === 'glob' ? [place.glob] : []));
	const matches = (all: readonly string[]): boolean =>
		names.some((name) => all.some((glob) => matchesGlob(glob, name)));
	const inside = step.in.length === 0 || matches(globs(step.in)) || names.some((name) => layers.has(name));
	const outside = matches(globs(step.except)) || matches(protect) || inExceptedLayer(request, names);
	return inside && !outside;
}

/** Names of the nodes and weights of the layers that the statement asks for by number. */
function layerNames(request: PlanRequest): Set<string> {
	if (!request.step.in.some(({ kind }) => kind !== 'glob')) return new Set();
	return new Set(layersInScope(request).flatMap(({ layer }) => namesOf(layer)));
}

function inExceptedLayer(request: PlanRequest, names: readonly string[]): boolean {
	const { step } = request;
	const layers = step.except.filter(({ kind }) => kind !== 'glob');
	if (layers.length === 0) return false;
	const kept = layersInScope({ ...request, step: { ...step, in: layers, except: [] } });
	const excepted = new Set(kept.flatMap(({ layer }) => namesOf(layer)));
	return names.some((name) => excepted.has(name));
}

/** Whether the family cuts what a node puts out through a weight: filters, columns. */
export function writesAt(family: Family, node: NetNode): boolean {
	const classes = family.letters.get(node);
	return (node.row?.terms ?? []).some(({ side, slot, parts }) => {
		const weight = side === 'in' ? operandOf(node, side, slot) : undefined;
		const writes = ({ letter }: Part): boolean =>
			classes?.[letter] !== undefined && node.row?.letters[letter]?.role === 'carried';
		return weight?.fixed === true && weight.sizes.length > 1 && parts.some(writes);
	});
}

/** One input channel a group: what comes out of a channel goes in through the same one. */
export function isDepthwise({ node, inputs }: NetNode): boolean {
	const group = node.attributes.get('group');
	return group?.kind === 'int' && group.value > 1 && inputs[1]?.sizes[1] === 1;
}
