/** Statements that transform nothing: name, parameters, sizes, data, promises. */
import { duplicateClause } from '../../messages/check.ts';
import * as messages from '../../messages/declarations.ts';
import { tooSmall, unknownParam, wrongUnit } from '../../messages/quantities.ts';
import { printStatement } from '../../parser/print.ts';
import {
	type CalibrateStatement,
	type ExpectStatement,
	type InputStatement,
	type ParamStatement,
	type Unit,
} from '../../parser/syntax.ts';
import { inUnit } from '../../parser/values.ts';
import { type Checking, type Parameter, quantityOf, wholeOf } from './checking.ts';
import { type Calibration, type Expectation, type Recipe, type Subject } from './recipe.ts';

type Values = Readonly<Record<string, number>>;

/** The parameters of a recipe, with the values set from outside. */
export function checkParams(
	statements: readonly ParamStatement[],
	values: Values,
	problems: Checking['problems'],
): Map<string, Parameter> {
	const params = new Map<string, Parameter>();
	for (const statement of statements) {
		const { text: name, span } = statement.name;
		const first = params.get(name);
		if (first !== undefined) {
			problems.push(messages.duplicateParam({ found: name, line: first.statement.line }, { span }));
			continue;
		}
		const [value, from, to] = [statement.value, statement.from, statement.to].map((number) => {
			if (number?.kind === 'number') return { base: inUnit(number.value, number.unit), unit: number.unit };
			if (number !== undefined)
				problems.push(messages.paramNotNumber({ found: `$${number.name}` }, { span: number.span }));
			return undefined;
		});
		const base = Object.hasOwn(values, name) ? (values[name] ?? NaN) : (value?.base ?? NaN);
		params.set(name, { base, unit: value?.unit ?? '', statement });
		const place = { span: Object.hasOwn(values, name) ? span : statement.value?.span };
		const limits = { from: from?.base ?? -Infinity, to: to?.base ?? Infinity };
		if (base < limits.from || base > limits.to) {
			problems.push(messages.paramOutOfRange({ name, value: base, ...limits }, place));
		}
	}
	for (const found of Object.keys(values)) {
		if (!params.has(found)) problems.push(unknownParam({ found, known: [...params.keys()] }));
	}
	return params;
}

export function checkInputs(statements: readonly InputStatement[], { problems }: Checking): Recipe['inputs'] {
	const lines = new Map<string, number>();
	return statements.flatMap(({ name, dims, dimsSpan, span, line }) => {
		const first = lines.get(name.value);
		lines.set(name.value, first ?? line);
		if (first !== undefined) {
			const what = `the size of \`${name.value}\``;
			problems.push(messages.duplicateStatement({ what, line: first }, { span: name.span }));
			return [];
		}
		if (dims.includes(0))
			problems.push(tooSmall({ found: dims.join('x'), what: 'a size', least: 1 }, { span: dimsSpan }));
		return [{ name: name.value, dims, span }];
	});
}

const settings = ['take', 'seed'] as const;

export function checkCalibration(
	statements: readonly CalibrateStatement[],
	checking: Checking,
): Calibration | undefined {
	const [first, ...others] = statements;
	for (const { span, line: _ } of others) {
		checking.problems.push(
			messages.duplicateStatement({ what: '`calibrate`', line: first?.line ?? 1 }, { span }),
		);
	}
	if (first === undefined) return undefined;
	const chosen: { take?: number; seed?: number } = {};
	for (const { name, value, span } of first.settings) {
		const known = settings.find((one) => one === name.text);
		if (known === undefined) {
			checking.problems.push(
				messages.unknownSetting({ found: name.text, known: settings }, { span: name.span }),
			);
			continue;
		}
		if (chosen[known] !== undefined) {
			checking.problems.push(duplicateClause({ clause: known, hint: undefined }, { span }));
		}
		const whole = wholeOf(value, { what: `\`${known}\``, least: known === 'take' ? 1 : 0 }, checking);
		if (whole !== undefined) chosen[known] = whole;
	}
	return { path: first.path.value, ...chosen, span: first.span };
}

type Measure = {
	/** The unit of the checked value, by the unit it was written in. */
	readonly units: Readonly<Partial<Record<Unit, Expectation['unit']>>>;
	readonly example: string;
	/** As messages call a value of it. */
	readonly what: string;
};

const share = { '%': 'share', x: 'share' } as const;
const count = { ...share, '': 'count', K: 'count', M: 'count', G: 'count' } as const;
const bytes = { kB: 'bytes', MB: 'bytes', GB: 'bytes', KiB: 'bytes', MiB: 'bytes', GiB: 'bytes' } as const;

const measures: Readonly<Record<Subject, Measure>> = {
	cosine: { units: { '': 'plain', '%': 'plain' }, example: 'cosine >= 0.98', what: 'a cosine' },
	kl: { units: { '': 'plain' }, example: 'kl <= 0.05', what: 'a divergence' },
	'top1 agreement': {
		units: { '%': 'share', '': 'share' },
		example: 'top1 agreement >= 99%',
		what: 'a share',
	},
	params: { units: count, example: 'params <= 60%', what: 'a share or a number of parameters' },
	size: { units: { ...share, ...bytes }, example: 'size <= 40MB', what: 'a share or a size in bytes' },
	macs: { units: count, example: 'macs <= 50%', what: 'a share or a number of multiply-adds' },
	latency: { units: { ...share, ms: 'ms' }, example: 'latency <= 70%', what: 'a share or a time' },
	outputs: { units: {}, example: 'outputs unchanged', what: 'nothing' },
};

/** `outputs unchanged` allows the relative difference of the proof's tolerance: float32 sums in another order. */
const unchanged = 1e-5;

export function checkExpectation(statement: ExpectStatement, checking: Checking): Expectation | undefined {
	const words = statement.subject.map((word) => word.text).join(' ');
	const subjectSpan = {
		start: statement.subject[0]?.span.start ?? 0,
		end: statement.subject.at(-1)?.span.end ?? 0,
	};
	const subject = words === 'outputs unchanged' ? 'outputs' : words;
	if (!isSubject(subject) || words === 'outputs') {
		const known = Object.values(measures).map(({ example }) => example.replace(/ [<>].*/, ''));
		checking.problems.push(messages.unknownExpectation({ found: words, known }, { span: subjectSpan }));
		return undefined;
	}
	const { units, example, what } = measures[subject];
	const { bound, span } = statement;
	if ((bound !== undefined) === (subject === 'outputs')) {
		const place = { span: bound?.span ?? subjectSpan };
		checking.problems.push(
			messages.missingBound({ subject: words, needed: bound === undefined, example }, place),
		);
		return undefined;
	}
	const text = printStatement(statement);
	if (bound === undefined) return { text, subject, op: '<=', value: unchanged, unit: 'plain', span };
	const quantity = quantityOf(bound.value, checking);
	if (quantity === undefined) return undefined;
	const unit = units[quantity.unit];
	if (unit !== undefined) return { text, subject, op: bound.sign, value: quantity.base, unit, span };
	const fitting = example.replace(/.* /, '');
	checking.problems.push(
		wrongUnit({ found: quantity.text, what, example: fitting }, { span: quantity.span }),
	);
	return undefined;
}

function isSubject(words: string): words is Subject {
	return Object.hasOwn(measures, words);
}
