/** Errors of the grammar in the words of the language. */
import {
	EOF,
	type IParserErrorMessageProvider,
	type IRecognitionException,
	type IToken,
	tokenMatcher,
} from 'chevrotain';
import { type Diagnostic, type Span } from '../diagnostic.ts';
import * as messages from '../messages/parse.ts';
import { tokenSpan } from './cst.ts';
import { hintAtStart, hintBehind, hintInside, hintInstead, meantBehind, type Odd } from './hints.ts';
import { Clause, End } from './tokens.ts';
import { isText } from './values.ts';

/** The grammar's errors carry the expected token's name as their text: the words come from here. */
export const bareMessages: IParserErrorMessageProvider = {
	buildMismatchTokenMessage: ({ expected }) => expected.name,
	buildNotAllInputParsedMessage: () => '',
	buildNoViableAltMessage: () => '',
	buildEarlyExitMessage: () => '',
};

/** By rule and expected token; by rule alone where any token is missed. */
const wanted: Readonly<Record<string, string>> = {
	number: 'a number',
	bound: 'a number',
	range: 'a position or a range, as `3` or `6..12`',
	extent: 'the last position of the range',
	positions: 'positions, as `6..12` or `[0, 5]`',
	'positions ListClose': '`,` or `]`',
	targets: 'a target, as `heads`',
	operand: 'a number or a field, as `importance`',
	'operand GroupClose': '`)`, or an operator between two operands',
	place: 'a place, as `layers 6..12` or a glob in quotes',
	'named after by': 'the name of a metric, as `by l2`',
	'named after only': 'a part of the target, as `only ffn`',
	'named after with': 'a way to do it, as `with mean`',
	'named after without': 'what is left out, as `without compensation`',
	'named after at': 'a place of the target, as `at output`',
	'keep after keep': 'how much is kept, as `keep 8`, `keep 50%` or `keep "tokens.txt"`',
	'number after seen': 'how often, as `keep seen 2 times in "corpus.txt"`',
	'text after in': 'a file in quotes, as `keep seen 2 times in "corpus.txt"`',
	'keep Times': '`times`, as `keep seen 2 times in "corpus.txt"`',
	'keep In': '`in` and a file, as `keep seen 2 times in "corpus.txt"`',
	'text after from': 'a file in quotes, as `fit from "train.jsonl"`',
	'fit From': '`from` and a file, as `fit from "train.jsonl"`',
	measure: 'a comparison, as `latency <= 60%`',
	'measure after until': 'a cost, as `until latency <= 60%`',
	'measure after while': 'a quality, as `while cosine >= 0.98`',
	'measure after with': 'a property of the model, as `with layers >= 6`',
	'text after change': 'a name in quotes, as `may change "logits"`',
	'consent Word': '`change` and a name, as `may change "logits"`',
	header: 'the name of the recipe, as `bert-lite`',
	param: 'the name of the parameter, as `param floor = 0.1`',
	'param Equal': '`=` and a value, as `param floor = 0.1`',
	'param To': '`to` and a number, as `from 0 to 1`',
	sizes: 'sizes, as `input input_ids 1x128`',
	phrase: 'a target, as `heads`',
	'sizes after input': 'the name of an input, as `input input_ids 1x128`',
	'text after protect': 'a glob in quotes, as `protect "*.pooler.*"`',
	text: 'a string in quotes',
	value: 'a value, as `0.1`, `25%`, `"calib.jsonl"`, `l2` or `50%..`',
	'evaluate With': '`with` and a path, as `evaluate with "dev.jsonl"`',
	'text after with': 'a path in quotes',
	setting: 'a number or a word, as `take 128`',
	require: 'what the model must be, as `require opset >= 13`',
	'calibrate With': '`with` and a path, as `calibrate with "calib.jsonl"`',
	use: 'the path or address of a recipe in quotes, as `use "./half.prune"`',
	'use after as': 'a name, as `use "./half.prune" as half`',
	apply: 'the name that a `use` gave, as `apply half(share = 50%)`',
	'apply GroupClose': '`,` or `)`',
	argument: 'a parameter and its value, as `share = 50%`',
	'argument Equal': '`=` and a value, as `share = 50%`',
	expect: 'what is expected, as `cosine >= 0.98`',
};

/** One message for an error of the grammar. */
export function complaint(error: IRecognitionException): Diagnostic {
	const rule = error.context.ruleStack.at(-1) ?? '';
	const before = previousOf(error);
	const what =
		wanted[`${rule} ${error.message}`] ??
		wanted[`${rule} after ${before?.image ?? ''}`] ??
		wanted[rule] ??
		'something else';
	const hint = hintInstead(rule, { token: error.token, ...(before && { before }) });
	return messages.expected({ wanted: what, found: described(error.token), hint }, { span: whereOf(error) });
}

function previousOf(error: IRecognitionException): IToken | undefined {
	return 'previousToken' in error ? (error.previousToken as IToken | undefined) : undefined;
}

/** The place that is to blame: before a clause word or a statement's end, what stands in front of it. */
export function causeOf(error: IRecognitionException): number {
	const previous = previousOf(error);
	const ends = tokenMatcher(error.token, Clause) || isEnd(error.token);
	return ends && previous !== undefined ? previous.startOffset : whereOf(error).start;
}

function isEnd(token: IToken): boolean {
	return token.tokenType === EOF || token.tokenType === End;
}

/** Where the offending token is; when the statement ends too early, straight behind its last token. */
export function whereOf(error: IRecognitionException): Span {
	if (!isEnd(error.token)) return tokenSpan(error.token);
	const previous = previousOf(error);
	const end = previous === undefined ? 0 : tokenSpan(previous).end;
	return { start: end, end };
}

export function described(token: IToken): string {
	if (isEnd(token)) return 'the end of the statement';
	return isText(token) ? 'a string' : `\`${token.image}\``;
}

/** What stands behind a complete statement on its line. */
export function leftover(odd: Odd): Diagnostic {
	return unexpected(odd, hintBehind(odd), meantBehind(odd));
}

/** What begins neither an amount nor a clause of a transform, and is no word that could be misspelt. */
export function oddity(odd: Odd): Diagnostic {
	return unexpected(odd, hintInside(odd));
}

function unexpected({ token }: Odd, hint: string | undefined, fix?: string): Diagnostic {
	return messages.unexpected({ found: described(token), hint, fix }, { span: tokenSpan(token) });
}

/** What begins a line and can begin no statement. */
export function noStatement(token: IToken): Diagnostic {
	return messages.notAStatement(
		{ found: described(token), hint: hintAtStart(token) },
		{ span: tokenSpan(token) },
	);
}
