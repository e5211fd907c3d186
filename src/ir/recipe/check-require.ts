/** `require`: what a model must be for the recipe to apply. */
import * as messages from '../../messages/declarations.ts';
import { tooSmall, wrongUnit } from '../../messages/quantities.ts';
import { printStatement } from '../../parser/print.ts';
import { type MeasureSyntax, type RequireStatement, type Unit } from '../../parser/syntax.ts';
import { type Checking, quantityOf } from './checking.ts';
import { type Family, type Property, type Requirement } from './recipe.ts';
import { wordsOf, wordsSpan } from './subjects.ts';

export const families: Readonly<Record<Family, string>> = {
	transformer: 'some layer has attention',
	convolutional: 'some node is a convolution',
	recurrent: 'some node is an LSTM, GRU or RNN',
};
export const properties: Readonly<Record<Property, string>> = {
	opset: 'the version of the ONNX operators',
	layers: 'residual layers',
	heads: 'attention heads of the widest layer',
	params: 'parameters',
};

export function checkRequirement(statement: RequireStatement, checking: Checking): Requirement | undefined {
	const { subject, bound, measures, span, broken } = statement;
	const words = wordsOf(subject);
	const text = printStatement(statement);
	const [family, next] = subject;
	if (family !== undefined && next !== undefined && Object.hasOwn(families, family.text)) {
		const found = { found: next.text, known: ['with'] };
		checking.problems.push(messages.unknownProperty(found, { span: next.span }));
		return undefined;
	}
	if (bound !== undefined) {
		const first = conditionOf({ subject, ...bound }, checking);
		return first && { text, conditions: [first], span };
	}
	if (!Object.hasOwn(families, words)) {
		const known = [...Object.keys(families), ...Object.keys(properties)];
		const needed = Object.hasOwn(properties, words);
		const place = { span: wordsSpan(subject) };
		if (needed && !broken)
			checking.problems.push(
				messages.missingBound({ subject: words, needed, example: `require ${words} >= 6` }, place),
			);
		else if (!needed) checking.problems.push(messages.unknownProperty({ found: words, known }, place));
		return undefined;
	}
	const conditions = measures.flatMap((one) => conditionOf(one, checking) ?? []);
	return { text, family: words as Family, conditions, span };
}

const counts: ReadonlySet<Unit> = new Set<Unit>(['', 'K', 'M', 'G']);

function conditionOf(
	measure: MeasureSyntax,
	checking: Checking,
): Requirement['conditions'][number] | undefined {
	const found = wordsOf(measure.subject);
	if (!Object.hasOwn(properties, found)) {
		const known = Object.keys(properties);
		checking.problems.push(messages.unknownProperty({ found, known }, { span: wordsSpan(measure.subject) }));
		return undefined;
	}
	const quantity = quantityOf(measure.value, checking);
	if (quantity === undefined) return undefined;
	const { base, unit, text, span } = quantity;
	const what = `a number of ${found}`;
	if (!counts.has(unit)) checking.problems.push(wrongUnit({ found: text, what, example: '6' }, { span }));
	else if (base < 0) checking.problems.push(tooSmall({ found: text, what, least: 0 }, { span }));
	else return { property: found as Property, op: measure.sign, value: base };
	return undefined;
}
