/** Where a statement looks: which layers, by the numbers of the model as it was given. */
import { Fault, type Diagnostic } from '../diagnostic.ts';
import { type Block, type Layer } from '../ir/anatomy/parts.ts';
import { matchesGlob } from '../ir/glob.ts';
import { namedPositions, rangesText, readingOf, resolveRanges } from '../ir/recipe/ranges.ts';
import { type Place } from '../ir/recipe/recipe.ts';
import { editDistance } from '../messages/nearest.ts';
import { alreadyRemoved, emptyRange, noAnatomy, noSuchUnit, rangeOverRemoved } from '../messages/plan.ts';
import { type PlanRequest } from './technique.ts';

/** A layer that still stands, with the number it had in the model as given. */
export type Placed = { readonly layer: Layer; readonly given: number };

/** Layers in scope, in order. Throws `Fault` when an explicit scope selects none. */
export function layersInScope({ step, anatomy, numbering, protect }: PlanRequest): Placed[] {
	const all = anatomy.layers.map((layer, at) => ({ layer, given: numbering.layers[at] ?? at }));
	const selected = (place: Place): Placed[] => all.filter((one) => isIn(place, one, numbering.layerCount));
	for (const place of step.in) {
		if (place.kind === 'layers') checkListed(place, numbering);
		if (selected(place).length === 0) throw new Fault(nothingIn(place, all, numbering.layerCount));
	}
	return all.filter(
		(one) =>
			(step.in.length === 0 || step.in.some((place) => selected(place).includes(one))) &&
			!step.except.some((place) => selected(place).includes(one)) &&
			!namesOf(one.layer).some((name) => protect.some((glob) => matchesGlob(glob, name))),
	);
}

/** A layer that is named and gone is an error; a range may run over it. */
function checkListed(place: Extract<Place, { kind: 'layers' }>, numbering: PlanRequest['numbering']): void {
	for (const { written, at } of namedPositions(place.ranges, numbering.layerCount)) {
		const outside = at < 0 || at >= numbering.layerCount;
		const unit = { what: 'layer', where: '' };
		if (outside && place.ranges.length > 1)
			throw new Fault(
				noSuchUnit({ ...unit, index: written, count: numbering.layerCount }, { span: place.span }),
			);
		if (!outside && !numbering.layers.includes(at))
			throw new Fault(alreadyRemoved({ ...unit, index: at }, { span: place.span }));
	}
}

/** A note for every range of layers in a statement's scope that runs over removed ones. */
export function rangesOverRemoved({ step, numbering }: PlanRequest): Diagnostic[] {
	return step.in.flatMap((place) => {
		if (place.kind !== 'layers') return [];
		const gone = resolveRanges(place.ranges, numbering.layerCount).filter(
			(at) => !numbering.layers.includes(at),
		);
		return gone.length === 0
			? []
			: [rangeOverRemoved({ gone, what: 'layer', where: '' }, { span: place.span })];
	});
}

function nothingIn(place: Place, all: readonly Placed[], count: number): Diagnostic {
	const { span } = place;
	const names = [all[0]?.layer.name, all.at(-1)?.layer.name].flatMap((name) => name ?? []);
	if (place.kind === 'layers' && resolveRanges(place.ranges, count).length === 0) {
		const reading = readingOf(place.ranges);
		return emptyRange({ what: `layers ${rangesText(place.ranges)}`, count, reading, names }, { span });
	}
	if (place.kind !== 'glob') return noAnatomy({ target: 'layers', scoped: true }, { span });
	return noAnatomy({ target: 'layers', scoped: true, near: nearNames(place.glob, all) }, { span });
}

/** The names that are most like a glob which matches none. */
function nearNames(glob: string, all: readonly Placed[]): string[] {
	const plain = glob.replaceAll('*', '');
	const names = [...new Set(all.flatMap(({ layer }) => namesOf(layer)))].filter(Boolean).slice(0, 2000);
	const ranked = names
		.map((name) => ({ name, distance: editDistance(plain, name) }))
		.toSorted((a, b) => a.distance - b.distance);
	const near = ranked.slice(0, 3).map(({ name }) => `'${name}'`);
	return near.length === 0 ? [] : [`the nearest names are ${near.join(', ')}`];
}

function isIn(place: Place, { layer, given }: Placed, count: number): boolean {
	switch (place.kind) {
		case 'layers':
			return (
				resolveRanges(place.ranges, count).includes(given) &&
				(place.stack === undefined || isOf(layer, place.stack))
			);
		case 'stack':
			return isOf(layer, place.stack);
		case 'cross-attention':
			return layer.blocks.some((block) => block.cross);
		case 'glob':
			return namesOf(layer).some((name) => matchesGlob(place.glob, name));
	}
}

function isOf(layer: Layer, stack: 'encoder' | 'decoder'): boolean {
	return layer.blocks.some((block) => block.cross)
		? stack === 'decoder'
		: namesOf(layer).some((name) => name.includes(stack));
}

/** The first layer behind a given one that `protect` names. */
export function protectedBehind(
	{ anatomy, numbering, protect }: PlanRequest,
	given: number,
): number | undefined {
	const layers = anatomy.layers.map((layer, at) => ({ layer, own: numbering.layers[at] ?? at }));
	const found = layers.find(
		({ layer, own }) =>
			own > given && namesOf(layer).some((name) => protect.some((glob) => matchesGlob(glob, name))),
	);
	return found?.own;
}

export function namesOf(layer: Layer): string[] {
	return layer.blocks.flatMap(namesOfBlock);
}

export function namesOfBlock(block: Block): string[] {
	return [
		block.node.node.name,
		...block.linears.flatMap((linear) => [linear.node.node.name, linear.weight.name]),
	];
}
