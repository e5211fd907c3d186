/** The tables of grammar/README.md that are made from sources, between their markers. */
import { catalogue } from '../src/messages/catalogue.ts';
import { families, properties } from '../src/ir/recipe/check-require.ts';
import { costs, qualities } from '../src/ir/recipe/subjects.ts';
import { clausesOf, statementName, targetNames, type TechniqueWords } from '../src/ir/recipe/vocabulary.ts';
import { clausePages, fieldPages, openerPages, operatorPages } from '../src/ir/recipe/word-pages.ts';
import { clauseWords } from '../src/parser/words.ts';
import { vocabulary } from '../src/vocabulary.ts';

type Row = readonly string[];

function table(head: Row, rows: readonly Row[]): string {
	const line = (cells: Row): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
	return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

const code = (text: string): string => `\`${text}\``;
const codes = (words: readonly string[]): string => words.map(code).join(' ');

function statements(): string {
	const rows = vocabulary.techniques.map((words) => [
		code(statementName(words)),
		codes(targetNames(words).filter((name) => name !== words.target)),
		words.summary,
		code(words.example),
	]);
	return table(['statement', 'also', 'what it does', 'for example'], rows);
}

function accepts(): string {
	const rows = vocabulary.techniques.map((words) => [
		code(statementName(words)),
		words.amounts.map((kind) => kind.replace('-', ' ')).join(', '),
		[codes(clausesOf(words)), choicesText(words)].filter(Boolean).join('; '),
	]);
	return table(['statement', 'amounts', 'clauses'], rows);
}

function choicesText({ choices = {}, signals = [] }: TechniqueWords): string {
	const words = Object.entries(choices).flatMap(([clause, list]) =>
		list.map(({ word }) => code(`${clause} ${word}`)),
	);
	return [...words, ...signals.map(({ word }) => code(`when ${word}`))].join(' ');
}

function metrics(): string {
	return table(
		['metric', 'needs', 'what it is'],
		vocabulary.metrics.map(({ name, needs, summary }) => [code(name), needs, summary]),
	);
}

function measures(): string {
	const rows = Object.entries({ ...qualities, ...costs }).map(([name, { example, summary }]) => [
		code(name),
		code(`expect ${example}`),
		summary,
	]);
	return table(['subject', 'for example', 'what is measured'], rows);
}

function requirements(): string {
	const rows = Object.entries({ ...families, ...properties }).map(([name, summary]) => [code(name), summary]);
	return table(['property', 'holds when, or counts'], rows);
}

function diagnostics(): string {
	const own = catalogue.filter((one) => /^(parse|check)\//.test(one.code));
	return table(
		['code', 'severity', 'meaning'],
		own
			.map((one) => [code(one.code), one.severity, one.explain])
			.toSorted((a, b) => (a[0]! < b[0]! ? -1 : 1)),
	);
}

/** Every word that the language itself knows, in one line. */
function pages(): string {
	const all = { ...openerPages, ...clausePages, ...operatorPages };
	const rows = Object.entries(all).map(([word, { summary, example }]) => [
		code(word),
		summary,
		code(example),
	]);
	return table(['word', 'what it says', 'for example'], rows);
}

function fields(): string {
	return table(
		['field', 'of a unit'],
		Object.entries(fieldPages).map(([name, summary]) => [code(name), summary]),
	);
}

const tables: Readonly<Record<string, () => string>> = {
	...{ fields, statements, accepts, metrics, measures, requirements, diagnostics },
	words: () => codes([...clauseWords].toSorted()),
	pages,
};

/** A page with every table between `<!-- name -->` and `<!-- /name -->` made anew. */
export function withTables(page: string): string {
	return page.replace(
		/<!-- (\w+) -->\n[^]*?<!-- \/\1 -->/g,
		(_, name: string) => `<!-- ${name} -->\n\n${tables[name]?.() ?? `no table ${name}`}\n\n<!-- /${name} -->`,
	);
}
