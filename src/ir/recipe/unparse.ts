/** A recipe as it is checked, written as text again: what YAML and JSON say, in the language. */
import { quote } from '../../parser/values.ts';
import { rangesText } from './ranges.ts';
import {
	type Amount,
	type Expectation,
	type Goal,
	type Place,
	type Point,
	type Predicate,
} from './recipe.ts';
import { type Recipe, type Requirement, type Step, type Term } from './recipe.ts';

/** A statement and the JSON pointer of what it says. */
export type Written = {
	readonly text: string;
	readonly pointer: string;
	/** Where parts of the text begin that a field of their own says, in order. */
	readonly fields?: readonly { readonly start: number; readonly pointer: string }[];
};

/** The statements of a recipe, in order; joined by line breaks they are its text. */
export function unparse(recipe: Recipe): Written[] {
	const { name, version, description, calibrate, evaluate } = recipe;
	const title = description === undefined ? '' : `\n  ${quote(description)}`;
	const head = name === undefined ? [] : [{ text: join('recipe', name, version) + title, pointer: '/name' }];
	return [
		...head,
		...recipe.require.map((one, at) => ({ text: requirementText(one), pointer: `/require/${at}` })),
		...recipe.inputs.map(({ name: input, dims }, at) => ({
			text: `input ${wordOrText(input)} ${dims.join('x')}`,
			pointer: `/inputs/${at}`,
		})),
		...(calibrate ? [written('/calibrate', dataPieces('calibrate', calibrate))] : []),
		...(evaluate ? [written('/evaluate', dataPieces('evaluate', evaluate))] : []),
		...recipe.protect.map((glob, at) => ({ text: `protect ${quote(glob)}`, pointer: `/protect/${at}` })),
		...recipe.mayChange.map((one, at) => ({ text: `may change ${quote(one)}`, pointer: `/mayChange/${at}` })),
		...recipe.steps.map((step, at) => written(`/steps/${at}`, stepPieces(step, recipe.mayChange))),
		...recipe.expectations.map((one, at) => ({ text: promiseText(one), pointer: `/expectations/${at}` })),
	];
}

function join(...words: readonly (string | undefined | false)[]): string {
	return words.filter(Boolean).join(' ');
}

function wordOrText(name: string): string {
	return /^[A-Za-z_]\w*$/.test(name) ? name : quote(name);
}

/** A part of a statement and the field that says it; a part without a text is left out. */
type Piece = readonly [field: string, text: string | undefined | false];

function written(pointer: string, pieces: readonly Piece[]): Written {
	let text = '';
	const fields: { start: number; pointer: string }[] = [];
	for (const [field, said] of pieces) {
		if (said === undefined || said === false) continue;
		if (text !== '') text += ' ';
		fields.push({ start: text.length, pointer: `${pointer}/${field}` });
		text += said;
	}
	return { text, pointer, fields };
}

function dataPieces(
	verb: 'calibrate' | 'evaluate',
	data: { path: string; take?: number; tokens?: number; seed?: number; metric?: string },
): Piece[] {
	const { path, take, tokens, seed, metric } = data;
	const settings = Object.entries({ take, tokens, seed, metric });
	return [
		['path', `${verb} with ${quote(path)}`],
		...settings.map(([key, value]): Piece => [key, value !== undefined && `${key} ${value}`]),
	];
}

function requirementText({ family, conditions }: Requirement): string {
	const said = conditions.map(({ property, op, value }) => `${property} ${op} ${numberText(value)}`);
	return join('require', family, family !== undefined && said.length > 0 && 'with', said.join(' and '));
}

function promiseText(one: Expectation): string {
	return one.subject === 'outputs' ? 'expect outputs unchanged' : `expect ${goalText(one)}`;
}

function goalText({ subject, op, value, unit }: Goal): string {
	const written = {
		share: () => shareText(value),
		bytes: () => (value % 1e6 === 0 ? `${numberText(value / 1e6)}MB` : `${numberText(value / 1e3)}kB`),
		count: () => numberText(value),
		ms: () => `${numberText(value)}ms`,
		plain: () => numberText(value),
	};
	return `${subject} ${op} ${written[unit]()}`;
}

