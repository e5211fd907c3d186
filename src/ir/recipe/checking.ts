/** What the parts of the checker share, and the reading of numbers: parameters, units, limits. */
import { type Diagnostic, type Span } from '../../diagnostic.ts';
import { paramMisplaced } from '../../messages/declarations.ts';
import * as messages from '../../messages/quantities.ts';
import { type NumberSyntax, type Unit } from '../../parser/syntax.ts';
import { inUnit } from '../../parser/values.ts';
import { kindText, type Parameter } from './params.ts';
import { type Vocabulary } from './vocabulary.ts';

export type Checking = {
	readonly vocabulary: Vocabulary;
	readonly params: ReadonlyMap<string, Parameter>;
	/** Names of inputs and outputs that the whole recipe may change. */
	readonly mayChange: readonly string[];
	/** Names of parameters met. */
	readonly used: Set<string>;
	readonly problems: Diagnostic[];
};

/** A number with its parameters resolved; `base` is 0.25 for `25%` and 40000000 for `40MB`. */
export type Quantity = {
	readonly base: number;
	readonly unit: Unit;
	readonly text: string;
	readonly span: Span;
};

/** The value of a number, or nothing when it could not be read, or its parameter is unknown, which is told. */
export function quantityOf(number: NumberSyntax, { params, used, problems }: Checking): Quantity | undefined {
	const { span } = number;
	if (number.kind === 'number' && number.misread) return undefined;
	if (number.kind === 'number')
		return { base: inUnit(number.value, number.unit), unit: number.unit, text: number.text, span };
	used.add(number.name);
	const param = params.get(number.name);
	if (param === undefined) {
		problems.push(
			messages.unknownParam({ found: number.name, known: [...params.keys()] }, { span: nameSpan(number) }),
		);
		return undefined;
	}
	if (param.typed !== undefined) {
		const words = { name: number.name, kind: kindText(param.typed), needed: 'a number' };
		problems.push(paramMisplaced(words, { span }));
	}
	if (Number.isNaN(param.base)) return undefined;
	const text = `${number.negative ? '-' : ''}$${number.name}`;
	return { base: number.negative ? -param.base : param.base, unit: param.unit, text, span };
}

/** Of `$name`, without the sign before it. */
function nameSpan({ negative, span }: Extract<NumberSyntax, { kind: 'param' }>): Span {
	return negative ? { ...span, start: span.start + 1 } : span;
}

const counts: ReadonlySet<Unit> = new Set<Unit>(['', 'K', 'M', 'G']);

/** What a whole number counts, as messages call it, and the least that means something. */
export type Whole = { readonly what: string; readonly least: number };

export function wholeOf(
	number: NumberSyntax,
	{ what, least }: Whole,
	checking: Checking,
): number | undefined {
	const quantity = quantityOf(number, checking);
	if (quantity === undefined) return undefined;
	const { base, unit, text: found, span } = quantity;
	if (!counts.has(unit)) {
		checking.problems.push(
			messages.wrongUnit({ found, what, example: String(Math.max(least, 8)) }, { span }),
		);
	} else if (!Number.isSafeInteger(base)) {
		const instead = base > 0 && base < 1 ? shareText(base) : undefined;
		checking.problems.push(messages.notWhole({ found, what, instead }, { span }));
	} else if (base < least) {
		checking.problems.push(messages.tooSmall({ found, what, least }, { span }));
	} else return base;
	return undefined;
}

/** A share written with %, as a number from 0 to 1. */
export function shareOf(number: NumberSyntax, what: string, checking: Checking): number | undefined {
	const quantity = quantityOf(number, checking);
	if (quantity === undefined) return undefined;
	const { base, unit, text: found, span } = quantity;
	if (unit !== '%') {
		const example = base > 0 && base < 1 ? shareText(base) : '25%';
		checking.problems.push(messages.wrongUnit({ found, what, example }, { span }));
	} else if (base < 0 || base > 1) {
		checking.problems.push(messages.overHundred({ found }, { span }));
	} else return base;
	return undefined;
}

function shareText(base: number): string {
	return `${Number((base * 100).toPrecision(12))}%`;
}
