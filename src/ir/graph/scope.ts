/** Scopes of an opened graph: which lies in which. */
import { type Graph, type Node, type Scope, type Tensor, type ValueName } from './graph.ts';

/** What a scope held when it was opened: as long as it still does, it is written back as it was read. */
export type AsRead = {
	/** Every node in it, inner scopes' among them. */
	readonly nodes: readonly Node[];
	readonly tensors: readonly Tensor[];
	/** What comes out of a body, by the names of the opened graph. */
	readonly results: readonly ValueName[];
	/** It reads a value of the graph around it that has another name there now. */
	readonly renamed: boolean;
};

export const asRead = new WeakMap<Scope, AsRead>();

/** A scope and those around it, the innermost first; the main graph is none. */
export function around(scope: Scope | undefined): Scope[] {
	const chain: Scope[] = [];
	for (let at = scope; at !== undefined; at = at.parent) chain.push(at);
	return chain;
}

export function isInside(scope: Scope | undefined, outer: Scope): boolean {
	return around(scope).includes(outer);
}

/** The innermost scope that holds both; undefined is the main graph. */
export function commonScope(left: Scope | undefined, right: Scope | undefined): Scope | undefined {
	const own = new Set(around(left));
	return around(right).find((scope) => own.has(scope));
}

export function deepest(scopes: readonly (Scope | undefined)[]): Scope | undefined {
	return scopes.reduce(
		(best, scope) => (around(scope).length > around(best).length ? scope : best),
		undefined,
	);
}

/** Whether a graph is an opened one. */
export function isOpened({ nodes }: Graph): boolean {
	return nodes.some(({ scope, bodies }) => scope !== undefined || bodies !== undefined);
}

/** Values that are seen inside a body alone: they cannot be outputs of the model. */
export function valuesInBodies({ nodes }: Graph): Set<ValueName> {
	return new Set(nodes.flatMap((node) => (standsInBody(node) ? node.outputs : [])));
}

function standsInBody({ scope, bodies, op }: Node): boolean {
	const entry = bodies !== undefined && op.endsWith('In');
	return entry || around(scope).some(({ body }) => body !== undefined);
}
