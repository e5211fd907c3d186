/** Statements that transform nothing: name, parameters, sizes, data, promises. */
import { duplicateClause, unknownMetric } from '../../messages/check.ts';
import * as messages from '../../messages/declarations.ts';
import { tooSmall, wrongUnit } from '../../messages/quantities.ts';
import { printStatement } from '../../parser/print.ts';
import {
	type DataStatement,
	type ExpectStatement,
	type InputStatement,
	type Setting,
	type Word,
} from '../../parser/syntax.ts';
import { type Checking, wholeOf } from './checking.ts';
import { type Calibration, type Evaluation, type Expectation, type Recipe, type Subject } from './recipe.ts';
import { boundValue, subjects, unknownSubject, wordsOf, wordsSpan } from './subjects.ts';

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

const settings = {
	calibrate: ['take', 'tokens', 'seed'],
	evaluate: ['take', 'tokens', 'seed', 'metric'],
} as const;

/** The one `calibrate` or `evaluate` of a recipe, its settings read. */
export function checkData(
	statements: readonly DataStatement[],
	checking: Checking,
): Calibration | Evaluation | undefined {
	const [first, ...others] = statements;
	if (first === undefined) return undefined;
	for (const { span } of others) {
		const what = `\`${first.kind}\``;
		checking.problems.push(messages.duplicateStatement({ what, line: first.line }, { span }));
	}
	const chosen: Record<string, number | string> = {};
	for (const setting of first.settings) {
		const { name, span } = setting;
		const known: readonly string[] = settings[first.kind];
		if (!known.includes(name.text)) {
			const found = { found: name.text, known, statement: first.kind };
			checking.problems.push(messages.unknownSetting(found, { span: name.span }));
			continue;
		}
		if (Object.hasOwn(chosen, name.text))
			checking.problems.push(duplicateClause({ clause: name.text, hint: undefined }, { span }));
		const value = settingOf(setting, checking);
		if (value !== undefined) chosen[name.text] = value;
	}
	return { path: first.path.value, ...chosen, span: first.span };
}

function settingOf({ name, value }: Setting, checking: Checking): number | string | undefined {
	if ((name.text === 'metric') === (value.kind === 'word')) {
		if (value.kind === 'word') return measureOf(value, checking);
		return wholeOf(value, { what: `\`${name.text}\``, least: name.text === 'seed' ? 0 : 1 }, checking);
	}
	const [what, example] =
		name.text === 'metric' ? ['the name of a metric', 'accuracy'] : ['a whole number', '128'];
	const found = value.kind === 'param' ? `$${value.name}` : value.text;
	checking.problems.push(wrongUnit({ found, what, example }, { span: value.span }));
	return undefined;
}

function measureOf({ text, span }: Word, { vocabulary, problems }: Checking): string | undefined {
	const known = vocabulary.measures.map(({ name: measure }) => measure);
	if (known.includes(text)) return text;
	problems.push(unknownMetric({ found: text, known }, { span }));
	return undefined;
}

/** `outputs unchanged` allows the relative difference of the proof's tolerance: float32 sums in another order. */
const unchanged = 1e-5;

export function checkExpectation(statement: ExpectStatement, checking: Checking): Expectation | undefined {
	const words = wordsOf(statement.subject);
	const subjectSpan = wordsSpan(statement.subject);
	const subject = words === 'outputs unchanged' ? 'outputs' : words;
	if (!isSubject(subject) || words === 'outputs') {
		const known = Object.values(subjects).map(({ example }) => example.replace(/ [<>].*/, ''));
		unknownSubject(statement.subject, known, checking);
		return undefined;
	}
	const { bound, span, broken } = statement;
	if (broken) return undefined;
	if ((bound !== undefined) === (subject === 'outputs')) {
		const place = { span: bound?.span ?? subjectSpan };
		const { example } = subjects[subject];
		checking.problems.push(
			messages.missingBound(
				{ subject: words, needed: bound === undefined, example: `expect ${example}` },
				place,
			),
		);
		return undefined;
	}
	const text = printStatement(statement);
	if (bound === undefined) return { text, subject, op: '<=', value: unchanged, unit: 'plain', span };
	const value = boundValue(subject, bound, checking);
	return value && { text, subject, op: bound.sign, ...value, span };
}

function isSubject(words: string): words is Subject {
	return Object.hasOwn(subjects, words);
}
