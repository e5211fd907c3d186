/** Whether the statements of a recipe agree with each other: what none of them has wrong by itself. */
import { type Diagnostic } from '../../diagnostic.ts';
import * as messages from '../../messages/agreement.ts';
import { removesAll } from '../../messages/check.ts';
import { checkOrder } from './check-order.ts';
import { namedPositions } from './ranges.ts';
import { type Comparison, type Expectation, type Recipe, type Step } from './recipe.ts';
import { statementName } from './vocabulary.ts';

/** Contradictions, statements without an effect, and goals that nothing measures; `hasData` when inputs are given beside the recipe. */
export function checkAgreement(recipe: Recipe, hasData: boolean): Diagnostic[] {
	const { steps, expectations, protect } = recipe;
	return [
		...steps.flatMap((step) => [...impossible(step), ...within(step, protect)]),
		...removedBefore(steps),
		...checkOrder(steps),
		...atOdds(expectations),
		...unmeasured(recipe, hasData),
	];
}

/** Amounts that remove everything or nothing. */
function impossible(step: Step): Diagnostic[] {
	const { amount, min, spans, span } = step;
	const place = { span: spans.amount ?? span };
	const found = statementName(step);
	switch (amount?.kind) {
		case 'keep-count':
			return amount.count === 0 && min > 0 ? [removesAll({ found: 'keep 0' }, place)] : [];
		case 'keep-share':
			if (amount.share === 0 && min > 0) return [removesAll({ found: 'keep 0%' }, place)];
			return amount.share === 1 ? [messages.removesNothing({ found }, place)] : [];
		case 'remove-share':
			if (amount.share === 1 && min > 0) return [removesAll({ found: '100%' }, place)];
			return amount.share === 0 ? [messages.removesNothing({ found }, place)] : [];
		case 'remove-count':
			return amount.count === 0 ? [messages.removesNothing({ found }, place)] : [];
		default:
			return [];
	}
}

/** A place that is protected, or left out again. */
function within(step: Step, protect: readonly string[]): Diagnostic[] {
	const except = new Set(step.except.map(textOf));
	return step.in.flatMap((place) => {
		if (place.kind === 'glob' && protect.includes(place.glob))
			return [messages.protectedPlace({ glob: place.glob }, { span: place.span })];
		return except.has(textOf(place)) ? [messages.leftOut({}, { span: place.span })] : [];
	});
}

function textOf(place: Step['in'][number]): string {
	return JSON.stringify({ ...place, span: undefined });
}

/** Layers that are named behind the statement that removes them; a range may run over them. */
function removedBefore(steps: readonly Step[]): Diagnostic[] {
	const gone = new Map<number, number>();
	const found: Diagnostic[] = [];
	for (const step of steps) {
		const places = [...step.in, ...step.after].flatMap((place) => (place.kind === 'layers' ? [place] : []));
		for (const { ranges, span } of places) found.push(...named(ranges, gone, span));
		if (step.target !== 'layers' || step.amount?.kind !== 'set') continue;
		found.push(...named(step.amount.ranges, gone, step.spans.amount ?? step.span));
		if (step.only !== undefined || step.verb !== 'prune' || step.in.length > 0) continue;
		for (const { at } of namedPositions(step.amount.ranges, 0)) if (at >= 0) gone.set(at, step.line);
	}
	return found;
}

function named(
	ranges: Parameters<typeof namedPositions>[0],
	gone: ReadonlyMap<number, number>,
	span: Step['span'],
): Diagnostic[] {
	return namedPositions(ranges, 0).flatMap(({ at }) => {
		const line = gone.get(at);
		return line === undefined ? [] : [messages.namesRemoved({ layer: at, line }, { span })];
	});
}

/** Promises that no result can keep together with an earlier one on the same subject: the tightest that there are. */
function atOdds(expectations: readonly Expectation[]): Diagnostic[] {
	const tightest = new Map<string, Expectation>();
	return expectations.flatMap((second) => {
		const sides = [
			`upper ${second.subject} ${second.unit}`,
			`lower ${second.subject} ${second.unit}`,
		] as const;
		const earlier = sides.flatMap((side) => tightest.get(side) ?? []);
		const first = earlier.find((one) => excludes(one, second));
		for (const side of sides) {
			const ops = side.startsWith('upper') ? uppers : lowers;
			const before = tightest.get(side);
			if (
				ops.includes(second.op) &&
				(before === undefined || isTighter(second, before, side.startsWith('upper')))
			)
				tightest.set(side, second);
		}
		return first === undefined ? [] : [messages.contradiction({ first: first.text }, { span: second.span })];
	});
}

const uppers: readonly Comparison[] = ['<', '<=', '=='];
const lowers: readonly Comparison[] = ['>', '>=', '=='];

function isTighter(one: Expectation, other: Expectation, upper: boolean): boolean {
	if (one.value === other.value) return one.op === '<' || one.op === '>';
	return upper ? one.value < other.value : one.value > other.value;
}

function excludes(first: Expectation, second: Expectation): boolean {
	return empty(first.op, first.value, second) || empty(second.op, second.value, first);
}

/** Whether an upper bound lies below the other one's lower bound. */
function empty(op: Comparison, value: number, other: Expectation): boolean {
	if (!uppers.includes(op) || !lowers.includes(other.op)) return false;
	const strict = op === '<' || other.op === '>';
	return strict ? value <= other.value : value < other.value;
}

/** Goals and promises of quality that no data can decide. */
function unmeasured({ steps, expectations, calibrate, evaluate }: Recipe, hasData: boolean): Diagnostic[] {
	const labelled = evaluate !== undefined;
	const some = labelled || hasData || calibrate !== undefined;
	const goals = some ? [] : steps.flatMap((step) => step.while);
	const needLabels = [...steps.flatMap((step) => step.while), ...expectations].filter(
		({ subject }) => subject.startsWith('accuracy') && !labelled,
	);
	return [
		...needLabels.map(({ subject, span }) => messages.needsLabels({ subject }, { span })),
		...goals
			.filter((goal) => !needLabels.includes(goal))
			.map(({ subject, span }) => messages.goalWithoutData({ subject }, { span })),
	];
}
