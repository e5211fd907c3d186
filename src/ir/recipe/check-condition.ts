/** Conditions over the fields of a unit. */
import { bug, type Diagnostic } from '../../diagnostic.ts';
import * as messages from '../../messages/check.ts';
import { wrongUnit } from '../../messages/quantities.ts';
import { type Expression, type Unit } from '../../parser/syntax.ts';
import { type Checking, quantityOf } from './checking.ts';
import { type Arithmetic, type Comparison, type Predicate, type Term } from './recipe.ts';
import { statementName, type TechniqueWords } from './vocabulary.ts';

/** Fields that every unit has; the metrics that can rank it come by their names. */
export const unitFields = ['importance', 'layer', 'index', 'size', 'params', 'macs'] as const;

const plainUnits: ReadonlySet<Unit> = new Set<Unit>(['', '%', 'K', 'M', 'G']);

/** Whether a name is a field, else its message. */
type Fields = (name: string) => ((span: Expression['span']) => Diagnostic) | undefined;

/** The condition of `where`, over the fields of a unit. */
export function checkWhere(
	found: Expression,
	technique: TechniqueWords,
	checking: Checking,
): Predicate | undefined {
	return checkCondition(found, (name) => unitField(name, technique, checking), checking);
}

/** The condition of `when`, over the signals of a technique. */
export function checkSignals(
	found: Expression,
	technique: TechniqueWords,
	checking: Checking,
): Predicate | undefined {
	const { signals } = technique;
	if (signals === undefined) return undefined;
	const known = signals.map(({ word }) => word);
	const said = { known, technique: statementName(technique) };
	const fields: Fields = (name) =>
		known.includes(name) ? undefined : (span) => messages.unknownSignal({ found: name, ...said }, { span });
	return checkCondition(found, fields, checking);
}

/** A condition whose fields are known; the parser has checked that conditions and terms alternate. */
function checkCondition(found: Expression, fields: Fields, checking: Checking): Predicate | undefined {
	if (found.kind === 'prefix') {
		const operand = checkCondition(found.operand, fields, checking);
		return operand && { kind: 'not', operand };
	}
	if (found.kind !== 'infix') return undefined;
	const { sign } = found;
	if (sign === 'matches')
		return found.right.kind === 'text' ? { kind: 'matches', glob: found.right.value } : undefined;
	if (sign === 'and' || sign === 'or') {
		const left = checkCondition(found.left, fields, checking);
		const right = checkCondition(found.right, fields, checking);
		return left && right && { kind: sign, left, right };
	}
	const left = checkTerm(found.left, fields, checking);
	const right = checkTerm(found.right, fields, checking);
	return left && right && { kind: 'compare', op: sign as Comparison, left, right };
}

function checkTerm(found: Expression, fields: Fields, checking: Checking): Term | undefined {
	switch (found.kind) {
		case 'number': {
			const quantity = quantityOf(found.number, checking);
			if (quantity === undefined) return undefined;
			if (plainUnits.has(quantity.unit)) return { kind: 'number', value: quantity.base };
			const what = 'a number a field is compared with';
			checking.problems.push(wrongUnit({ found: quantity.text, what, example: '0.1' }, { span: found.span }));
			return undefined;
		}
		case 'field': {
			const problem = fields(found.name)?.(found.span);
			if (problem === undefined) return { kind: 'field', name: found.name };
			checking.problems.push(problem);
			return undefined;
		}
		case 'prefix': {
			const operand = checkTerm(found.operand, fields, checking);
			return operand && { kind: 'negate', operand };
		}
		case 'infix': {
			const left = checkTerm(found.left, fields, checking);
			const right = checkTerm(found.right, fields, checking);
			return left && right && { kind: 'arithmetic', op: found.sign as Arithmetic, left, right };
		}
		case 'text':
			return bug('a string stands where the parser wants a term', { found });
	}
}

function unitField(name: string, technique: TechniqueWords, checking: Checking): ReturnType<Fields> {
	const { metrics } = technique;
	const own: readonly string[] = [
		...unitFields,
		...(technique.fields ?? []).map(({ word }) => word),
		...metrics,
	];
	if (own.includes(name)) return undefined;
	if (checking.vocabulary.metrics.some((metric) => metric.name === name)) {
		const said = { found: name, technique: statementName(technique), known: metrics };
		return (span) => messages.metricNotHere(said, { span });
	}
	return (span) => messages.unknownField({ found: name, known: own }, { span });
}
