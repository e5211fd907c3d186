/** What a model with fewer tokens must equal: the whole one, fed what stays. And models that are wrong by one token. */
import { bug, present } from '../../diagnostic.ts';
import { lookupEdits, lookupsOf, renumbering } from '../../ir/axes/lookup.ts';
import { type Cut } from '../../ir/axes/cut.ts';
import { type Net } from '../../ir/axes/net.ts';
import { type Model, type ValueName } from '../../ir/graph/graph.ts';
import { applyPatch, freshNames, type Edit } from '../../ir/graph/patch.ts';
import { ints } from '../../ir/graph/tensor.ts';
import { type Kept } from '../../ir/proof.ts';
import { attributeInt, insert } from '../edits.ts';

/** A model of the net's nodes that takes removed ids for the unknown one, and those that stay for themselves or ones `further` on. */
export function renumbered(
	net: Net,
	model: Model,
	cut: Cut,
	unknown: number | undefined,
	further: number,
): Model {
	if (unknown === undefined) return model;
	const fresh = freshNames(model.graph);
	const edits: Edit[] = [];
	for (const netNode of net.nodes) {
		const own = lookupsOf(netNode).filter(({ letter }) => cut.letters.get(netNode)?.[letter]);
		if (own.length === 0) continue;
		const node = model.graph.nodes.find(({ id }) => id === netNode.node.id) ?? netNode.node;
		const inputs = [...node.inputs];
		for (const { letter, slot = 0 } of own) {
			const dead = present(cut.letters.get(netNode)?.[letter], 'the rows that go');
			const table = oldPlaces(dead, unknown, further);
			const lookup = lookupEdits(renumbering(net, netNode, slot, table), fresh);
			edits.push(...lookup.edits);
			inputs[slot] = lookup.output;
		}
		edits.push({ kind: 'node', node: { ...node, inputs } });
	}
	return applyPatch(model, { label: 'reference', edits });
}

function oldPlaces(dead: Uint8Array, unknown: number, further: number): number[] {
	const stay = Array.from(dead, (_, at) => at).filter((at) => dead[at] !== 1);
	const next = new Map(stay.map((at, place) => [at, stay[(place + further) % stay.length] ?? at]));
	return Array.from(dead, (_, at) => next.get(at) ?? next.get(unknown) ?? unknown);
}

/** Outputs with each kept position in the place of the one before; where one alone is kept, with a neighbour that goes in its place. */
export function shifted(net: Net, model: Model, kept: Kept): Model {
	const fresh = freshNames(model.graph);
	const edits = [...kept].flatMap(([name, axes]) =>
		[...axes].flatMap(([axis, positions]) => {
			const size = present(net.tensors.get(name), 'an output').sizes[axis] ?? 0;
			return shift(model, name, { axis, size, positions }, fresh);
		}),
	);
	return applyPatch(model, { label: 'control', edits });
}

function shift(
	{ graph }: Model,
	name: ValueName,
	{ axis, size, positions }: { axis: number; size: number; positions: Int32Array },
	fresh: (base: string) => ValueName,
): Edit[] {
	const maker =
		graph.nodes.find(({ outputs }) => outputs.includes(name)) ?? bug('an output nobody makes', { name });
	const [index, whole] = [fresh(`${name}_order`), fresh(`${name}_whole`)];
	const order = Array.from({ length: size }, (_, place) => place);
	positions.forEach((place, turn) => {
		const next =
			positions.length > 1 ? positions[(turn + 1) % positions.length] : place === 0 ? 1 : place - 1;
		order[place] = next ?? place;
	});
	const outputs = maker.outputs.map((output) => (output === name ? whole : output));
	return [
		{ kind: 'node', node: { ...maker, outputs } },
		{ kind: 'constant', tensor: ints(index, [order.length], order) },
		insert('Gather', [whole, index], name, attributeInt('axis', axis)),
	];
}