function stepPieces(step: Step, shared: readonly string[]): Piece[] {
	const { amount, by, only, at, where, when, fit, align, min } = step;
	const own = step.mayChange.filter((name) => !shared.includes(name));
	return [
		['verb', step.verb],
		['target', step.target],
		['amount', amount && amountText(amount)],
		['by', by !== undefined && `by ${by}`],
		['globally', step.globally && 'globally'],
		['where', where && `where ${conditionText(where)}`],
		['only', only !== undefined && `only ${only}`],
		['at', at !== undefined && `at ${at}`],
		...(['in', 'except', 'across', 'after'] as const).map((word): Piece => [
			word,
			placesText(word, step[word]),
		]),
		['when', when && `when ${conditionText(when)}`],
		['fit', fit && join('fit from', quote(fit.path), fit.take !== undefined && `take ${fit.take}`)],
		...(['until', 'while'] as const).map((word): Piece => [
			word,
			step[word].length > 0 && `${word} ${step[word].map(goalText).join(' and ')}`,
		]),
		['with', step.with !== undefined && `with ${step.with}`],
		['without', step.without.length > 0 && step.without.map((word) => `without ${word}`).join(' ')],
		['align', align !== undefined && `align ${align}`],
		['min', min !== 1 && `min ${min}`],
		['mayChange', own.length > 0 && `may change ${own.map(quote).join(', ')}`],
	];
}

function amountText(amount: Amount): string {
	switch (amount.kind) {
		case 'remove-share':
			return shareText(amount.share);
		case 'remove-count':
			return String(amount.count);
		case 'keep-share':
			return `keep ${shareText(amount.share)}`;
		case 'keep-count':
			return `keep ${amount.count}`;
		case 'set':
			return rangesText(amount.ranges);
		case 'keep-set':
			return `keep ${rangesText(amount.ranges)}`;
		case 'rank':
			return `rank ${amount.rank}`;
		case 'energy':
		case 'ratio':
			return `${amount.kind} ${shareText(amount.share)}`;
		case 'auto':
			return 'auto';
		case 'schedule':
			return `keep [${amount.shares.map(shareText).join(', ')}]`;
		case 'keep-file':
			return `keep ${quote(amount.path)}`;
		case 'keep-seen':
			return `keep seen ${amount.times} times in ${quote(amount.path)}`;
		case 'keep-word':
			return `keep ${amount.word}`;
		case 'pattern':
			return `${amount.keep}:${amount.of}`;
	}
}

function placesText(word: string, places: readonly (Place | Point)[]): string | false {
	return places.length > 0 && `${word} ${places.map(placeText).join(', ')}`;
}

function placeText(place: Place | Point): string {
	switch (place.kind) {
		case 'layers':
			return join(place.stack, 'layers', rangesText(place.ranges));
		case 'stack':
			return place.stack;
		case 'cross-attention':
			return 'cross attention';
		case 'last-attention':
			return 'last attention';
		case 'glob':
			return quote(place.glob);
	}
}

/** With all parentheses; the formatter leaves out those that change nothing. */
function conditionText(predicate: Predicate): string {
	switch (predicate.kind) {
		case 'and':
		case 'or':
			return `(${conditionText(predicate.left)} ${predicate.kind} ${conditionText(predicate.right)})`;
		case 'not':
			return `(not ${conditionText(predicate.operand)})`;
		case 'compare':
			return `(${termText(predicate.left)} ${predicate.op} ${termText(predicate.right)})`;
		case 'matches':
			return `(name matches ${quote(predicate.glob)})`;
	}
}

function termText(term: Term): string {
	switch (term.kind) {
		case 'number':
			return term.value < 0 ? `(${numberText(term.value)})` : numberText(term.value);
		case 'field':
			return term.name;
		case 'negate':
			return `(-${termText(term.operand)})`;
		case 'arithmetic':
			return `(${termText(term.left)} ${term.op} ${termText(term.right)})`;
	}
}

function shareText(share: number): string {
	return `${numberText(Number((share * 100).toPrecision(15)))}%`;
}

/** A number as the language writes it: no point without digits, no sign in an exponent that it does not read. */
function numberText(value: number): string {
	return String(value);
}
