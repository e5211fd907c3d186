/** Syntax → canonical text, and the formatter made of it. */
import { type Diagnostic, hasErrors } from '../diagnostic.ts';
import { binding } from './expression.ts';
import { readRecipe } from './read.ts';
import {
	type Expression,
	type ExpectStatement,
	type Item,
	type NumberSyntax,
	type PlaceSyntax,
	type Positions,
	type RangeSyntax,
	type Setting,
	type Statement,
	type Syntax,
	type TextSyntax,
	type ValueSyntax,
} from './syntax.ts';
import { quote } from './values.ts';

/** The order in which clauses are printed. */
const order: readonly Item['kind'][] = [
	...(['count', 'set', 'pattern', 'keep', 'keep-list', 'keep-file', 'keep-seen', 'keep-word'] as const),
	...(['lowest', 'rank', 'energy', 'ratio', 'auto', 'by', 'globally', 'where', 'only', 'at'] as const),
	...(['in', 'except', 'across', 'after', 'when', 'fit', 'until', 'while', 'with', 'without'] as const),
	...(['align', 'min', 'may', 'stray'] as const),
];

/** One statement in canonical form, without its comments; lines but the first are indented. */
export function printStatement(statement: Statement): string {
	switch (statement.kind) {
		case 'recipe': {
			const { name, version, description } = statement;
			const first = join('recipe', name.text, version?.text);
			return description === undefined ? first : `${first}\n  ${quote(description.value)}`;
		}
		case 'param': {
			const { name, value, from, to } = statement;
			const bounds = from && to && `from ${printNumber(from)} to ${printNumber(to)}`;
			return join('param', name.text, '=', value && printValue(value), bounds);
		}
		case 'input': {
			const { value, quoted } = statement.name;
			return join('input', quoted ? quote(value) : value, statement.dims.join('x'));
		}
		case 'protect':
			return `protect ${statement.globs.map(printText).join(', ')}`;
		case 'transform': {
			const targets = statement.targets.map(({ text }) => text).join(', ');
			return printTransform(statement.verb.text, targets, statement.items);
		}
		default:
			return printOther(statement);
	}
}

type Other = Exclude<Statement['kind'], 'recipe' | 'param' | 'input' | 'protect' | 'transform'>;

function printOther(statement: Extract<Statement, { kind: Other }>): string {
	switch (statement.kind) {
		case 'calibrate':
		case 'evaluate': {
			const settings = statement.settings.map(printSetting);
			return join(statement.kind, 'with', printText(statement.path), ...settings);
		}
		case 'expect':
			return join('expect', printMeasure(statement));
		case 'require': {
			const conditions = statement.measures.map((one) => printMeasure({ ...one, bound: one }));
			return join(
				'require',
				printMeasure(statement),
				conditions.length > 0 && 'with',
				conditions.join(' and '),
			);
		}
		case 'may':
			return printConsent(statement.names);
		case 'use':
			return join('use', quote(statement.source.value), statement.alias && `as ${statement.alias.text}`);
		case 'apply': {
			const list = statement.arguments.map(({ name, value }) => `${name.text} = ${printValue(value)}`);
			return `apply ${statement.name.text}${list.length === 0 ? '' : `(${list.join(', ')})`}`;
		}
	}
}

/** A transform of the given verb and targets: what a step of several targets is called by itself. */
export function printTransform(verb: string, targets: string, items: readonly Item[]): string {
	const sorted = items.toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
	return join(verb, targets, ...sorted.map(printItem));
}

function join(...words: readonly (string | undefined | false)[]): string {
	return words.filter(Boolean).join(' ');
}

function printSetting({ name, value }: Setting): string {
	return `${name.text} ${value.kind === 'word' ? value.text : printNumber(value)}`;
}

function printConsent(names: readonly TextSyntax[]): string {
	return `may change ${names.map(printText).join(', ')}`;
}

/** `latency <= 60%`. */
export function printMeasure(measure: Pick<ExpectStatement, 'subject' | 'bound'>): string {
	const words = measure.subject.map(({ text }) => text);
	const { bound } = measure;
	return join(...words, bound && `${bound.sign} ${printNumber(bound.value)}`);
}

function printItem(item: Item): string {
	switch (item.kind) {
		case 'count':
			return printNumber(item.value);
		case 'keep':
		case 'lowest':
		case 'rank':
		case 'energy':
		case 'ratio':
		case 'align':
		case 'min':
			return `${item.kind} ${printNumber(item.value)}`;
		case 'set':
			return printPositions(item.positions);
		case 'keep-list':
			return `keep ${printPositions(item.positions)}`;
		case 'keep-file':
			return `keep ${printText(item.path)}`;
		case 'keep-seen':
			return `keep seen ${printNumber(item.times)} times in ${printText(item.path)}`;
		case 'pattern':
			return `${item.keep}:${item.of}`;
		default:
			return printClause(item);
	}
}

type Counting = 'count' | 'keep' | 'lowest' | 'rank' | 'energy' | 'ratio' | 'align' | 'min';
type Choosing = 'set' | 'keep-list' | 'keep-file' | 'keep-seen' | 'pattern';

function printClause(item: Exclude<Item, { kind: Counting | Choosing }>): string {
	switch (item.kind) {
		case 'in':
		case 'except':
		case 'across':
		case 'after':
			return `${item.kind} ${item.places.map(printPlace).join(', ')}`;
		case 'where':
		case 'when':
			return `${item.kind} ${printExpression(item.condition)}`;
		case 'by':
		case 'only':
		case 'with':
		case 'without':
		case 'at':
			return `${item.kind} ${item.word.text}`;
		case 'keep-word':
			return `keep ${item.word.text}`;
		case 'globally':
		case 'auto':
			return item.kind;
		case 'fit': {
			const take = item.take && `take ${printNumber(item.take)}`;
			return join('fit from', printText(item.path), take);
		}
		case 'until':
		case 'while': {
			const goals = item.measures.map((one) => printMeasure({ ...one, bound: one }));
			return `${item.kind} ${goals.join(' and ')}`;
		}
		case 'may':
			return printConsent(item.names);
		case 'stray':
			return item.word.text;
	}
}

