import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { indexFiles } from '../src/project/index.ts';
import { readProject, YamlFault } from '../src/project/project.ts';
import { type CaseResult, testProject } from '../src/project/test.ts';
import { renderDiagnostics } from '../src/report/diagnostics.ts';
import { folderOf, type Files } from './harness/repository.ts';

const test = suite('repositories of recipes');

async function results(files: Files): Promise<readonly CaseResult[]> {
	const heard: CaseResult[] = [];
	const all = await testProject(readProject(folderOf(files)), (one) => heard.push(one));
	assert.equal(heard, all);
	return all;
}

const project = 'models:\n  tiny: { generate: encoder, layers: 1, heads: 2, width: 4, ffn: 64 }\n';
const recipe = 'param share = 50%\nprune heads 1\nprune ffn $share\n';

test('runs the tests beside recipes, and says what is not as they say', async () => {
	const tests = [
		'cases:',
		'  - { model: tiny, samples: 1, removes: [1, 32] }',
		'  - { model: tiny, samples: 1, removes: [1, 16], params: { share: 0.25 } }',
		'  - { model: tiny, samples: 1, removes: [1, 15], drift: { cosine: 1 }, params_after: 10 }',
		'  - { model: absent, removes: [1] }',
	];
	const [first, second, third, fourth] = await results({
		'prunec.yaml': project,
		'lite.prune': recipe,
		'lite.test.yaml': tests.join('\n'),
	});
	assert.equal([first?.ok, first?.removed, second?.ok, second?.removed], [true, [1, 32], true, [1, 16]]);
	assert.is(third?.ok, false);
	assert.equal(
		third?.problems.map((problem) => problem.replace(/\d\S*/g, 'n')),
		['removes n n not n n', 'has n parameters, more than n', 'cosine is n below n'],
	);
	assert.equal(fourth?.problems, ['project/unknown-model: prunec.yaml has no model `absent`']);
});

test('shows mistakes in YAML at their place', () => {
	const folder = folderOf({ 'prunec.yaml': 'name: x\nmodles:\n  a: { npm: b }\n' });
	try {
		readProject(folder);
		assert.unreachable();
	} catch (problem) {
		assert.ok(problem instanceof YamlFault);
		assert.is(
			renderDiagnostics(problem.diagnostics, { text: problem.text, file: 'prunec.yaml' }),
			[
				'error project/schema: the file has no field `modles`',
				'  ┌─ prunec.yaml:3:3',
				'3 │   a: { npm: b }',
				'  │   ^^^^^^^^^^^^^',
				'  = help: `models` is the nearest spelling',
			].join('\n'),
		);
	}
});

test('a model cannot be a file outside of the repository', async () => {
	const [only] = await results({
		'prunec.yaml': 'models:\n  a: { file: ../a.onnx }\n',
		'lite.prune': recipe,
		'lite.test.yaml': 'cases: [{ model: a, removes: [] }]',
	});
	assert.equal(only?.problems, [
		'project/model-missing: the model `a` cannot be used: ../a.onnx leads out of the repository',
	]);
});

test('writes an index that comes out the same again, and keeps the rest of the page', () => {
	const folder = folderOf({
		'prunec.yaml': 'name: ours',
		'README.md': '# Ours\n\nWords.\n\n<!-- prunec index -->\nold\n<!-- end of prunec index -->\n\nMore.\n',
		'a.prune': `# Half | of it.\n${recipe}`,
	});
	const files = indexFiles(readProject(folder));
	for (const [path, text] of files) writeFileSync(path, text);
	assert.equal(indexFiles(readProject(folder)), files);
	assert.is(
		readFileSync(join(folder, 'README.md'), 'utf8'),
		[
			'# Ours\n\nWords.\n\n<!-- prunec index -->',
			'| recipe | what it does | parameters | tested on |',
			'|---|---|---|---|',
			'| [a.prune](a.prune) | Half \\| of it. | `share = 0.5` |  |',
			'<!-- end of prunec index -->\n\nMore.\n',
		].join('\n'),
	);
	const index = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as {
		recipes: { path: string }[];
	};
	assert.equal(
		index.recipes.map(({ path }) => path),
		['a.prune'],
	);
});

test('every recipe of this project that has tests passes them, and its index is fresh', async () => {
	const own = readProject('recipes');
	const all = await testProject(own, () => undefined);
	assert.equal(
		all.filter(({ ok }) => !ok).map(({ recipe: path, problems }) => [path, problems]),
		[],
	);
	for (const [path, text] of indexFiles(own)) assert.is(readFileSync(path, 'utf8'), text, `${path} is stale`);
});

test.run();
