/** The parts of a transform: amounts, sets, clauses. */
import { type CstNode, type IToken } from 'chevrotain';
import { type Diagnostic, present } from '../diagnostic.ts';
import { inOrder, leaf, leaves, node, nodes, spanOf, tokenSpan } from './cst.ts';
import { readCondition } from './expression.ts';
import { type Item, type PlaceSyntax, type Positions, type RangeSyntax, type Word } from './syntax.ts';
import { readNumber, readText } from './values.ts';

export function wordOf(token: IToken): Word {
	return { text: token.image, span: tokenSpan(token) };
}

type Reading = (from: CstNode, problems: Diagnostic[]) => Item | undefined;

const readings: Readonly<Record<string, Reading>> = {
	counted: readCounted,
	amount: readAmount,
	places: readPlaces,
	where: readWhere,
	named: readNamed,
};

/** An `item` node that was read without an error, unless it is a stray. */
export function readItem(from: CstNode, problems: Diagnostic[]): Item | undefined {
	if (leaf(from, 'Globally') !== undefined) return { kind: 'globally', span: spanOf(from) };
	for (const [name, read] of Object.entries(readings)) {
		const child = node(from, name);
		if (child !== undefined) return read(child, problems);
	}
	return undefined;
}

function readCounted(from: CstNode, problems: Diagnostic[]): Item {
	const word = present(leaf(from, 'word'), 'the word of a counted clause').image;
	const value = readNumber(present(node(from, 'number'), 'the number of a counted clause'), problems);
	return { kind: word as 'keep' | 'lowest' | 'rank' | 'energy' | 'align' | 'min', value, span: spanOf(from) };
}

/** A lone number counts; a range or a list names positions. */
function readAmount(from: CstNode, problems: Diagnostic[]): Item {
	const positions = readPositions(present(node(from, 'positions'), 'the positions of an amount'), problems);
	const [only] = positions.ranges;
	if (!positions.listed && only?.kind === 'index')
		return { kind: 'count', value: only.at, span: positions.span };
	return { kind: 'set', positions, span: positions.span };
}

function readPositions(from: CstNode, problems: Diagnostic[]): Positions {
	const ranges = nodes(from, 'range').map((range) => readRange(range, problems));
	return { ranges, listed: leaf(from, 'ListOpen') !== undefined, span: spanOf(from) };
}

function readRange(from: CstNode, problems: Diagnostic[]): RangeSyntax {
	const span = spanOf(from);
	const first = node(from, 'from');
	const start = first && readNumber(first, problems);
	const extent = node(from, 'extent');
	if (extent === undefined) return { kind: 'index', at: present(start, 'the position of an index'), span };
	const [last, step] = [node(extent, 'to'), node(extent, 'number')];
	return {
		kind: 'range',
		...(start !== undefined && { from: start }),
		...(last !== undefined && { to: readNumber(last, problems) }),
		inclusive: leaf(extent, 'DotsEqual') !== undefined,
		...(step !== undefined && { step: readNumber(step, problems) }),
		span,
	};
}

function readPlaces(from: CstNode, problems: Diagnostic[]): Item {
	const places = nodes(from, 'place').map((place) => readPlace(place, problems));
	return { kind: leaf(from, 'In') === undefined ? 'except' : 'in', places, span: spanOf(from) };
}

function readPlace(from: CstNode, problems: Diagnostic[]): PlaceSyntax {
	const span = spanOf(from);
	const text = leaf(from, 'String');
	if (text !== undefined) return { kind: 'glob', glob: readText(text).value, span };
	const positions = node(from, 'positions');
	return {
		kind: 'words',
		words: leaves(from, 'Word').map(wordOf),
		...(positions !== undefined && { positions: readPositions(positions, problems) }),
		span,
	};
}

function readWhere(from: CstNode, problems: Diagnostic[]): Item | undefined {
	const condition = readCondition(present(node(from, 'expression'), 'the condition of a where'), problems);
	return condition && { kind: 'where', condition, span: spanOf(from) };
}

function readNamed(from: CstNode): Item {
	const word = wordOf(present(leaf(from, 'Word'), 'the name in a clause'));
	return { kind: leaf(from, 'By') === undefined ? 'only' : 'by', word, span: spanOf(from) };
}

/** The first token of a `stray` node. */
export function strayToken(from: CstNode): IToken {
	const [first] = inOrder(from);
	return present(first !== undefined && 'image' in first ? first : undefined, 'the first token of a stray');
}
