/** Every message that prunec has, as people read it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
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

test('every code has a recipe or a sample that shows it, and nothing else has', () => {
	const shown = new Set([...Object.keys(examples), ...Object.keys(samples), ...large]);
	assert.equal([...shown].toSorted(), codes.toSorted());
});

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) =>
	file.endsWith('.ts'),
);
const program = sources
	.filter((file) => !file.startsWith(`messages${sep}`))
	.map((file) => readFileSync(join('src', file), 'utf8'))
	.join('\n');

test('the program makes every message that there is', async () => {
	const files = sources.filter((file) => file.startsWith(`messages${sep}`));
	const made: string[] = [];
	for (const file of files) {
		const module = (await import(pathToFileURL(join('src', file)).href)) as Readonly<Record<string, unknown>>;
		for (const [name, value] of Object.entries(module)) {
			if (typeof value !== 'function' || !('code' in value)) continue;
			made.push(String(value.code));
			assert.match(program, new RegExp(`\\b${name}\\b`), `nothing makes ${String(value.code)}`);
		}
	}
	assert.equal(made.toSorted(), codes.toSorted());
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
