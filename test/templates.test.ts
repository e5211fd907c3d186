/** The template of a recipe repository works as it is copied. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { checkText } from '../src/recipe-text/check-text.ts';
import { commands } from '../src/cli/commands.ts';
import { formatRecipe } from '../src/parser/print.ts';
import { indexFiles } from '../src/project/index.ts';
import { readProject } from '../src/project/project.ts';
import { testProject } from '../src/project/test.ts';

const test = suite('templates');
const folder = mkdtempSync(join(tmpdir(), 'prunec-template-'));
test.after(() => {
	rmSync(folder, { recursive: true });
});

test('a copy of the template checks, is canonical, passes its tests and can be indexed', async () => {
	cpSync('templates/recipes', folder, { recursive: true });
	const project = readProject(folder);
	assert.is(project.recipes.length, 1);
	for (const path of project.recipes) {
		const text = readFileSync(path, 'utf8');
		assert.equal(checkText(text).diagnostics, []);
		assert.is(formatRecipe(text).text, text);
	}
	const cases = await testProject(project, () => undefined);
	assert.equal(
		cases.map(({ problems }) => problems),
		[[], []],
	);
	for (const [path, text] of indexFiles(project)) writeFileSync(path, text);
	const index = readFileSync(join(folder, 'README.md'), 'utf8');
	assert.match(index, '[half](half.prune)');
	assert.ok(existsSync(join(folder, 'index.json')));
});

test('its workflow and scripts use commands and flags that there are', () => {
	const workflow = parse(readFileSync('templates/recipes/.github/workflows/check.yml', 'utf8')) as {
		jobs: { check: { steps: { run?: string }[] } };
	};
	const { scripts } = JSON.parse(readFileSync('templates/recipes/package.json', 'utf8')) as {
		scripts: Record<string, string>;
	};
	const lines = [
		...workflow.jobs.check.steps.flatMap(({ run = '' }) => run.replace(/^npx /, '')),
		...Object.values(scripts).flatMap((line) => line.split(' && ')),
	].filter((line) => line.startsWith('prunec '));
	assert.ok(lines.length >= 9);
	for (const line of lines) {
		const name = line.split(' ')[1] ?? '';
		assert.ok(
			commands.some(({ usage }) => usage.split(' ')[0] === name),
			line,
		);
	}
});

test.run();
