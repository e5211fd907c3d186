/** Conditions: a flat run of operands and signs becomes a tree by precedence, and every sign gets the operands it takes. */
import { type CstNode, type IToken } from 'chevrotain';
import { type Diagnostic, type Span } from '../diagnostic.ts';
import { nearest } from '../messages/nearest.ts';
import * as messages from '../messages/parse.ts';
import { inOrder, leaf, leaves, node, nodes, spanOf, tokenSpan } from './cst.ts';
import { type Expression, type InfixSign } from './syntax.ts';
import { readNumber, readText } from './values.ts';

export const longestCondition = 1000;

/** How tightly a sign binds; equal ones group to the left. */
export const binding: Readonly<Record<InfixSign | 'not' | 'negate', number>> = {
	or: 1,
	and: 2,
	not: 3,
	...{ '<': 4, '<=': 4, '>': 4, '>=': 4, '==': 4, '!=': 4, matches: 4 },
	...{ '+': 5, '-': 5 },
	...{ '*': 6, '/': 6 },
	negate: 7,
};

type Piece =
	| { readonly kind: 'prefix'; readonly sign: 'not' | '-'; readonly span: Span }
	| { readonly kind: 'infix'; readonly sign: InfixSign; readonly span: Span }
	| { readonly kind: 'operand'; readonly operand: Expression };

/** Reads an `expression` node as a condition. Nothing when it is too long to be handled, or is none: the checker meets terms and conditions only where they belong. */
export function readCondition(from: CstNode, problems: Diagnostic[]): Expression | undefined {
	if (countSigns(from) > longestCondition) {
		problems.push(messages.longCondition({ limit: longestCondition }, { span: spanOf(from) }));
		return undefined;
	}
	const condition = readExpression(from, problems);
	const before = problems.length;
	checkCondition(condition, problems);
	return problems.length === before ? condition : undefined;
}

function countSigns(from: CstNode): number {
	const operands = nodes(from, 'operand');
	return operands.reduce((sum, operand) => {
		const inner = node(operand, 'expression');
		return sum + leaves(operand, 'prefix').length + (inner === undefined ? 0 : countSigns(inner));
	}, operands.length - 1);
}

function readExpression(from: CstNode, problems: Diagnostic[]): Expression {
	const pieces: Piece[] = [];
	for (const child of inOrder(from)) {
		if ('image' in child) pieces.push(infixPiece(child, problems));
		else pieces.push(...operandPieces(child, problems));
	}
	return climb(pieces.reverse(), 0);
}

function infixPiece(token: IToken, problems: Diagnostic[]): Piece {
	const span = tokenSpan(token);
	if (token.image === '=') problems.push(messages.singleEquals({}, { span }));
	return { kind: 'infix', sign: token.image === '=' ? '==' : (token.image as InfixSign), span };
}

function operandPieces(operand: CstNode, problems: Diagnostic[]): Piece[] {
	const prefixes = leaves(operand, 'prefix').map((token): Piece => ({
		kind: 'prefix',
		sign: token.image as 'not' | '-',
		span: tokenSpan(token),
	}));
	return [...prefixes, { kind: 'operand', operand: readOperand(operand, problems) }];
}

function readOperand(from: CstNode, problems: Diagnostic[]): Expression {
	const group = node(from, 'expression');
	if (group !== undefined) return readExpression(group, problems);
	const number = node(from, 'number');
	if (number !== undefined) {
		const read = readNumber(number, problems);
		return { kind: 'number', number: read, span: read.span };
	}
	const text = leaf(from, 'String');
	if (text !== undefined) return { kind: 'text', ...readText(text) };
	const word = leaf(from, 'Word');
	return {
		kind: 'field',
		name: word?.image ?? '',
		span: word === undefined ? spanOf(from) : tokenSpan(word),
	};
}

/** Takes pieces off the end (they are reversed) while their signs bind tighter than `loosest`. */
function climb(pieces: Piece[], loosest: number): Expression {
	let left = climbPrefix(pieces);
	for (let next = pieces.at(-1); next?.kind === 'infix'; next = pieces.at(-1)) {
		if (binding[next.sign] <= loosest) break;
		pieces.pop();
		const operand = climb(pieces, binding[next.sign]);
		const right = next.sign === 'matches' ? globIn(operand) : operand;
		left = {
			kind: 'infix',
			sign: next.sign,
			left,
			right,
			span: { start: left.span.start, end: right.span.end },
		};
	}
	return left;
}

/** `$name` behind `matches` holds a glob. */
function globIn(found: Expression): Expression {
	if (found.kind !== 'number' || found.number.kind !== 'param' || found.number.negative) return found;
	return { kind: 'text', value: '', span: found.span, param: found.number.name };
}

function climbPrefix(pieces: Piece[]): Expression {
	const piece = pieces.pop();
	if (piece?.kind === 'prefix') {
		const operand = climb(pieces, piece.sign === 'not' ? binding.not - 1 : binding.negate);
		return {
			kind: 'prefix',
			sign: piece.sign,
			operand,
			span: { start: piece.span.start, end: operand.span.end },
		};
	}
	if (piece?.kind === 'operand') return piece.operand;
	return { kind: 'text', value: '', span: { start: 0, end: 0 } };
}

const joins: ReadonlySet<string> = new Set(['and', 'or']);
const compares: ReadonlySet<string> = new Set(['<', '<=', '>', '>=', '==', '!=']);

function checkCondition(found: Expression, problems: Diagnostic[]): void {
	if (found.kind === 'prefix' && found.sign === 'not') {
		checkCondition(found.operand, problems);
	} else if (found.kind === 'infix' && joins.has(found.sign)) {
		checkCondition(found.left, problems);
		checkCondition(found.right, problems);
	} else if (found.kind === 'infix' && found.sign === 'matches') {
		const fits = found.left.kind === 'field' && found.left.name === 'name' && found.right.kind === 'text';
		if (!fits) problems.push(messages.globExpected({}, { span: found.span }));
	} else if (found.kind === 'infix' && compares.has(found.sign)) {
		checkTerm(found.left, problems);
		checkTerm(found.right, problems);
	} else {
		problems.push(noCondition(found));
	}
}

function noCondition(found: Expression): Diagnostic {
	const place = { span: found.span };
	const said = (example: string, fix?: string): Diagnostic =>
		messages.conditionExpected({ found: described(found), example, fix }, place);
	if (found.kind !== 'field') return said('layer == 3 or layer == 4');
	if (found.name === 'name') return said('name matches "*.attention.*"');
	return nearest(found.name, ['', 'not']) === 'not'
		? said('not layer < 3', 'not')
		: said(`${found.name} < 0.1`);
}

function checkTerm(found: Expression, problems: Diagnostic[]): void {
	if (found.kind === 'number' || found.kind === 'field') return;
	if (found.kind === 'prefix' && found.sign === '-') {
		checkTerm(found.operand, problems);
	} else if (found.kind === 'infix' && ['+', '-', '*', '/'].includes(found.sign)) {
		checkTerm(found.left, problems);
		checkTerm(found.right, problems);
	} else {
		const chained = found.kind === 'infix' && compares.has(found.sign);
		problems.push(messages.termExpected({ found: described(found), chained }, { span: found.span }));
	}
}

function described(found: Expression): string {
	switch (found.kind) {
		case 'number':
			return 'a number';
		case 'field':
			return `the field \`${found.name}\``;
		case 'text':
			return 'a string';
		case 'prefix':
			return found.sign === 'not' ? 'a condition' : 'a term';
		case 'infix':
			return ['+', '-', '*', '/'].includes(found.sign) ? 'a term' : 'a condition';
	}
}
