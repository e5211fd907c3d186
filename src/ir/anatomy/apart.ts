/** Attentions whose heads go together, since they read one mask by head or one weight: which projections are whose. */
import { type NetNode } from '../axes/net.ts';
import { matrixOf, type Block } from './parts.ts';

/** Blocks that would claim each other's projections are left with those around their own product. */
export function apart(blocks: readonly Block[]): Block[] {
	const claims = new Map<NetNode, number>();
	for (const { node } of blocks.flatMap(({ linears }) => linears))
		claims.set(node, (claims.get(node) ?? 0) + 1);
	return blocks.map((block) => {
		if (block.linears.every(({ node }) => claims.get(node) === 1)) return block;
		const near = nodesAround(block);
		return { ...block, linears: block.linears.filter(({ node }) => near.has(node)) };
	});
}

/** The nodes of a block, up to the first products with a weight on either side, those included. */
export function nodesAround({ node }: Pick<Block, 'node'>): ReadonlySet<NetNode> {
	const near = new Set([node]);
	spread(node, near, ({ inputs }) => inputs.flatMap((input) => input?.producer ?? []));
	spread(node, near, ({ outputs }) => outputs.flatMap((output) => output?.consumers ?? []));
	return near;
}

/** What is behind a size is behind no number. */
const asksSizes: ReadonlySet<string> = new Set(['Shape', 'Size']);

/** Adds what is reached up to the first products with a weight, those included. */
function spread(from: NetNode, reached: Set<NetNode>, next: (node: NetNode) => readonly NetNode[]): void {
	const pending = [from];
	for (let node = pending.pop(); node !== undefined; node = pending.pop())
		for (const neighbour of next(node)) {
			if (reached.has(neighbour)) continue;
			reached.add(neighbour);
			if (matrixOf(neighbour) === undefined && !asksSizes.has(neighbour.node.op)) pending.push(neighbour);
		}
}
