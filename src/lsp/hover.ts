/** What stands under the cursor, in words: from the same tables that the reference is made of. */
import { type IToken, tokenMatcher } from 'chevrotain';
import { families, properties } from '../ir/recipe/check-require.ts';
import { readingOf } from '../ir/recipe/ranges.ts';
import { type Place, type Step } from '../ir/recipe/recipe.ts';
import { costs, qualities } from '../ir/recipe/subjects.ts';
import { clausesOf, statementName, targetNames, type TechniqueWords } from '../ir/recipe/vocabulary.ts';
import {
	clausePages,
	fieldPages,
	openerPages,
	operatorPages,
	settingPages,
	type WordPage,
} from '../ir/recipe/word-pages.ts';
import { printValue } from '../parser/print.ts';
import { type Statement } from '../parser/syntax.ts';
import { Clause, Parameter, Text } from '../parser/tokens.ts';
import { readText } from '../parser/values.ts';
import { vocabulary } from '../vocabulary.ts';
import { type Span } from '../diagnostic.ts';
import { statementAt, type Analysis } from './analysis.ts';
import { type Models, type Seen } from './models.ts';
import { declarationOf } from './navigation.ts';
import { tokenAt } from './tokens.ts';

export type Hover = { readonly markdown: string; readonly span: Span };

/** What to say of the word at an offset; with a repository's models, also what the statement or the glob finds there. */
export async function hoverAt(
	analysis: Analysis,
	offset: number,
	models: Models,
): Promise<Hover | undefined> {
	const token = tokenAt(analysis.text, offset);
	if (token === undefined) return undefined;
	const span = { start: token.startOffset, end: token.startOffset + token.image.length };
	const statement = statementAt(analysis, offset);
	const said = [pageOf(token, statement, analysis), ...(await foundText(token, statement, analysis, models))];
	const markdown = said.filter((part) => part !== undefined && part !== '').join('\n\n');
	return markdown === '' ? undefined : { markdown, span };
}

function pageOf(token: IToken, statement: Statement | undefined, analysis: Analysis): string | undefined {
	const word = token.image;
	if (token.tokenType === Parameter) return paramText(word.slice(1), analysis);
	if (token.tokenType === Text) return addressText(token, statement, analysis);
	if (tokenMatcher(token, Clause)) return wordText(word, clausePages[word as keyof typeof clausePages]);
	if (statement === undefined) return undefined;
	if (statement.kind === 'transform') return transformText(word, statement, token.startOffset, analysis);
	if (token.startOffset === statement.span.start && word in openerPages)
		return wordText(word, openerPages[word as keyof typeof openerPages]);
	if (statement.kind === 'param' && token.startOffset === statement.name.span.start)
		return paramText(word, analysis);
	return plainText(word, subjects) ?? plainText(word, settingPages);
}

function wordText(word: string, page: WordPage | undefined): string | undefined {
	return page && `**${word}** — ${page.summary}\n\n${fenced(page.example)}`;
}

function plainText(word: string, pages: Readonly<Record<string, string>>): string | undefined {
	const about = Object.hasOwn(pages, word) ? pages[word] : undefined;
	return about === undefined ? undefined : `**${word}** — ${about}`;
}

const subjects: Readonly<Record<string, string>> = {
	...families,
	...properties,
	...Object.fromEntries(
		Object.entries({ ...qualities, ...costs }).map(([name, { summary }]) => [name, summary]),
	),
};

const fenced = (text: string): string => `\`\`\`prune\n${text}\n\`\`\``;

function transformText(
	word: string,
	{ verb, targets }: Extract<Statement, { kind: 'transform' }>,
	at: number,
	analysis: Analysis,
): string | undefined {
	const own = vocabulary.techniques.filter((one) => one.verb === verb.text);
	if (at === verb.span.start) return own.length === 1 ? techniqueText(own[0]) : verbText(verb.text, own);
	const target = targets.find(({ span }) => span.start <= at && at < span.end);
	if (target !== undefined) return techniqueText(own.find((one) => targetNames(one).includes(target.text)));
	const metric = vocabulary.metrics.find(({ name }) => name === word);
	if (metric !== undefined) return `**${metric.name}** — ${metric.summary} Needs ${metric.needs}.`;
	const choices = own.flatMap(({ choices: all = {}, signals = [], fields = [] }) => [
		...Object.values(all).flat(),
		...signals,
		...fields,
	]);
	const choice = choices.find((one) => one.word === word);
	if (choice !== undefined) return `**${word}** — ${choice.summary}`;
	const operator = Object.hasOwn(operatorPages, word)
		? operatorPages[word as keyof typeof operatorPages]
		: undefined;
	return (
		wordText(word, operator) ??
		plainText(word, fieldPages) ??
		plainText(word, subjects) ??
		rangeText(at, analysis)
	);
}

