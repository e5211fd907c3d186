import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkRecipe } from '../../src/ir/recipe/check.ts';
import { readRecipe } from '../../src/parser/read.ts';
import { diagnosticJson } from '../../src/report/diagnostics.ts';
import { githubText, sarif } from '../../src/report/formats.ts';
import { vocabulary } from '../harness/vocabulary.ts';

const test = suite('formats');
const text = 'prune heads 25%\nprune hads 25%, 3';
const { syntax, diagnostics } = readRecipe(text);
const list = diagnosticJson([...diagnostics, ...checkRecipe(syntax, vocabulary).diagnostics], {
	...{ file: 'a,b:c.prune', text },
}).filter(({ code }) => code === 'check/unknown-target');

test('writes workflow commands with everything that would end them escaped', () => {
	assert.is(
		githubText(list),
		'::error file=a%2Cb%3Ac.prune,line=2,col=7,endLine=2,endColumn=11,title=check/unknown-target::`prune` has no target `hads` (`heads` is the nearest spelling)',
	);
});

test('writes SARIF with rules, levels and regions', () => {
	const log = sarif(list, '1.2.3') as {
		readonly runs: readonly {
			readonly tool: { readonly driver: { readonly rules: readonly { readonly id: string }[] } };
			readonly results: readonly object[];
		}[];
	};
	const [run] = log.runs;
	assert.equal(
		run!.tool.driver.rules.map(({ id }) => id),
		['check/unknown-target'],
	);
	assert.equal(run!.results, [
		{
			...{ ruleId: 'check/unknown-target', ruleIndex: 0, level: 'error' },
			message: { text: '`prune` has no target `hads`. `heads` is the nearest spelling' },
			locations: [
				{
					physicalLocation: {
						artifactLocation: { uri: 'a,b:c.prune' },
						region: { startLine: 2, startColumn: 7, endLine: 2, endColumn: 11 },
					},
				},
			],
		},
	]);
});

test.run();
