/** What is measured and what it is compared with: `latency <= 60% and params <= 50%`. */
import { type CstNode, type IToken } from 'chevrotain';
import { type Diagnostic } from '../diagnostic.ts';
import * as messages from '../messages/parse.ts';
import { leaf, leaves, node, nodes, spanOf, tokenSpan } from './cst.ts';
import { type BoundSyntax, type ComparisonSign, type MeasureSyntax, type Word } from './syntax.ts';
import { readNumber } from './values.ts';

/** The subject of an `expect`, `require` or goal. */
export function readSubject(from: CstNode): readonly Word[] {
	return leaves(from, 'Word').map((token) => ({ text: token.image, span: tokenSpan(token) }));
}

/** A comparison sign and its number; nothing where there is none, `broken` where one of the two is missing. */
export function readBound(from: CstNode, problems: Diagnostic[]): BoundSyntax | 'broken' | undefined {
	const sign = leaf(from, 'ComparisonSign') ?? leaf(from, 'Equal');
	const value = node(from, 'bound');
	if (sign === undefined && value === undefined) return undefined;
	if (sign === undefined || value === undefined) return 'broken';
	const number = readNumber(value, problems);
	const span = { start: tokenSpan(sign).start, end: number.span.end };
	return { sign: comparison(sign, problems), value: number, span };
}

/** The measures of a node that has some. */
export function readMeasures(from: CstNode, problems: Diagnostic[]): readonly MeasureSyntax[] {
	const list = node(from, 'measures');
	return (list === undefined ? [] : nodes(list, 'measure')).flatMap((one) => {
		const bound = readBound(one, problems);
		if (bound === undefined || bound === 'broken') return [];
		return [{ subject: readSubject(one), sign: bound.sign, value: bound.value, span: spanOf(one) }];
	});
}

function comparison(sign: IToken, problems: Diagnostic[]): ComparisonSign {
	if (sign.image !== '=') return sign.image as ComparisonSign;
	problems.push(messages.singleEquals({}, { span: tokenSpan(sign) }));
	return '==';
}
