/** Conditions over the fields of a unit. */
import { bug } from '../../diagnostic.ts';
import * as messages from '../../messages/check.ts';
import { wrongUnit } from '../../messages/quantities.ts';
import { type Expression, type Unit } from '../../parser/syntax.ts';
import { type Checking, quantityOf } from './checking.ts';
import { type Arithmetic, type Comparison, type Predicate, type Term } from './recipe.ts';
import { type TechniqueWords } from './vocabulary.ts';

/** Fields that every unit has; the metrics that can rank it come by their names. */
export const unitFields = ['importance', 'layer', 'index', 'size', 'params', 'macs'] as const;

const plainUnits: ReadonlySet<Unit> = new Set<Unit>(['', '%', 'K', 'M', 'G']);

/** A condition whose fields are known to the technique; the parser has checked that conditions and terms alternate. */
export function checkCondition(
	found: Expression,
	technique: TechniqueWords,
	checking: Checking,
): Predicate | undefined {
	if (found.kind === 'prefix') {
		const operand = checkCondition(found.operand, technique, checking);
		return operand && { kind: 'not', operand };
	}
	if (found.kind !== 'infix') return undefined;
	const { sign } = found;
	if (sign === 'matches')
		return found.right.kind === 'text' ? { kind: 'matches', glob: found.right.value } : undefined;
	if (sign === 'and' || sign === 'or') {
		const left = checkCondition(found.left, technique, checking);
		const right = checkCondition(found.right, technique, checking);
		return left && right && { kind: sign, left, right };
	}
	const left = checkTerm(found.left, technique, checking);
	const right = checkTerm(found.right, technique, checking);
	return left && right && { kind: 'compare', op: sign as Comparison, left, right };
}

function checkTerm(found: Expression, technique: TechniqueWords, checking: Checking): Term | undefined {
	switch (found.kind) {
		case 'number': {
			const quantity = quantityOf(found.number, checking);
			if (quantity === undefined) return undefined;
			if (plainUnits.has(quantity.unit)) return { kind: 'number', value: quantity.base };
			const what = 'a number a field is compared with';
			checking.problems.push(wrongUnit({ found: quantity.text, what, example: '0.1' }, { span: found.span }));
			return undefined;
		}
		case 'field':
			return checkField(found.name, found.span, technique, checking);
		case 'prefix': {
			const operand = checkTerm(found.operand, technique, checking);
			return operand && { kind: 'negate', operand };
		}
		case 'infix': {
			const left = checkTerm(found.left, technique, checking);
			const right = checkTerm(found.right, technique, checking);
			return left && right && { kind: 'arithmetic', op: found.sign as Arithmetic, left, right };
		}
		case 'text':
			return bug('a string stands where the parser wants a term', { found });
	}
}

function checkField(
	name: string,
	span: Expression['span'],
	technique: TechniqueWords,
	checking: Checking,
): Term | undefined {
	if (unitFields.some((field) => field === name) || technique.metrics.includes(name))
		return { kind: 'field', name };
	const { verb, target, metrics } = technique;
	if (checking.vocabulary.metrics.some((metric) => metric.name === name)) {
		checking.problems.push(
			messages.metricNotHere({ found: name, technique: `${verb} ${target}`, known: metrics }, { span }),
		);
	} else {
		checking.problems.push(
			messages.unknownField({ found: name, known: [...unitFields, ...metrics] }, { span }),
		);
	}
	return undefined;
}
