import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkRecipe } from '../../../src/ir/recipe/check.ts';
import * as agreement from '../../../src/messages/agreement.ts';
import * as check from '../../../src/messages/check.ts';
import * as declarations from '../../../src/messages/declarations.ts';
import { examples } from '../../../src/messages/examples.ts';
import * as parse from '../../../src/messages/parse.ts';
import * as quantities from '../../../src/messages/quantities.ts';
import { readRecipe } from '../../../src/parser/read.ts';
import { renderDiagnostics } from '../../../src/report/diagnostics.ts';
import { golden, goldenJson } from '../../harness/golden.ts';
import { vocabulary } from '../../harness/vocabulary.ts';

const test = suite('messages');

/** A recipe for every code; the message it gets is in `test/golden/language/messages`. */
const cases: Readonly<Record<string, string>> = {
	...examples,
	'parse/long-condition': `prune heads where layer > ${'1 + '.repeat(1001)}1`,
	'parse/too-deep': `prune heads where ${'('.repeat(257)}layer > 1${')'.repeat(257)}`,
	'parse/too-long': `#${'x'.repeat(2 ** 20)}`,
	'parse/too-many-statements': 'p\n'.repeat(10_001),
	'parse/too-many-mistakes': ')\n'.repeat(120),
};
/** About recipes as JSON, which have no text, and about what is set from outside. */
const elsewhere = ['check/not-json', 'check/schema', 'check/param-kind'];

const codes = [parse, check, agreement, declarations, quantities].flatMap((module) =>
	Object.values<{ readonly code: string }>({ ...module }).map(({ code }) => code),
);

test('has a case for every code about a recipe', () => {
	assert.equal([...Object.keys(cases), ...elsewhere].toSorted(), codes.toSorted());
});

for (const [code, text] of Object.entries(cases)) {
	test(`says ${code} at the place that is wrong`, () => {
		const { syntax, diagnostics } = readRecipe(text);
		const all = [...diagnostics, ...checkRecipe(syntax, vocabulary).diagnostics];
		assert.ok(
			all.some((one) => one.code === code),
			`${code}, but ${all.map((one) => one.code).join(' ')}`,
		);
		const shown = all.length > 4 ? all.filter((one) => one.code === code) : all;
		const rendered = renderDiagnostics(shown, { file: 'case.prune', text: text.length > 2000 ? '' : text });
		golden(`language/messages/${code.replace('/', '-')}.txt`, `${rendered}\n`);
	});
}

test('gives the one-liner its meaning', () => {
	const { syntax } = readRecipe('prune heads where importance < 0.1 in layers 6..12; factorize ffn rank 64');
	const { recipe, diagnostics } = checkRecipe(syntax, vocabulary);
	assert.equal(diagnostics, []);
	goldenJson('language/one-liner.json', recipe);
});

test.run();
