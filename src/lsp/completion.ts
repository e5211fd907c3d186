/** What can stand at the cursor: read off the words of the statement before it, never off a text that must be whole. */
import { type IToken, tokenMatcher } from 'chevrotain';
import { families, properties } from '../ir/recipe/check-require.ts';
import { clausesOf, targetNames, type TechniqueWords, type WordClause } from '../ir/recipe/vocabulary.ts';
import { clausePages, fieldPages, openerPages, settingPages } from '../ir/recipe/word-pages.ts';
import { costs, qualities } from '../ir/recipe/subjects.ts';
import { type ParamStatement } from '../parser/syntax.ts';
import {
	Clause,
	Comma,
	GroupOpen,
	Infix,
	NumberToken,
	operatorWord,
	Parameter,
	Text,
} from '../parser/tokens.ts';
import { printValue } from '../parser/print.ts';
import { vocabulary } from '../vocabulary.ts';
import { type Analysis } from './analysis.ts';
import {
	amounts,
	choicesOf,
	clause,
	type Entry,
	metrics,
	places,
	ranges,
	statements,
	subjectsOf,
	targets,
	words,
} from './entries.ts';
import { unfinished } from './tokens.ts';

/** Everything that may stand at an offset; `layerCounts` are of the models that the repository names. */
export function completionsAt(
	analysis: Analysis,
	offset: number,
	layerCounts: () => readonly number[],
): readonly Entry[] {
	const before = analysis.text.slice(0, offset);
	if (/#[^\r\n]*$/.test(before.replace(/"[^"\r\n]*"/g, '')) || isInString(before)) return [];
	if (/\$\w*$/.test(before)) return paramsOf(analysis);
	const written = unfinished(before.replace(/\w+$/, ''));
	const [first] = written;
	if (first === undefined) return statements();
	return first.image in openerPages || tokenMatcher(first, Clause)
		? declaration(first.image, written, analysis)
		: transform(written, analysis, layerCounts);
}

/** Whether the last line of a text has a string that is not closed. */
function isInString(text: string): boolean {
	return /^(?:[^"]|"(?:[^"\\]|\\.)*")*"(?:[^"\\]|\\.)*$/.test(text.slice(text.lastIndexOf('\n') + 1));
}

/** The parameters that a recipe can name, with a `$`. */
function paramsOf({ syntax, imports }: Analysis): Entry[] {
	const own = syntax.statements.filter((one) => one.kind === 'param');
	const used = syntax.statements.flatMap((one) => {
		const file =
			one.kind === 'use' && one.alias === undefined ? imports.uses.get(one.source.value) : undefined;
		return file === undefined ? [] : paramsIn(imports.files.get(file)?.syntax.statements ?? []);
	});
	return [...own, ...used].map((param) => ({ ...paramEntry(param), text: `$${param.name.text}` }));
}

function paramsIn(list: Analysis['syntax']['statements']): ParamStatement[] {
	return list.filter((one) => one.kind === 'param');
}

function paramEntry({ name, value, doc }: ParamStatement): Entry {
	const held = value === undefined ? '' : `= ${printValue(value)}`;
	return { text: name.text, sort: 'param', about: [doc, held].filter(Boolean).join(' ') };
}

function declaration(opener: string, written: readonly IToken[], analysis: Analysis): readonly Entry[] {
	const last = written.at(-1);
	const lastWord = last?.image ?? '';
	switch (opener) {
		case 'calibrate':
		case 'evaluate':
			if (written.length === 1) return [clause('with')];
			if (lastWord === 'metric')
				return words(
					Object.fromEntries(vocabulary.measures.map(({ name, summary }) => [name, summary])),
					'metric',
				);
			return written.length > 2
				? words(settingPages, 'clause').filter(({ text }) => opener === 'evaluate' || text !== 'metric')
				: [];
		case 'require':
			if (written.length === 1) return [...words(families, 'word'), ...words(properties, 'field')];
			if (lastWord in families) return [clause('with')];
			return lastWord === 'with' || lastWord === 'and' ? words(properties, 'field') : [];
		case 'expect':
			return written.length === 1
				? [
						...subjectsOf({ ...qualities, ...costs }),
						{ text: 'outputs unchanged', sort: 'field', about: 'nothing changes but the graph' },
					]
				: [];
		case 'use':
			return last?.tokenType === Text ? [clause('as')] : [];
		case 'apply':
			return applied(written, analysis);
		case 'may':
			return written.length === 1 ? [{ text: 'change', sort: 'word', about: clausePages.may.summary }] : [];
		case 'param':
			return last?.tokenType === NumberToken ? [clause('from')] : [];
		default:
			return [];
	}
}

/** Names that `use` gave, and behind the bracket the parameters of that recipe. */
function applied(written: readonly IToken[], { syntax, imports }: Analysis): readonly Entry[] {
	const named = syntax.statements.flatMap((one) =>
		one.kind === 'use' && one.alias !== undefined ? [{ ...one, alias: one.alias.text }] : [],
	);
	if (written.length === 1)
		return named.map(({ alias, source }) => ({ text: alias, sort: 'word', about: source.value }));
	const last = written.at(-1)?.tokenType;
	const source = named.find(({ alias }) => alias === written[1]?.image)?.source.value ?? '';
	const file = imports.files.get(imports.uses.get(source) ?? '');
	return last === GroupOpen || last === Comma ? paramsIn(file?.syntax.statements ?? []).map(paramEntry) : [];
}

function transform(
	written: readonly IToken[],
	analysis: Analysis,
	layerCounts: () => readonly number[],
): readonly Entry[] {
	const [verb, ...rest] = written;
	const own = vocabulary.techniques.filter((one) => one.verb === verb?.image);
	const begins = rest.findIndex((token) => tokenMatcher(token, Clause) || token.tokenType === NumberToken);
	const heads = begins < 0 ? rest : rest.slice(0, begins);
	if (rest.length === 0 || (begins < 0 && heads.at(-1)?.tokenType === Comma))
		return [...targets(own), ...(own.some(({ target }) => target === undefined) ? clauses(own, rest) : [])];
	const meant = own.filter((one) =>
		targetNames(one).some((name) => heads.some(({ image }) => image === name)),
	);
	const chosen = meant.length > 0 ? meant : own;
	return inside(chosen, rest, analysis, layerCounts) ?? clauses(chosen, rest);
}

const wordClauses: readonly string[] = ['with', 'without', 'only', 'at', 'keep'] satisfies WordClause[];

/** What belongs to the clause that is being written; nothing where it is complete. */
function inside(
	own: readonly TechniqueWords[],
	rest: readonly IToken[],
	analysis: Analysis,
	layerCounts: () => readonly number[],
): readonly Entry[] | undefined {
	const at = rest.findLastIndex((token) => tokenMatcher(token, Clause));
	const [word, behind] = [rest[at]?.image ?? '', rest.slice(at + 1)];
	const last = behind.at(-1);
	if (word === 'where' || word === 'when')
		return last === undefined || expectsOperand(last) ? fields(own, word, analysis) : joined(own, rest);
	if (['in', 'except', 'across', 'after'].includes(word)) {
		if (last === undefined || last.tokenType === Comma) return places(word);
		return /^layers?$/.test(last.image) ? ranges(layerCounts()) : undefined;
	}
	if (last !== undefined) return undefined;
	if (word === 'by') return metrics(own);
	if (word === 'until') return subjectsOf(costs);
	if (word === 'while') return subjectsOf(qualities);
	const choices = wordClauses.includes(word) ? choicesOf(own, word as WordClause) : [];
	return word === 'keep'
		? [...choices, ...amounts(own, true), ...paramsOf(analysis)]
		: choices.length > 0
			? choices
			: undefined;
}

function expectsOperand(token: IToken): boolean {
	return tokenMatcher(token, Infix) || token.tokenType === operatorWord.not || token.tokenType === GroupOpen;
}

function fields(
	own: readonly TechniqueWords[],
	word: 'where' | 'when',
	analysis: Analysis,
): readonly Entry[] {
	const signals = own.flatMap((one) => one.signals ?? []);
	if (word === 'when')
		return signals.map(({ word: text, summary }) => ({ text, sort: 'field', about: summary }));
	const more = own
		.flatMap((one) => one.fields ?? [])
		.map(({ word: text, summary }): Entry => ({ text, sort: 'field', about: summary }));
	return [...words(fieldPages, 'field'), ...more, ...metrics(own), ...paramsOf(analysis)];
}

function joined(own: readonly TechniqueWords[], rest: readonly IToken[]): readonly Entry[] {
	const all = (['and', 'or'] as const).map((text): Entry => ({
		text,
		sort: 'clause',
		about: `both sides of \`${text}\` are conditions`,
	}));
	return [...all, ...clauses(own, rest)];
}

/** Amounts where none stands yet, and the clauses that are left. */
function clauses(own: readonly TechniqueWords[], rest: readonly IToken[]): readonly Entry[] {
	const written = new Set(rest.map(({ image }) => image));
	const has = rest.some(
		({ tokenType, image }) =>
			tokenType === NumberToken ||
			tokenType === Parameter ||
			['[', 'keep', 'where', 'until', 'while', 'rank', 'energy'].includes(image),
	);
	const left = [...new Set(own.flatMap(clausesOf))].filter((word) => !written.has(word.split(' ')[0] ?? ''));
	const known = left.flatMap((word) => {
		const key = (word === 'may change' ? 'may' : word) as keyof typeof clausePages;
		const page = (clausePages as Partial<typeof clausePages>)[key];
		return page === undefined || (has && ['where', 'until', 'while'].includes(word))
			? []
			: [{ ...clause(key), text: word }];
	});
	return [...(has ? [] : amounts(own)), ...known];
}
