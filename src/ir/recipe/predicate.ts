/** Evaluates a condition for one unit. */
import { matchesGlob } from '../glob.ts';
import { type Comparison, type Predicate, type Term } from './recipe.ts';

export type Fields = (name: string) => number;

export function evaluate(predicate: Predicate, fields: Fields, name: string): boolean {
	switch (predicate.kind) {
		case 'and':
			return evaluate(predicate.left, fields, name) && evaluate(predicate.right, fields, name);
		case 'or':
			return evaluate(predicate.left, fields, name) || evaluate(predicate.right, fields, name);
		case 'not':
			return !evaluate(predicate.operand, fields, name);
		case 'compare':
			return compare(predicate.op, valueOf(predicate.left, fields), valueOf(predicate.right, fields));
		case 'matches':
			return matchesGlob(predicate.glob, name);
	}
}

export function compare(op: Comparison, left: number, right: number): boolean {
	switch (op) {
		case '<':
			return left < right;
		case '<=':
			return left <= right;
		case '>':
			return left > right;
		case '>=':
			return left >= right;
		case '==':
			return left === right;
		case '!=':
			return left !== right;
	}
}

function valueOf(term: Term, fields: Fields): number {
	switch (term.kind) {
		case 'number':
			return term.value;
		case 'field':
			return fields(term.name);
		case 'negate':
			return -valueOf(term.operand, fields);
		case 'arithmetic':
			return arithmetic(term.op, valueOf(term.left, fields), valueOf(term.right, fields));
	}
}

function arithmetic(op: '+' | '-' | '*' | '/', left: number, right: number): number {
	switch (op) {
		case '+':
			return left + right;
		case '-':
			return left - right;
		case '*':
			return left * right;
		case '/':
			return left / right;
	}
}

/**
 * How far a condition is from being met, 0 when it is: relative distances of comparisons, added up by `and`, the
 * smaller one by `or`. Only the order of two distances means something.
 */
export function missBy(predicate: Predicate, fields: Fields, name: string): number {
	switch (predicate.kind) {
		case 'and':
			return missBy(predicate.left, fields, name) + missBy(predicate.right, fields, name);
		case 'or':
			return Math.min(missBy(predicate.left, fields, name), missBy(predicate.right, fields, name));
		case 'not':
		case 'matches':
			return evaluate(predicate, fields, name) ? 0 : 1;
		case 'compare': {
			const [left, right] = [valueOf(predicate.left, fields), valueOf(predicate.right, fields)];
			if (compare(predicate.op, left, right)) return 0;
			return Math.abs(left - right) / Math.max(Math.abs(left), Math.abs(right), Number.MIN_VALUE);
		}
	}
}

/** The fields that a predicate reads, with their values: `importance 0.213 and layer 3`. */
export function valuesText(predicate: Predicate, fields: Fields): string {
	const names = [...new Set(fieldsOf(predicate))];
	return names.map((name) => `${name} ${Number(fields(name).toPrecision(3))}`).join(' and ');
}

/** Names of fields that a predicate reads. */
export function fieldsOf(predicate: Predicate): string[] {
	switch (predicate.kind) {
		case 'and':
		case 'or':
			return [...fieldsOf(predicate.left), ...fieldsOf(predicate.right)];
		case 'not':
			return fieldsOf(predicate.operand);
		case 'compare':
			return [...termFields(predicate.left), ...termFields(predicate.right)];
		case 'matches':
			return [];
	}
}

/** The number that a term without fields stands for; undefined for one with fields. */
export function constantTerm(term: Term): number | undefined {
	return termFields(term).length === 0 ? valueOf(term, () => NaN) : undefined;
}

function termFields(term: Term): string[] {
	switch (term.kind) {
		case 'number':
			return [];
		case 'field':
			return [term.name];
		case 'negate':
			return termFields(term.operand);
		case 'arithmetic':
			return [...termFields(term.left), ...termFields(term.right)];
	}
}
