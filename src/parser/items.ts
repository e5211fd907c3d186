/** The parts of a transform: amounts, sets, clauses. */
import { type CstNode, type IToken } from 'chevrotain';
import { type Diagnostic, present } from '../diagnostic.ts';
import * as messages from '../messages/parse.ts';
import { inOrder, leaf, leaves, node, nodes, spanOf, tokenSpan } from './cst.ts';
import { readCondition } from './expression.ts';
import { readMeasures } from './measures.ts';
import {
	type Item,
	type PlacesKind,
	type PlaceSyntax,
	type Positions,
	type RangeSyntax,
	type TextSyntax,
	type ValueSyntax,
	type Word,
	type WordKind,
} from './syntax.ts';
import { Parameter } from './tokens.ts';
import { readNumber, readText, readTextNode } from './values.ts';

/** A word, or the parameter that stands in its place. */
export function wordOf(token: IToken): Word {
	const word = { text: token.image, span: tokenSpan(token) };
	return token.tokenType === Parameter ? { ...word, param: token.image.slice(1) } : word;
}

/** A `value` node: what a parameter holds. */
export function readValue(from: CstNode, problems: Diagnostic[]): ValueSyntax {
	const [text, word] = [leaf(from, 'String'), leaf(from, 'Word')];
	if (text !== undefined) return { kind: 'text', ...readText(text) };
	if (word !== undefined) return { kind: 'word', ...wordOf(word) };
	const read = readPositions(present(node(from, 'positions'), 'the positions of a value'), problems);
	const [only] = read.ranges;
	return !read.listed && only?.kind === 'index' ? only.at : { kind: 'positions', ...read };
}

type Reading = (from: CstNode, problems: Diagnostic[]) => Item | undefined;

const readings: Readonly<Record<string, Reading>> = {
	counted: readCounted,
	amount: readAmount,
	places: readPlaces,
	where: (from, problems) => readConditional(from, 'where', problems),
	when: (from, problems) => readConditional(from, 'when', problems),
	named: readNamed,
	keep: readKeep,
	fit: readFit,
	goals: readGoals,
	consent: (from, problems) => ({ kind: 'may', names: readConsent(from, problems), span: spanOf(from) }),
};

/** An `item` node that was read without an error, unless it is a stray. */
export function readItem(from: CstNode, problems: Diagnostic[]): Item | undefined {
	if (leaf(from, 'Globally') !== undefined) return { kind: 'globally', span: spanOf(from) };
	if (leaf(from, 'Auto') !== undefined) return { kind: 'auto', span: spanOf(from) };
	const pattern = leaf(from, 'Pattern');
	if (pattern !== undefined) return readPattern(pattern);
	for (const [name, read] of Object.entries(readings)) {
		const child = node(from, name);
		if (child !== undefined) return read(child, problems);
	}
	return undefined;
}

function readCounted(from: CstNode, problems: Diagnostic[]): Item {
	const word = present(leaf(from, 'word'), 'the word of a counted clause').image;
	const value = readNumber(present(node(from, 'number'), 'the number of a counted clause'), problems);
	return {
		kind: word as 'lowest' | 'rank' | 'energy' | 'ratio' | 'align' | 'min',
		value,
		span: spanOf(from),
	};
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
	const word = present(leaf(from, 'word'), 'the word of a clause of places').image;
	return { kind: word as PlacesKind, places, span: spanOf(from) };
}

function readPlace(from: CstNode, problems: Diagnostic[]): PlaceSyntax {
	const span = spanOf(from);
	const text = node(from, 'text');
	if (text !== undefined) return { kind: 'glob', glob: readTextNode(text), span };
	const positions = node(from, 'positions');
	return {
		kind: 'words',
		words: leaves(from, 'Word').map(wordOf),
		...(positions !== undefined && { positions: readPositions(positions, problems) }),
		span,
	};
}

function readConditional(from: CstNode, kind: 'where' | 'when', problems: Diagnostic[]): Item | undefined {
	const condition = readCondition(present(node(from, 'expression'), 'the condition of a clause'), problems);
	return condition && { kind, condition, span: spanOf(from) };
}

function readKeep(from: CstNode, problems: Diagnostic[]): Item {
	const span = spanOf(from);
	const [positions, text, word] = [node(from, 'positions'), leaf(from, 'String'), leaf(from, 'Word')];
	const [times, corpus] = [node(from, 'number'), node(from, 'text')];
	if (times !== undefined && corpus !== undefined)
		return { kind: 'keep-seen', times: readNumber(times, problems), path: readTextNode(corpus), span };
	if (text !== undefined) return { kind: 'keep-file', path: readText(text), span };
	if (word !== undefined) return { kind: 'keep-word', word: wordOf(word), span };
	const read = readPositions(present(positions, 'what is kept'), problems);
	const [only] = read.ranges;
	if (!read.listed && only?.kind === 'index') return { kind: 'keep', value: only.at, span };
	return { kind: 'keep-list', positions: read, span };
}

function readPattern(token: IToken): Item {
	const [keep = 0, of = 0] = token.image.split(':').map(Number);
	return { kind: 'pattern', keep, of, span: tokenSpan(token) };
}

function readFit(from: CstNode, problems: Diagnostic[]): Item {
	const path = readTextNode(present(node(from, 'text'), 'the path of a fit'));
	const take = node(from, 'number');
	return {
		kind: 'fit',
		path,
		...(take !== undefined && { take: readNumber(take, problems) }),
		span: spanOf(from),
	};
}

function readGoals(from: CstNode, problems: Diagnostic[]): Item {
	const kind = leaf(from, 'Until') === undefined ? 'while' : 'until';
	return { kind, measures: readMeasures(from, problems), span: spanOf(from) };
}

/** The names behind `may change`; `change` is a word like any other to the grammar. */
export function readConsent(from: CstNode, problems: Diagnostic[]): readonly TextSyntax[] {
	const change = leaf(from, 'Word');
	if (change !== undefined && change.image !== 'change') {
		const wanted = '`change`, as `may change "logits"`';
		problems.push(messages.expected({ wanted, found: `\`${change.image}\`` }, { span: tokenSpan(change) }));
	}
	return nodes(from, 'text').map(readTextNode);
}

function readNamed(from: CstNode): Item {
	const named = leaf(from, 'Word') ?? leaf(from, 'Parameter');
	const word = wordOf(present(named, 'the name in a clause'));
	const kind = present(leaf(from, 'word'), 'the word of a clause').image;
	return { kind: kind as WordKind, word, span: spanOf(from) };
}

/** The first token of a `stray` node. */
export function strayToken(from: CstNode): IToken {
	const [first] = inOrder(from);
	return present(first !== undefined && 'image' in first ? first : undefined, 'the first token of a stray');
}
