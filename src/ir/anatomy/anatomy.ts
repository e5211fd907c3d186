/**
 * What people call the parts of a network, found from its dataflow: attentions and their heads, feed-forward blocks and
 * their neurons, the residual values between them, and layers. Names only label what was found.
 */
import { findFamilies, type Family } from '../axes/families.ts';
import { type Net } from '../axes/net.ts';
import { apart } from './apart.ts';
import { findAttentions } from './attention.ts';
import { findFeedForwards } from './ffn.ts';
import { arrange } from './layers.ts';
import { linearOf, type Layer, type Linear } from './parts.ts';
import { mayLose } from './state.ts';

export type Anatomy = {
	readonly net: Net;
	readonly families: readonly Family[];
	readonly layers: readonly Layer[];
	readonly linears: readonly Linear[];
};

/**
 * Finds the anatomy. Key–value caches and other state pairs follow the heads they belong to; `mayChange` names other inputs and outputs
 * whose shape may follow too.
 */
export function findAnatomy(net: Net, mayChange: readonly string[] = []): Anatomy {
	const families = findFamilies(net, { io: mayLose(net, mayChange) });
	const attentions = apart(findAttentions(net, families));
	const blocks = [...attentions, ...findFeedForwards(families)].sort((a, b) => a.node.index - b.node.index);
	return {
		net,
		families,
		layers: arrange(blocks),
		linears: net.nodes.flatMap((node) => linearOf(node) ?? []),
	};
}
