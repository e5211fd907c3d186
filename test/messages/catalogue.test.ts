/** Every message that prunec has, as people read it. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { catalogue } from '../../src/messages/catalogue.ts';
import { examples } from '../../src/messages/examples.ts';
import { samples } from '../../src/messages/samples.ts';
import { renderDiagnostics } from '../../src/report/diagnostics.ts';
import { golden } from '../harness/golden.ts';

const test = suite('catalogue');

/** About texts that are too large to be shown; `ir/recipe/messages.test.ts` has their cases. */
const large = ['long-condition', 'too-deep', 'too-long', 'too-many-mistakes', 'too-many-statements'].map(
	(name) => `parse/${name}`,
);
const codes = [...new Set(catalogue.map(({ code }) => code))];

test('every code stands once, is of a stage and has a page in full sentences', () => {
	assert.is(codes.length, catalogue.length);
	for (const { code, explain } of catalogue) {
		assert.match(code, /^(parse|check|import|project|model|plan|run|verify|data|write|cli)\/[a-z0-9-]+$/);
		assert.match(explain, /^[^a-z][^]*\.$/, code);
	}
});

/** Of what a plan says, techniques bring codes of their own, shown in their tests and pages as well. */
const isShownElsewhere = (code: string): boolean => code.startsWith('plan/');

test('every code has a recipe or a sample that shows it, but those that techniques bring, and nothing else has', () => {
	const shown = new Set([...Object.keys(examples), ...Object.keys(samples), ...large]);
	assert.equal(
		[...shown].filter((code) => !codes.includes(code)),
		[],
	);
	assert.equal(
		codes.filter((code) => !shown.has(code) && !isShownElsewhere(code)),
		[],
	);
});

for (const [code, { diagnostic, text = '' }] of Object.entries(samples)) {
	test(`says ${code} in the words of a file`, () => {
		assert.is(diagnostic.code, code);
		const { message, hint = '' } = diagnostic;
		assert.not.match(message, /\.$|^[A-Z][a-z]|undefined|\[object|NaN/);
		assert.not.match(hint, /\.$|undefined|\[object|NaN/);
		golden(
			`messages/${code.replace('/', '-')}.txt`,
			`${renderDiagnostics([diagnostic], { file: 'case.prune', text })}\n`,
		);
	});
}

test.run();
