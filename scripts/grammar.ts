/** The grammar as EBNF and as railroad diagrams, made from the parser's own rules. */
import { type ISerializedGast } from 'chevrotain';
import { RecipeParser } from '../src/parser/grammar.ts';
import { clauseWords, openers, operatorWords } from '../src/parser/words.ts';
import { diagram, type Piece } from './railroad.ts';

type Gast = ISerializedGast & {
	readonly name?: string;
	readonly pattern?: string;
	readonly definition?: readonly Gast[];
	readonly separator?: Gast;
};
type Rule = { readonly name: string; readonly definition: readonly Gast[] };

/** What stands behind the names of the lexer, in words where a pattern would be harder to read. */
const lexical: Readonly<Record<string, string>> = {
	Name: 'letter or "_", then letters, digits and "_", and no reserved word',
	Word: 'Name, or a word that opens a statement, where it opens none',
	RecipeName: 'Name, hyphens inside allowed',
	String: 'text between double quotes on one line; \\" \\\\ \\n \\t \\r and \\u{hex} are escapes',
	Number:
		'digits, or digits "." digits, an exponent or none, and a unit that touches: % x ms kB MB GB KiB MiB GiB K M G',
	Parameter: '"$" and a name',
	Version: 'three numbers with points, as 1.2.0',
	Sizes: 'numbers with "x" between them, as 1x128',
	Pattern: 'two numbers with ":" between them, as 2:4',
	End: '";", or a line break that ends a statement',
	ComparisonSign: '"<" or "<=" or ">" or ">=" or "==" or "!="',
	Infix: '"and" or "or" or "matches" or a comparison or "+" or "-" or "*" or "/"',
};

/** Rules that only recover from mistakes. */
const recovery = new Set(['junk', 'stray']);
const words = new Map(
	[...clauseWords, ...openers, ...operatorWords].map((word) => [
		word[0]!.toUpperCase() + word.slice(1),
		word,
	]),
);
const signs: Readonly<Record<string, string>> = {
	...{ Dots: '..', DotsEqual: '..=', Comma: ',', Equal: '=', Minus: '-' },
	...{ ListOpen: '[', ListClose: ']', GroupOpen: '(', GroupClose: ')' },
};

function rules(): readonly Rule[] {
	const all = new RecipeParser({ validated: true }).getSerializedGastProductions() as unknown as Rule[];
	return all.filter(({ name }) => !recovery.has(name)).toReversed();
}

/** The rules in EBNF (ISO 14977 without commas), statements first. */
export function ebnf(): string {
	const lines = rules().map(({ name, definition }) => `${name} = ${sequence(definition)} ;`);
	const tokens = Object.entries(lexical).map(([name, said]) => `${name} = ? ${said} ? ;`);
	const about = '(* Made by `npm run docs` from src/parser/grammar*.ts: what a recipe is made of. *)';
	return `${about}\n\n${lines.join('\n')}\n\n${tokens.join('\n')}\n`;
}

/** What the parser reads only to say what is wrong with it: junk, strays, and `=` where a comparison belongs. */
const isRecovery = (one: Gast): boolean =>
	(one.type === 'NonTerminal' && recovery.has(one.name ?? '')) ||
	(one.type === 'Repetition' && one.definition?.[0]?.name === 'Anything') ||
	(one.type === 'Alternative' && one.definition?.length === 1 && isRecovery(one.definition[0]!));

function waysOf(list: readonly Gast[]): readonly Gast[] {
	const ways = list.filter((way) => !isRecovery(way));
	const compares = ways.some((way) => way.definition?.[0]?.name === 'ComparisonSign');
	return compares ? ways.filter((way) => way.definition?.[0]?.name !== 'Equal') : ways;
}

function sequence(list: readonly Gast[]): string {
	return list
		.filter((one) => !isRecovery(one))
		.map(term)
		.join(' ');
}

function term(one: Gast): string {
	const inner = one.definition ?? [];
	switch (one.type) {
		case 'NonTerminal':
			return one.name ?? '';
		case 'Terminal':
			return terminal(one.name ?? '');
		case 'Option':
			return `[ ${sequence(inner)} ]`;
		case 'Repetition':
			return `{ ${sequence(inner)} }`;
		case 'RepetitionMandatory':
			return `${sequence(inner)} { ${sequence(inner)} }`;
		case 'Alternation': {
			const ways = waysOf(inner).map((way) => sequence(way.definition ?? []));
			return ways.length === 1 ? (ways[0] ?? '') : `( ${ways.join(' | ')} )`;
		}
		default:
			return sequence(inner);
	}
}

function terminal(name: string): string {
	const literal = words.get(name) ?? signs[name];
	return literal === undefined ? name : `"${literal}"`;
}

/** All rules as one drawing without external resources. */
export function railroad(): string {
	return diagram(rules().map(({ name, definition }) => ({ name, piece: track(definition) })));
}

function track(list: readonly Gast[]): Piece {
	return { kind: 'sequence', pieces: list.filter((one) => !isRecovery(one)).map(pieceOf) };
}

function pieceOf(one: Gast): Piece {
	const inner = one.definition ?? [];
	switch (one.type) {
		case 'NonTerminal':
			return { kind: 'box', text: one.name ?? '', literal: false };
		case 'Terminal': {
			const literal = words.get(one.name ?? '') ?? signs[one.name ?? ''];
			return { kind: 'box', text: literal ?? one.name ?? '', literal: literal !== undefined };
		}
		case 'Option':
			return { kind: 'choice', pieces: [{ kind: 'sequence', pieces: [] }, track(inner)] };
		case 'Repetition':
			return {
				kind: 'choice',
				pieces: [
					{ kind: 'sequence', pieces: [] },
					{ kind: 'loop', piece: track(inner) },
				],
			};
		case 'RepetitionMandatory':
			return { kind: 'loop', piece: track(inner) };
		case 'Alternation': {
			const ways = waysOf(inner).map((way) => track(way.definition ?? []));
			return ways.length === 1 ? (ways[0] ?? track([])) : { kind: 'choice', pieces: ways };
		}
		default:
			return track(inner);
	}
}
