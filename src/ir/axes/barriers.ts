/**
 * What stands in the way of labels unless a permit lets it pass: an operator's role, or the fixed shape of a graph input or output.
 * A walk goes on behind it either way, so that one walk serves every permit.
 */
import { nodeLabel } from '../graph/graph.ts';
import { type Labels } from './classes.ts';
import { type NetNode, type NetTensor } from './net.ts';
import { type Role } from './row.ts';

/** What a permit may let pass: roles, and positions that an operator picks one of (`selected`, or an axis of one position). */
export type Passage = Role | 'picked';

export type Barrier = {
	readonly at: Passage | NetTensor;
	readonly labels: Labels;
	readonly why: string;
};

/** What may pass that is normally in the way. */
export type Permit = {
	/** Graph inputs and outputs whose shape may change. */
	readonly io?: (tensor: NetTensor) => boolean;
	readonly roles?: ReadonlySet<Passage>;
};

/** Roles that a permit may let pass. */
export const blocking: ReadonlySet<Role> = new Set([
	...(['statistic', 'competing', 'routed', 'indexed', 'scale', 'gate'] as const),
]);

export function passes({ at }: Barrier, { roles, io }: Permit): boolean {
	return typeof at === 'string' ? roles?.has(at) === true : io?.(at) === true;
}

/** Why a graph input or output stops labels, and what lets them pass. */
export function frozenReason({ io, name }: NetTensor): string {
	return `graph ${io.join(' and ')} '${name}' is frozen without \`may change "${name}"\``;
}

/** Why a role stops labels at a node, in words that a plan can print. */
export function roleReason(role: Role, node: NetNode): string {
	const label = nodeLabel(node.node);
	const reasons: Partial<Record<Role, string>> = {
		pinned: `${label} mixes every position of this axis`,
		competing: `${label} mixes every position of this axis`,
		statistic: `${label} takes a statistic over this axis`,
		routed: `${label} chooses among the positions of this axis`,
		indexed: `${label} selects rows of this axis by run-time index`,
		scale: `${label} computes its scale from this axis`,
		gate: `positions of this axis have fixed meanings at ${label}`,
	};
	return reasons[role] ?? label;
}