function printPlace(place: PlaceSyntax): string {
	if (place.kind === 'glob') return printText(place.glob);
	return join(...place.words.map(({ text }) => text), place.positions && printPositions(place.positions));
}

function printText({ value, param }: TextSyntax): string {
	return param === undefined ? quote(value) : `$${param}`;
}

/** What a parameter holds. */
export function printValue(value: ValueSyntax): string {
	switch (value.kind) {
		case 'text':
			return printText(value);
		case 'word':
			return value.text;
		case 'positions':
			return printPositions(value);
		case 'number':
		case 'param':
			return printNumber(value);
	}
}

export function printPositions({ ranges, listed }: Positions): string {
	const text = ranges.map(printRange).join(', ');
	return listed ? `[${text}]` : text;
}

export function printRange(range: RangeSyntax): string {
	if (range.kind === 'index') return printNumber(range.at);
	const [from, to] = [range.from && printNumber(range.from), range.to && printNumber(range.to)];
	const dots = `${from ?? ''}..${range.inclusive ? '=' : ''}${to ?? ''}`;
	return join(dots, range.step && `step ${printNumber(range.step)}`);
}

export function printNumber(number: NumberSyntax): string {
	if (number.kind === 'number') return number.text;
	return `${number.negative ? '-' : ''}$${number.name}`;
}

export function printExpression(expression: Expression): string {
	switch (expression.kind) {
		case 'number':
			return printNumber(expression.number);
		case 'field':
			return expression.name;
		case 'text':
			return printText(expression);
		case 'prefix': {
			const operand = wrapped(expression.operand, bindingOf(expression) - 1);
			return expression.sign === 'not' ? `not ${operand}` : `-${operand}`;
		}
		case 'infix': {
			const own = binding[expression.sign];
			const [left, right] = [wrapped(expression.left, own - 1), wrapped(expression.right, own)];
			return `${left} ${expression.sign} ${right}`;
		}
	}
}

/** In parentheses unless it binds tighter than `loosest`. */
function wrapped(expression: Expression, loosest: number): string {
	const text = printExpression(expression);
	return bindingOf(expression) > loosest ? text : `(${text})`;
}

function bindingOf(expression: Expression): number {
	if (expression.kind === 'infix') return binding[expression.sign];
	if (expression.kind === 'prefix') return binding[expression.sign === 'not' ? 'not' : 'negate'];
	return Infinity;
}

export type Formatting = { readonly text: string; readonly diagnostics: readonly Diagnostic[] };

/**
 * A recipe in canonical form: a statement a line, clauses in one order, comments kept, at most one blank line in a row.
 * A text with mistakes comes back as it is.
 */
export function formatRecipe(text: string): Formatting {
	const { syntax, diagnostics } = readRecipe(text);
	if (hasErrors(diagnostics)) return { text, diagnostics };
	const pieces = piecesOf(syntax).toSorted((a, b) => a.start - b.start);
	let [result, end] = ['', 0];
	for (const piece of pieces) {
		const breaks = text.slice(end, piece.start).match(/\r\n|\r|\n/g)?.length ?? 0;
		if (result !== '' && breaks > 1) result += '\n';
		result += `${piece.text}\n`;
		end = piece.end;
	}
	return { text: result, diagnostics };
}

const amounts: readonly Item['kind'][] = order.slice(0, order.indexOf('by'));

/** Strays and second amounts are the author's to mend: in another order they could be read as something else. */
function isMeaningless(items: readonly Item[]): boolean {
	const strays = items.filter(({ kind }) => kind === 'stray').length;
	return strays > 0 || items.filter(({ kind }) => amounts.includes(kind)).length > 1;
}

/** `may` on the next line would be a clause of the transform before it. */
function runsOn({ kind }: Statement, next: Statement | undefined): boolean {
	return kind === 'transform' && next?.kind === 'may';
}

type Piece = { readonly text: string; readonly start: number; readonly end: number };

function piecesOf({ text, statements, comments }: Syntax): Piece[] {
	const taken = new Set<number>();
	const pieces = statements.map((statement, at): Piece => {
		const { start, end } = statement.span;
		const trailing = comments.find(
			({ span }) => span.start >= end && /^[ \t\u00a0\ufeff;]*$/.test(text.slice(end, span.start)),
		);
		const verbatim = statement.kind === 'transform' && isMeaningless(statement.items);
		const inside = comments.filter(({ span }) => span.start > start && span.start < end);
		for (const { span } of [...inside, ...(trailing ? [trailing] : [])]) taken.add(span.start);
		const inner = verbatim ? [] : inside;
		const printed = verbatim ? text.slice(start, end) : printStatement(statement);
		const lines = `${printed}${runsOn(statement, statements[at + 1]) ? ';' : ''}`.split('\n');
		if (trailing !== undefined) lines.push(`${lines.pop() ?? ''}  ${trailing.text}`);
		return {
			text: [...inner.map((comment) => comment.text), ...lines].join('\n'),
			start,
			end: trailing?.span.end ?? end,
		};
	});
	const free = comments.filter(({ span }) => !taken.has(span.start));
	return [...pieces, ...free.map(({ text: said, span }) => ({ text: said, ...span }))];
}
