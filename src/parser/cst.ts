/** Reading of chevrotain's tree: children by name, and the span of anything. */
import { type CstElement, type CstNode, type IToken } from 'chevrotain';
import { type Span } from '../diagnostic.ts';

export function nodes(parent: CstNode, name: string): readonly CstNode[] {
	return (parent.children[name] ?? []).filter((child) => 'children' in child);
}

export function node(parent: CstNode, name: string): CstNode | undefined {
	return nodes(parent, name)[0];
}

export function leaves(parent: CstNode, name: string): readonly IToken[] {
	return (parent.children[name] ?? []).filter((child) => 'image' in child);
}

export function leaf(parent: CstNode, name: string): IToken | undefined {
	return leaves(parent, name)[0];
}

/** All children in the order of the text. */
export function inOrder(parent: CstNode): readonly CstElement[] {
	return Object.values(parent.children)
		.flat()
		.map((child) => ({ child, at: spanOf(child).start }))
		.toSorted((a, b) => a.at - b.at)
		.map(({ child }) => child);
}

/** The tokens of a node in the order of the text. */
export function tokensIn(parent: CstNode): readonly IToken[] {
	return inOrder(parent).flatMap((child) => ('image' in child ? [child] : tokensIn(child)));
}

export function tokenSpan(token: IToken): Span {
	return { start: token.startOffset, end: token.startOffset + token.image.length };
}

/** Spans of nodes that were asked for: every level of a tree asks for those below it. */
const spans = new WeakMap<CstNode, Span | undefined>();

/** From the first token to the last; a node without tokens is at 0. */
export function spanOf(element: CstElement): Span {
	return extentOf(element) ?? { start: 0, end: 0 };
}

function extentOf(element: CstElement): Span | undefined {
	if ('image' in element) return tokenSpan(element);
	if (spans.has(element)) return spans.get(element);
	let extent: Span | undefined;
	for (const child of Object.values(element.children).flat()) {
		const inner = extentOf(child);
		if (inner === undefined) continue;
		const { start, end } = extent ?? inner;
		extent = { start: Math.min(start, inner.start), end: Math.max(end, inner.end) };
	}
	spans.set(element, extent);
	return extent;
}
