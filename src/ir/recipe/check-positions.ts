/** Ranges and lists of positions. */
import * as messages from '../../messages/quantities.ts';
import { printNumber, printRange } from '../../parser/print.ts';
import { type NumberSyntax, type Positions, type RangeSyntax } from '../../parser/syntax.ts';
import { type Checking, quantityOf, wholeOf } from './checking.ts';
import { type Bound, type Range } from './recipe.ts';

/** The ranges of a list, or nothing and messages when one of them is wrong. */
export function checkPositions(positions: Positions, checking: Checking): readonly Range[] | undefined {
	if (positions.ranges.length === 0) {
		checking.problems.push(messages.emptyRange({ found: '[]', instead: '[0]' }, { span: positions.span }));
		return undefined;
	}
	const ranges = positions.ranges.map((range) => checkRange(range, checking));
	return ranges.every((range) => range !== undefined) ? ranges : undefined;
}

function checkRange(range: RangeSyntax, checking: Checking): Range | undefined {
	if (range.kind === 'index') return checkIndex(range.at, checking);
	const from = range.from && boundOf(range.from, checking);
	const to = range.to && boundOf(range.to, checking);
	const step = range.step && wholeOf(range.step, { what: 'a step', least: 1 }, checking);
	const failed = [range.from && !from, range.to && !to, range.step && step === undefined];
	if (failed.includes(true)) return undefined;
	if (isEmpty(from, to, range.inclusive)) {
		const found = printRange(range);
		checking.problems.push(
			messages.emptyRange({ found, instead: turned(range, from, to) }, { span: range.span }),
		);
		return undefined;
	}
	return {
		...(from !== undefined && { from }),
		...(to !== undefined && { to }),
		...(range.inclusive && { inclusive: true }),
		...(step !== undefined && { step }),
	};
}

function checkIndex(number: NumberSyntax, checking: Checking): Range | undefined {
	const bound = boundOf(number, checking);
	if (bound === undefined) return undefined;
	if ('index' in bound) return { from: bound, to: bound, inclusive: true };
	const found = printNumber(number);
	checking.problems.push(messages.shareAsPosition({ found }, { span: number.span }));
	return undefined;
}

function boundOf(number: NumberSyntax, checking: Checking): Bound | undefined {
	const quantity = quantityOf(number, checking);
	if (quantity?.unit !== '%') {
		if (quantity === undefined) return undefined;
		const index = wholeOf(number, { what: 'a position', least: -Infinity }, checking);
		return index === undefined ? undefined : { index };
	}
	if (quantity.base >= 0 && quantity.base <= 1)
		return { percent: Number((quantity.base * 100).toPrecision(15)) };
	checking.problems.push(messages.overHundred({ found: quantity.text }, { span: number.span }));
	return undefined;
}

/** Whether a range selects nothing whatever it is a range of. */
function isEmpty(from: Bound | undefined, to: Bound | undefined, inclusive: boolean): boolean {
	if (from === undefined) return to !== undefined && !inclusive && valueOf(to) === 0;
	if (to === undefined) return 'percent' in from && from.percent === 100;
	const alike = 'index' in from === 'index' in to && valueOf(from) < 0 === valueOf(to) < 0;
	if (!alike) return !inclusive && valueOf(to) === 0;
	return inclusive ? valueOf(from) > valueOf(to) : valueOf(from) >= valueOf(to);
}

function valueOf(bound: Bound): number {
	return 'index' in bound ? bound.index : bound.percent;
}

/** The range the other way round, or with its end, whichever selects something. */
function turned(range: RangeSyntax, from: Bound | undefined, to: Bound | undefined): string | undefined {
	if (range.kind === 'index' || from === undefined || to === undefined) return undefined;
	const { step: _, ...plain } = range;
	if (valueOf(from) === valueOf(to))
		return 'index' in from ? printRange({ ...plain, inclusive: true }) : undefined;
	if (valueOf(from) < valueOf(to) || range.from === undefined || range.to === undefined) return undefined;
	return printRange({ ...plain, from: range.to, to: range.from });
}
