/** Where a statement looks: which layers, by the numbers of the model as it was given. */
import { Fault } from '../diagnostic.ts';
import { type Block, type Layer } from '../ir/anatomy/parts.ts';
import { matchesGlob } from '../ir/glob.ts';
import { resolveRanges } from '../ir/recipe/ranges.ts';
import { type Place } from '../ir/recipe/recipe.ts';
import { emptyRange } from '../messages/plan.ts';
import { type PlanRequest } from './technique.ts';

/** A layer that still stands, with the number it had in the model as given. */
export type Placed = { readonly layer: Layer; readonly given: number };

/** Layers in scope, in order. Throws `Fault` when an explicit scope selects none. */
export function layersInScope({ step, anatomy, numbering, protect }: PlanRequest): Placed[] {
	const all = anatomy.layers.map((layer, at) => ({ layer, given: numbering.layers[at] ?? at }));
	const selected = (place: Place): Placed[] => all.filter((one) => isIn(place, one, numbering.layerCount));
	for (const place of step.in) {
		if (place.kind === 'layers' && selected(place).length === 0) {
			throw new Fault(
				emptyRange(
					{ what: wordsOf(place), count: numbering.layerCount, kind: 'layer' },
					{ span: place.span },
				),
			);
		}
	}
	return all.filter(
		(one) =>
			(step.in.length === 0 || step.in.some((place) => selected(place).includes(one))) &&
			!step.except.some((place) => selected(place).includes(one)) &&
			!namesOf(one.layer).some((name) => protect.some((glob) => matchesGlob(glob, name))),
	);
}

function wordsOf(place: Extract<Place, { kind: 'layers' }>): string {
	const bound = (end: { index: number } | { percent: number } | undefined): string =>
		end === undefined ? '' : 'percent' in end ? `${end.percent}%` : String(end.index);
	return `layers ${place.ranges.map((range) => `${bound(range.from)}..${range.inclusive ? '=' : ''}${bound(range.to)}`).join(', ')}`;
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

export function namesOf(layer: Layer): string[] {
	return layer.blocks.flatMap(namesOfBlock);
}

export function namesOfBlock(block: Block): string[] {
	return [
		block.node.node.name,
		...block.linears.flatMap((linear) => [linear.node.node.name, linear.weight.name]),
	];
}
