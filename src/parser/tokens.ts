/** The words and signs of the language, as one table; the lexer is made from it. */
import { createToken, Lexer, type TokenType } from 'chevrotain';
import { clauseWords, openers, operatorWords } from './words.ts';

/** Every token but the end of a statement. */
export const Anything = createToken({ name: 'Anything', pattern: Lexer.NA });
/** A name, or an opener where it opens nothing. */
export const Word = createToken({ name: 'Word', pattern: Lexer.NA, categories: Anything });
export const Clause = createToken({ name: 'Clause', pattern: Lexer.NA, categories: Anything });
/** Whatever cannot begin a clause. */
export const Loose = createToken({ name: 'Loose', pattern: Lexer.NA, categories: Anything });
export const Comparison = createToken({ name: 'ComparisonSign', pattern: Lexer.NA, categories: Loose });
/** What stands between two operands. */
export const Infix = createToken({ name: 'Infix', pattern: Lexer.NA, categories: Loose });

export const Name = createToken({ name: 'Name', pattern: /[A-Za-z_]\w*/, categories: [Word, Loose] });

/** Tokens are capitalized, rules are not: the two share one namespace. */
const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);
const keyword = (word: string, categories: TokenType[]): TokenType =>
	createToken({ name: capital(word), pattern: word, longer_alt: Name, categories });
const table = <W extends string>(words: readonly W[], make: (word: W) => TokenType): Record<W, TokenType> =>
	Object.fromEntries(words.map((word) => [word, make(word)])) as Record<W, TokenType>;

export const clause = table(clauseWords, (word) => keyword(word, [Clause]));
export const opener = table(openers, (word) => keyword(word, [Word, Loose]));
export const operatorWord = table(operatorWords, (word) =>
	keyword(word, word === 'not' ? [Loose] : [Infix, Loose]),
);

const sign = (name: string, pattern: string | RegExp, categories: TokenType[] = [Loose]): TokenType =>
	createToken({ name, pattern, categories });
const compares = [Comparison, Infix, Loose];

/** Stands where a statement ends: `;`, or a line break that ends one. */
export const End = createToken({ name: 'End', pattern: ';' });
export const LineBreak = createToken({ name: 'LineBreak', pattern: /\r\n|\r|\n/, line_breaks: true });
const Space = createToken({ name: 'Space', pattern: /[ \t\u00a0\ufeff]+/, group: Lexer.SKIPPED });
export const Comment = createToken({ name: 'Comment', pattern: /#[^\r\n]*/, group: 'comments' });

const quoted = /"(?:[^"\\\r\n]|\\[^\r\n])*"/;
export const Text = sign('String', quoted);
/** A string whose closing quote is missing: it ends with its line. */
export const UnclosedText = sign('UnclosedString', /"(?:[^"\\\r\n]|\\[^\r\n])*\\?/, [Text, Loose]);
export const Parameter = sign('Parameter', /\$[A-Za-z_]\w*/);
export const Version = sign('Version', /\d+\.\d+\.\d+(?:-[\w.-]+)?(?:\+[\w.-]+)?/);
export const Sizes = sign('Sizes', /\d+(?:x\d+)+(?![\w%])/);
export const Pattern = sign('Pattern', /\d+:\d+/);
export const NumberToken = sign('Number', /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?:%|[A-Za-z_]\w*)?/);
/** A name with hyphens, read only straight after the word `recipe` that opens a statement. */
export const RecipeName = createToken({
	name: 'RecipeName',
	pattern: (text, offset, matched) => {
		const last = matched.at(-1);
		if (last?.tokenType !== opener.recipe) return null;
		const before = matched.at(-2)?.tokenType;
		if (before !== undefined && before !== End && before !== LineBreak) return null;
		recipeName.lastIndex = offset;
		return recipeName.exec(text);
	},
	line_breaks: false,
	start_chars_hint: [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_'],
	categories: Loose,
});
const recipeName = /[A-Za-z_]\w*(?:-\w+)*/y;

export const Dots = sign('Dots', '..');
export const DotsEqual = sign('DotsEqual', '..=');
export const Comma = sign('Comma', ',');
export const Equal = sign('Equal', '=', [Infix, Loose]);
export const Minus = sign('Minus', '-', [Infix, Loose]);
export const ListOpen = sign('ListOpen', '[');
export const ListClose = sign('ListClose', ']');
export const GroupOpen = sign('GroupOpen', '(');
export const GroupClose = sign('GroupClose', ')');

/** A word before those it begins with: `input` before `in`, `without` before `with`. */
function longestFirst(words: readonly TokenType[]): TokenType[] {
	return words.toSorted((a, b) => b.name.length - a.name.length);
}

/** In the order the lexer tries them. */
export const tokens: readonly TokenType[] = [
	...[
		Space,
		LineBreak,
		Comment,
		Text,
		UnclosedText,
		Parameter,
		Version,
		Sizes,
		Pattern,
		NumberToken,
		RecipeName,
	],
	...longestFirst([...Object.values(clause), ...Object.values(opener), ...Object.values(operatorWord)]),
	...[Name, DotsEqual, Dots, End, Comma],
	...[sign('LessEqual', '<=', compares), sign('Less', '<', compares)],
	...[sign('GreaterEqual', '>=', compares), sign('Greater', '>', compares)],
	...[sign('Same', '==', compares), sign('Differs', '!=', compares)],
	...[Equal, Minus, sign('Plus', '+', [Infix, Loose]), sign('Star', '*', [Infix, Loose])],
	...[sign('Slash', '/', [Infix, Loose]), ListOpen, ListClose, GroupOpen, GroupClose],
	...[Anything, Word, Clause, Loose, Comparison, Infix],
];

/** Nothing is validated at start-up: a test makes the same lexer with every validation on. */
export const lexer = new Lexer([...tokens], {
	positionTracking: 'onlyOffset',
	skipValidations: true,
	ensureOptimizations: false,
	// Which token a character may begin is worked out in more time than a recipe takes to read without.
	safeMode: true,
});
