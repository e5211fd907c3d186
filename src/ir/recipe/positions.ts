/** Ranges, places and conditions of a statement, checked. */
import { type Span } from '../../diagnostic.ts';
import { emptyRange, notBoolean, unknownField, unknownPlace } from '../../messages/meaning.ts';
import { nearest } from '../../messages/nearest.ts';
import {
	type Expression,
	type NumberSyntax,
	type PlaceSyntax,
	type Positions,
	type RangeSyntax,
} from '../../parser/syntax.ts';
import { type Numbers } from './numbers.ts';
import { type Bound, type Comparison, type Place, type Predicate, type Range, type Term } from './recipe.ts';

export function checkPositions(
	{ ranges }: Positions,
	numbers: Numbers,
	text: (span: Span) => string,
): Range[] {
	return ranges.flatMap((range) => {
		const checked = checkRange(range, numbers);
		if (!isEmpty(checked)) return [checked];
		numbers.diagnostics.push(emptyRange({ text: text(range.span) }, { span: range.span }));
		return [];
	});
}

function checkRange(range: RangeSyntax, numbers: Numbers): Range {
	if (range.kind === 'index') {
		const at = boundOf(range.at, numbers);
		return { from: at, to: at, inclusive: true };
	}
	const step = range.step && numbers.whole(range.step, 'step', 1);
	return {
		...(range.from && { from: boundOf(range.from, numbers) }),
		...(range.to && { to: boundOf(range.to, numbers) }),
		...(range.inclusive && { inclusive: true }),
		...(step !== undefined && { step }),
	};
}

function boundOf(syntax: NumberSyntax, numbers: Numbers): Bound {
	const number = numbers.read(syntax);
	return number?.unit === '%' ? { percent: number.value } : { index: number?.value ?? 0 };
}

/** Both ends are of one kind and do not rise. */
function isEmpty({ from, to, inclusive }: Range): boolean {
	if (from === undefined || to === undefined) return false;
	const [low, high] =
		'percent' in from
			? [from.percent, 'percent' in to ? to.percent : NaN]
			: [from.index, 'index' in to ? to.index : NaN];
	if (low < 0 !== high < 0) return false;
	return inclusive === true ? low > high : low >= high;
}

export function checkPlace(
	place: PlaceSyntax,
	numbers: Numbers,
	text: (span: Span) => string,
): Place | undefined {
	const { span } = place;
	if (place.kind === 'glob') return { kind: 'glob', glob: place.glob, span };
	const words = place.words.map((word) => word.text);
	const ranges = place.positions && checkPositions(place.positions, numbers, text);
	const [first = '', second = ''] = words;
	const stack = first === 'encoder' || first === 'decoder' ? first : undefined;
	if (stack !== undefined && words.length === 1 && ranges === undefined)
		return { kind: 'stack', stack, span };
	if (stack !== undefined && second === 'layers' && ranges !== undefined)
		return { kind: 'layers', stack, ranges, span };
	if (first === 'layers' && words.length === 1 && ranges !== undefined)
		return { kind: 'layers', ranges, span };
	if (first === 'cross' && second === 'attention') return { kind: 'cross-attention', span };
	numbers.diagnostics.push(
		unknownPlace(
			{ place: words.join(' '), near: nearest(first, ['layers', 'encoder', 'decoder', 'cross']) },
			{ span },
		),
	);
	return undefined;
}

const comparisons: ReadonlySet<string> = new Set(['<', '<=', '>', '>=', '==', '!=']);
const arithmetic: ReadonlySet<string> = new Set(['+', '-', '*', '/']);

export class Conditions {
	private readonly numbers: Numbers;
	private readonly fields: readonly string[];
	private readonly text: (span: Span) => string;

	constructor(numbers: Numbers, fields: readonly string[], text: (span: Span) => string) {
		this.numbers = numbers;
		this.fields = fields;
		this.text = text;
	}

	predicate(expression: Expression): Predicate | undefined {
		if (expression.kind === 'prefix' && expression.sign === 'not') {
			const operand = this.predicate(expression.operand);
			return operand && { kind: 'not', operand };
		}
		if (expression.kind === 'infix') return this.infix(expression);
		this.numbers.diagnostics.push(
			notBoolean({ text: this.text(expression.span) }, { span: expression.span }),
		);
		return undefined;
	}

	private infix(expression: Extract<Expression, { kind: 'infix' }>): Predicate | undefined {
		const { sign, left, right } = expression;
		if (sign === 'and' || sign === 'or') {
			const [a, b] = [this.predicate(left), this.predicate(right)];
			return a && b && { kind: sign, left: a, right: b };
		}
		if (sign === 'matches' && right.kind === 'text') return { kind: 'matches', glob: right.value };
		if (comparisons.has(sign)) {
			const [a, b] = [this.term(left), this.term(right)];
			return a && b && { kind: 'compare', op: sign as Comparison, left: a, right: b };
		}
		this.numbers.diagnostics.push(
			notBoolean({ text: this.text(expression.span) }, { span: expression.span }),
		);
		return undefined;
	}

	private term(expression: Expression): Term | undefined {
		if (expression.kind === 'number') {
			const number = this.numbers.read(expression.number);
			return number && { kind: 'number', value: number.unit === '%' ? number.value / 100 : number.value };
		}
		if (expression.kind === 'field') return this.field(expression.name, expression.span);
		if (expression.kind === 'prefix' && expression.sign === '-') {
			const operand = this.term(expression.operand);
			return operand && { kind: 'negate', operand };
		}
		if (expression.kind === 'infix' && arithmetic.has(expression.sign)) {
			const [left, right] = [this.term(expression.left), this.term(expression.right)];
			return left && right && { kind: 'arithmetic', op: expression.sign as '+', left, right };
		}
		this.numbers.diagnostics.push(
			notBoolean({ text: this.text(expression.span) }, { span: expression.span }),
		);
		return undefined;
	}

	private field(name: string, span: Span): Term | undefined {
		if (this.fields.includes(name)) return { kind: 'field', name };
		this.numbers.diagnostics.push(
			unknownField({ field: name, near: nearest(name, this.fields), fields: this.fields }, { span }),
		);
		return undefined;
	}
}
