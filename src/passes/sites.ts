/** Which nodes a statement speaks of, where the units are single operators: by name, or by the layer they stand in. */
import { Fault } from '../diagnostic.ts';
import { type Layer } from '../ir/anatomy/parts.ts';
import { type NetNode } from '../ir/axes/net.ts';
import { matchesGlob } from '../ir/glob.ts';
import { type Node } from '../ir/graph/graph.ts';
import { type Place } from '../ir/recipe/recipe.ts';
import { nothingSelected } from '../messages/plan.ts';
import { layersInScope } from './scope.ts';
import { type PlanRequest } from './technique.ts';

/**
 * Whether a node is in scope and unprotected. It belongs to the layer of the nearest block that reads it, else of the
 * nearest that it reads.
 */
export function sitesInScope(request: PlanRequest): (node: Node) => boolean {
	const { step, net, protect } = request;
	const [wanted, unwanted] = [globsOf(step.in), globsOf(step.except)];
	if (wanted.length > 0 && !net.nodes.some(({ node }) => named(node, wanted)))
		throw new Fault(nothingSelected({ what: 'node', nearest: '' }, { span: step.spans.in ?? step.span }));
	const [inside, outside] = [nodesIn(step.in, request), nodesIn(step.except, request)];
	return (node) =>
		(step.in.length === 0 || named(node, wanted) || inside.has(node.id)) &&
		!named(node, unwanted) &&
		!outside.has(node.id) &&
		!named(node, protect);
}

function globsOf(places: readonly Place[]): string[] {
	return places.flatMap((place) => (place.kind === 'glob' ? [place.glob] : []));
}

function named({ name, inputs, outputs }: Node, globs: readonly string[]): boolean {
	return globs.some((glob) => [name, ...inputs, ...outputs].some((one) => matchesGlob(glob, one)));
}

/** Nodes of the layers that these places select. */
function nodesIn(places: readonly Place[], request: PlanRequest): ReadonlySet<number> {
	const layered = places.filter((place) => place.kind !== 'glob');
	if (layered.length === 0) return new Set();
	const step = { ...request.step, in: layered, except: [] };
	const chosen = new Set(layersInScope({ ...request, step, protect: [] }).map(({ layer }) => layer));
	const home = new Map<NetNode, Layer>();
	for (const layer of request.anatomy.layers)
		for (const { node, linears } of layer.blocks)
			for (const one of [node, ...linears.map((linear) => linear.node)]) home.set(one, layer);
	const found = request.net.nodes.filter((node) => {
		const layer = nearest(node, home, readers) ?? nearest(node, home, makers);
		return layer !== undefined && chosen.has(layer);
	});
	return new Set(found.map(({ node }) => node.id));
}

const readers = (node: NetNode): NetNode[] => node.outputs.flatMap((tensor) => tensor?.consumers ?? []);
const makers = (node: NetNode): NetNode[] => node.inputs.flatMap((tensor) => tensor?.producer ?? []);

function nearest<T>(
	from: NetNode,
	home: ReadonlyMap<NetNode, T>,
	next: (node: NetNode) => readonly NetNode[],
): T | undefined {
	const seen = new Set([from]);
	const queue = [from];
	for (let node = queue.shift(); node !== undefined && seen.size < 64; node = queue.shift()) {
		const layer = home.get(node);
		if (layer !== undefined) return layer;
		for (const other of next(node)) {
			if (seen.has(other)) continue;
			seen.add(other);
			queue.push(other);
		}
	}
	return undefined;
}
