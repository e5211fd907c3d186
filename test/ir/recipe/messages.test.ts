import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkRecipe } from '../../../src/ir/recipe/check.ts';
import * as check from '../../../src/messages/check.ts';
import * as declarations from '../../../src/messages/declarations.ts';
import * as parse from '../../../src/messages/parse.ts';
import * as quantities from '../../../src/messages/quantities.ts';
import { readRecipe } from '../../../src/parser/read.ts';
import { renderDiagnostics } from '../../../src/report/diagnostics.ts';
import { golden, goldenJson } from '../../harness/golden.ts';
import { vocabulary } from '../../harness/vocabulary.ts';

const test = suite('messages');

/** A recipe for every code; the message it gets is in `test/golden/language/messages`. */
const cases: Readonly<Record<string, string>> = {
	'parse/expected': 'prune heads where importance <; prune heads by',
	'parse/unexpected': 'prune heads 25% * 3',
	'parse/not-a-statement': '25% of heads',
	'parse/unknown-character': "protect 'a.*'\nprune heads 25% @",
	'parse/unclosed-string': 'protect "a.*\nprune heads 25%',
	'parse/unknown-escape': 'protect "a\\d"',
	'parse/unclosed-bracket': 'prune layers [0, 1\nprune heads 25%',
	'parse/unopened-bracket': 'prune layers 0, 1]',
	'parse/mismatched-bracket': 'prune layers [0, 1)',
	'parse/unknown-unit': 'expect size <= 40mb\nexpect params <= 3bytes',
	'parse/number-too-large': 'prune heads 9007199254740993',
	'parse/single-equals': 'prune heads where layer = 3',
	'parse/condition-expected': 'prune heads where importance and layer > 3',
	'parse/term-expected': 'prune heads where 0.1 < importance < 0.5',
	'parse/glob-expected': 'prune heads where layer matches "*.q"',
	'parse/long-condition': `prune heads where layer > ${'1 + '.repeat(1001)}1`,
	'parse/too-deep': `prune heads where ${'('.repeat(257)}layer > 1${')'.repeat(257)}`,
	'parse/too-long': `#${'x'.repeat(2 ** 20)}`,
	'parse/too-many-statements': 'p\n'.repeat(10_001),
	'parse/too-many-mistakes': ')\n'.repeat(120),
	'check/unknown-verb': 'prne heads 25%',
	'check/unknown-target': 'prune hads 25%\nfactorize heads rank 8',
	'check/missing-target': 'prune 25%',
	'check/duplicate-target': 'prune heads, heads 25%',
	'check/missing-terminator': 'factorize ffn rank 64 prune heads 25%',
	'check/unknown-clause': 'prune heads 25% globaly',
	'check/unsupported-clause': 'prune heads 25% only ffn',
	'check/unsupported-amount': 'prune heads rank 64',
	'check/missing-amount': 'prune heads in layers 6..12',
	'check/two-amounts': 'prune heads 25% keep 8',
	'check/duplicate-clause': 'prune heads 25% by l1 by l2',
	'check/unused-clause': 'prune heads [0, 5] by l2',
	'check/unknown-metric': 'prune heads 25% by l3',
	'check/metric-not-here': 'prune heads 25% by block_influence',
	'check/unknown-field': 'prune heads where importanse < 0.1',
	'check/unknown-place': 'prune heads 25% in layrs 6..12',
	'check/place-positions': 'prune heads 25% in layers',
	'check/missing-clause': 'exit when confidence > 0.9\nshare ffn',
	'check/unknown-signal': 'exit after layer 5 when confidnce > 0.9',
	'check/no-schedule': 'prune tokens keep [100%, 2..4] after layers [0, 4]',
	'check/schedule-length': 'prune tokens keep [100%, 70%] after layers [0, 4, 8]',
	'check/bad-pattern': 'prune weights 4:4',
	'check/wrong-goal': 'prune heads until cosine >= 0.98\nprune heads while latency <= 60%',
	'check/wrong-direction': 'prune heads until latency >= 60%',
	'check/unknown-property': 'require transfomer with layers >= 6\nrequire opsets >= 13',
	'check/unknown-choice': 'prune layers [3] only atention',
	'check/empty-range': 'prune heads 25% in layers 12..6',
	'check/share-as-position': 'prune layers [50%]',
	'check/over-hundred': 'prune heads 125%',
	'check/not-whole': 'prune heads 0.25',
	'check/too-small': 'factorize ffn rank 0',
	'check/wrong-unit': 'expect cosine >= 98MB',
	'check/unknown-param': 'param floor = 0.1\nprune heads where importance < $flor or importance > $floor',
	'check/duplicate-param': 'param floor = 0.1\nparam floor = 0.2\nprune heads where importance < $floor',
	'check/param-out-of-range': 'param floor = 2 from 0 to 1\nprune heads where importance < $floor',
	'check/param-not-number': 'param floor = $other',
	'check/unused-param': 'param floor = 0.1',
	'check/unknown-setting': 'calibrate with "a.npy" sed 7',
	'check/unknown-expectation': 'expect cosin >= 0.98',
	'check/missing-bound': 'expect cosine',
	'check/duplicate-statement': 'recipe a\nrecipe b',
	'check/recipe-not-first': 'prune heads 25%\nrecipe late',
	'check/duplicate-alias': 'use "./a.prune" as a\nuse "./b.prune" as a',
	'check/unknown-alias': 'use "./lite.prune" as lite\napply light(floor = 0.2)',
	'check/not-imported': 'use "./lite.prune"',
	'check/removes-all': 'factorize ffn energy 0%',
};
/** About recipes as JSON, which have no text. */
const elsewhere = ['check/not-json', 'check/schema'];

const codes = [parse, check, declarations, quantities].flatMap((module) =>
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
