/** The parameters of a recipe: what they hold, what is set from outside, and their limits. */
import { type Diagnostic, type Span } from '../../diagnostic.ts';
import * as messages from '../../messages/declarations.ts';
import { unknownParam, wrongUnit } from '../../messages/quantities.ts';
import { printValue } from '../../parser/print.ts';
import { readRecipe } from '../../parser/read.ts';
import { type ParamStatement, type Unit, type ValueSyntax } from '../../parser/syntax.ts';
import { inUnit } from '../../parser/values.ts';

/** Values by name, as `-p` and callers set them: a number in its base unit, or what one writes behind `=`. */
export type Settings = Readonly<Record<string, number | string>>;

/** Anything that a parameter can hold but a number. */
export type TypedValue = Exclude<ValueSyntax, { kind: 'number' | 'param' }>;

/** A parameter with its value after `-p`. */
export type Parameter = {
	/** 0.25 for `25%`; no number where it holds none. */
	readonly base: number;
	readonly unit: Unit;
	readonly typed?: TypedValue;
	readonly statement: ParamStatement;
};

/** The parameters that statements declare, with the values set from outside. */
export function checkParams(
	statements: readonly ParamStatement[],
	settings: Settings,
	problems: Diagnostic[],
): Map<string, Parameter> {
	const params = new Map<string, Parameter>();
	for (const statement of statements) {
		const { text: name, span } = statement.name;
		const first = params.get(name);
		if (first !== undefined) {
			problems.push(messages.duplicateParam({ found: name, line: first.statement.line }, { span }));
			continue;
		}
		const given = Object.hasOwn(settings, name) ? settings[name] : undefined;
		const value = given === undefined ? statement.value : setTo(given, statement, problems);
		params.set(name, parameterOf(value, statement, problems));
	}
	for (const found of Object.keys(settings))
		if (!params.has(found)) problems.push(unknownParam({ found, known: [...params.keys()] }));
	return params;
}

function parameterOf(
	value: ValueSyntax | undefined,
	statement: ParamStatement,
	problems: Diagnostic[],
): Parameter {
	const { name, from, to } = statement;
	const [low, high] = [from, to].map((limit) => limit && baseOf(limit, problems));
	if (value === undefined) return { base: NaN, unit: '', statement };
	if (value.kind === 'param') return { base: baseOf(value, problems), unit: '', statement };
	if (value.kind !== 'number') {
		if (from !== undefined)
			problems.push(
				messages.limitsOfNumbers({ name: name.text, kind: kindText(value) }, { span: from.span }),
			);
		return { base: NaN, unit: '', typed: value, statement };
	}
	const [base, limits] = [baseOf(value, problems), { from: low ?? -Infinity, to: high ?? Infinity }];
	if (base < limits.from || base > limits.to)
		problems.push(
			messages.paramOutOfRange({ name: name.text, value: base, ...limits }, { span: value.span }),
		);
	const declared = statement.value?.kind === 'number' ? statement.value.unit : value.unit;
	return { base, unit: declared, statement };
}

function baseOf(number: ValueSyntax, problems: Diagnostic[]): number {
	if (number.kind === 'number') return inUnit(number.value, number.unit);
	problems.push(messages.paramNotNumber({ found: printValue(number) }, { span: number.span }));
	return NaN;
}

/** A value set from outside, read as the kind that the parameter is declared to be; it stands where its name does. */
function setTo(
	given: number | string,
	{ name, value: declared }: ParamStatement,
	problems: Diagnostic[],
): ValueSyntax | undefined {
	const { text, span } = name;
	if (declared === undefined) return undefined;
	const said = String(given);
	if (typeof given === 'number' && declared.kind === 'number')
		return { kind: 'number', value: given, unit: '', text: said, span };
	if (declared.kind === 'text' && !said.startsWith('"'))
		return { kind: 'text', value: said, given: true, span };
	const value = valueIn(said, span);
	if (value?.kind === 'number' && declared.kind === 'number' && !countsAlike(value.unit, declared.unit)) {
		const what = `what \`${text}\` counts`;
		problems.push(wrongUnit({ found: said, what, example: declared.text }, { span }));
		return undefined;
	}
	if (value?.kind === 'text' && declared.kind === 'text') return { ...value, given: true };
	if (value?.kind === declared.kind || (value !== undefined && isList(declared, value))) return value;
	const words = { name: text, given: said, kind: kindText(declared), example: printValue(declared) };
	problems.push(messages.paramKind(words, { span }));
	return undefined;
}

/** Whether a number in one unit can be given where another stands; a plain number always can, in the base unit. */
function countsAlike(given: Unit, declared: Unit): boolean {
	const dimension = (unit: Unit): string => (unit === 'ms' ? 'ms' : unit.endsWith('B') ? 'bytes' : 'number');
	return given === '' || dimension(given) === dimension(declared);
}

/** One position is a list as well. */
function isList(declared: ValueSyntax, value: ValueSyntax): boolean {
	return declared.kind === 'positions' && value.kind === 'number';
}

/** What a text says behind `=`, every part of it at `span`; nothing when it cannot be read. */
function valueIn(text: string, span: Span): ValueSyntax | undefined {
	const { syntax } = readRecipe(`param it = ${text}`);
	const [first, ...more] = syntax.statements;
	if (!syntax.complete || more.length > 0 || first?.kind !== 'param' || first.from) return undefined;
	return first.value && at(first.value, span);
}

function at<T>(part: T, span: Span): T {
	if (Array.isArray(part)) return part.map((one: unknown) => at(one, span)) as T;
	if (typeof part !== 'object' || part === null) return part;
	const entries = Object.entries(part).map(([key, one]) => [
		key,
		key === 'span' ? span : at<unknown>(one, span),
	]);
	return Object.fromEntries(entries) as T;
}

/** As messages call what a parameter holds. */
export function kindText(value: ValueSyntax): string {
	switch (value.kind) {
		case 'text':
			return 'a string';
		case 'word':
			return 'a word';
		case 'positions':
			return 'a range or a list';
		case 'number':
		case 'param':
			return 'a number';
	}
}

/** The value of a parameter as `Recipe` has it: a number in its base unit, else what is written. */
export function plainValue({ base, typed }: Parameter): number | string {
	if (typed === undefined) return base;
	return typed.kind === 'text' ? typed.value : printValue(typed);
}