function techniqueText(technique: TechniqueWords | undefined): string | undefined {
	if (technique === undefined) return undefined;
	const { summary, example, amounts, aliases, metrics } = technique;
	const list = (name: string, words: readonly string[]): string[] =>
		words.length === 0 ? [] : [`${name}: ${words.map((one) => `\`${one}\``).join(' ')}`];
	return [
		`**${statementName(technique)}** — ${summary}`,
		fenced(example),
		[
			...list('also', aliases),
			...(amounts.length === 0
				? []
				: [`amounts: ${amounts.map((kind) => kind.replace('-', ' ')).join(', ')}`]),
			...list('clauses', clausesOf(technique)),
			...list('metrics', metrics),
		].join('  \n'),
	].join('\n\n');
}

function verbText(verb: string, own: readonly TechniqueWords[]): string | undefined {
	if (own.length === 0) return undefined;
	return [`**${verb}**`, ...own.map((one) => `- \`${statementName(one)}\` — ${one.summary}`)].join('\n');
}

function paramText(name: string, analysis: Analysis): string | undefined {
	const param = declarationOf(name, analysis);
	if (param === undefined) return undefined;
	const { value, from, to, doc } = param;
	const limits = from && to ? ` from ${printValue(from)} to ${printValue(to)}` : '';
	const declared = fenced(`param ${name} = ${value === undefined ? '' : printValue(value)}${limits}`);
	return [doc, declared].filter(Boolean).join('\n\n');
}

/** The recipe behind an address: its name and what it says of itself. */
function addressText(
	token: IToken,
	statement: Statement | undefined,
	{ imports }: Analysis,
): string | undefined {
	if (statement?.kind !== 'use') return undefined;
	const file = imports.uses.get(readText(token).value);
	const list = imports.files.get(file ?? '')?.syntax.statements ?? [];
	const head = list.find((one) => one.kind === 'recipe');
	const params = list.flatMap((one) => (one.kind === 'param' ? [`\`${one.name.text}\``] : []));
	if (file === undefined) return undefined;
	return [
		`\`${file}\``,
		head && `**${head.name.text}**${head.description ? ` — ${head.description.value}` : ''}`,
		params.length > 0 && `parameters: ${params.join(' ')}`,
	]
		.filter(Boolean)
		.join('\n\n');
}

/** A range read back in words, as messages do. */
function rangeText(at: number, { recipe }: Analysis): string | undefined {
	const place = recipe?.steps.flatMap(placesOf).find(({ span }) => span.start <= at && at < span.end);
	return place?.kind === 'layers' ? readingOf(place.ranges) : undefined;
}

function placesOf({ in: inside, except, across }: Step): readonly Place[] {
	return [...inside, ...except, ...across];
}

async function foundText(
	token: IToken,
	statement: Statement | undefined,
	analysis: Analysis,
	models: Models,
): Promise<readonly string[]> {
	if (token.tokenType === Text && statement !== undefined && namesParts(statement, token.startOffset))
		return seenText(models.names(readText(token).value, analysis));
	if (statement?.kind !== 'transform') return [];
	const steps = (analysis.recipe?.steps ?? []).filter(
		({ span }) => span.start === statement.span.start && span.file === undefined,
	);
	const [step] = steps.length === 1 ? steps : steps.filter(({ target }) => target === token.image);
	return step === undefined ? [] : seenText(await models.matches(step, analysis));
}

/** Whether a string is a glob over nodes and weights. */
function namesParts(statement: Statement, at: number): boolean {
	if (statement.kind === 'protect') return true;
	if (statement.kind !== 'transform') return false;
	return statement.items.some(
		(item) =>
			(item.kind === 'in' || item.kind === 'except') && item.places.some(({ span }) => span.start === at),
	);
}

function seenText(seen: readonly Seen[]): readonly string[] {
	return seen.map(({ model, says }) => `\`${model}\`: ${says}`);
}
